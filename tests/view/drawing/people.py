"""A table of people to draw."""

from __future__ import annotations

import numpy as np

from dettrack.skeleton import POSETRACK15, JointSet
from dettrack.structures import Source, TrackTable

# A standing person in a box of width 1 and height 1: joint -> place.
_STANDING = {
    "nose": (0.5, 0.12),
    "head_bottom": (0.5, 0.2),
    "head_top": (0.5, 0.02),
    "shoulder": (0.25, 0.24),
    "elbow": (0.15, 0.4),
    "wrist": (0.12, 0.55),
    "hip": (0.35, 0.55),
    "knee": (0.34, 0.75),
    "ankle": (0.33, 0.96),
    "pelvis": (0.5, 0.55),
    "thorax": (0.5, 0.24),
    "eye": (0.46, 0.1),
    "ear": (0.42, 0.11),
}


def standing(box: tuple[float, float, float, float], joint_set: JointSet = POSETRACK15) -> np.ndarray:
    """Joints of a person who faces the camera: the right side is on the left of the picture."""
    x1, y1, x2, y2 = box
    places = []
    for joint in joint_set.joints:
        x, y = _STANDING[joint.split("_", 1)[1] if joint.startswith(("left_", "right_")) else joint]
        places.append((1 - x if joint.startswith("left_") else x, y))
    return np.array(places) * (x2 - x1, y2 - y1) + (x1, y1)


def table(
    frames: list[int],
    boxes: list[tuple[float, float, float, float]],
    ids: list[int],
    sources: list[Source] | None = None,
    joint_set: JointSet = POSETRACK15,
    score: float = 0.9,
) -> TrackTable:
    rows, joints = len(frames), len(joint_set)
    return TrackTable(
        joint_set,
        frame=np.array(frames, np.int64),
        time_s=np.array(frames) / 10,
        track_id=np.array(ids, np.int64),
        box=np.array(boxes, np.float64).reshape(rows, 4),
        score=np.full(rows, score),
        xy=np.array([standing(box, joint_set) for box in boxes]).reshape(rows, joints, 2),
        joint_scores=np.full((rows, joints), score),
        spread=np.zeros((rows, joints)),
        support=np.ones((rows, joints), np.int64),
        source=np.array([int(s) for s in sources or [Source.DETECTED] * rows], np.int64),
    )
