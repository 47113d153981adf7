"""Speeds, distances and step times of one person, by the true timestamps of the frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dettrack.measure.angles import facing
from dettrack.measure.scale import Scale
from dettrack.structures import TrackTable

__all__ = ["Step", "body_centre", "distance", "speeds", "steps"]

_HIPS = ("left_hip", "right_hip")
_ANKLES = {"left": "left_ankle", "right": "right_ankle"}
_SHORTEST_STEP_S = 0.25
_PROMINENCE = 0.2  # of the leg's length: what an ankle must swing in front of the hips to count as a step


def body_centre(rows: TrackTable, scale: Scale | None = None) -> Float[np.ndarray, "rows 2"]:
    """Where a person is.

    Args:
        rows: Rows of one person.
        scale: Metres; with a homography of the floor it is the middle of the ankles, and else that of the hips.

    Returns:
        Pixels, or metres; NaN where the joints are missing.
    """
    names = tuple(_ANKLES.values()) if scale is not None and scale.floor is not None else _HIPS
    joints = rows.joint_set.joints
    if not set(names) <= set(joints):
        return np.full((len(rows), 2), np.nan)
    xy = rows.shown_xy[:, [joints.index(name) for name in names]].mean(1)
    return xy if scale is None else scale.on_floor(xy)


def speeds(xy: Float[np.ndarray, "rows 2"], time_s: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Speed at each sample, by central differences within stretches without gaps.

    Args:
        xy: Positions; NaN where missing.
        time_s: Their timestamps, ascending.

    Returns:
        Units of `xy` per second; NaN where fewer than two neighbours are known.
    """
    out = np.full(len(xy), np.nan)
    there = np.isfinite(xy).all(1) & np.isfinite(time_s)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        if stop - start > 1:
            velocity = np.gradient(xy[start:stop], time_s[start:stop], axis=0)
            out[start:stop] = np.hypot(*velocity.T)
    return out


def distance(xy: Float[np.ndarray, "rows 2"]) -> float:
    """Length of the way through all known positions, in their units; gaps are crossed straight."""
    known = xy[np.isfinite(xy).all(1)]
    return float(np.hypot(*np.diff(known, axis=0).T).sum()) if len(known) > 1 else 0.0


@dataclass(frozen=True)
class Step:
    """A foot that meets the floor.

    Attributes:
        side: "left" or "right".
        frame: Frame index.
        time_s: Timestamp.
        step_s: Since the other foot's contact before it, in seconds; NaN for the first one, or where a contact of the
            other foot is missing between.
    """

    side: str
    frame: int
    time_s: float
    step_s: float


def steps(rows: TrackTable) -> list[Step]:
    """Contacts of the feet of one person who walks or runs across the picture.

    A foot meets the floor about when its ankle is furthest in front of the hips (Zeni, Richards and Higginson, Gait and
    Posture 2008, for treadmill and overground walking). That needs a view from the side: from the front none is found.

    Args:
        rows: Rows of one person, by frame.

    Returns:
        Contacts in the order of time.
    """
    from scipy.signal import find_peaks

    joints = rows.joint_set.joints
    direction = _walking(rows)
    if direction == 0 or not {*_HIPS, *_ANKLES.values()} <= set(joints) or len(rows) < 3:
        return []
    xy, time_s = rows.shown_xy, rows.time_s
    hips = xy[:, [joints.index(name) for name in _HIPS]].mean(1)
    found: list[tuple[float, str, int]] = []
    for side, name in _ANKLES.items():
        ankle = xy[:, joints.index(name)]
        leg = float(np.nanmedian(np.hypot(*(ankle - hips).T))) if np.isfinite(ankle - hips).any() else np.nan
        ahead = (ankle[:, 0] - hips[:, 0]) * direction / leg
        known = np.flatnonzero(np.isfinite(ahead) & np.isfinite(time_s))
        if len(known) < 3:
            continue
        apart = max(1, int(_SHORTEST_STEP_S / float(np.median(np.diff(time_s[known])))))
        peaks, _ = find_peaks(ahead[known], prominence=_PROMINENCE, distance=apart)
        found += [(float(time_s[i]), side, int(i)) for i in known[peaks]]
    found.sort()
    return _timed(found, rows.frame)


def _timed(found: list[tuple[float, str, int]], frame: Int[np.ndarray, " rows"]) -> list[Step]:
    out: list[Step] = []
    for time, side, row in found:
        after_other = bool(out) and out[-1].side != side
        out.append(Step(side, int(frame[row]), time, time - out[-1].time_s if after_other else float("nan")))
    return out


def _walking(rows: TrackTable) -> int:
    """Direction of walking in the picture: where the hips go, or on the spot where the person faces."""
    xy = body_centre(rows)
    known = xy[np.isfinite(xy).all(1)]
    if len(known) < 3:
        return 0
    tall = float(np.nanmedian(rows.box[:, 3] - rows.box[:, 1]))
    gone = float(known[-1, 0] - known[0, 0])
    return int(np.sign(gone)) if abs(gone) > tall / 2 else facing(rows)
