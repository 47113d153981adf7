"""A detector that searches every frame once: all networks and clip lengths of a study get the same boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from dettrack.files import NewFile
from dettrack.models.detector import Detector
from dettrack.structures import Boxes, Frame

__all__ = ["SeenBoxes"]


class SeenBoxes:
    """Stands for a detector (`models.detector.Detector`) and keeps what it found, one file for each sequence."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._boxes: dict[int, Boxes] = {}
        self.description = detector.description

    @contextmanager
    def sequence(self, path: Path) -> Iterator[None]:
        """While frames of one sequence are searched: boxes come from its file, and new ones are written there.

        Args:
            path: `.npz` file of this detector and sequence; it need not exist. It is written at the end, if there is
                anything new; after an error it stays as it was.

        Yields:
            Nothing.

        Raises:
            OutputError: The file cannot be written.
        """
        self._boxes = _read(path) if path.is_file() else {}
        known = len(self._boxes)
        try:
            yield
            if len(self._boxes) > known:
                _write(self._boxes, path)
        finally:
            self._boxes = {}

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector`."""
        unseen = [frame for frame in frames if frame.index not in self._boxes]
        if unseen:
            found = self.detector.detect(unseen)
            self._boxes.update((frame.index, boxes) for frame, boxes in zip(unseen, found, strict=True))
        return [self._boxes[frame.index] for frame in frames]


def _read(path: Path) -> dict[int, Boxes]:
    with np.load(path) as saved:
        ends = np.cumsum(saved["counts"])
        parts = zip(saved["frames"].tolist(), [0, *ends[:-1]], ends, strict=True)
        return {f: Boxes(saved["xyxy"][a:b], saved["scores"][a:b]) for f, a, b in parts}


def _write(boxes: dict[int, Boxes], path: Path) -> None:
    ordered = sorted(boxes.items())
    with NewFile(path) as new, new.part.open("wb") as file:
        np.savez(
            file,
            frames=np.array([frame for frame, _ in ordered]),
            counts=np.array([len(found) for _, found in ordered]),
            xyxy=np.concatenate([found.xyxy for _, found in ordered]),
            scores=np.concatenate([found.scores for _, found in ordered]),
        )
