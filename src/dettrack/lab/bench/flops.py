"""Floating point operations that a run needed: counted from its networks, and from how often each of them ran.

A multiply-add counts as two. Counted are convolutions and matrix products, at the sizes that were used; the rest of a
network is a few per cent of them. Frames that fill a clip up at the ends of a shot are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dettrack.config import DetectConfig, EstimateConfig, TrackConfig
from dettrack.models.detector import DEFAULT_WEIGHTS
from dettrack.models.detector.checkpoint import read_detector
from dettrack.models.detector.letterbox import fit_size
from dettrack.models.pose.checkpoint import inflate_checkpoint
from dettrack.models.pose.inflate import set_clip_length
from dettrack.models.pose.load import find_model
from dettrack.models.pose.official import open_checkpoint
from dettrack.models.runtime.precision import cpu_precision
from dettrack.models.runtime.runner import installed
from dettrack.models.runtime.torch import torch_device, torch_precision
from dettrack.models.weights import find_weights

__all__ = ["RunWork", "graph_gflop", "module_gflop", "run_work"]

_CROPS = re.compile(r"crops_(\d+)x(\d+)")
_FOREIGN_LONGER = 640  # of an ONNX detector's input that is open


@dataclass(frozen=True)
class RunWork:
    """10^9 floating point operations of a whole run; None where a network's are not known.

    Attributes:
        detector: Of the person detector.
        pose: Of the pose network.
        pose_precision: What the pose network computed in; the detector computes in fp32.
    """

    detector: float | None
    pose: float | None
    pose_precision: str

    @property
    def total(self) -> float | None:
        """Of both."""
        return None if self.detector is None or self.pose is None else self.detector + self.pose

    def seconds_at(self, peaks: Mapping[str, float]) -> float | None:
        """How long it would take at the peaks, 10^9 operations per second by precision."""
        if self.detector is None or self.pose is None or self.pose_precision not in peaks:
            return None
        return self.detector / peaks["fp32"] + self.pose / peaks[self.pose_precision]


def run_work(config: TrackConfig, counts: Mapping[str, int], frame_size: tuple[int, int]) -> RunWork:
    """What a run's networks computed.

    Args:
        config: Its settings.
        counts: Its counts: "keyframes" that the detector saw, and crops by size ("crops_192x160", height x width).
        frame_size: Height and width of its frames.

    Returns:
        What each of its networks computed.
    """
    estimate = config.estimate
    crops = {match: n for key, n in counts.items() if (match := _CROPS.fullmatch(key))}
    each = {match: _crop_gflop(estimate, config.cut.clip_length, _size(match.groups())) for match in crops}
    pose = None
    if all(gflop is not None for gflop in each.values()):
        pose = (2 if estimate.flip else 1) * sum((n * (each[match] or 0.0) for match, n in crops.items()), 0.0)
    frame = _frame_gflop(config.detect, frame_size)
    detector = None if frame is None else counts.get("keyframes", 0) * frame
    return RunWork(detector, pose, _pose_precision(estimate))


def module_gflop(module: nn.Module, *shape: int) -> float:
    """10^9 floating point operations of a module for an input of that shape, counted; nothing is computed."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        deepcopy(module).to("meta").eval()(torch.empty(shape, device="meta"))
    return counter.get_total_flops() / 1e9


def graph_gflop(content: bytes | Path, size: tuple[int, int] | None = None) -> float | None:
    """10^9 floating point operations of an ONNX or OpenVINO file for one row of its input.

    Args:
        content: The file, or the content of an ONNX file.
        size: Height and width of its input, where the file leaves them open.

    Returns:
        None without OpenVINO, which reads the graph, and where shapes stay open inside it.
    """
    if not installed("openvino"):
        return None
    from dettrack.models.runtime.openvino import read_graph

    model = read_graph(content, str(content) if isinstance(content, Path) else "a network")
    shape = model.inputs[0].partial_shape
    if shape.is_dynamic:
        sides = iter(size or ())
        fixed = [side if not side.is_dynamic else 1 if i == 0 else next(sides, -1) for i, side in enumerate(shape)]
        model.reshape(fixed)
    rows = model.inputs[0].partial_shape[0]
    found = [_operations(node) for node in model.get_ordered_ops()]
    if rows.is_dynamic or any(one is None for one in found):
        return None
    return sum(one or 0.0 for one in found) / rows.get_length() / 1e9


def _operations(node: Any) -> float | None:
    """Of one node of OpenVINO's graph; None where its shapes are open."""
    kind = node.get_type_name()
    if kind not in ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul"):
        return 0.0
    shapes = [node.input(0).get_partial_shape(), node.input(1).get_partial_shape(), node.output(0).get_partial_shape()]
    if any(shape.is_dynamic for shape in shapes):
        return None
    image, weight, answer = ([int(side) for side in shape.to_shape()] for shape in shapes)
    if kind == "MatMul":
        return 2.0 * _product(answer) * image[-2 if node.get_attributes()["transpose_a"] else -1]
    if kind == "ConvolutionBackpropData":  # weights (in, out, ...): every input value reaches that many outputs
        return 2.0 * _product(image) * _product(weight[1:])
    return 2.0 * _product(answer) * _product(weight[2 if kind == "GroupConvolution" else 1 :])


def _product(sides: Sequence[int]) -> float:
    total = 1.0
    for side in sides:
        total *= side
    return total


def _size(sides: Sequence[str | Any]) -> tuple[int, int]:
    return int(sides[0]), int(sides[1])


@lru_cache(maxsize=64)
def _crop_gflop(options: EstimateConfig, clip_length: int, size: tuple[int, int]) -> float | None:
    """Of the pose network for one crop; for one frame of a tube where it is temporal."""
    path = find_model(options.model)
    if path.suffix not in (".safetensors", ".pth"):
        return None if path.suffix == ".engine" else graph_gflop(path, size)
    checkpoint = open_checkpoint(path)
    if options.variant != "auto" and options.variant != checkpoint.spec.variant:
        checkpoint = inflate_checkpoint(checkpoint, options.variant, clip_length)
    frames = clip_length if checkpoint.spec.variant != "none" else 1
    set_clip_length(checkpoint.network, frames)
    return module_gflop(checkpoint.network, 1, frames, 3, *size) / frames


@lru_cache(maxsize=64)
def _frame_gflop(config: DetectConfig, frame_size: tuple[int, int]) -> float | None:
    """Of the detector for one frame; 0 for boxes from a file, None where it is not known."""
    name = config.detector
    if name.startswith("hf:"):
        return None
    path = DEFAULT_WEIGHTS if name == "default" else Path(name)
    path = path if path.is_file() else find_weights(name).path
    if path.suffix in (".onnx", ".xml"):
        return graph_gflop(path, fit_size(frame_size, config.detector_size or _FOREIGN_LONGER))
    if path.suffix != ".safetensors":
        return 0.0
    checkpoint = read_detector(path)
    sizes = config.detector_scales or (config.detector_size or checkpoint.size,)
    return sum(module_gflop(_Plain(checkpoint.model), 1, 3, *fit_size(frame_size, longer)) for longer in sizes)


class _Plain(nn.Module):
    """The detector's `predict` as a module."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> Any:
        return self.model.predict(images)


def _pose_precision(options: EstimateConfig) -> str:
    """What the pose network computes in."""
    if find_model(options.model).suffix not in (".safetensors", ".pth"):
        return options.precision if options.precision in ("bf16", "fp16") else "fp32"
    device = torch_device(options.device)
    if options.runtime == "onnxruntime":
        return "fp32"
    return cpu_precision(options.precision) if device.type == "cpu" else torch_precision(options.precision, device)
