"""Networks run by OpenVINO on a CPU: its own `.xml` files, ONNX files, and ONNX content in memory.

Its runtime reads all of them by itself (`core.read_model`); its converter is left alone (see `openvino_core`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from dettrack.errors import InputError
from dettrack.files import parsing
from dettrack.models.runtime.openvino_core import openvino
from dettrack.models.runtime.runner import ImageInput, Port, SessionOptions, fill_up, picture_sizes

__all__ = ["OpenVinoRunner", "read_graph", "write_graph"]

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


def read_graph(content: bytes | Path, name: str) -> Any:
    """OpenVINO's form of a network.

    Args:
        content: A file, or the content of an ONNX file.
        name: For messages.

    Returns:
        The graph, not compiled.

    Raises:
        InputError: It cannot be read.
    """
    if isinstance(content, Path) and content.suffix == ".xml" and not content.with_suffix(".bin").is_file():
        raise InputError(f"{content}: its weights {content.with_suffix('.bin').name} are not beside it")
    with parsing(name, "a readable OpenVINO or ONNX file"):
        core = openvino.Core()
        return core.read_model(content, b"") if isinstance(content, bytes) else core.read_model(content)


def write_graph(content: bytes, path: Path, about: Mapping[str, str]) -> None:
    """Write the content of an ONNX file as `.xml` and `.bin`, fp32.

    Args:
        content: The network.
        path: The `.xml` file.
        about: Entries of its metadata.

    Raises:
        RuntimeError: It cannot be written.
    """
    model = read_graph(content, path.name)
    for key, value in about.items():
        model.set_rt_info(value, key)
    openvino.save_model(model, path, compress_to_fp16=False)


class OpenVinoRunner:
    """A `FileRunner` (see there).

    With a fixed number of rows the network is compiled for each shape of row when it first comes: a run whose people
    are all small never compiles the network for large crops.
    """

    device = "cpu"
    failures: tuple[type[Exception], ...] = (RuntimeError,)

    def __init__(self, content: bytes | Path, name: str, options: SessionOptions) -> None:
        """Read a network.

        Args:
            content: An `.xml` file (its `.bin` beside it), an ONNX file, or the content of one.
            name: For people.
            options: Precision, threads, and how batches go through it.

        Raises:
            InputError: Unreadable, or a device or precision that OpenVINO does not offer here.
        """
        self._core, self._name = openvino.Core(), name
        self._model = read_graph(content, name)
        with parsing(name, "a network whose inputs and outputs are described"):
            self.inputs, self.outputs = _ports(self._model.inputs), _ports(self._model.outputs)
        if options.device.startswith("cuda"):
            raise InputError(f"--device {options.device}: OpenVINO files run on the CPU here (take --device cpu)")
        self.runtime = f"OpenVINO, CPU, {options.precision}"
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT" if options.side_by_side else "LATENCY",
            # Said aloud: OpenVINO takes bf16 by itself where the CPU has it, and results would differ between CPUs.
            "INFERENCE_PRECISION_HINT": self._hint(options.precision),
        }
        if options.threads:
            self._settings["INFERENCE_NUM_THREADS"] = options.threads
        self._rows = options.rows
        self._wanted = list(range(len(self.outputs)))
        self._queues: dict[tuple[int, ...], tuple[Any, list[Any]]] = {}
        self._request: Any = None

    def _hint(self, precision: str) -> str:
        if precision not in _PRECISIONS:
            raise InputError(f"--precision {precision}: OpenVINO on a CPU offers fp32 and bf16")
        if precision == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise InputError("--precision bf16: this CPU has no bf16 arithmetic; take fp32")
        return _PRECISIONS[precision]

    def for_images(self, images: ImageInput, *, rows: int = 0, output: int | None = None) -> OpenVinoRunner:
        """See `FileRunner.for_images`; normalisation and the change of layout are compiled into the network."""
        other = copy.copy(self)
        other._rows, other._queues, other._model = rows, {}, self._model.clone()
        other._wanted = self._wanted if output is None else [output]
        shape = other._model.inputs[0].partial_shape
        if rows and (shape[0].is_dynamic or shape[0].get_length() != rows):
            shape[0] = rows
            try:
                other._model.reshape(shape)
            except RuntimeError as error:
                raise InputError(f"{self._name}: cannot run with --batch {rows}; leave it out") from error
        steps = openvino.preprocess.PrePostProcessor(other._model)
        image = steps.input(0)
        image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        image.model().set_layout(openvino.Layout("NCHW" if images.channels_first else "NHWC"))
        if images.bgr:
            image.preprocess().reverse_channels()
        if not images.plain:
            image.preprocess().convert_element_type(openvino.Type.f32).mean(list(images.mean)).scale(list(images.std))
        other._model = steps.build()
        return other

    def run(self, batch: Shaped[np.ndarray, "n ..."]) -> list[Any]:
        """See `Runner.run`."""
        if not self._rows:
            if self._request is None:
                self._request = self._core.compile_model(self._model, "CPU", self._settings).create_infer_request()
            sizes = [picture_sizes(batch).astype(self.inputs[1].dtype)] if len(self.inputs) == 2 else []
            self._request.infer([np.ascontiguousarray(batch), *sizes])
            return [self._request.get_output_tensor(i).data.copy() for i in self._wanted]
        queue, outputs = self._queue(batch.shape[1:])
        answers = [np.empty((len(batch), *tuple(port.shape)[1:]), port.element_type.to_dtype()) for port in outputs]
        for start in range(0, len(batch), self._rows):
            part = np.ascontiguousarray(fill_up(batch[start : start + self._rows], self._rows))
            queue.start_async([part], [answer[start : start + self._rows] for answer in answers])
        queue.wait_all()
        return answers

    def _queue(self, row: tuple[int, ...]) -> tuple[Any, list[Any]]:
        """Requests for batches of such rows, and the outputs that are wanted of them."""
        if row not in self._queues:
            shape = self._model.inputs[0].partial_shape
            if shape.is_dynamic or tuple(shape.to_shape()) != (self._rows, *row):
                self._model.reshape([self._rows, *row])
            compiled = self._core.compile_model(self._model, "CPU", self._settings)
            queue = openvino.AsyncInferQueue(compiled)
            queue.set_callback(self._store)
            self._queues[row] = queue, [compiled.outputs[i] for i in self._wanted]
        return self._queues[row]

    def _store(self, request: Any, places: list[np.ndarray]) -> None:
        for i, place in zip(self._wanted, places, strict=True):
            place[:] = request.get_output_tensor(i).data[: len(place)]


def _ports(ends: list) -> tuple[Port, ...]:
    return tuple(
        Port(
            end.get_any_name() if end.names else f"#{i}",
            tuple(None if side.is_dynamic else side.get_length() for side in end.partial_shape),
            end.element_type.to_dtype().name,
        )
        for i, end in enumerate(ends)
    )
