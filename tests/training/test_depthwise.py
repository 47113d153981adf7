"""Depthwise convolutions with gradients in fp32."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dettrack.training.depthwise import fast_depthwise


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 2), (3, 2)])
def test_gradients_are_those_of_fp32_within_the_rounding_of_bf16(kernel: int, stride: int) -> None:
    torch.manual_seed(kernel + stride)
    exact = nn.Conv2d(8, 8, kernel, stride, kernel // 2, groups=8, bias=False)
    fast = fast_depthwise(copy.deepcopy(exact))
    x = torch.randn(2, 8, 12, 10)
    found = []
    for layer, enabled in ((exact, False), (fast, True)):
        inputs = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = layer(inputs)
        (y.float() ** 2).sum().backward()
        assert inputs.grad is not None
        assert layer.weight.grad is not None
        assert layer.weight.grad.dtype == torch.float32
        found.append((y.float(), inputs.grad, layer.weight.grad))
    assert found[1][0].dtype == torch.float32
    for exactly, roughly in zip(*found, strict=True):
        error = (exactly - roughly).norm() / exactly.norm()
        assert 0 < error < 0.02


def test_without_autocast_nothing_changes_nor_do_names_and_other_layers() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 3, groups=8, bias=False), nn.Conv2d(8, 8, 3, groups=2))
    fast = fast_depthwise(copy.deepcopy(model))
    x = torch.randn(1, 4, 8, 8)
    assert torch.equal(model(x), fast(x))
    assert list(fast.state_dict()) == list(model.state_dict())
    assert [type(layer) is nn.Conv2d for layer in fast] == [True, False, True]


def test_frozen_filters_get_no_gradient() -> None:
    layer = fast_depthwise(nn.Conv2d(4, 4, 3, 2, 1, groups=4, bias=False)).requires_grad_(False)
    x = torch.randn(1, 4, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x).sum().backward()
    assert layer.weight.grad is None
    assert x.grad is not None
    assert x.grad.isfinite().all()
