"""Temporal filters that learn from differences between frames.

Neighbouring frames are nearly alike, so the gradients of a filter's three taps are nearly alike too, and what sets
them apart, motion, drowns: for hundreds of steps all taps move together and the network stays a 2D one. Written as

    y[t] = c x[t] + a (x[t-1] - x[t]) + b (x[t+1] - x[t])

it is the same layer with the taps a, c - a - b, b, but a and b see motion only. Where training ends, the taps are
put back. Beyond the paper.
"""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dettrack.models.pose.inflate import TemporalConv

__all__ = ["learn_differences", "plain"]


class _Differences(nn.Module):
    """Coefficients of differences to taps, and back."""

    def forward(self, coefficients: Float[Tensor, "out in kt kh kw"]) -> Float[Tensor, "out in kt kh kw"]:
        middle = coefficients.shape[2] // 2
        others = coefficients.sum(2) - coefficients[:, :, middle]
        return torch.cat(
            [
                coefficients[:, :, :middle],
                (coefficients[:, :, middle] - others)[:, :, None],
                coefficients[:, :, middle + 1 :],
            ],
            dim=2,
        )

    def right_inverse(self, taps: Float[Tensor, "out in kt kh kw"]) -> Float[Tensor, "out in kt kh kw"]:
        middle = taps.shape[2] // 2
        coefficients = taps.clone()
        coefficients[:, :, middle] = taps.sum(2)
        return coefficients


def learn_differences(network: nn.Module) -> nn.Module:
    """Let every temporal filter of a network learn coefficients of differences instead of taps, in place."""
    for module in list(network.modules()):
        if isinstance(module, TemporalConv):
            parametrize.register_parametrization(module, "weight", _Differences())
    return network


def plain(network: nn.Module) -> nn.Module:
    """The network with taps again: itself where it has nothing else, otherwise a copy."""
    if not any(parametrize.is_parametrized(module) for module in network.modules()):
        return network
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        if isinstance(module, TemporalConv) and parametrize.is_parametrized(module, "weight"):
            taps = module.weight.detach().clone()
            # Not `remove_parametrizations`: a deep copy shares the class that it edits, and the original, which
            # goes on training, would lose its taps.
            del module.parametrizations
            module.__class__ = TemporalConv
            module.weight = nn.Parameter(taps)
    return network
