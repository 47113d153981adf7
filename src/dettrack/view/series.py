"""Angles and speed of one person over time, as the viewer plots them under the video."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable

__all__ = ["series"]

# The angle at the middle joint between the two others, 180 degrees where the limb is straight.
_ANGLES = {
    "knee": ("hip", "knee", "ankle"),
    "hip": ("shoulder", "hip", "knee"),
    "elbow": ("shoulder", "elbow", "wrist"),
    "shoulder": ("hip", "shoulder", "elbow"),
}
_LEAST_SCORE = 0.2


def series(table: TrackTable, track: int) -> dict[str, Any]:
    """What a plot of one person needs.

    Args:
        table: Rows.
        track: Id.

    Returns:
        `time` in seconds, and `lines`: name, unit, values (None where missing).
    """
    rows = table[table.track_id == track]
    lines = []
    for name, parts in _ANGLES.items():
        for side in ("left", "right"):
            joints = [f"{side}_{part}" for part in parts]
            if set(joints) <= set(rows.joint_set.joints):
                lines.append(_line(f"{side} {name}", "°", _angle(rows, joints)))
    lines.append(_line("speed", "heights/s", _speed(rows)))
    return {"time": [round(float(t), 6) for t in rows.time_s], "lines": lines}


def _line(name: str, unit: str, values: Float[np.ndarray, " rows"]) -> dict[str, Any]:
    return {"name": name, "unit": unit, "values": [None if np.isnan(v) else round(float(v), 3) for v in values]}


def _points(rows: TrackTable, joint: str) -> Float[np.ndarray, "rows 2"]:
    place = rows.joint_set.index(joint)
    xy = rows.xy if rows.xy_smooth is None else rows.xy_smooth
    return np.where((rows.joint_scores[:, place] >= _LEAST_SCORE)[:, None], xy[:, place], np.nan)


def _angle(rows: TrackTable, joints: list[str]) -> Float[np.ndarray, " rows"]:
    a, b, c = (_points(rows, joint) for joint in joints)
    u, v = a - b, c - b
    cross = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    return np.degrees(np.arctan2(np.abs(cross), (u * v).sum(1)))


def _speed(rows: TrackTable) -> Float[np.ndarray, " rows"]:
    """Of the middle of the trunk, in heights of the box a second, between neighbouring rows."""
    middle = _middle(rows, rows.joint_set)
    height = rows.box[:, 3] - rows.box[:, 1]
    out = np.full(len(rows), np.nan)
    if len(rows) > 1:
        step = np.linalg.norm(np.diff(middle, axis=0), axis=1)
        seconds = np.diff(rows.time_s)
        near = (np.diff(rows.frame) == 1) & (seconds > 0)
        out[1:] = np.where(near, step / np.maximum(height[1:], 1) / np.where(near, seconds, 1), np.nan)
    return out


def _middle(rows: TrackTable, joints: JointSet) -> Float[np.ndarray, "rows 2"]:
    trunk = [name for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip") if name in joints.joints]
    if not trunk:
        return np.stack([rows.box[:, [0, 2]].mean(1), rows.box[:, [1, 3]].mean(1)], 1)
    return np.mean([rows.xy[:, joints.index(name)] for name in trunk], axis=0)
