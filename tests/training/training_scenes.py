"""Small sets whose truth is known: stick people of coloured dots on grey, moving along lines."""

from __future__ import annotations

import cv2
import numpy as np

from dettrack.skeleton import POSETRACK15
from dettrack.training.labels.people import PeopleSet

JOINTS = POSETRACK15
WIDTH, HEIGHT = 120, 100

# A standing person, in shares of its height; x from the middle.
_BODY = {
    "nose": (0.0, 0.08), "head_bottom": (0.0, 0.18), "head_top": (0.0, 0.0),
    "shoulder": (0.11, 0.2), "elbow": (0.16, 0.36), "wrist": (0.18, 0.5),
    "hip": (0.07, 0.52), "knee": (0.08, 0.76), "ankle": (0.08, 1.0),
}  # fmt: skip


def body(x: float, y: float, height: float) -> np.ndarray:
    """Joints `(15, 2)` of somebody who faces us: left is to the right."""
    out = []
    for joint in JOINTS.joints:
        dx, dy = _BODY[joint.rpartition("_")[2] if joint not in _BODY else joint]
        side = -1 if joint.startswith("right_") else 1
        out.append((x + side * dx * height, y + dy * height))
    return np.array(out)


def draw(poses: list[np.ndarray]) -> np.ndarray:
    """Grey, with a dot per joint whose red says which joint and whose green says whose."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for who, pose in enumerate(poses):
        for number, (x, y) in enumerate(pose):
            cv2.circle(image, (round(x), round(y)), 2, (100 + 10 * number, 60 * who, 255), -1)
    return image


def make_set(videos: int = 0, frames: int = 3, people: int = 2, step: float = 2.0) -> PeopleSet:
    """Stills (`videos` 0), or videos in which everybody walks `step` pixels a frame to the right."""
    images, video, number, owner, track, xy = [], [], [], [], [], []
    for v in range(max(1, videos)):
        for t in range(frames):
            poses = [body(30 + 40 * p + step * t, 15 + 5 * p, 60) for p in range(people)]
            for p, pose in enumerate(poses):
                owner.append(len(images))
                track.append(v * people + p if videos else len(track))
                xy.append(pose)
            images.append(cv2.imencode(".png", draw(poses)[..., ::-1])[1].tobytes())
            video.append(v if videos else -1)
            number.append(t if videos else 0)
    pose = np.array(xy)
    known = np.ones(pose.shape[:2])
    return PeopleSet(
        JOINTS,
        images,
        np.array(video),
        np.array(number),
        np.ones(len(images), bool),
        np.array(owner),
        np.array(track),
        np.concatenate([pose.min(1), pose.max(1)], 1),
        pose,
        known,
        known.copy(),
    )
