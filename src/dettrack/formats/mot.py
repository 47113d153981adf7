"""`mot.txt`: boxes of the tracks in MOTChallenge's text form, for box-tracking tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dettrack.formats.part import PartFile
from dettrack.geometry import xywh_of
from dettrack.structures import TrackTable

__all__ = ["MotWriter"]


class MotWriter:
    """Writes `frame, id, x, y, w, h, score, -1, -1, -1` lines; frames count from 1, as that form wants it.

    Ids are the track ids unchanged. Only boxes of finite size can be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = PartFile(path)

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        rows = rows[np.isfinite(rows.box).all(1)]
        corners = rows.box.astype(float)
        values = np.concatenate([xywh_of(corners), rows.score[:, None]], 1)
        self._file.write(
            "".join(
                f"{frame_index + 1},{track},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},-1,-1,-1\n"
                for track, (x, y, w, h, score) in zip(rows.track_id.tolist(), values.tolist(), strict=True)
            )
        )

    def close(self) -> None:
        """See `formats.Writer.close`."""
        self._file.close()
