"""Memory of training: computing activations again instead of keeping them, and how much is kept."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dettrack.models.pose.inflate import TemporalConv

__all__ = ["activation_bytes", "recompute_activations"]


def recompute_activations(network: nn.Module) -> None:
    """Make every residual block and exchange unit forget its inner activations and compute them again when needed.

    The weights, their names and the results stay the same; batch norms count a batch once.
    """
    for block in _blocks(network):
        forward = block.forward

        def forgetful(*inputs: Any, _forward: Any = forward, _block: nn.Module = block) -> Any:
            if not (torch.is_grad_enabled() and _block.training):
                return _forward(*inputs)
            return checkpoint(
                _forward,
                *inputs,
                use_reentrant=False,
                context_fn=lambda: (contextlib.nullcontext(), _uncounted(_block)),
            )

        block.forward = forgetful


def _blocks(network: nn.Module) -> list[nn.Module]:
    """The units to recompute: the smallest modules, sequences aside, that hold convolutions themselves."""

    def holds(module: nn.Module) -> bool:
        return any(isinstance(child, nn.Conv2d | TemporalConv) for child in module.children())

    units = [m for name, m in network.named_modules() if name and holds(m) and not isinstance(m, nn.Sequential)]
    chosen = {id(unit) for unit in units}
    return [unit for unit in units if not any(id(m) in chosen for m in unit.modules() if m is not unit)]


@contextlib.contextmanager
def _uncounted(block: nn.Module) -> Iterator[None]:
    """Running statistics of batch norms stand still: a batch that is computed again is no new batch."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, kept, strict=True):
            norm.momentum = momentum


def activation_bytes(network: nn.Module, tubes: tuple[int, int, int, int, int], *, recompute: bool = False) -> int:
    """Bytes of fp32 activations that one forward pass keeps for the backward pass; nothing is computed.

    Args:
        network: Maps `(n, clip, 3, h, w)` to heatmaps.
        tubes: Shape `(n, clip, 3, h, w)`.
        recompute: As after `recompute_activations`; the largest block's own activations come on top for a moment.

    Returns:
        Bytes.
    """
    ghost = copy.deepcopy(network).to("meta").train()
    if recompute:
        recompute_activations(ghost)
    parameters = {id(p) for p in ghost.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if id(tensor) not in parameters:
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        out = ghost(torch.empty(tubes, device="meta"))
    del out
    return sum(kept.values())
