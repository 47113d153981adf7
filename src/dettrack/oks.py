"""Object keypoint similarity (OKS) between poses, and OKS-NMS (paper 3.2; the measure is COCO's).

Two poses a and b of `joints` positions have

    OKS = mean over j of exp(-|a_j - b_j|² / (2 s² (2 σ_j)²)),

where σ_j is the joint's fall-off (`JointSet.sigmas`), s² the object's area: here the mean of both boxes' areas, so
that the measure is symmetric. The mean is over the joints that *both* poses have; where they share fewer than
`min_joints`, the OKS is NaN: nothing is known, which is not the same as 0.

The functions take arrays of pairs, because in a crowd only neighbours are ever compared: `neighbours` finds the
pairs that can reach a given OKS at all, at a cost that grows with the neighbours, not with the square of the people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt64

from dettrack.geometry import box_areas

__all__ = [
    "MIN_JOINTS",
    "PackedPoses",
    "neighbours",
    "object_areas",
    "oks",
    "oks_nms",
    "oks_of_rows",
    "pack",
    "pairwise_oks",
    "reach",
]


MIN_JOINTS = 3
"""Joints that two poses of a video must share to be compared: one joint agrees by chance too easily."""


def object_areas(xyxy: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n"]:
    """s² of people with these boxes: the area in square pixels, at least 1 so that nothing is divided by zero."""
    return np.maximum(box_areas(xyxy), 1.0)


def oks(
    a_xy: Float[np.ndarray, "*batch joints 2"],
    a_has: Bool[np.ndarray, "*batch joints"],
    b_xy: Float[np.ndarray, "*batch joints 2"],
    b_has: Bool[np.ndarray, "*batch joints"],
    area: Float[np.ndarray, "*batch"],
    sigmas: Float[np.ndarray, " joints"],
    min_joints: int = 1,
) -> Float[np.ndarray, "*batch"]:
    """OKS of `a` with `b`, position by position of the batch.

    Args:
        a_xy: Positions in pixels; anything, NaN included, where `a_has` is False.
        a_has: Joints that `a` has.
        b_xy: Likewise.
        b_has: Likewise.
        area: s² in square pixels.
        sigmas: Fall-off per joint.
        min_joints: Fewer common joints give NaN.

    Returns:
        Values in [0, 1], NaN where too few joints are common.
    """
    both = a_has & b_has
    squared = (a_xy[..., 0] - b_xy[..., 0]) ** 2 + (a_xy[..., 1] - b_xy[..., 1]) ** 2
    exponent = squared * (-1 / (8 * sigmas**2)) / area[..., None]
    similarity = np.exp(np.where(both, exponent, -np.inf))
    common = both.sum(-1)
    enough = common >= max(min_joints, 1)
    return np.where(enough, similarity.sum(-1) / np.maximum(common, 1), np.nan)


def pairwise_oks(
    a_xy: Float[np.ndarray, "n joints 2"],
    a_has: Bool[np.ndarray, "n joints"],
    a_area: Float[np.ndarray, " n"],
    b_xy: Float[np.ndarray, "m joints 2"],
    b_has: Bool[np.ndarray, "m joints"],
    b_area: Float[np.ndarray, " m"],
    sigmas: Float[np.ndarray, " joints"],
    min_joints: int = 1,
) -> Float[np.ndarray, "n m"]:
    """OKS of every pose of `a` with every pose of `b`; the area of a pair is the mean of both.

    Args:
        a_xy: Poses in pixels; anything where `a_has` is False.
        a_has: Which joints they have.
        a_area: Their areas in square pixels.
        b_xy: As `a_xy`, of the other poses.
        b_has: As `a_has`.
        b_area: As `a_area`.
        sigmas: Tolerance of each joint.
        min_joints: Pairs with fewer common joints have OKS 0.

    Returns:
        In [0, 1].
    """
    shape = (len(a_xy), len(b_xy), a_xy.shape[1])
    return oks(
        np.broadcast_to(a_xy[:, None], (*shape, 2)),
        np.broadcast_to(a_has[:, None], shape),
        np.broadcast_to(b_xy[None], (*shape, 2)),
        np.broadcast_to(b_has[None], shape),
        (a_area[:, None] + b_area[None]) / 2,
        sigmas,
        min_joints,
    )


# Rows that `oks_of_rows` takes at a time: their intermediate arrays stay in the cache (measured 4 times faster than
# whole arrays of 20 000 rows).
_CHUNK = 1024


@dataclass(frozen=True)
class PackedPoses:
    """Many poses laid out for `oks_of_rows`.

    Attributes:
        scaled: `(rows, 2 joints)` all x, then all y, in pixels / (√8 σ_j); NaN where the pose lacks the joint.
        joints: `(rows,)` the joints that a pose has, as bits.
    """

    scaled: Float32[np.ndarray, "rows coordinates"]
    joints: UInt64[np.ndarray, " rows"]

    @staticmethod
    def concatenate(parts: Sequence[PackedPoses]) -> PackedPoses:
        """All rows of at least one part."""
        return PackedPoses(
            np.concatenate([part.scaled for part in parts]), np.concatenate([part.joints for part in parts])
        )


def pack(
    xy: Float[np.ndarray, "rows joints 2"], has: Bool[np.ndarray, "rows joints"], sigmas: Float[np.ndarray, " joints"]
) -> PackedPoses:
    """Pack poses of at most 64 joints for `oks_of_rows`.

    Args:
        xy: Positions in pixels; anything where `has` is False.
        has: Which joints the poses have.
        sigmas: Tolerance of each joint.

    Returns:
        The packed poses.
    """
    scaled = [np.where(has, xy[..., axis], np.nan) / (math.sqrt(8) * sigmas) for axis in (0, 1)]
    bits = has @ (np.uint64(1) << np.arange(has.shape[1], dtype=np.uint64))
    return PackedPoses(np.concatenate(scaled, 1).astype(np.float32), bits)


def oks_of_rows(
    a: PackedPoses,
    i: Int[np.ndarray, " pairs"],
    b: PackedPoses,
    j: Int[np.ndarray, " pairs"],
    area: Float[np.ndarray, " pairs"],
    min_joints: int = 1,
) -> tuple[Float[np.ndarray, " pairs"], Bool[np.ndarray, " pairs"]]:
    """`oks` of rows `i` of `a` with rows `j` of `b`, in single precision and some twenty times faster.

    Args:
        a: Packed poses.
        i: Rows of `a`, one for each pair.
        b: Packed poses.
        j: Rows of `b`.
        area: Of each pair, in square pixels.
        min_joints: See above.

    Returns:
        OKS, 0 where fewer than `min_joints` joints are common; and whether it is known, that is, enough are.
    """
    joints = a.scaled.shape[1] // 2
    one, minus_scale = np.ones(joints, np.float32), (-1 / area).astype(np.float32)[:, None]
    total = np.empty(len(i), np.float32)
    for start in range(0, len(i), _CHUNK):
        rows = slice(start, start + _CHUNK)
        difference = a.scaled.take(i[rows], 0)
        difference -= b.scaled.take(j[rows], 0)
        difference *= difference
        exponent = difference[:, :joints] + difference[:, joints:]
        exponent *= minus_scale[rows]
        np.fmax(exponent, np.float32(-80), out=exponent)  # NaN, a joint that is not common, gives a term of 0
        np.exp(exponent, out=exponent)
        np.matmul(exponent, one, out=total[rows])
    common = np.bitwise_count(a.joints[i] & b.joints[j])
    known = common >= max(min_joints, 1)
    return np.where(known, total / np.maximum(common, 1), 0.0), known


def reach(area: Float[np.ndarray, " n"], sigmas: Float[np.ndarray, " joints"], floor: float) -> Float[np.ndarray, " n"]:
    """Distance in pixels beyond which no joint can contribute `floor` or more; infinite for a floor of 0.

    Args:
        area: Of each pose, in square pixels.
        sigmas: Tolerance of each joint.
        floor: OKS in [0, 1].

    Returns:
        Pixels.
    """
    if floor <= 0:
        return np.full(len(area), np.inf)
    return 2 * float(sigmas.max()) * np.sqrt(-2 * np.log(floor) * area)


def neighbours(
    a: Float[np.ndarray, "n 4"],
    a_reach: Float[np.ndarray, " n"],
    b: Float[np.ndarray, "m 4"],
    b_reach: Float[np.ndarray, " m"],
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Pairs whose extents come closer than the larger of their reaches, in x and in y.

    A mean OKS of `floor` needs a joint with that similarity, so with `reach` of that floor no pair is lost. Found by a
    sweep along x: only boxes that meet there are compared.

    Args:
        a: Extents: corners of the boxes around all joints, in pixels.
        a_reach: Pixels.
        b: As `a`.
        b_reach: As `a_reach`.

    Returns:
        Indices into `a`, ascending, and into `b`.
    """
    none = np.zeros(0, np.int64)
    if not len(a) or not len(b):
        return none, none
    # Each box grown by its own reach covers every pair that is within the larger one.
    a_low, a_high, b_low, b_high = a[:, 0] - a_reach, a[:, 2] + a_reach, b[:, 0] - b_reach, b[:, 2] + b_reach
    order = np.argsort(b_low, kind="stable")
    highest = np.maximum.accumulate(b_high[order])  # ascending, so that the sweep can skip what lies left of a box
    start = np.searchsorted(highest, a_low)
    count = (np.searchsorted(b_low[order], a_high, side="right") - start).clip(0)
    i = np.repeat(np.arange(len(a)), count)
    j = order[np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)]
    far = np.maximum(a_reach[i], b_reach[j])
    near = np.ones(len(i), bool)
    for low, high in ((0, 2), (1, 3)):
        near &= (a[:, low][i] - far <= b[:, high][j]) & (b[:, low][j] - far <= a[:, high][i])
    return i[near], j[near]


def oks_nms(
    similar: tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]], scores: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Which of n poses survive when of two too similar ones the weaker is dropped.

    Args:
        similar: Pairs of indices whose OKS exceeds the threshold, in any order, each pair in at least one of its two
            orders.
        scores: Strength of each pose; of equal ones the first survives.

    Returns:
        True for survivors: greedy from the strongest, and a dropped pose drops no other.
    """
    keep = np.ones(len(scores), bool)
    rank = np.empty(len(scores), np.int64)
    rank[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    i, j = similar
    stronger, weaker = np.where(rank[i] < rank[j], i, j), np.where(rank[i] < rank[j], j, i)
    # Survival of the stronger is settled before it drops anyone: its own droppers have lower ranks still.
    for pair in np.argsort(rank[stronger], kind="stable"):
        if stronger[pair] != weaker[pair] and keep[stronger[pair]]:
            keep[weaker[pair]] = False
    return keep
