"""What the tubes say of one person in one frame, out of saved tracklets: the hypotheses of the paper's figure 4.

Saved tracklets have no identities. A hypothesis is the person's whose finished pose of that frame is nearest, if it is
near: so the picture is right also after other links or corrections than those of the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.formats.tracklets import TrackletFile
from dettrack.structures import Tracklets, TrackTable

__all__ = ["Hypotheses"]

_SPAN = ["keyframes.list.element.first_frame", "keyframes.list.element.n_frames"]
_NEAR = 0.35  # heights of the person: mean distance of the joints up to which a pose is the person's
_SURE = 0.05
_PATH = 12  # frames of the chosen path on either side
_BATCHES = 32  # kept in memory


class Hypotheses:
    """Looks into the saved tracklets of a run, a batch at a time.

    Args:
        path: `tracklets.parquet`.

    Raises:
        InputError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._file = TrackletFile.open(path)
        self._batches: dict[int, list[Tracklets]] = {}
        self._spans: list[tuple[int, int]] = []
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=64, columns=_SPAN):
                    self._spans += [_span(row) for row in batch.column("keyframes")]
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"cannot read {path}: {error}; expected the tracklets.parquet of a run") from error

    def of(self, table: TrackTable, frame: int, track: int) -> dict[str, Any]:
        """The hypotheses of one person.

        Args:
            table: Finished rows.
            frame: Frame index.
            track: Id.

        Returns:
            `poses`: for each hypothesis its keyframe, its joints and their scores; `path`: the finished joints in the
            frames around. Both are empty where the person is not in the frame.
        """
        rows = table[table.frame == frame]
        if track not in rows.track_id or self._file.joints != table.joint_set:
            return {"poses": [], "path": []}
        poses = []
        for tracklets in self._covering(frame):
            at = frame - int(tracklets.frames[0])
            for xy, scores in zip(tracklets.xy[:, at], tracklets.scores[:, at], strict=True):
                if _owner(rows, xy, scores) == track:
                    joints = [_point(p) if s >= _SURE else None for p, s in zip(xy, scores, strict=True)]
                    poses.append({"keyframe": tracklets.keyframe, "xy": joints, "scores": np.round(scores, 3).tolist()})
        mine = table[(table.track_id == track) & (np.abs(table.frame - frame) <= _PATH)]
        path = [{"frame": int(f), "xy": [_point(p) for p in xy]} for f, xy in zip(mine.frame, mine.xy, strict=True)]
        return {"poses": poses, "path": path}

    def _covering(self, frame: int) -> list[Tracklets]:
        found = []
        for number, (first, last) in enumerate(self._spans):
            if first <= frame <= last:
                found += [t for t in self._batch(number) if t.frames[0] <= frame <= t.frames[-1]]
        return found

    def _batch(self, number: int) -> list[Tracklets]:
        if number not in self._batches:
            while len(self._batches) >= _BATCHES:
                self._batches.pop(next(iter(self._batches)))
            self._batches[number] = list(self._file.batch(number).tracklets)
        return self._batches[number]


def _span(row: Any) -> tuple[int, int]:
    """First and last frame that the tubes of a batch cover."""
    keyframes = row.as_py()
    firsts = [each["first_frame"] for each in keyframes]
    lasts = [each["first_frame"] + each["n_frames"] - 1 for each in keyframes]
    return min(firsts, default=0), max(lasts, default=-1)


def _point(xy: Float[np.ndarray, " 2"]) -> list[float] | None:
    return [round(float(v), 2) for v in xy] if np.isfinite(xy).all() else None


def _owner(rows: TrackTable, xy: Float[np.ndarray, "joints 2"], scores: Float[np.ndarray, " joints"]) -> int | None:
    """Id of the person whose pose is nearest; None where none is near."""
    distance = np.linalg.norm(rows.xy - xy, axis=-1)
    distance[:, scores < _SURE] = np.nan
    known = np.isfinite(distance)
    height = np.maximum(rows.box[:, 3] - rows.box[:, 1], 1)
    enough = known.sum(1) >= 3
    if not enough.any():
        return None
    mean = np.where(known, distance, 0).sum(1) / np.maximum(known.sum(1), 1) / height
    best = int(np.where(enough, mean, np.inf).argmin())
    return int(rows.track_id[best]) if mean[best] <= _NEAR else None
