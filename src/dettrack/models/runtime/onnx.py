"""Networks run by ONNX Runtime."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from dettrack.errors import InputError
from dettrack.files import parsing
from dettrack.models.runtime.onnx_core import onnxruntime as ort
from dettrack.models.runtime.onnx_core import state
from dettrack.models.runtime.runner import ImageInput, Port, SessionOptions, fill_up, picture_sizes, sizes
from dettrack.threads import cpu_threads

__all__ = ["OnnxRunner", "has_cuda"]

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(double)": "float64",
}
_UNREADABLE = (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented)


class OnnxRunner:
    """A `FileRunner` (see there)."""

    device = "cpu"  # arrays are given on the host, whatever the provider
    failures: tuple[type[Exception], ...] = (*_UNREADABLE, state.InvalidArgument, state.RuntimeException, state.EPFail)

    def __init__(self, content: bytes | Path, name: str, options: SessionOptions) -> None:
        """Open a session.

        Args:
            content: An ONNX file, or its content.
            name: For people.
            options: `precision` is the file's own.

        Raises:
            InputError: Unreadable, or a device that this ONNX Runtime does not offer.
        """
        providers, self.runtime = _providers(options.device)
        session = ort.SessionOptions()
        session.intra_op_num_threads = 1 if options.side_by_side else options.threads
        session.log_severity_level = 4  # what fails is raised; its log would break the progress bar
        with parsing(name, "a readable ONNX file"):
            self._session = ort.InferenceSession(content, session, providers=providers)
        self.inputs, self.outputs = (_ports(ends) for ends in (self._session.get_inputs(), self._session.get_outputs()))
        self._rows = options.rows
        self._images: ImageInput | None = None
        self._wanted = [port.name for port in self.outputs]
        workers = cpu_threads(options.threads) if options.side_by_side and len(providers) == 1 else 1
        self._workers = ThreadPoolExecutor(workers, "onnx")

    def for_images(self, images: ImageInput, *, rows: int = 0, output: int | None = None) -> OnnxRunner:
        """See `FileRunner.for_images`."""
        other = copy.copy(self)
        other._rows, other._images = self.inputs[0].shape[0] or rows, images
        other._wanted = self._wanted if output is None else [self.outputs[output].name]
        return other

    def run(self, batch: Shaped[np.ndarray, "n ..."]) -> list[Any]:
        """See `Runner.run`."""
        if not self._rows:
            return self._pass(batch)
        parts = [batch[i : i + self._rows] for i in range(0, len(batch), self._rows)]
        answers = list(self._workers.map(self._pass, parts))
        return [np.concatenate(arrays) for arrays in zip(*answers, strict=True)]

    def _pass(self, part: np.ndarray) -> list[Any]:
        array = part if self._images is None else self._images.prepare(part)
        fixed = self.inputs[0].shape[0] or 0
        given = {self.inputs[0].name: fill_up(array, fixed)}
        if len(self.inputs) == 2:
            given[self.inputs[1].name] = fill_up(picture_sizes(part), fixed).astype(self.inputs[1].dtype)
        answers = self._session.run(self._wanted, given)
        return [answer[: len(part)] for answer in answers] if len(part) < fixed else list(answers)


def has_cuda() -> bool:
    """Whether this ONNX Runtime was built for NVIDIA GPUs."""
    return "CUDAExecutionProvider" in ort.get_available_providers()


def _providers(device: str) -> tuple[list[str | tuple[str, dict[str, str]]], str]:
    """What ONNX Runtime shall use, in its own words and for people."""
    cpu: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
    if device != "cpu" and has_cuda():
        number = device.partition(":")[2] or "0"
        cuda = ("CUDAExecutionProvider", {"device_id": number})
        return [cuda, *cpu], f"ONNX Runtime, CUDA device {number}"
    if device.startswith("cuda"):
        raise InputError(
            f"--device {device}: this ONNX Runtime has no CUDA (pip install onnxruntime-gpu, or take --device cpu)"
        )
    return cpu, "ONNX Runtime, CPU"


def _ports(ends: list) -> tuple[Port, ...]:
    return tuple(Port(end.name, sizes(end.shape), _DTYPES.get(end.type, end.type)) for end in ends)
