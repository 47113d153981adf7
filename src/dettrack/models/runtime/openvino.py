"""2D pose models run by OpenVINO: its own `.xml` files, and ONNX files too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.errors import InputError, MissingExtraError
from dettrack.models.pose.frame_layout import IMAGENET_MEAN, IMAGENET_STD, Port, recognise_layout
from dettrack.models.runtime.precision import cpu_precision

__all__ = ["OpenVinoFrameModel", "openvino_core", "openvino_precision", "read_openvino"]


class OpenVinoFrameModel:
    """An OpenVINO or ONNX file that looks at crops one by one, several requests at a time.

    Normalisation and the change of layout are compiled into the model, which takes the uint8 crops as they are.
    """

    def __init__(
        self, path: Path, *, device: str = "auto", precision: str = "auto", threads: int = 0, batch: int = 0
    ) -> None:
        """Load and compile the file.

        Args:
            path: An `.xml` file (its `.bin` beside it) or an `.onnx` file.
            device: "auto" or "cpu".
            precision: "auto", "fast", "fp32" or "bf16".
            threads: CPU threads; 0 takes all.
            batch: Crops in one request; 0 chooses.

        Raises:
            InputError: Unreadable, unknown layout, or a device or precision that OpenVINO does not offer here.
            MissingExtraError: OpenVINO is not installed.
        """
        core = openvino_core(path.name)
        model = read_openvino(core, path)
        self.layout = recognise_layout(str(path), _ports(model.inputs), _ports(model.outputs))
        if device.startswith("cuda"):
            raise InputError(f"--device {device}: OpenVINO files run on the CPU here (take --device cpu)")
        self._step = self._set_batch(model, self.layout.batch if batch == 0 else batch, path)
        # Other people's networks stay in fp32 unless told: what bf16 does to their joints was not measured.
        asked = cpu_precision(precision) if precision == "fast" else precision
        hint, self.runtime = openvino_precision(core, "fp32" if asked == "auto" else asked)
        options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": hint}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        compiled = core.compile_model(self._with_preprocessing(model), "CPU", options)
        self._shape = tuple(compiled.outputs[self.layout.output].shape)
        from openvino import AsyncInferQueue

        self._queue = AsyncInferQueue(compiled)
        self._queue.set_callback(self._store)

    def _set_batch(self, model: Any, batch: int | None, path: Path) -> int:
        """Fix the batch, which the CPU plugin likes; one crop a request unless the file says otherwise."""
        batch = batch or 1
        shape = model.inputs[0].partial_shape
        if shape[0].is_dynamic or shape[0].get_length() != batch:
            shape[0] = batch
            try:
                model.reshape(shape)
            except RuntimeError as error:
                raise InputError(f"{path}: cannot run with --batch {batch}; leave it out") from error
        return batch

    def _with_preprocessing(self, model: Any) -> Any:
        from openvino import Layout, Type
        from openvino.preprocess import PrePostProcessor

        steps = PrePostProcessor(model)
        image = steps.input()
        image.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
        image.model().set_layout(Layout("NCHW" if self.layout.channels_first else "NHWC"))
        if self.layout.kind == "heatmaps":
            mean, std = 255 * np.array(IMAGENET_MEAN), 255 * np.array(IMAGENET_STD)
            image.preprocess().convert_element_type(Type.f32).mean(mean.tolist()).scale(std.tolist())
        return steps.build()

    def run(self, crops: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n ..."]:
        """The file's answer for every crop."""
        answers = np.empty((len(crops), *self._shape[1:]), np.float32)
        for start in range(0, len(crops), self._step):
            part = crops[start : start + self._step]
            if len(part) < self._step:
                part = np.concatenate([part, np.zeros((self._step - len(part), *part.shape[1:]), np.uint8)])
            self._queue.start_async([np.ascontiguousarray(part)], (answers, start))
        self._queue.wait_all()
        return answers

    def _store(self, request: Any, place: tuple[np.ndarray, int]) -> None:
        answers, start = place
        part = answers[start : start + self._step]
        part[:] = request.get_output_tensor(self.layout.output).data[: len(part)]


def openvino_core(name: str) -> Any:
    """OpenVINO's entry point; raises `MissingExtraError` where it is not installed."""
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(name, "openvino") from error
    return openvino.Core()


def read_openvino(core: Any, path: Path) -> Any:
    """Read a model file; raises `InputError` where it cannot be."""
    if path.suffix == ".xml" and not path.with_suffix(".bin").is_file():
        raise InputError(f"{path}: its weights {path.with_suffix('.bin').name} are not beside it")
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise InputError(f"{path}: not a readable OpenVINO or ONNX file") from error


def openvino_precision(core: Any, precision: str) -> tuple[str, str]:
    """OpenVINO's precision hint, said aloud because it takes bf16 by itself where the CPU has it; and its name."""
    hints = {"fp32": "f32", "bf16": "bf16"}
    if precision not in hints:
        raise InputError(f"--precision {precision}: OpenVINO on a CPU offers fp32 and bf16")
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise InputError("--precision bf16: this CPU has no bf16 arithmetic; take fp32")
    return hints[precision], f"OpenVINO, CPU, {precision}"


def _ports(ends: list) -> list[Port]:
    return [
        Port(
            end.get_any_name() if end.names else f"#{i}",
            tuple(None if side.is_dynamic else side.get_length() for side in end.partial_shape),
            end.element_type.to_dtype().name,
        )
        for i, end in enumerate(ends)
    ]
