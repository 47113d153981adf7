"""Our own networks run by PyTorch, on the CPU or a CUDA GPU."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from dettrack.config import EstimateConfig
from dettrack.errors import InputError
from dettrack.network.checkpoint import Checkpoint
from dettrack.network.inflate import fold_batch_norm
from dettrack.skeleton import joint_set

__all__ = ["TorchTubeModel", "torch_device"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_CPU_ROWS, _CUDA_ROWS = 4, 32  # tubes in one pass; at least two on the CPU, where small 3D inputs run slowly alone


class TorchTubeModel:
    """A `TubeModel` (see there): batch norms folded, inference mode."""

    def __init__(self, checkpoint: Checkpoint, name: str, options: EstimateConfig) -> None:
        """Move a network to its device.

        Args:
            checkpoint: The network; it is changed in place.
            name: For people.
            options: Device, precision, batch and threads.

        Raises:
            InputError: The device or precision is not to be had.
        """
        spec = checkpoint.spec
        self.name, self.size, self.stride = name, spec.size, spec.stride
        self.joint_set, self.temporal = joint_set(spec.joints), spec.variant != "none"
        self._device = torch_device(options.device)
        on_cpu = self._device.type == "cpu"
        precision = _precision(options.precision, self._device)
        self._dtype = _DTYPES[precision]
        if options.threads and on_cpu:
            torch.set_num_threads(options.threads)
        rows = _CPU_ROWS if on_cpu else _CUDA_ROWS
        self.batch = options.batch or (rows if self.temporal else rows * 4)
        kind = f"{spec.architecture} {spec.width}, {spec.variant}, {spec.size[1]}x{spec.size[0]}"
        self.runtime = f"{kind}; PyTorch, {self._device}, {precision}"
        self._network = fold_batch_norm(checkpoint.network.eval()).requires_grad_(False).to(self._device, self._dtype)
        if not on_cpu:
            self._network = self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        shape = (3, 1, 1)
        self._mean = (255 * torch.tensor(spec.mean)).view(shape).to(self._device)
        self._std = (255 * torch.tensor(spec.std)).view(shape).to(self._device)

    @torch.inference_mode()
    def run(self, crops: UInt8[ndarray, "n clip h w 3"]) -> Float[Tensor, "n clip joints h4 w4"]:
        """Heatmaps, fp32, on the network's device."""
        tubes = torch.from_numpy(crops).to(self._device).permute(0, 1, 4, 2, 3)
        tubes = ((tubes - self._mean) / self._std).to(self._dtype)
        return self._network(tubes.contiguous()).float()


def torch_device(asked: str) -> torch.device:
    """The device for "auto", "cpu", "cuda" or "cuda:N"; raises `InputError` where it is not there."""
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(asked)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"--device {asked}: this PyTorch sees {torch.cuda.device_count()} CUDA devices")
    return device


def _precision(asked: str, device: torch.device) -> str:
    if asked != "auto":
        if asked == "fp16" and device.type == "cpu":
            raise InputError("--precision fp16: PyTorch has no fast fp16 on a CPU: take fp32 or bf16")
        return asked
    if device.type == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
