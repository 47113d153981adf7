"""Boxes and crops, as arrays: areas, overlap, non-maximum suppression, the crop's affine and its inverse.

Boxes are `x1, y1, x2, y2` in pixels, with integer coordinates at pixel centres. A crop covers an enlarged box at the
network's aspect (paper 3.1); its affine maps displayed pixels to crop pixels.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.errors import InputError

__all__ = [
    "box_areas",
    "box_iou",
    "box_nms",
    "boxes_at",
    "boxes_with_joints",
    "crop_affines",
    "extents",
    "inside_shares",
    "intersections",
    "rotation",
    "to_crop",
    "to_image",
    "xywh_of",
    "xyxy_of",
]

_MIN_SIDE = 1.0  # pixels; shorter sides of a box are cropped as this
_MIN_WEIGHT = 1e-3  # sum of joint scores below which the joints say nothing of where a box has gone
_SPEED_FRAMES = 4  # frames at a tube's end from which the speed beyond it is taken


def box_areas(xyxy: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n"]:
    """Areas in square pixels; 0 for inverted boxes."""
    return np.clip(xyxy[..., 2:] - xyxy[..., :2], 0, None).prod(-1)


def xyxy_of(xywh: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 4"]:
    """Corners of boxes that are given as x, y, width, height."""
    return np.concatenate([xywh[..., :2], xywh[..., :2] + xywh[..., 2:]], -1)


def xywh_of(xyxy: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 4"]:
    """Boxes as x, y, width, height, which most file formats want."""
    return np.concatenate([xyxy[..., :2], xyxy[..., 2:] - xyxy[..., :2]], -1)


def intersections(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Common area of every box of `a` with every box of `b`, in square pixels.

    Args:
        a: Corners in pixels.
        b: Corners in pixels.

    Returns:
        Square pixels.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.clip(high - low, 0, None).prod(-1)


def box_iou(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every box of `a` with every box of `b`; 0 where both are empty or one is NaN.

    Args:
        a: Corners in pixels.
        b: Corners in pixels.

    Returns:
        In [0, 1].
    """
    shared = intersections(a, b)
    union = box_areas(a)[:, None] + box_areas(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def inside_shares(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Share of each box of `a` that lies in each box of `b`; 0 where the box of `a` is empty.

    Args:
        a: Corners in pixels.
        b: Corners in pixels.

    Returns:
        In [0, 1].
    """
    shared, area = intersections(a, b), box_areas(a)[:, None]
    return np.divide(shared, area, out=np.zeros_like(shared), where=area > 0)


def box_nms(xyxy: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, " n"], max_iou: float) -> Bool[np.ndarray, " n"]:
    """Which boxes the greedy non-maximum suppression keeps.

    A box falls if a better box that itself stays overlaps it by more than `max_iou`. That rule is iterated on all
    boxes at once until nothing changes: each round settles at least the best box not yet settled, so it ends, and
    ends with the greedy answer; a scene takes two or three rounds.

    Args:
        xyxy: Boxes in any order.
        scores: Among equal scores the earlier box is the better.
        max_iou: Largest overlap of two boxes that both stay.

    Returns:
        True for the boxes that stay.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = xyxy[order]
    beats = np.triu(box_iou(ranked, ranked) > max_iou, 1)
    keep: np.ndarray = np.ones(len(ranked), bool)
    while True:
        fresh: np.ndarray = ~(beats & keep[:, None]).any(0)
        if (fresh == keep).all():
            break
        keep = fresh
    result = np.empty(len(ranked), bool)
    result[order] = keep
    return result


def extents(xy: Float[np.ndarray, "n *points 2"], has: Bool[np.ndarray, "n ..."]) -> Float[np.ndarray, "n 4"]:
    """Smallest boxes around all points that exist; inverted (inf, inf, -inf, -inf) where there is none.

    Args:
        xy: Points; anything where `has` is False.
        has: Which points exist.

    Returns:
        Corners x1, y1, x2, y2.
    """
    n, points = len(xy), math.prod(xy.shape[1:-1])
    exists = has.reshape(n, points)
    coordinates = [xy[..., axis].reshape(n, points) for axis in (0, 1)]
    low = [np.where(exists, values, np.inf).min(1, initial=np.inf) for values in coordinates]
    high = [np.where(exists, values, -np.inf).max(1, initial=-np.inf) for values in coordinates]
    return np.stack([*low, *high], 1)


def rotation(angle: float | Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 2 2"]:
    """Matrix that turns points of a picture (y downwards) clockwise by an angle in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def crop_affines(
    xyxy: Float[np.ndarray, "n 4"],
    size: tuple[int, int],
    enlarge: float = 1.25,
    turns: Float[np.ndarray, "n 2 2"] | None = None,
) -> Float[np.ndarray, "n 2 3"]:
    """Maps from displayed pixels to crop pixels, one scale for both axes: the box's centre is the crop's.

    Args:
        xyxy: Boxes; a side below one pixel is taken as one pixel about the box's centre.
        size: Height and width of the crop in pixels.
        enlarge: Factor on both sides of the box.
        turns: What the crop does to the picture beside that, about the box's centre: a rotation, a mirroring, a
            further scale. The box is then meant in the turned picture's axes. None for nothing.

    Returns:
        One map for each box.

    Raises:
        InputError: If a corner is not finite.
    """
    if not np.isfinite(xyxy).all():
        bad = int(np.flatnonzero(~np.isfinite(xyxy).all(1))[0])
        raise InputError(f"box {bad} is {xyxy[bad].tolist()}: corners must be finite numbers of pixels")
    height, width = size
    corners = xyxy.astype(np.float64)
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    sides = np.maximum(corners[:, 2:] - corners[:, :2], _MIN_SIDE)
    scale = 1 / (enlarge * np.maximum(sides[:, 0] / width, sides[:, 1] / height))  # crop pixels per displayed pixel
    linear = scale[:, None, None] * (np.eye(2) if turns is None else turns)
    shift = np.array([width - 1, height - 1]) / 2 - np.einsum("nij,nj->ni", linear, centre)
    return np.concatenate([linear, shift[:, :, None]], -1)


def to_crop(
    xy: Float[np.ndarray, "n *points 2"], affines: Float[np.ndarray, "n 2 3"]
) -> Float[np.ndarray, "n *points 2"]:
    """Displayed pixels -> crop pixels, crop by crop; NaN stays NaN.

    Args:
        xy: Points of each crop, in displayed pixels.
        affines: Displayed pixels -> crop pixels, one for each crop.

    Returns:
        Crop pixels.
    """
    affines = affines.reshape(-1, *(1,) * (xy.ndim - 2), 2, 3)
    return np.einsum("...ij,...j->...i", affines[..., :2], xy) + affines[..., 2]


def to_image(
    xy: Float[np.ndarray, "n *points 2"], affines: Float[np.ndarray, "n 2 3"]
) -> Float[np.ndarray, "n *points 2"]:
    """Crop pixels -> displayed pixels, crop by crop: the exact inverse of `to_crop`; NaN stays NaN.

    Args:
        xy: Points of each crop, in crop pixels.
        affines: Displayed pixels -> crop pixels, one for each crop.

    Returns:
        Displayed pixels.
    """
    inverse = np.linalg.inv(affines[:, :, :2]).reshape(-1, *(1,) * (xy.ndim - 2), 2, 2)
    shift = affines[:, :, 2].reshape(-1, *(1,) * (xy.ndim - 2), 2)
    return np.einsum("...ij,...j->...i", inverse, xy - shift)


def boxes_with_joints(
    xyxy: Float[np.ndarray, "n 4"],
    xy: Float[np.ndarray, "n clip joints 2"],
    scores: Float[np.ndarray, "n clip joints"],
    keyframe: int,
) -> Float[np.ndarray, "n clip 4"]:
    """The keyframe's boxes in every frame of the clip, moved by the mean shift of the joints found in both frames.

    A joint weighs the lower of its two scores; without any, the box stays. The size is the keyframe's.

    Args:
        xyxy: Boxes in the keyframe.
        xy: Joints of each person in each frame of the clip; NaN is missing.
        scores: Their scores.
        keyframe: Index of the keyframe in the clip.

    Returns:
        Corners in displayed pixels.
    """
    shift = xy - xy[:, keyframe : keyframe + 1]
    weight = np.minimum(scores, scores[:, keyframe : keyframe + 1])
    weight = np.where(np.isfinite(shift).all(-1), weight, 0.0)
    total = weight.sum(-1)[..., None]
    moved = np.einsum("ncj,ncjd->ncd", weight, np.where(np.isfinite(shift), shift, 0.0))
    moved = np.where(total > _MIN_WEIGHT, moved / np.maximum(total, _MIN_WEIGHT), 0.0)
    return xyxy[:, None] + np.tile(moved, 2)


def boxes_at(
    moved: Float[np.ndarray, "n clip 4"], first: int, frames: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "n m 4"]:
    """Boxes in any frames: those of the clip, and beyond it moved on with the speed at its end.

    Args:
        moved: Boxes in each frame of the clip (`boxes_with_joints`).
        first: Index of the clip's first frame in the video.
        frames: Indices of frames in the video.

    Returns:
        Corners in displayed pixels.
    """
    last = first + moved.shape[1] - 1
    inside = np.clip(frames, first, last)
    back = min(_SPEED_FRAMES, last - first)
    speeds = ((moved[:, back] - moved[:, 0]) / max(back, 1), (moved[:, -1] - moved[:, -1 - back]) / max(back, 1))
    speed = np.where((frames > last)[None, :, None], speeds[1][:, None], speeds[0][:, None])
    return moved[:, inside - first] + speed * (frames - inside)[None, :, None]
