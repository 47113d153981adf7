"""The figures as tables on the terminal, in the columns of the papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table

from dettrack.evaluation.bootstrap import Difference, Interval
from dettrack.evaluation.rules import EVALUATION15, GROUPS
from dettrack.evaluation.summary import Evaluation
from dettrack.evaluation.thresholds import JointThreshold
from dettrack.evaluation.tracking import COUNTS

__all__ = ["comparison_table", "figure_tables", "interval_table", "oracle_table", "sequence_table", "threshold_table"]

TOTAL = len(EVALUATION15)
_COLUMNS = (*GROUPS, "Total")


def _table(title: str, columns: Sequence[str], first: str = "") -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cell(value: float, digits: int = 1) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def _switches(result: Evaluation) -> int:
    return int(result.counts.clear[COUNTS.index("num_switches")].sum())


def figure_tables(result: Evaluation) -> list[Table]:
    """AP and MOTA per group as in the paper's tables 2 to 5, the other totals, and HOTA where it was measured."""
    main = _table(f"PoseTrack, {result.rules.name} rules, {len(result.sequences)} sequences", _COLUMNS)
    for name, values in (("AP", result.AP["AP"]), ("MOTA", result.MOT["mota"])):
        main.add_row(name, *(_cell(value) for value in result.groups(values).values()))
    names = ("AP", "MOTA", "MOTP", "Prec", "Rec", "IDF1", "switches")
    totals = _table("Totals", names)
    figures = [result.ap, *(float(result.MOT[key][TOTAL]) for key in ("mota", "motp", "pre", "rec", "idf1"))]
    totals.add_row("all joints", *(_cell(figure) for figure in figures), str(_switches(result)))
    tables = [main, totals]
    if result.HOTA:
        table = _table("Keypoint HOTA (PoseTrack21's)", _COLUMNS)
        for name in ("HOTA", "DetA", "AssA", "LocA"):
            table.add_row(name, *(_cell(100 * value) for value in result.groups(result.HOTA[name]).values()))
        tables.append(table)
    boxes = result.boxes
    if boxes.annotated:
        table = _table("Person boxes, IoU 0.5", ("recall", "precision", "annotated", "predicted"))
        table.add_row("", _cell(boxes.recall), _cell(boxes.precision), str(boxes.annotated), str(boxes.predicted))
        tables.append(table)
    return tables


def sequence_table(result: Evaluation) -> Table:
    """One row per sequence."""
    columns = ["AP", "MOTA", "MOTP", "Prec", "Rec", "IDF1", "switches", *(["HOTA"] if result.HOTA else [])]
    table = _table("Per sequence", columns, "sequence")
    for i, part in enumerate(result.sequences):
        alone = result.of_sequence(i)
        values = [alone.ap, *(float(alone.MOT[key][TOTAL]) for key in ("mota", "motp", "pre", "rec", "idf1"))]
        more = [_cell(100 * float(alone.HOTA["HOTA"][TOTAL]))] if alone.HOTA else []
        table.add_row(part.name, *(_cell(value) for value in values), str(_switches(alone)), *more)
    return table


def interval_table(found: Mapping[str, Interval], samples: int) -> Table:
    """Bootstrap intervals.

    Args:
        found: As `bootstrap.intervals` gives them.
        samples: How many bootstrap samples they are of.

    Returns:
        The table.
    """
    table = _table(f"95 % intervals, {samples} bootstrap samples of the sequences", ("value", "low", "high"))
    for name, interval in found.items():
        table.add_row(name, _cell(interval.value, 2), _cell(interval.low, 2), _cell(interval.high, 2))
    return table


def comparison_table(found: Mapping[str, Difference], samples: int) -> Table:
    """Paired differences, B - A.

    Args:
        found: As `bootstrap.compare` gives them.
        samples: How many bootstrap samples they are of.

    Returns:
        The table.
    """
    columns = ("A", "B", "B - A", "low", "high", "p")
    table = _table(f"Paired bootstrap over sequences, {samples} samples, 95 % intervals of B - A", columns)
    for name, d in found.items():
        values = (_cell(value, 2) for value in (d.a, d.b, d.b - d.a, d.low, d.high))
        table.add_row(name, *values, _cell(d.p, 3))
    return table


def oracle_table(results: Mapping[str, Evaluation]) -> Table:
    """Ours, then each oracle."""
    table = _table("Where the errors are", ("AP", "MOTA", "MOTP", "IDF1", "switches", "MOTA gained"))
    ours = next(iter(results.values()))
    for name, result in results.items():
        values = [result.ap, *(float(result.MOT[key][TOTAL]) for key in ("mota", "motp", "idf1"))]
        gained = "" if result is ours else _cell(result.mota - ours.mota)
        table.add_row(name, *(_cell(value) for value in values), str(_switches(result)), gained)
    return table


def threshold_table(found: Sequence[JointThreshold]) -> Table:
    """Thresholds per joint, and what they do to MOTA on the videos they were learned on."""
    columns = ("threshold", "MOTA without", "MOTA with", "dropped")
    table = _table("Score thresholds that make MOTA greatest", columns, "joint")
    for row in found:
        share = f"{row.dropped} of {row.predicted}"
        table.add_row(row.joint, _cell(row.threshold, 4), _cell(row.mota_all), _cell(row.mota), share)
    for key in ("mota_all", "mota"):
        known = [value for row in found if not np.isnan(value := getattr(row, key))]
        if key == "mota_all":
            before = float(np.mean(known)) if known else float("nan")
    after = float(np.mean(known)) if known else float("nan")
    table.add_row("all joints", "", _cell(before), _cell(after), "", style="bold")
    return table
