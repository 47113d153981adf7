"""The detector of our own, from a checkpoint of ours: rebuilt from its metadata, no other file needed.

On a CPU OpenVINO runs it where it is installed, else PyTorch with batch norms folded; `description` says which, and
`lab/studies/detector_boxes.py` what it costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dettrack.config import DetectConfig
from dettrack.models.detector.backbones import fold_norms
from dettrack.models.detector.checkpoint import DetectorCheckpoint, read_detector
from dettrack.models.detector.network import PersonDetector
from dettrack.models.detector.scales import find_people, find_people_multiscale, valid_ranges
from dettrack.models.runtime.open_file import open_file
from dettrack.models.runtime.runner import Runner, SessionOptions, installed
from dettrack.models.runtime.to_onnx import to_onnx
from dettrack.models.runtime.torch import TorchRunner, torch_device
from dettrack.structures import Boxes, Frame

__all__ = ["OwnDetector", "load", "run_by_openvino", "run_by_torch"]


def load(path: Path, config: DetectConfig, device: str = "auto", threads: int = 0) -> OwnDetector:
    """The detector in a .safetensors file that `dettrack train` wrote.

    Args:
        path: The file.
        config: `detector_size` 0 takes the file's own; `detector_scales` runs at several sizes.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads; 0 takes all.

    Returns:
        The detector.

    Raises:
        InputError: The file is no detector of ours, or the device does not exist.
    """
    checkpoint, where = read_detector(path), torch_device(device)
    fold_norms(checkpoint.model)
    if where.type == "cpu" and installed("openvino", "onnx"):
        runner: Runner = run_by_openvino(checkpoint.model, threads)
    else:
        runner = run_by_torch(checkpoint.model, where)
    return OwnDetector(path, checkpoint, runner, config)


class _Predict(nn.Module):
    """`PersonDetector.predict` as a module."""

    def __init__(self, model: PersonDetector) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.predict(images)


def run_by_torch(model: PersonDetector, device: torch.device | str | None = None) -> Runner:
    """Images `(n, 3, h, w)` -> scores `(n, cells)` and distances `(n, cells, 4)` in strides.

    Args:
        model: In evaluation mode; moved to the device.
        device: None leaves it where it is.

    Returns:
        Runs the network.
    """
    return TorchRunner(_Predict(model), next(model.parameters()).device if device is None else torch.device(device))


def run_by_openvino(model: PersonDetector, threads: int) -> Runner:
    """`run_by_torch` for a CPU: fp32, so that boxes are the same on every one.

    Args:
        model: In evaluation mode; left as it is.
        threads: CPU threads; 0 takes all.

    Returns:
        Runs the network.
    """
    axes = {"images": {0: "n", 2: "h", 3: "w"}, "scores": {0: "n", 1: "cells"}, "distances": {0: "n", 1: "cells"}}
    example = torch.zeros(1, 3, 64, 96, dtype=torch.uint8)
    content = to_onnx(_Predict(model).eval(), example, ("images", "scores", "distances"), axes)
    # One by one: on a CPU a batch is no faster, and its activations are most of a run's memory.
    return open_file(content, "the detector", SessionOptions("openvino", device="cpu", threads=threads, rows=1))


class OwnDetector:
    """Finds people with a `PersonDetector`; see `protocol.Detector`."""

    def __init__(self, path: Path, checkpoint: DetectorCheckpoint, runner: Runner, config: DetectConfig) -> None:
        """Take a loaded network.

        Args:
            path: Its file.
            checkpoint: What the file says of it.
            runner: See `run_by_torch`.
            config: Input sizes and the overlap above which boxes are one person's.
        """
        self._runner = runner
        self.size = max(config.detector_scales, default=config.detector_size or checkpoint.size)
        self._scales = config.detector_scales
        self._nms = config.detector_nms
        figures = ", ".join(f"{name} {value:.2f}" for name, value in checkpoint.metrics.items())
        self.description = (
            f"{path.name}: {checkpoint.model.spec.backbone}, "
            f"input {' and '.join(map(str, self._scales)) or self.size}, {runner.runtime}"
            f"{f' (held-out {figures})' if figures else ''}"
        )

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """People in each frame, in its pixels, best first."""
        images = [frame.image for frame in frames]
        if self._scales:
            return find_people_multiscale(self._runner, images, self._scales, valid_ranges(self._scales), self._nms)
        return find_people(self._runner, images, self.size, self._nms)
