"""Safetensors files as they are read everywhere: bounded, whole, and with numbers that are numbers."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dettrack.errors import InputError
from dettrack.files import parsing

__all__ = ["check_fit", "read_tensors", "without_memory"]

_MOST_HEADER = 16 << 20  # bytes; a network of a thousand tensors needs 100 kB
_MOST_TENSORS = 20_000


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file, as they are stored.

    Raises:
        InputError: No such file, or not one of these, or its header is larger than any network's; NaN among weights.
    """
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    with parsing(f"{path}", "a safetensors file"):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
        if length > _MOST_HEADER:
            raise InputError(f"{path}: not a readable safetensors file: a header of {length} bytes")
        with safe_open(path, framework="pt") as tensors:
            names = list(tensors.keys())
            if len(names) > _MOST_TENSORS:
                raise InputError(f"{path}: {len(names)} tensors in it, more than any network has")
            metadata = tensors.metadata() or {}
            state = {name: tensors.get_tensor(name) for name in names}
    broken = [name for name, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise InputError(f"{path}: {len(broken)} of its tensors hold NaN or infinity ({broken[0]}); train it again")
    return metadata, state


class without_memory(TorchFunctionMode):  # noqa: N801 (a block, as `torch.no_grad` is)
    """A block in which networks are built with shapes alone: a description may ask for any amount of memory.

    Weights are on PyTorch's meta device and are not drawn. `with torch.device("meta")` does that too, but its `arange`
    and its normal distribution load PyTorch's compiler, for 70 MiB.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        if func in (torch.empty, torch.zeros, torch.ones):
            kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)


def check_fit(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Hold weights against a network, which may be one built `without_memory`.

    Args:
        network: What they are for.
        state: Weights by name; counters of batch norms may be absent.
        what: Where they are from, for messages.

    Raises:
        InputError: Entries are missing, left over or of another shape; the message names them.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    left = [name for name in state if name not in own]
    shapes = [
        f"{name} {tuple(state[name].shape)} for {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if missing or left or shapes:
        said = [_some("missing", missing), _some("left over", left), _some("of another shape", shapes)]
        raise InputError(f"{what}: weights do not fit the network: {'; '.join(filter(None, said))}")


def _some(label: str, names: list[str]) -> str:
    if not names:
        return ""
    return f"{len(names)} {label} ({', '.join(names[:4])}{', ...' if len(names) > 4 else ''})"
