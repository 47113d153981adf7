"""Person detectors from ONNX and OpenVINO files, run by ONNX Runtime or OpenVINO.

ONNX Runtime is the first choice for `.onnx` files: on the CPU, at equal precision (fp32), it was the faster one
(RTMDet-nano at 640x384, one core of an EPYC: 24 ms against 33 ms; YOLOX-nano at 416: 15 ms against 17 ms).
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dettrack.config import DetectConfig
from dettrack.errors import InputError, MissingExtraError
from dettrack.models.detector.layouts import Layout, Port, recognise
from dettrack.models.detector.letterbox import Letterbox, fit_size
from dettrack.structures import Boxes, Frame

__all__ = ["ModelFile", "OnnxDetector", "open_model"]

_DEFAULT_SIZE = 640


@dataclass(frozen=True)
class ModelFile:
    """A network loaded from a file.

    Attributes:
        inputs: What it takes.
        outputs: What it gives.
        run: One input array -> the outputs, in their order.
        runtime: What runs it, for people.
        failures: Exceptions that `run` raises for a shape that the file does not allow.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    run: Callable[[np.ndarray], list[np.ndarray]]
    runtime: str
    failures: tuple[type[Exception], ...]


def open_model(path: Path, device: str = "auto", threads: int = 0) -> ModelFile:
    """Load an ONNX file or an OpenVINO `.xml`.

    Args:
        path: The file; the `.bin` of an `.xml` lies beside it.
        device: "auto", "cpu", "cuda" or "cuda:N". Without a CUDA build of ONNX Runtime the CPU is used, and
            `runtime` says so.
        threads: CPU threads; 0 takes all.

    Raises:
        InputError: The file is missing or cannot be read as a network.
        MissingExtraError: Neither runtime is installed.
    """
    if not path.is_file():
        raise InputError(f"no such detector file: {path}")
    if path.suffix == ".xml" and not path.with_suffix(".bin").is_file():
        raise InputError(f"{path}: its weights {path.with_suffix('.bin').name} are not beside it")
    if path.suffix == ".onnx" and importlib.util.find_spec("onnxruntime"):
        return _open_onnxruntime(path, device, threads)
    if importlib.util.find_spec("openvino"):
        return _open_openvino(path, threads)
    raise MissingExtraError(path.name, "onnx" if path.suffix == ".onnx" else "openvino")


def _open_onnxruntime(path: Path, device: str, threads: int) -> ModelFile:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    failures = (
        *(state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf),
        *(state.NotImplemented, state.RuntimeException, state.EPFail),
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what fails is raised; its log would break the progress bar
    providers: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
    runtime = "ONNX Runtime, CPU"
    if device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        number = device.partition(":")[2] or "0"
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": number}))
        runtime = f"ONNX Runtime, CUDA device {number}"
    elif device.startswith("cuda"):
        runtime += " (this ONNX Runtime has no CUDA: pip install onnxruntime-gpu)"
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except failures as error:
        raise InputError(f"{path}: not a readable ONNX file: {_first_line(error)}") from error
    name = session.get_inputs()[0].name
    outputs = tuple(_port(port.name, port.shape) for port in session.get_outputs())

    def run(array: np.ndarray) -> list[np.ndarray]:
        return list(session.run(None, {name: array}))

    inputs = tuple(_port(port.name, port.shape) for port in session.get_inputs())
    return ModelFile(inputs, outputs, run, runtime, failures)


def _open_openvino(path: Path, threads: int) -> ModelFile:
    import openvino

    # fp32 said aloud: OpenVINO takes bf16 by itself where the CPU has it, and boxes would differ between machines.
    options: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    try:
        compiled = openvino.Core().compile_model(str(path), "CPU", options)
    except RuntimeError as error:
        raise InputError(f"{path}: not a readable OpenVINO or ONNX file: {_first_line(error)}") from error
    ports = [
        tuple(
            _port(port.any_name, [None if side.is_dynamic else side.get_length() for side in port.partial_shape])
            for port in side
        )
        for side in (compiled.inputs, compiled.outputs)
    ]

    def run(array: np.ndarray) -> list[np.ndarray]:
        return list(compiled(array).values())

    return ModelFile(ports[0], ports[1], run, "OpenVINO, CPU", (RuntimeError,))


def _port(name: str, shape: Sequence[int | str | None]) -> Port:
    """Open dimensions come as names, None or -1."""
    return Port(name, tuple(side if isinstance(side, int) and side > 0 else None for side in shape))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class OnnxDetector:
    """A detector from a file whose layout is one of `layouts.LAYOUTS`."""

    def __init__(self, path: Path, config: DetectConfig, *, device: str = "auto", threads: int = 0) -> None:
        """Load the file and find its layout.

        Raises:
            InputError: The file is unreadable, of unknown layout, or does not take the asked size.
        """
        self._model = open_model(path, device, threads)
        self._layout: Layout = recognise(str(path), self._model.inputs, self._model.outputs, config.detector_layout)
        self._nms = config.detector_nms
        batch, _, height, width = self._model.inputs[0].shape
        self._fixed = None if height is None or width is None else (height, width)
        if self._fixed and config.detector_size not in (0, max(self._fixed)):
            raise InputError(
                f"{path}: --detector-size {config.detector_size} does not fit: its input is {width}x{height}, fixed"
            )
        self._longer = config.detector_size or _DEFAULT_SIZE
        self._batch = batch or (0 if self._takes_batches() else 1)
        size = f"{width}x{height}" if self._fixed else f"longer side {self._longer}"
        self.description = f"{path.name} ({self._layout.name}, {size}; {self._model.runtime})"

    def _takes_batches(self) -> bool:
        """Try two images: some files leave the batch open and break inside (RTMDet's exported NMS does)."""
        height, width = self._fixed or (64, 64)
        try:
            self._model.run(np.zeros((2, 3, height, width), np.float32))
        except self._model.failures:
            return False
        return True

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`; frames that need the same input size go through the network together."""
        places = [self._place(frame.image.shape[:2]) for frame in frames]
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, place in enumerate(places):
            groups[place.canvas].append(i)
        found = [Boxes.empty()] * len(frames)
        for size, members in groups.items():
            step = self._batch or len(members)
            for start in range(0, len(members), step):
                part = members[start : start + step]
                canvases = [places[i].apply(frames[i].image, self._layout.fill) for i in part]
                # A file with a fixed batch gets its last one filled up with copies.
                canvases += canvases[-1:] * (step - len(part) if self._batch else 0)
                arrays = self._model.run(self._layout.prepare(canvases))
                decoded = self._layout.decode(arrays, size, self._nms)
                for i, boxes in zip(part, decoded, strict=False):
                    found[i] = Boxes(places[i].to_frame(boxes.xyxy), boxes.scores)
        return found

    def _place(self, source: tuple[int, int]) -> Letterbox:
        return Letterbox.fit(source, self._fixed or fit_size(source, self._longer), stretch=self._layout.stretch)
