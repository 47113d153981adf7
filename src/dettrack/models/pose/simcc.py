"""SimCC (Li et al., ECCV 2022), as RTMPose uses it: x and y of a joint as two classifications, two bins per pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.models.pose.frame_layout import SIMCC_BINS

__all__ = ["decode_simcc", "unmirror_simcc"]


def decode_simcc(
    x: Float[np.ndarray, "n joints wide"], y: Float[np.ndarray, "n joints high"]
) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
    """Joints from the bins with the highest values.

    Args:
        x: Values of the bins along the crop's width.
        y: Values of the bins along its height.

    Returns:
        Positions in crop pixels, and the lower one of both highest values, clipped to [0, 1]. A joint without a
        positive one is missing: NaN, and 0.
    """
    xy = np.stack([x.argmax(-1), y.argmax(-1)], -1) / SIMCC_BINS
    scores = np.minimum(x.max(-1), y.max(-1))
    xy[scores <= 0] = np.nan
    return xy, scores.clip(0, 1).astype(np.float64)


def unmirror_simcc(
    x: Float[np.ndarray, "n joints wide"], y: Float[np.ndarray, "n joints high"], flip_permutation: Any
) -> tuple[Float[np.ndarray, "n joints wide"], Float[np.ndarray, "n joints high"]]:
    """Values for mirrored crops, mirrored back, with left and right joints swapped.

    Pixel i of a mirrored crop is pixel W - 1 - i, so bin b is bin 2 (W - 1) - b: one less than the bins turned round.

    Args:
        x: Along the width.
        y: Along the height.
        flip_permutation: See `JointSet`.

    Returns:
        Values for the crops themselves.
    """
    turned = x[:, flip_permutation, ::-1]
    shift = SIMCC_BINS - 1
    return np.concatenate([turned[..., shift:], turned[..., -1:].repeat(shift, -1)], -1), y[:, flip_permutation]
