"""The detector of our own, from a checkpoint of ours: rebuilt from its metadata, no other file needed.

On a CPU OpenVINO runs it where it is installed, else PyTorch with batch norms folded; `description` says which, and
`lab/studies/detector_boxes.py` what it costs.
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dettrack.config import DetectConfig
from dettrack.errors import InputError, UsageError
from dettrack.files import NewFile
from dettrack.geometry import box_nms
from dettrack.models.detector.backbones import fold_norms
from dettrack.models.detector.letterbox import Letterbox, fit_size
from dettrack.models.detector.network import DetectorSpec, PersonDetector, cell_boxes, cell_centres
from dettrack.structures import Boxes, Frame

__all__ = [
    "Checkpoint",
    "OwnDetector",
    "Predictor",
    "find_people",
    "find_people_multiscale",
    "load",
    "openvino_predictor",
    "read_checkpoint",
    "save_network",
    "torch_predictor",
    "valid_ranges",
]

_FORMAT = "dettrack detector 1"
_FILL = 114
_MIN_SCORE = 0.02
_MOST = 400  # boxes per frame that reach the suppression
_BATCH = 8  # frames in one pass
_COMFORT = 48.0  # root of the area, in input pixels, from which a person is found well

Predictor = Callable[[UInt8[np.ndarray, "n 3 h w"]], tuple[np.ndarray, np.ndarray]]
"""Images -> scores `(n, cells)` and distances `(n, cells, 4)` in strides."""


@dataclass(frozen=True)
class Checkpoint:
    """A network read from a file.

    Attributes:
        model: In evaluation mode, on the CPU, in fp32.
        size: Longer side of the input that it is meant for.
        metrics: Figures of its training run's validation.
    """

    model: PersonDetector
    size: int
    metrics: dict[str, float]


def load(path: Path, config: DetectConfig, device: str = "auto", threads: int = 0) -> OwnDetector:
    """The detector in a .safetensors file that `dettrack train` wrote.

    Args:
        path: The file.
        config: `detector_size` 0 takes the file's own; `detector_scales` looks at several sizes.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads; 0 takes all.

    Raises:
        InputError: The file is no detector of ours, or the device does not exist.
    """
    checkpoint = read_checkpoint(path)
    cuda = torch.cuda.is_available()
    if device.startswith("cuda") and not cuda:
        raise InputError(f"--device {device}: this PyTorch sees no CUDA device; use --device cpu")
    name = ("cuda" if cuda else "cpu") if device == "auto" else device
    fold_norms(checkpoint.model)
    if name == "cpu" and importlib.util.find_spec("openvino"):
        predictor, runtime = openvino_predictor(checkpoint.model, threads), "OpenVINO, CPU"
    else:
        predictor, runtime = torch_predictor(checkpoint.model.to(name)), f"PyTorch, {name}"
    return OwnDetector(path, checkpoint, predictor, runtime, config)


class OwnDetector:
    """Finds people with a `PersonDetector`; see `protocol.Detector`."""

    def __init__(
        self, path: Path, checkpoint: Checkpoint, predictor: Predictor, runtime: str, config: DetectConfig
    ) -> None:
        self._predictor = predictor
        self.size = max(config.detector_scales, default=config.detector_size or checkpoint.size)
        self._scales = config.detector_scales
        self._nms = config.detector_nms
        figures = ", ".join(f"{name} {value:.2f}" for name, value in checkpoint.metrics.items())
        self.description = (
            f"{path.name}: {checkpoint.model.spec.backbone}, "
            f"input {' and '.join(map(str, self._scales)) or self.size}, {runtime}"
            f"{f' (held-out {figures})' if figures else ''}"
        )

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """People in each frame, in its pixels, best first."""
        images = [frame.image for frame in frames]
        if self._scales:
            return find_people_multiscale(self._predictor, images, self._scales, valid_ranges(self._scales), self._nms)
        return find_people(self._predictor, images, self.size, self._nms)


def find_people(
    predictor: Predictor, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], longer: int, max_iou: float = 0.65
) -> list[Boxes]:
    """People in images of any sizes; those of one size run as batches.

    Args:
        predictor: The network.
        images: RGB.
        longer: Longer side of the network's input.
        max_iou: Overlap above which the weaker of two boxes falls.

    Returns:
        For each image boxes in its pixels, best first, with scores of at least 0.02.
    """
    by_size: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        by_size[image.shape[0], image.shape[1]].append(index)
    results = [Boxes.empty()] * len(images)
    for size, members in by_size.items():
        box = Letterbox.fit(size, fit_size(size, longer))
        for start in range(0, len(members), _BATCH):
            chosen = members[start : start + _BATCH]
            batch = np.stack([box.apply(images[index], _FILL) for index in chosen])
            scores, distances = predictor(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
            for index, score, distance in zip(chosen, scores, distances, strict=True):
                results[index] = _select(score, distance, box, max_iou)
    return results


def find_people_multiscale(
    predictor: Predictor,
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    sizes: Sequence[int],
    valid: Sequence[tuple[float, float]],
    max_iou: float = 0.65,
) -> list[Boxes]:
    """People found at any of several input sizes, as SNIPER tests (Singh, Najibi and Davis, NeurIPS 2018).

    Each size answers for the people that it shows at a comfortable size; the answers are merged by suppression.

    Args:
        predictor: The network.
        images: RGB, of any sizes.
        sizes: Longer sides of the network's input.
        valid: For each size the smallest and largest person that it answers for: the root of the box's area in input
            pixels. Ranges should overlap, so that nobody falls between.
        max_iou: Overlap above which the weaker of two boxes falls.

    Returns:
        For each image boxes in its pixels, best first.
    """
    if len(sizes) != len(valid) or not sizes:
        raise UsageError(f"{len(sizes)} input sizes but {len(valid)} valid ranges: give one for each")
    answers: list[list[Boxes]] = [[] for _ in images]
    for longer, (low, high) in zip(sizes, valid, strict=True):
        for index, boxes in enumerate(find_people(predictor, images, longer, max_iou)):
            scale = longer / max(images[index].shape[:2])
            root = np.sqrt((boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).prod(1)) * scale
            answers[index].append(boxes[(root >= low) & (root < high)])
    return [_merged(boxes, max_iou) for boxes in answers]


def valid_ranges(sizes: Sequence[int]) -> list[tuple[float, float]]:
    """For each input size the people that it answers for in `find_people_multiscale`, in its pixels.

    The smallest answers for everybody whom it shows larger than `_COMFORT`, the largest for everybody smaller; who lies
    up to half above a limit is answered for by both sizes beside it.
    """
    order = np.argsort(sizes, kind="stable")
    ranges = [(0.0, np.inf)] * len(sizes)
    for rank, index in enumerate(order.tolist()):
        low = _COMFORT if rank + 1 < len(order) else 0.0
        high = 1.5 * _COMFORT * sizes[index] / sizes[order[rank - 1]] if rank else np.inf
        ranges[index] = (low, float(high))
    return ranges


def _merged(answers: Sequence[Boxes], max_iou: float) -> Boxes:
    boxes = Boxes(np.concatenate([b.xyxy for b in answers]), np.concatenate([b.scores for b in answers]))
    boxes = boxes[np.argsort(-boxes.scores, kind="stable")]
    return boxes[box_nms(boxes.xyxy, boxes.scores, max_iou)]


def _select(score: np.ndarray, distance: np.ndarray, box: Letterbox, max_iou: float) -> Boxes:
    """Boxes of the cells that are sure enough, in the frame, duplicates removed."""
    order = np.argsort(-score, kind="stable")[:_MOST]
    order = order[score[order] >= _MIN_SCORE]
    centres, strides = cell_centres(*box.canvas)
    xyxy = cell_boxes(torch.from_numpy(distance[order]), centres[order], strides[order]).numpy()
    found = Boxes(box.to_frame(xyxy.astype(np.float64)), score[order].astype(np.float64))
    return found[box_nms(found.xyxy, found.scores, max_iou)]


def torch_predictor(model: PersonDetector) -> Predictor:
    """Runs `model` where its parameters are; it must be in evaluation mode."""
    device = next(model.parameters()).device
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def predict(images: UInt8[np.ndarray, "n 3 h w"]) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            batch = torch.from_numpy(images).to(device, memory_format=torch.channels_last)
            scores, distances = model.predict(batch)
        return scores.cpu().numpy(), distances.cpu().numpy()

    return predict


class _Traced(nn.Module):
    """`predict` as a module, for OpenVINO."""

    def __init__(self, model: PersonDetector) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.predict(images)


def openvino_predictor(model: PersonDetector, threads: int) -> Predictor:
    """Compiles the network for each input size once; fp32, so that boxes are the same on every CPU."""
    import openvino

    example = torch.zeros(2, 3, 64, 96)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing is deprecated, but what OpenVINO reads without exporting a file
        traced = torch.jit.trace(_Traced(model).eval(), example, check_trace=False)
        graph = openvino.convert_model(traced, example_input=example)
    core = openvino.Core()
    options: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    compiled: dict[tuple[int, ...], Callable[[np.ndarray], Mapping[int, np.ndarray]]] = {}

    def predict(images: UInt8[np.ndarray, "n 3 h w"]) -> tuple[np.ndarray, np.ndarray]:
        # One by one: on a CPU a batch is no faster, and its activations are most of a run's memory.
        size = (1, *images.shape[1:])
        if size not in compiled:
            graph.reshape(list(size))
            compiled[size] = core.compile_model(graph, "CPU", options)
        outputs = [compiled[size](image[None].astype(np.float32)) for image in images]
        return np.concatenate([output[0] for output in outputs]), np.concatenate([output[1] for output in outputs])

    return predict


def save_network(model: PersonDetector, path: Path, size: int, metrics: Mapping[str, float]) -> None:
    """Write a network as fp16 with what rebuilds it.

    Args:
        model: The network.
        path: A .safetensors file.
        size: Longer side of the input that it is meant for.
        metrics: Figures to keep with it.
    """
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    metadata = {
        "format": _FORMAT,
        "spec": json.dumps(asdict(model.spec)),
        "size": str(size),
        "metrics": json.dumps({name: round(value, 4) for name, value in metrics.items()}),
    }
    with NewFile(path) as new:
        save_file(state, new.part, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_network` wrote.

    Raises:
        InputError: The file is missing, broken, or not a detector of ours.
    """
    if not path.is_file():
        raise InputError(f"no such detector: {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable .safetensors file: {error}") from None
    if metadata.get("format") != _FORMAT:
        raise InputError(
            f"{path}: not a detector of dettrack (its metadata says {metadata.get('format', 'nothing')!r}, "
            f"expected {_FORMAT!r}); detectors are trained with dettrack train, or given as ONNX files"
        )
    try:
        model = PersonDetector(DetectorSpec(**json.loads(metadata["spec"])))
        state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        state |= {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
        model.load_state_dict(state, strict=True)
        return Checkpoint(model.eval(), int(metadata["size"]), dict(json.loads(metadata["metrics"])))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: a broken detector checkpoint: {' '.join(str(error).split())[:200]}") from None
