"""Faces made unrecognisable from the joints of the head, before a picture is stored.

Where a face detector misses a face, the tubes still have the head: every person of a frame who has a joint of the head,
or at least shoulders or a box, gets a disc over the head, also where the detector missed the person. What is under it
is reduced to a few blocks, which cannot be sharpened again.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.structures import TrackTable

__all__ = ["FaceBlur", "head_discs"]

_HEAD = ("nose", "head_top", "head_bottom", "left_eye", "right_eye", "left_ear", "right_ear")
_ROOM = 1.5  # radius over half the head's height: a head is seen from all sides, and joints are not exact
_SHARE = 1 / 7.5  # of a standing person's height is the head
_BLOCKS = 5  # across a disc


def head_discs(rows: TrackTable) -> tuple[Float[np.ndarray, "rows 3"], np.ndarray]:
    """Where the heads of a frame are.

    Args:
        rows: People of the frame.

    Returns:
        x, y, radius in pixels, and for each person whether a joint of the head was there; else it is where the
        shoulders, or the upper end of the box, let it be. NaN for a person without any of these.
    """
    joints, out = rows.joint_set.joints, np.full((len(rows), 3), np.nan)
    tall = rows.box[:, 3] - rows.box[:, 1]
    head = rows.xy[:, [joints.index(name) for name in _HEAD if name in joints]]
    seen = np.isfinite(head).all(-1)
    by_head = seen.any(1)
    for i in range(len(rows)):
        points = head[i][seen[i]]
        if len(points):
            middle = (points.min(0) + points.max(0)) / 2
            half = max(float(np.ptp(points, axis=0).max()) / 2, _SHARE * _finite(tall[i]) / 2, 2.0)
            out[i] = (*middle, half * _ROOM)
            continue
        sides = [joints.index(name) for name in ("left_shoulder", "right_shoulder") if name in joints]
        shoulders = rows.xy[i, sides]
        radius = max(_SHARE * _finite(tall[i]), 3.0)
        if np.isfinite(shoulders).all() and len(shoulders):
            out[i] = (*(shoulders.mean(0) - (0, radius)), radius * _ROOM)
        elif np.isfinite(rows.box[i]).all():
            out[i] = ((rows.box[i, 0] + rows.box[i, 2]) / 2, rows.box[i, 1] + radius, radius * _ROOM)
    return out, by_head


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0


class FaceBlur:
    """Blurs the heads of frame after frame, and counts.

    Attributes:
        heads: People in the frames so far.
        covered: Those whose head was covered.
        by_joints: Those of them whose head's own joints said where it is.
    """

    def __init__(self) -> None:
        self.heads = self.covered = self.by_joints = 0

    def __call__(self, image: UInt8[np.ndarray, "height width 3"], rows: TrackTable) -> None:
        """Blur the heads of one frame, in place.

        Args:
            image: The frame, RGB.
            rows: Everybody in it, also those who will not be drawn.
        """
        discs, by_head = head_discs(rows)
        self.heads += len(rows)
        for (x, y, radius), seen in zip(discs.tolist(), by_head.tolist(), strict=True):
            if np.isfinite(radius):
                self.covered += 1
                self.by_joints += bool(seen)
                _cover(image, x, y, radius)

    @property
    def counts(self) -> dict[str, int]:
        """The counts by their names."""
        return {"heads": self.heads, "covered": self.covered, "by_joints": self.by_joints}

    @property
    def share(self) -> float:
        """Share of the heads of all people and frames that were covered; 1 where there was nobody."""
        return self.covered / self.heads if self.heads else 1.0


def _cover(image: UInt8[np.ndarray, "height width 3"], x: float, y: float, radius: float) -> None:
    height, width = image.shape[:2]
    x1, y1 = max(0, int(x - radius)), max(0, int(y - radius))
    x2, y2 = min(width, int(x + radius) + 2), min(height, int(y + radius) + 2)
    if x1 >= x2 or y1 >= y2:
        return
    part = image[y1:y2, x1:x2]
    blocks = cv2.resize(part, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(blocks, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
    rows, columns = np.mgrid[y1:y2, x1:x2]
    inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    part[inside] = blurred.reshape(part.shape)[inside]
