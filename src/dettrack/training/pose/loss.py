"""Losses on heatmaps: mean squared error over all frames of a tube (paper eq. 1 and 2), with hard-joint mining."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["heatmap_loss"]

_SCALE = 1000.0  # the mean over a map of mostly zeros is tiny; this keeps logged losses readable


def heatmap_loss(
    heatmaps: Float[Tensor, "n clip joints h w"],
    targets: Float[Tensor, "n clip joints h w"],
    weight: Float[Tensor, "n clip joints"],
    *,
    hardest: int = 0,
) -> Float[Tensor, ""]:
    """Mean squared error.

    Args:
        heatmaps: Of the network.
        targets: Gaussians; all zero where the person is hidden or has left.
        weight: Of each map: 0 where nothing is known.
        hardest: Online hard-joint mining: only so many joints with the largest error count in each frame; 0 for all.

    Returns:
        The loss, a mean over samples: the weighted sum over joints and pixels of the paper, times a constant.
    """
    error = (heatmaps.float() - targets).square().mean((-1, -2)) * weight
    if hardest and hardest < error.shape[-1]:
        error = torch.topk(error, hardest, dim=-1).values
    return _SCALE * error.mean()
