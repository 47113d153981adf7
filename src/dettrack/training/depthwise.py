"""Depthwise convolutions that train fast in bf16 on a CPU.

On CPUs with bf16 matrix units a light network's step takes two thirds of the time in bf16, but for two gradients of
depthwise convolutions for which PyTorch has no fast bf16 kernel: that of the filter, and that of the input where the
stride is not 1. Each takes ten times as long as in fp32, more than all that bf16 saves. Here they are in fp32.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["fast_depthwise"]


def fast_depthwise(model: nn.Module) -> nn.Module:
    """Let a model's depthwise convolutions without bias compute their slow gradients in fp32, in place.

    Args:
        model: For training under bf16 autocast.

    Returns:
        The same model; its weights and their names are unchanged.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d and 1 < module.groups == module.in_channels and module.bias is None:
            module.__class__ = _DepthwiseConv2d
    return model


class _DepthwiseConv2d(nn.Conv2d):
    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out h2 w2"]:
        if not torch.is_autocast_enabled("cpu") or not isinstance(self.padding, tuple):
            return super().forward(input)
        return _Depthwise.apply(input, self.weight, self.stride, self.padding, self.dilation)


class _Depthwise(torch.autograd.Function):
    """The convolution in bf16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, *shape: Any) -> Tensor:
        """See `nn.functional.conv2d`; `shape` is stride, padding and dilation."""
        x, weight = x.bfloat16(), weight.bfloat16()
        ctx.save_for_backward(x, weight)
        ctx.shape = shape
        stride, padding, dilation = shape
        return nn.functional.conv2d(x, weight, None, stride, padding, dilation, x.shape[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        """Gradients of input (bf16) and filter (fp32)."""
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.shape
        wanted = ctx.needs_input_grad[:2]

        def gradients(mask: tuple[bool, bool], dtype: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
            if not any(mask):
                return None, None
            parts = (part.to(dtype) for part in (grad, x, weight))
            return torch.ops.aten.convolution_backward(
                *parts, None, stride, padding, dilation, False, [0, 0], x.shape[1], [*mask, False]
            )[:2]

        if max(stride) > 1:
            of_input, of_weight = gradients(wanted, torch.float32)
        else:
            of_input, _ = gradients((wanted[0], False), torch.bfloat16)
            _, of_weight = gradients((False, wanted[1]), torch.float32)
        return None if of_input is None else of_input.bfloat16(), of_weight, None, None, None
