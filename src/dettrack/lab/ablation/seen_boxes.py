"""A detector that looks at every frame once: all networks and clip lengths of a study get the same boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dettrack.errors import OutputError
from dettrack.models.detector import Detector
from dettrack.structures import Boxes, Frame

__all__ = ["SeenBoxes"]


class SeenBoxes:
    """Stands for a detector (`detection.Detector`) on the frames of one sequence, and keeps what it said in a file."""

    def __init__(self, detector: Detector, path: Path) -> None:
        """Open.

        Args:
            detector: Asked for frames that are not in the file.
            path: `.npz` file of this detector and sequence; it need not exist.
        """
        self.detector, self._path = detector, path
        self._boxes: dict[int, Boxes] = {}
        self._new = False
        if path.is_file():
            with np.load(path) as saved:
                ends = np.cumsum(saved["counts"])
                parts = zip(saved["frames"].tolist(), [0, *ends[:-1]], ends, strict=True)
                self._boxes = {f: Boxes(saved["xyxy"][a:b], saved["scores"][a:b]) for f, a, b in parts}

    @property
    def description(self) -> str:
        """Of the detector itself."""
        return self.detector.description

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector`."""
        unseen = [frame for frame in frames if frame.index not in self._boxes]
        if unseen:
            self._new = True
            found = self.detector.detect(unseen)
            self._boxes.update((frame.index, boxes) for frame, boxes in zip(unseen, found, strict=True))
        return [self._boxes[frame.index] for frame in frames]

    def save(self) -> None:
        """Write the file, if there is anything new; it has its name only when it is whole."""
        if not self._new:
            return
        ordered = sorted(self._boxes.items())
        part = self._path.with_suffix(".part.npz")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(
                part,
                frames=np.array([frame for frame, _ in ordered]),
                counts=np.array([len(boxes) for _, boxes in ordered]),
                xyxy=np.concatenate([boxes.xyxy for _, boxes in ordered]),
                scores=np.concatenate([boxes.scores for _, boxes in ordered]),
            )
            part.replace(self._path)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error
        self._new = False
