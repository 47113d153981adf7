"""Batch normalisation over all processes, on CPUs (gloo) and GPUs alike; PyTorch's own knows CUDA only."""

from __future__ import annotations

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["SynchronisedBatchNorm2d", "synchronise_batch_norm"]


class _Sum(torch.autograd.Function):
    """Sum over processes; the gradient of a sum is the sum of the gradients."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose mean and variance are those of the batch of all processes; every process holds as many."""

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Normalise; in evaluation mode, or in one process, exactly `nn.BatchNorm2d`."""
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(input)
        x = input.float()  # sums of many squares: bf16 would lose them
        sums = _Sum.apply(torch.stack([x.sum((0, 2, 3)), x.square().sum((0, 2, 3))]))
        count = dist.get_world_size() * x.numel() / x.shape[1]
        mean, square = sums[0] / count, sums[1] / count
        variance = (square - mean.square()).clamp_min(0)
        self._remember(mean.detach(), variance.detach() * count / max(1.0, count - 1))
        scale = (variance + self.eps).rsqrt()
        if self.affine:
            scale = scale * self.weight
        shift = -mean * scale
        if self.affine:
            shift = shift + self.bias
        return (x * scale[:, None, None] + shift[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = 0.1 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def synchronise_batch_norm(model: nn.Module) -> None:
    """Turn every `nn.BatchNorm2d` inside `model` into a synchronised one, in place; names and values stay."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SynchronisedBatchNorm2d
