"""People who walk across a tube: the target stays the keyframe's person, and is empty where they are hidden (3.1).

Real crossings with labels are rare. Here a person of the set, moving as they did in their own video, is cut out along
their own joints and moved across the tube, in front of its person or behind. Joints that are covered count little;
where hardly a joint is left to be seen, the person is gone and the network shall say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from dettrack.skeleton import JointSet

__all__ = ["Labels", "Walker", "cross", "silhouette"]

_HIDDEN = 0.3  # weight of joints that are covered while others are seen
_GONE = 0.2  # share of seen joints below which the person is gone
_LEAST = 6  # known joints of people who can be cut out
_BEHIND = 0.4  # share of crossings behind the tube's person
_BONES = (
    ("shoulder", "elbow", 0.11), ("elbow", "wrist", 0.09), ("hip", "knee", 0.15), ("knee", "ankle", 0.11),
)  # fmt: skip
"""Ends of each limb of one side, and half its width in torso lengths: clothed people's, rather too wide."""


@dataclass(frozen=True)
class Labels:
    """What is known of a tube's person.

    Attributes:
        xy: In crop pixels; NaN where unknown.
        height: Of the targets' peaks.
        weight: In the loss.
    """

    xy: Float[np.ndarray, "clip joints 2"]
    height: Float[np.ndarray, "clip joints"]
    weight: Float[np.ndarray, "clip joints"]


@dataclass(frozen=True)
class Walker:
    """Who crosses.

    Attributes:
        images: RGB, one for each frame of the tube.
        xy: Their joints in pixels of these; NaN where unknown.
    """

    images: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    xy: Float[np.ndarray, "clip joints 2"]


def cross(
    crops: UInt8[np.ndarray, "clip h w 3"],
    labels: Labels,
    walker: Walker,
    joints: JointSet,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "clip h w 3"], Labels]:
    """A person moved across a tube.

    Args:
        crops: The tube.
        labels: Of its person.
        walker: Who crosses.
        joints: Joint set of both.
        rng: Source of chance.

    Returns:
        New crops and labels; unchanged ones where too little is known of either person.
    """
    middle = len(crops) // 2
    own = labels.xy[middle][np.isfinite(labels.xy[middle]).all(-1) & (labels.weight[middle] > 0)]
    other = walker.xy[middle][np.isfinite(walker.xy[middle]).all(-1)]
    if len(own) < 3 or len(other) < _LEAST:
        return crops, labels
    low, high = own.min(0), own.max(0)
    scale = float(rng.uniform(0.75, 1.3)) * max((high - low).max() / max(np.ptp(other, axis=0).max(), 1.0), 0.05)
    linear = np.diag([scale * rng.choice([-1.0, 1.0]), scale])
    reach = (high[0] - low[0] + scale * np.ptp(other[:, 0])) / 2 + 4
    speed = rng.uniform(0.25, 1.0) * reach / 2 * rng.choice([-1.0, 1.0])
    meeting = rng.uniform(-middle, middle)  # frame, from the keyframe, in which both are at the same place
    centre = (low + high) / 2 + [0, rng.normal() * 0.08 * (high[1] - low[1])]
    behind = rng.random() < _BEHIND
    start = (other.min(0) + other.max(0)) / 2
    out, height, weight = crops.copy(), labels.height.copy(), labels.weight.copy()
    for t, crop in enumerate(crops):
        place = centre + np.array([speed * (t - middle - meeting), 0])
        move = np.column_stack([linear, place - linear @ start])
        alpha = silhouette(walker.xy[t] @ linear.T + move[:, 2], joints, crop.shape[:2])
        if behind:
            alpha = alpha * (1 - silhouette(labels.xy[t], joints, crop.shape[:2]))
        piece = cv2.warpAffine(walker.images[t], move, crop.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        out[t] = np.clip(crop + alpha[..., None] * (piece.astype(np.float32) - crop) + 0.5, 0, 255)
        if not behind:
            height[t], weight[t] = _seen(labels.xy[t], height[t], weight[t], alpha)
    return out, replace(labels, height=height, weight=weight)


def _seen(
    xy: Float[np.ndarray, "joints 2"],
    height: Float[np.ndarray, " joints"],
    weight: Float[np.ndarray, " joints"],
    alpha: Float[np.ndarray, "h w"],
) -> tuple[Float[np.ndarray, " joints"], Float[np.ndarray, " joints"]]:
    """Heights and weights behind what covers a frame."""
    known = np.isfinite(xy).all(-1) & (weight > 0)
    column, row = np.nan_to_num(xy).round().astype(int).T
    inside = (row >= 0) & (row < alpha.shape[0]) & (column >= 0) & (column < alpha.shape[1])
    covered: Bool[np.ndarray, " joints"] = known & inside
    covered[covered] = alpha[row[covered], column[covered]] > 0.5
    if known.sum() >= 3 and (known & ~covered).sum() < _GONE * known.sum():
        return np.where(known, 0.0, height), np.where(known, 1.0, weight)
    return height, weight * np.where(covered, _HIDDEN, 1.0)


def silhouette(xy: Float[np.ndarray, "joints 2"], joints: JointSet, size: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """A person's outline drawn from their joints: 1 inside, 0 outside, soft between.

    Args:
        xy: Pixels; NaN where unknown.
        joints: Their joint set.
        size: Height and width of the picture.

    Returns:
        The mask; empty where shoulders or hips are unknown.
    """
    mask = np.zeros(size, np.uint8)
    at = {joint: point for joint, point in zip(joints.joints, xy, strict=True) if np.isfinite(point).all()}
    trunk = [at.get(name) for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
    if any(point is None for point in trunk):
        return mask.astype(np.float32)
    corners = np.array(trunk, float)
    neck, hips = corners[:2].mean(0), corners[2:].mean(0)
    torso = max(float(np.linalg.norm(neck - hips)), float(np.linalg.norm(corners[0] - corners[1])), 1.0)

    def limb(a: np.ndarray, b: np.ndarray, width: float) -> None:
        ends = [tuple(np.clip(point, -1e4, 1e4).round().astype(int).tolist()) for point in (a, b)]
        cv2.line(mask, ends[0], ends[1], 255, max(1, round(2 * width * torso)), cv2.LINE_AA)

    cv2.fillConvexPoly(mask, cv2.convexHull(np.clip(corners, -1e4, 1e4).round().astype(np.int32)), 255)
    for a, b in ((0, 1), (2, 3), (0, 3), (1, 2)):
        limb(corners[a], corners[b], 0.12)
    for side in ("left", "right"):
        for first, second, width in _BONES:
            if f"{side}_{first}" in at and f"{side}_{second}" in at:
                limb(at[f"{side}_{first}"], at[f"{side}_{second}"], width)
        if f"{side}_ankle" in at and f"{side}_knee" in at:
            ankle = at[f"{side}_ankle"]
            limb(ankle, ankle + 0.12 * (ankle - at[f"{side}_knee"]), 0.11)
    crown = at["nose"] if "nose" in at else neck + 0.35 * (neck - hips)
    head = neck + 0.9 * (crown - neck) if "nose" in at else crown
    limb(neck, head, 0.12)
    limb(head, head + 1e-3, 0.24)
    return cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.03 * torso)).astype(np.float32) / 255
