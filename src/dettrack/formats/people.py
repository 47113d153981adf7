"""People of a foreign file, gathered one by one and turned into rows of the joint set that fits their joints' names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.matching import match
from dettrack.oks import object_areas
from dettrack.skeleton import JointSet, joint_set, known_joint_sets, named_joints
from dettrack.structures import FrameTimes, Source, TrackTable, VideoInfo

__all__ = ["People", "canonical", "fitting_set"]

_NO_ID = -1
_ALIASES = {
    "neck": "head_bottom",
    "upper_neck": "head_bottom",
    "head": "head_top",
    "hip": "pelvis",
    "mid_hip": "pelvis",
}
_MOST = 10_000_000
_KNOWN = 5  # joints by which a body is recognised
_SAME = 0.3  # OKS above which poses of neighbouring frames are one person, in files without ids


def canonical(name: str) -> str:
    """A joint's name as our joint sets have it: LKnee, "left knee", l_knee and left-knee are left_knee."""
    words = name.strip().replace("-", "_").replace(" ", "_")
    if re.match("[LR][A-Z][a-z]", words):
        words = f"{words[0]}_{words[1:]}"
    words = re.sub("(?<=[a-z])(?=[A-Z])", "_", words).lower()
    for short, long in (("l_", "left_"), ("r_", "right_")):
        if words.startswith(short):
            words = long + words.removeprefix(short)
    return _ALIASES.get(words, words)


def fitting_set(names: list[str]) -> JointSet:
    """The known joint set that has most of these joints, of those the smallest; else a set of these joints alone."""
    given = list(dict.fromkeys(canonical(name) for name in names))
    known = [joint_set(name) for name in known_joint_sets()]
    best = max(known, key=lambda one: (len(set(given) & set(one.joints)), -len(one)))
    return best if len(set(given) & set(best.joints)) >= _KNOWN else named_joints(given)


class People:
    """Gathers people frame by frame."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[tuple[int, int, Mapping[str, tuple[float, ...]], float, tuple[float, ...] | None]] = []
        self._names: dict[str, None] = {}
        self.times: dict[int, float] = {}

    def add(
        self,
        frame: int,
        track: int | None,
        points: Mapping[str, tuple[float, ...]],
        *,
        score: float = 1.0,
        box: tuple[float, ...] | None = None,
    ) -> None:
        """Add a person in a frame.

        Args:
            frame: Frame index, from 0.
            track: Id; None where the file has none.
            points: Joint name -> x, y and maybe a score.
            score: Of the pose.
            box: x1, y1, x2, y2; None: as the joints need it.

        Raises:
            ValueError: A frame or id is out of range.
        """
        if not 0 <= frame < _MOST or not (track is None or 0 <= track < 1 << 53):
            raise ValueError(f"frame {frame}, id {track}")
        self._rows.append((frame, _NO_ID if track is None else track, points, score, box))
        self._names |= dict.fromkeys(points)

    def result(
        self, name: str, width: int, height: int, n_frames: int | None = None, fps: Fraction | None = None
    ) -> tuple[TrackTable, FrameTimes, VideoInfo]:
        """The rows, their frames and video.

        Args:
            name: Of the video.
            width: Displayed, in pixels; 0 where it is not known: as the people need it.
            height: Likewise.
            n_frames: Length of the video; None: to the last frame with people.
            fps: Frames per second, from which frames without a timestamp get one.

        Returns:
            Rows by frame and track id, all frames, the video.

        Raises:
            InputError: There is nobody, or the joints' names are not known.
        """
        if not self._rows:
            raise InputError(f"{self._path}: nobody in it; expected at least one pose")
        joints = fitting_set(list(self._names))
        xy, scores = self._arrays(joints)
        frame, track = (np.array(column, np.int64) for column in list(zip(*self._rows, strict=True))[:2])
        there = np.isfinite(xy)
        low, high = xy.min(1, where=there, initial=np.inf), xy.max(1, where=there, initial=-np.inf)
        extent = np.concatenate([low, high], 1)
        extent[~np.isfinite(extent).all(1)] = np.nan
        box = np.stack(
            [e if row[4] is None else np.array(row[4], float) for row, e in zip(self._rows, extent, strict=True)]
        )
        last = max(int(frame.max()), *self.times, (n_frames or 0) - 1)
        index = np.arange(min(last + 1, _MOST))
        spoken = [self.times.get(i, math.nan if fps is None else i / float(fps)) for i in index.tolist()]
        times = FrameTimes(index, np.array(spoken, float), np.zeros(len(index), np.int64), ("",) * len(index))
        table = TrackTable(
            joints,
            frame=frame,
            time_s=times.time_s[frame],
            track_id=track,
            box=box,
            score=np.clip([row[3] for row in self._rows], 0, 1).astype(float),
            xy=xy,
            joint_scores=scores,
            spread=np.full(scores.shape, np.nan),
            support=np.where(np.isfinite(xy[..., 0]), 1, 0),
            source=np.full(len(frame), int(Source.DETECTED)),
        )
        table = _linked(table).sorted()
        corner = np.nan_to_num(box[:, 2:]).max(0)
        size = (width or math.ceil(corner[0]) + 1, height or math.ceil(corner[1]) + 1)
        return table, times, VideoInfo(name, str(self._path), *size, fps, len(index))

    def _arrays(self, joints: JointSet) -> tuple[Float[np.ndarray, "rows joints 2"], Float[np.ndarray, "rows joints"]]:
        columns = {
            name: joints.joints.index(canonical(name)) for name in self._names if canonical(name) in joints.joints
        }
        xy = np.full((len(self._rows), len(joints), 2), np.nan)
        scores = np.zeros((len(self._rows), len(joints)))
        for i, (_, _, points, _, _) in enumerate(self._rows):
            for name, point in points.items():
                if name in columns and all(map(math.isfinite, point)):
                    xy[i, columns[name]] = point[:2]
                    scores[i, columns[name]] = min(max(point[2], 0.0), 1.0) if len(point) > 2 else 1.0
        return xy, scores


def _linked(table: TrackTable) -> TrackTable:
    """Ids for people of files that have none: poses of neighbouring frames that are alike are one person."""
    ids = table.track_id.copy()
    if (ids != _NO_ID).all():
        return table
    fresh = int(ids.max()) + 1
    before: np.ndarray = np.zeros(0, np.int64)
    sigmas = table.joint_set.sigmas
    for frame in np.unique(table.frame).tolist():
        rows = np.flatnonzero((table.frame == frame) & (ids == _NO_ID))
        near = before[table.frame[before] == frame - 1] if len(before) else before
        if len(rows) and len(near):
            similar = _similarity(table, rows, near, sigmas)
            i, j = np.nonzero(similar >= _SAME)
            chosen = match(i, j, similar[i, j], similar.shape)
            ids[rows[i[chosen]]] = ids[near[j[chosen]]]
        for row in rows[ids[rows] == _NO_ID].tolist():
            ids[row], fresh = fresh, fresh + 1
        before = rows
    columns = {name: value for name, value in vars(table).items() if name != "track_id"}
    return TrackTable(**columns, track_id=ids)


def _similarity(
    table: TrackTable, a: np.ndarray, b: np.ndarray, sigmas: Float[np.ndarray, " joints"]
) -> Float[np.ndarray, "a b"]:
    """OKS of rows `a` and `b` over the joints that both have."""
    area = object_areas(table.box)
    square = ((table.xy[a][:, None] - table.xy[b][None]) ** 2).sum(-1)
    scale = 2 * ((area[a][:, None] + area[b][None]) / 2)[..., None] * (2 * sigmas) ** 2
    oks = np.exp(-square / np.maximum(scale, 1e-9))
    known = np.isfinite(oks)
    count = known.sum(-1)
    return np.where(count > 0, np.where(known, oks, 0).sum(-1) / np.maximum(count, 1), 0.0)
