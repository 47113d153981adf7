"""Recomputed activations: the same gradients and statistics from less memory."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dettrack.models.pose.hrnet import HRNet
from dettrack.models.pose.lite import LiteNet
from dettrack.training.memory import activation_bytes, recompute_activations


@pytest.mark.parametrize("build", [lambda: HRNet(8, 3, variant="early"), lambda: LiteNet(3, width=8, variant="early")])
def test_gradients_and_statistics_are_the_same(build) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    plain = build().train()
    forgetful = copy.deepcopy(plain)
    recompute_activations(forgetful)
    tube = torch.randn(2, 9, 3, 64, 64)
    for network in (plain, forgetful):
        network(tube).square().sum().backward()
    pairs = zip(plain.named_parameters(), forgetful.parameters(), strict=True)
    for (name, a), b in pairs:
        torch.testing.assert_close(b.grad, a.grad, msg=name)
    for a, b in zip(plain.modules(), forgetful.modules(), strict=True):
        if isinstance(a, nn.BatchNorm2d):
            torch.testing.assert_close(a.running_mean, b.running_mean)
            assert a.momentum == b.momentum


def test_memory_of_the_papers_network() -> None:
    """W48 at 384x288 and nine frames: about 4 GiB of fp32 activations a tube, a third when recomputed."""
    network = HRNet(48, 15, variant="early")
    kept = activation_bytes(network, (1, 9, 3, 384, 288)) / 2**30
    less = activation_bytes(network, (1, 9, 3, 384, 288), recompute=True) / 2**30
    assert 3.5 < kept < 4.5
    assert less < 0.4 * kept


def test_the_estimate_counts_real_tensors() -> None:
    """One convolution keeps its input, one ReLU its output: known to the byte."""
    network = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.ReLU())
    wrapped = nn.Sequential(nn.Flatten(0, 1), network)
    shape = (1, 2, 3, 8, 8)
    assert activation_bytes(wrapped, shape) == 4 * 2 * (3 + 4) * 64
