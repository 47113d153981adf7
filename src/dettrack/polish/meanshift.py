"""Mean shift over the few hypotheses of one joint, for all people and joints of a frame at once (paper 3.3).

Flat kernel: a mode is a point that is the mean of all hypotheses within the radius of it. The search starts from
every hypothesis, and ends after finitely many steps, because there are only finitely many sets of points to average.

What the paper leaves open:

* **Merging.** Modes closer than the radius are one cluster: the mode with the most hypotheses within the radius is
  kept first, ties going to the higher sum of their scores, then to the earlier hypothesis; so equal input gives
  equal output.
* **Size.** Each hypothesis belongs to the nearest kept mode (ties: the stronger one); |c| is the number that belong.
* **Centre.** μ(c) is the mode, the mean of the hypotheses within the radius of it, without weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["Clusters", "cluster"]

_MAX_STEPS = 100  # far beyond what a handful of points need; bounds the loop against rounding


@dataclass(frozen=True)
class Clusters:
    """Clusters of hypotheses of many joints, strongest first; `k` is the largest number in the batch.

    Attributes:
        centres: `(batch, k, 2)` μ(c) in pixels, NaN where there is no cluster.
        sizes: `(batch, k)` |c|; 0 where there is no cluster.
        labels: `(batch, h)` cluster of each hypothesis, -1 where there is no hypothesis.
    """

    centres: Float[np.ndarray, "batch k 2"]
    sizes: Int[np.ndarray, "batch k"]
    labels: Int[np.ndarray, "batch h"]


def cluster(
    xy: Float[np.ndarray, "batch h 2"],
    has: Bool[np.ndarray, "batch h"],
    scores: Float[np.ndarray, "batch h"],
    radius: Float[np.ndarray, " batch"],
) -> Clusters:
    """Cluster the hypotheses of each joint of a batch.

    Args:
        xy: Positions in pixels; anything where `has` is False.
        has: Hypotheses that exist.
        scores: Break ties between clusters of equal size.
        radius: Kernel radius in pixels, positive.

    Returns:
        At least one (empty) slot per joint.
    """
    xy = np.where(has[..., None], xy, 0.0).astype(np.float64)
    count = has.sum(1)
    mean = xy.sum(1) / np.maximum(count, 1)[:, None]
    # By far the most common: all lie within the radius of their mean, and of one of them. From that one the search
    # reaches the mean in one step; any other mode lies among the hypotheses, hence within the radius of the mean, and
    # merges with it.
    limit = (radius**2)[:, None]
    from_mean = np.where(has, _squared(xy, mean), np.inf)
    middle = xy[np.arange(len(xy)), from_mean.argmin(1)]
    far = has & ((from_mean > limit) | (_squared(xy, middle) > limit))
    apart = np.flatnonzero(far.any(1))
    labels = np.where(has, 0, -1)
    if not len(apart):
        return Clusters(np.where(count[:, None] > 0, mean, np.nan)[:, None], count[:, None], labels)
    centres_apart, labels_apart = _iterate(xy[apart], has[apart], scores[apart], radius[apart])
    k = centres_apart.shape[1]
    centres = np.full((len(xy), k, 2), np.nan)
    centres[:, 0] = np.where(count[:, None] > 0, mean, np.nan)
    centres[apart] = centres_apart
    labels[apart] = labels_apart
    slots = (np.arange(len(xy))[:, None] * k + labels)[has]
    return Clusters(centres, np.bincount(slots, minlength=len(xy) * k).reshape(-1, k), labels)


def _squared(xy: Float[np.ndarray, "batch h 2"], point: Float[np.ndarray, "batch 2"]) -> Float[np.ndarray, "batch h"]:
    """Squared distances; by hand, for NumPy is slow along an axis of two."""
    dx, dy = xy[..., 0] - point[:, None, 0], xy[..., 1] - point[:, None, 1]
    dx *= dx
    dy *= dy
    dx += dy
    return dx


def _within(
    modes: Float[np.ndarray, "batch m 2"],
    xy: Float[np.ndarray, "batch h 2"],
    has: Bool[np.ndarray, "batch h"],
    radius: Float[np.ndarray, " batch"],
) -> Bool[np.ndarray, "batch m h"]:
    """Hypotheses within the radius of each mode, the border included."""
    squared = modes[:, :, None, 0] - xy[:, None, :, 0]
    squared *= squared
    dy = modes[:, :, None, 1] - xy[:, None, :, 1]
    dy *= dy
    squared += dy
    inside: Bool[np.ndarray, "batch m h"] = squared <= (radius**2)[:, None, None]
    inside &= has[:, None]
    return inside


def _iterate(
    xy: Float[np.ndarray, "batch h 2"],
    has: Bool[np.ndarray, "batch h"],
    scores: Float[np.ndarray, "batch h"],
    radius: Float[np.ndarray, " batch"],
) -> tuple[Float[np.ndarray, "batch k 2"], Int[np.ndarray, "batch h"]]:
    """Centres, strongest first, and labels of joints whose hypotheses do not all lie together."""
    modes = xy.copy()
    with_one = np.concatenate([xy, has[..., None]], 2)
    members = _within(modes, xy, has, radius)
    moving = np.arange(len(xy))
    for _ in range(_MAX_STEPS):
        inside = members[moving]
        sums = inside.astype(np.float64) @ with_one[moving]  # of x, of y, and their number
        modes[moving] = sums[..., :2] / np.maximum(sums[..., 2:], 1)
        now = _within(modes[moving], xy[moving], has[moving], radius[moving])
        members[moving] = now
        moving = moving[np.not_equal(now, inside).reshape(len(now), -1).any(1)]
        if not len(moving):
            break
    return _merge(modes, members, xy, has, scores, radius)


def _merge(
    modes: Float[np.ndarray, "batch h 2"],
    members: Bool[np.ndarray, "batch h h"],
    xy: Float[np.ndarray, "batch h 2"],
    has: Bool[np.ndarray, "batch h"],
    scores: Float[np.ndarray, "batch h"],
    radius: Float[np.ndarray, " batch"],
) -> tuple[Float[np.ndarray, "batch k 2"], Int[np.ndarray, "batch h"]]:
    """Keep the strongest mode, drop those within the radius of it, and so on; then label the hypotheses."""
    left = has.copy()
    # Strength as one number: a count outweighs any sum of scores. Rounding keeps ties ties.
    inside = members.astype(np.float64)
    support = (inside @ np.where(has, scores, 0.0)[..., None])[..., 0].round(9)
    strength = inside.sum(2) * (xy.shape[1] + 1) + support
    kept = []
    rows = np.arange(len(xy))
    while len(rows):
        best = np.where(left[rows], strength[rows], -1.0).argmax(1)
        centre = modes[rows, best]
        kept.append(np.full((len(xy), 2), np.nan))
        kept[-1][rows] = centre
        left[rows] &= _squared(modes[rows], centre) > (radius[rows] ** 2)[:, None]
        rows = rows[left[rows].any(1)]
    centres = np.stack(kept, 1)
    squared = (xy[:, :, None, 0] - centres[:, None, :, 0]) ** 2 + (xy[:, :, None, 1] - centres[:, None, :, 1]) ** 2
    labels = np.where(np.isnan(squared), np.inf, squared).argmin(2)
    return centres, np.where(has, labels, -1)
