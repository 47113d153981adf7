"""Networks run by PyTorch, on the CPU or a CUDA GPU."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from numpy import ndarray
from torch import Tensor, nn

from dettrack.errors import InputError
from dettrack.models.runtime.buckets import Bucketed
from dettrack.models.runtime.precision import cpu_precision

__all__ = ["TorchRunner", "channels_last", "torch_device", "torch_dtype", "torch_precision"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchRunner:
    """A `Runner` (see there): weights in channels-last order, inference mode.

    PyTorch has one number of CPU threads for the whole process; `dettrack.tune_process` sets it.
    """

    def __init__(self, module: nn.Module, device: torch.device, precision: str = "fp32", graph_rows: int = 0) -> None:
        """Move a network to its device.

        Args:
            module: In evaluation mode; changed in place. It gives a tensor or a tuple of them.
            device: Where it runs.
            precision: What it computes in already, for people.
            graph_rows: On CUDA, rows of the largest batch for which the GPU's work is recorded (see `buckets`); 0
                records nothing.
        """
        self._device, self.device = device, str(device)
        self.runtime = f"PyTorch, {_device_name(device)}, {precision}"
        self._module = channels_last(module.to(device))
        self._graph_rows = graph_rows if device.type == "cuda" else 0
        self._recorded: dict[tuple[int, ...], Bucketed] = {}

    @torch.inference_mode()
    def run(self, batch: Shaped[Any, "n ..."]) -> list[Any]:
        """See `Runner.run`; tensors on the device."""
        tensor = (torch.from_numpy(batch) if isinstance(batch, ndarray) else batch).to(self._device)
        if tensor.ndim == 4:  # images; tubes have their channels last already
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        answer = self._function(tuple(tensor.shape[1:]))(tensor)
        return [answer] if isinstance(answer, Tensor) else list(answer)

    def _function(self, row: tuple[int, ...]) -> Any:
        if not self._graph_rows:
            return self._module
        if row not in self._recorded:
            self._recorded[row] = Bucketed(self._module, row, self._graph_rows, self._device)
        return self._recorded[row]


def channels_last(network: nn.Module) -> nn.Module:
    """Weights in the order that suits activations with channels last: 1.8 times as fast on a CPU, and on GPUs too."""
    for parameter in network.parameters():
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        if parameter.ndim in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.ndim])
    return network


def torch_device(requested: str) -> torch.device:
    """The device for "auto", "cpu", "cuda" or "cuda:N"; raises `InputError` where it is not there."""
    if requested == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(requested)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"--device {requested}: this PyTorch sees {torch.cuda.device_count()} CUDA devices")
    return device


def torch_precision(requested: str, device: torch.device) -> str:
    """What "auto" and "fast" mean on a device.

    Args:
        requested: As `EstimateConfig.precision`.
        device: Where the network runs.

    Returns:
        "fp32", "bf16" or "fp16".

    Raises:
        InputError: fp16 on a CPU.
    """
    if device.type == "cpu":
        if requested == "fp16":
            raise InputError("--precision fp16: PyTorch has no fast fp16 on a CPU: take fp32 or bf16")
        return cpu_precision(requested)
    if requested in ("auto", "fast"):
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return requested


def torch_dtype(precision: str) -> torch.dtype:
    """Of "fp32", "bf16" or "fp16"."""
    return _DTYPES[precision]


def _device_name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
