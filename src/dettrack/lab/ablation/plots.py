"""Plots of a study: curves over |C| and S, every table as points with intervals, the calibration of the spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dettrack.errors import MissingExtraError
from dettrack.lab.ablation.calibration import Calibration
from dettrack.lab.ablation.measure import Result
from dettrack.lab.ablation.report import TITLES, Measured, interval
from dettrack.lab.ablation.rows import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_plots"]

COLOURS = {"AP": "#1f6fb4", "MOTA": "#c8502a", "recall": "#3a8f4d"}
OTHER = "#555555"


def write_plots(out: Path, tables: Sequence[Measured], calibration: Calibration | None) -> list[Path]:
    """Draw everything that was measured.

    Args:
        out: Folder.
        tables: With their results.
        calibration: Of the scores, where it was measured.

    Returns:
        The files.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("drawing plots (or give --no-plots)", "plots") from error
    matplotlib.use("Agg")
    by_key = {table.key: (table, results) for table, results in tables}
    written = []
    for key, (table, results) in by_key.items():
        if table.layout == "groups" or key.endswith("_baselines"):
            continue
        if table.axis:
            written.append(
                _curve(out / f"{key}.png", table, results, by_key.get(f"{key.removesuffix('_full')}_baselines"))
            )
        else:
            written.append(_points(out / f"{key}.png", table, results))
    if calibration is not None and calibration.joints:
        written.append(_calibration(out / "calibration.png", calibration))
    return written


def _save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot as plt

    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return path


def _errors(results: Sequence[Result], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values, and distances to the ends of their intervals as matplotlib takes them."""
    values = np.array([result.figures[name] for result in results])
    ends = np.array([interval(result, name) for result in results])
    return values, np.nan_to_num(np.abs(ends - values[:, None]).T)


def _curve(path: Path, table: Table, results: Sequence[Result], baselines: Measured | None) -> Path:
    from matplotlib import pyplot as plt

    names = [n for n in table.show if any(np.isfinite(r.figures[n]) for r in results)]
    figure, axes = plt.subplots(1, len(names), figsize=(3.6 * len(names), 3), squeeze=False)
    figure.subplots_adjust(wspace=0.35)
    for ax, name in zip(axes[0], names, strict=True):
        _line(ax, table, results, name, COLOURS.get(name, OTHER), "dettrack", "o-")
        if baselines is not None:
            swept = [
                (row, r) for row, r in zip(baselines[0].rows, baselines[1], strict=True) if row.name.startswith("S =")
            ]
            if swept:
                at, values = [float(row.at or 0) for row, _ in swept], [r.figures[name] for _, r in swept]
                ax.plot(at, values, "s--", color="#999999", label="2D + oks-velocity, interpolated")
        ax.set_xlabel({"clip_length": "|C|", "step": "S"}[table.axis])
        ax.set_title(TITLES[name], fontsize=10)
        ax.grid(alpha=0.3)
        if baselines is not None and name != "frames_per_second":
            ax.legend(fontsize=7)
    return _save(figure, path)


def _line(ax: Axes, table: Table, results: Sequence[Result], name: str, colour: str, label: str, style: str) -> None:
    values, errors = _errors(results, name)
    at = [float(row.at or 0) for row in table.rows]
    ax.errorbar(at, values, yerr=errors, fmt=style, color=colour, label=label, capsize=2, linewidth=1.5)
    ax.set_xticks(at)


def _points(path: Path, table: Table, results: Sequence[Result]) -> Path:
    from matplotlib import pyplot as plt

    names = [n for n in table.show if any(np.isfinite(r.figures[n]) for r in results)]
    height = 0.8 + 0.3 * len(results)
    figure, axes = plt.subplots(1, len(names), figsize=(3 + 2.6 * len(names), height), sharey=True, squeeze=False)
    places = np.arange(len(results))[::-1]
    for ax, name in zip(axes[0], names, strict=True):
        values, errors = _errors(results, name)
        ax.errorbar(values, places, xerr=errors, fmt="o", color=COLOURS.get(name, OTHER), capsize=2)
        ax.set_title(TITLES[name], fontsize=10)
        ax.grid(alpha=0.3, axis="x")
    axes[0][0].set_yticks(places, [row.name for row in table.rows], fontsize=8)
    return _save(figure, path)


def _calibration(path: Path, found: Calibration) -> Path:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3))
    labels = {"spread": "spread, head sizes", "score": "score"}
    for ax, (name, tenths) in zip(axes, found.bins.items(), strict=True):
        at = [tenth["mean"] for tenth in tenths]
        ax.plot(at, [tenth["median_error"] for tenth in tenths], "o-", color=COLOURS["AP"])
        ax.set_xlabel(labels[name])
        ax.set_ylabel("median error, head sizes", color=COLOURS["AP"])
        other = ax.twinx()
        other.plot(at, [tenth["wrong"] for tenth in tenths], "s--", color=COLOURS["MOTA"])
        other.set_ylabel("wrong joints, %", color=COLOURS["MOTA"])
        if name in found.auc:
            ax.set_title(f"AUC of wrong joints: {found.auc[name]:.3f}", fontsize=10)
        ax.grid(alpha=0.3)
    figure.subplots_adjust(wspace=0.6)
    return _save(figure, path)
