"""What a training run writes while it runs: a CSV, TensorBoard events where TensorBoard is installed, a curve."""

from __future__ import annotations

import csv
import logging
from collections import defaultdict
from pathlib import Path
from typing import Any

from dettrack.files import write_text

__all__ = ["Journal", "read_log"]

_LOG = logging.getLogger("dettrack.training")
_DRAWABLE = 1e30  # a run that diverges may log anything; Matplotlib has no ticks for infinity
_HEADER = ["step", "name", "value"]


class Journal:
    """The log of a run in `folder`: `log.csv` (step, name, value), `tensorboard/`, `curve.png`."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        """Open the log; rows after `step` are dropped, because a resumed run writes them again."""
        self.folder = folder
        self._path = folder / "log.csv"
        kept = [f"{at},{name},{value!r}\n" for at, name, value in read_log(self._path) if at <= step]
        write_text(self._path, "".join([",".join(_HEADER) + "\n", *kept]))  # whole, whenever it is killed
        self._file = self._path.open("a", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._board = _tensorboard(folder / "tensorboard", step)

    def add(self, step: int, figures: dict[str, float]) -> None:
        """Write `figures` of `step`, at once.

        Args:
            step: Of the training.
            figures: Values by name.
        """
        for name, value in figures.items():
            self._rows.writerow([step, name, repr(float(value))])
            if self._board is not None:
                self._board.add_scalar(name, value, step)
        self._file.flush()
        _LOG.info("step %d  %s", step, "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))

    def draw(self) -> None:
        """Write `curve.png`, a panel for each figure, where Matplotlib is installed; infinite values are left out."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for step, name, value in read_log(self._path):
            curves[name].append((step, value))
        if not curves:
            return
        figure = Figure(figsize=(8, 2.2 * len(curves)), layout="constrained")
        for number, (name, points) in enumerate(curves.items(), 1):
            axes = figure.add_subplot(len(curves), 1, number)
            shown = [(step, value) for step, value in points if abs(value) <= _DRAWABLE]
            if shown:
                axes.plot(*zip(*shown, strict=True), marker="." if len(shown) < 50 else None)
            axes.set_title(name, fontsize=9)
            axes.grid(alpha=0.3)
        figure.savefig(self.folder / "curve.png", dpi=80)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self.draw()
        if self._board is not None:
            self._board.close()


def read_log(path: Path) -> list[tuple[int, str, float]]:
    """Rows `(step, name, value)` of a `log.csv`; empty where there is none. A half-written last row is left out."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == len(_HEADER)]
    return [(int(step), name, float(value)) for step, name, value in rows[1:]]


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
