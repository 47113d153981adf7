"""Tables as Markdown and CSV; a figure's 95 % interval stands in the columns `NAME_low` and `NAME_high`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dettrack.errors import OutputError
from dettrack.lab.ablation.calibration import Calibration
from dettrack.lab.ablation.measure import Result
from dettrack.lab.ablation.published import GROUPS, published
from dettrack.lab.ablation.rows import Table
from dettrack.lab.ablation.study import Study

__all__ = ["csv_text", "interval", "markdown_text", "paired", "write_report"]

TITLES = {
    "AP": "AP",
    "MOTA": "MOTA",
    "recall": "recall",
    "false_negatives": "joints missed",
    "frames_per_second": "frames/s",
    "right_person": "right person",
    "right_person_near": "right person, near others",
    "PCKh_key": "PCKh, keyframe",
    "PCKh_ends": "PCKh, ends",
    "silent": "silent when gone",
}
# Figures without a difference to the reference row.
_NOT_COMPARED = ("false_negatives", "frames_per_second")
# Figures that every CSV has, whatever its table shows.
ALWAYS = ("AP", "MOTA")

Measured = tuple[Table, Sequence[Result]]


def interval(result: Result, name: str) -> tuple[float, float]:
    """The 95 % interval of a figure; NaN where it was not drawn.

    Args:
        result: Of the row.
        name: Of the figure.

    Returns:
        Low and high end.
    """
    values = np.array(result.draws.get(name, []), float)
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def paired(result: Result, reference: Result, name: str) -> tuple[float, float, float]:
    """Difference to a reference row and its 95 % interval, from the same bootstrap samples of the sequences.

    Args:
        result: Of the row.
        reference: Of the row that it is compared with.
        name: Of the figure.

    Returns:
        Difference, low and high end; NaN where nothing was drawn.
    """
    a, b = (np.array(r.draws.get(name, []), float) for r in (reference, result))
    difference = result.figures[name] - reference.figures[name]
    if len(a) != len(b) or not len(a) or not np.isfinite(a + b).any():
        return difference, float("nan"), float("nan")
    low, high = np.nanpercentile(b - a, [2.5, 97.5])
    return difference, float(low), float(high)


def _number(value: float, digits: int = 2) -> str:
    return "" if not np.isfinite(value) else f"{value:.{digits}f}"


def csv_text(table: Table, results: Sequence[Result], label: str) -> str:
    """A table's CSV: our rows, then the published ones of the same table.

    Args:
        table: The table.
        results: One for each of its rows.
        label: Title of the column of rows.

    Returns:
        The file's content.
    """
    shown = tuple(dict.fromkeys((*table.show, *ALWAYS))) if table.layout == "plain" else table.show
    groups = GROUPS if table.layout == "groups" else ()
    fields = [*([table.axis] if table.axis else []), "row", *groups]
    for name in shown:
        fields += [name] if name == "frames_per_second" else [name, f"{name}_low", f"{name}_high"]
    fields += ["data", "source"]
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row, result in zip(table.rows, results, strict=True):
        line: dict[str, object] = {table.axis: row.at, "row": row.name, "data": label, "source": "measured"}
        for name in shown:
            line[name] = _number(result.figures[name])
            line[f"{name}_low"], line[f"{name}_high"] = map(_number, interval(result, name))
        for name in groups:
            line[name] = _number(result.groups[table.show[0]][name])
        writer.writerow(line)
    if not table.axis:
        for other in published(table.key):
            figures = {name: f"{value:.1f}" for name, value in other.figures.items()}
            writer.writerow({"row": other.row, **figures, "data": other.data, "source": other.source})
    return out.getvalue()


def markdown_text(table: Table, results: Sequence[Result], label: str) -> str:
    """A table in Markdown, with the published rows below ours.

    Args:
        table: The table.
        results: One for each of its rows.
        label: Title of the column of rows.

    Returns:
        Lines of the table, joined.
    """
    reference = next((r for row, r in zip(table.rows, results, strict=True) if row.name == table.reference), None)
    groups = GROUPS if table.layout == "groups" else ()
    head = ["", *groups, *(TITLES[name] for name in table.show)]
    compared = [name for name in table.show if reference is not None and name not in _NOT_COMPARED]
    head += [f"Δ {TITLES[name]}" for name in compared]
    lines = [f"## {table.title}", "", f"`{table.key}.csv`; {label}.", ""]
    lines += [_line(head), "|---|" + "---:|" * (len(head) - 1)]
    for row, result in zip(table.rows, results, strict=True):
        cells = [row.name, *(_number(result.groups[table.show[0]][name], 1) for name in groups)]
        cells += [_with_interval(result, name) for name in table.show]
        if reference is not None:
            cells += ["" if result is reference else _difference(result, reference, name) for name in compared]
        lines.append(_line(cells))
    for other in published(table.key):
        values = [_number(other.figures.get(name, np.nan), 1) for name in (*groups, *table.show)]
        cells = [f"*{other.row}, published, {other.data}*", *values, *[""] * len(compared)]
        lines.append(_line(cells))
    return "\n".join([*lines, "", *(f"{note}\n" for note in table.notes)])


def _line(cells: Sequence[str]) -> str:
    """One line of a table; a bar in a cell (|C|) must not end it."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _with_interval(result: Result, name: str) -> str:
    value = result.figures[name]
    if not np.isfinite(value):
        return "-"
    digits = 0 if name == "false_negatives" else 1
    low, high = interval(result, name)
    return _number(value, digits) + (f" ({low:.{digits}f} to {high:.{digits}f})" if np.isfinite(low) else "")


def _difference(result: Result, reference: Result, name: str) -> str:
    value, low, high = paired(result, reference, name)
    if not np.isfinite(value):
        return ""
    return f"{value:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if np.isfinite(low) else "")


def write_report(study: Study, label: str, tables: Sequence[Measured], calibration: Calibration | None) -> list[Path]:
    """Write into `study.out`: a CSV per table, and `tables.md`.

    `tables.md` holds the tables of this call; tables measured in earlier calls keep their CSV files.

    Args:
        study: The study.
        label: How our rows are named.
        tables: With their results.
        calibration: Of the scores, where it was measured.

    Returns:
        The files.

    Raises:
        OutputError: A file cannot be written.
    """
    texts = {f"{table.key}.csv": csv_text(table, results, label) for table, results in tables}
    parts = [f"# {study.name}", _conditions(study, label)]
    parts += [markdown_text(table, results, label) for table, results in tables]
    if calibration is not None:
        texts["calibration.csv"] = calibration_csv(calibration)
        parts.append(_calibration_markdown(calibration))
    if tables:
        texts["tables.md"] = "\n".join(parts) + "\n"
    written = []
    try:
        study.out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (study.out / name).write_text(text, encoding="utf-8")
            written.append(study.out / name)
    except OSError as error:
        raise OutputError(f"cannot write {study.out}: {error.strerror or error}") from error
    return written


def _conditions(study: Study, label: str) -> str:
    data = study.data
    lost = ""
    if data.missed:
        how = "one by one" if data.missed_run == 1 else f"in runs of {data.missed_run} frames per person"
        lost = f" In every row where nothing else is said, {data.missed:.0%} of the boxes are lost on purpose, {how}."
    return (
        f"\nWritten by `dettrack ablate`; {label}.{lost} Chance is drawn {study.seeds} time(s). 95 % intervals in "
        f"brackets: bootstrap over sequences, {study.bootstrap} samples; Δ is the difference to the reference row in "
        "the same samples. Per-joint thresholds for MOTA are learned for each row on sequences that are not evaluated "
        "with them; AP keeps all joints.\n"
    )


def calibration_csv(found: Calibration) -> str:
    """Tenths of the joints by spread and by score."""
    out = io.StringIO()
    fields = ["measure", "low", "high", "mean", "joints", "median_error", "wrong"]
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    for measure, tenths in found.bins.items():
        writer.writerows(
            {"measure": measure, **{k: v if k == "joints" else f"{v:.4f}" for k, v in tenth.items()}}
            for tenth in tenths
        )
    return out.getvalue()


def _calibration_markdown(found: Calibration) -> str:
    lines = [
        "## Spread and score as predictors of the error",
        "",
        f"`calibration.csv`; {found.joints} joints with several hypotheses, of which {found.wrong:.1f} % are wrong "
        "(farther than half a head size). AUC: how often a wrong joint has the larger spread (the lower score) than a "
        "right one; 0.5 is chance.",
        "",
        "| | AUC | rank correlation with the error |",
        "|---|---:|---:|",
    ]
    lines += [f"| {name} | {found.auc[name]:.3f} | {found.spearman[name]:.3f} |" for name in found.auc]
    return "\n".join(lines) + "\n"
