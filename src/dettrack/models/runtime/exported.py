"""Our networks as ONNX content, run by ONNX Runtime or OpenVINO on the CPU: faster than PyTorch there."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.config import EstimateConfig
from dettrack.cut.clips import sample_tubes
from dettrack.errors import InputError, MissingExtraError
from dettrack.models.runtime.exported_spec import METADATA_KEY, ExportedSpec
from dettrack.models.runtime.openvino import openvino_core, openvino_precision, read_openvino
from dettrack.models.runtime.precision import cpu_precision
from dettrack.skeleton import JointSet
from dettrack.threads import cpu_threads

__all__ = ["OnnxTubeModel", "OpenVinoTubeModel", "read_exported_spec"]

# Crops in one request of a 2D network. Processor time for each, light network in bf16, one core of an EPYC: at 128x96
# 2.7 ms alone, 1.6 in fours, 1.5 in eights; at 192x160 4.5, 3.7 and 3.8. A tube has frames enough by itself.
_FRAMES_AT_ONCE = 4


def read_exported_spec(path: Path) -> ExportedSpec | None:
    """What `dettrack export` wrote into a `.onnx`, `.xml` or `.engine` file; None for files of others."""
    if path.suffix == ".engine":
        from dettrack.models.runtime.tensorrt import read_engine

        return read_engine(path)[0]
    text = _xml_metadata(path) if path.suffix == ".xml" else _onnx_metadata(path)
    if text is None:
        return None
    try:
        about, _ = json.JSONDecoder().raw_decode(text)
        if about["format"] != 1:
            raise InputError(f"{path}: exported by a newer dettrack: upgrade, or export it again")
        return ExportedSpec.of(about["spec"], about["clip_length"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: what dettrack export wrote into it is damaged: export it again") from error


def _xml_metadata(path: Path) -> str | None:
    try:
        entry = ElementTree.parse(path).find(f"./rt_info/{METADATA_KEY}")
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not a readable OpenVINO file") from error
    return None if entry is None else entry.get("value")


def _onnx_metadata(path: Path) -> str | None:
    """Our entry is the last of the file; found without any ONNX library."""
    tail = path.read_bytes()[-16384:]
    place = tail.rfind(METADATA_KEY.encode())
    brace = tail.find(b"{", place)
    return None if place < 0 or brace < 0 else tail[brace:].decode("utf-8", "replace")


class OnnxTubeModel:
    """A `TubeModel` run by ONNX Runtime; each thread runs its own tubes."""

    def __init__(self, content: bytes | Path, name: str, spec: ExportedSpec, options: EstimateConfig) -> None:
        """Load.

        Args:
            content: An exported file, or its content.
            name: For people.
            spec: What it is.
            options: Threads, batch and precision.

        Raises:
            InputError: Unreadable, or a precision other than fp32.
            MissingExtraError: ONNX Runtime is not installed.
        """
        try:
            import onnxruntime as ort
            from onnxruntime.capi import onnxruntime_pybind11_state as state
        except ImportError as error:
            raise MissingExtraError(name, "onnx") from error
        if options.precision not in ("auto", "fast", "fp32"):
            raise InputError(f"--precision {options.precision}: ONNX Runtime on a CPU runs these networks in fp32")
        session = ort.SessionOptions()
        session.intra_op_num_threads = 1
        session.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(content, session, providers=["CPUExecutionProvider"])
        except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented) as error:
            raise InputError(f"{name}: not a readable ONNX file: {str(error).splitlines()[0][:200]}") from error
        _describe(self, name, spec, options)
        self.runtime = f"{spec.what}; ONNX Runtime, CPU, fp32"
        self._workers = ThreadPoolExecutor(cpu_threads(options.threads), "pose")

    name: str
    size: tuple[int, int]
    joint_set: JointSet
    stride: int
    temporal: bool
    batch: int
    sample = staticmethod(sample_tubes)

    def run(self, crops: UInt8[np.ndarray, "n clip h w 3"]) -> Float[np.ndarray, "n clip joints h4 w4"]:
        """Heatmaps."""
        rows = [{"crops": crops[i : i + 1]} for i in range(len(crops))]
        return np.concatenate(list(self._workers.map(lambda row: self._session.run(["heatmaps"], row)[0], rows)))


class OpenVinoTubeModel:
    """A `TubeModel` run by OpenVINO; several requests at a time."""

    def __init__(self, content: bytes | Path, name: str, spec: ExportedSpec, options: EstimateConfig) -> None:
        """Load; the arguments are those of `OnnxTubeModel`.

        Raises:
            InputError: Unreadable, or a precision that OpenVINO does not offer here.
            MissingExtraError: OpenVINO is not installed.
        """
        core = openvino_core(name)
        model = core.read_model(content, b"") if isinstance(content, bytes) else read_openvino(core, content)
        self._rows = 1 if spec.temporal else _FRAMES_AT_ONCE
        model.reshape([self._rows, spec.clip_length, *spec.size, 3])  # a fixed shape is faster than an open one
        hint, runtime = openvino_precision(core, cpu_precision(options.precision))
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": hint}
        if options.threads:
            settings["INFERENCE_NUM_THREADS"] = options.threads
        self._shape = tuple(model.outputs[0].shape)[1:]
        self._queue: Any = None
        # Compiled when it is first needed: a run whose people are all small never needs the network for large ones.
        self._compile = lambda: core.compile_model(model, "CPU", settings)
        _describe(self, name, spec, options)
        self.runtime = f"{spec.what}; {runtime}"

    name: str
    size: tuple[int, int]
    joint_set: JointSet
    stride: int
    temporal: bool
    batch: int
    sample = staticmethod(sample_tubes)

    def run(self, crops: UInt8[np.ndarray, "n clip h w 3"]) -> Float[np.ndarray, "n clip joints h4 w4"]:
        """Heatmaps."""
        if self._queue is None:
            from openvino import AsyncInferQueue

            self._queue = AsyncInferQueue(self._compile())
            self._queue.set_callback(_store)
        heatmaps = np.empty((len(crops), *self._shape), np.float32)
        for start in range(0, len(crops), self._rows):
            part = crops[start : start + self._rows]
            if len(part) < self._rows:  # the last request is filled up
                part = np.concatenate([part, np.zeros((self._rows - len(part), *part.shape[1:]), np.uint8)])
            self._queue.start_async([np.ascontiguousarray(part)], heatmaps[start : start + self._rows])
        self._queue.wait_all()
        return heatmaps


def _store(request: Any, place: np.ndarray) -> None:
    place[:] = request.get_output_tensor(0).data[: len(place)]


def _describe(model: OnnxTubeModel | OpenVinoTubeModel, name: str, spec: ExportedSpec, options: EstimateConfig) -> None:
    model.name, model.size, model.joint_set = name, spec.size, spec.joint_set
    model.stride, model.temporal = spec.stride, spec.temporal
    # Enough rows to keep every thread busy, in pairs with their mirror images.
    model.batch = options.batch or 2 * cpu_threads(options.threads) * (1 if spec.temporal else 8)
