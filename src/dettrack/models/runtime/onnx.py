"""2D pose models run by ONNX Runtime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.errors import InputError, MissingExtraError
from dettrack.models.pose.frame_layout import Port, recognise_layout
from dettrack.threads import cpu_threads

__all__ = ["OnnxFrameModel"]

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(double)": "float64",
}


class OnnxFrameModel:
    """An ONNX file that looks at crops one by one.

    On the CPU each thread runs its own crops in a single-threaded session: small networks gain little from more
    threads inside one layer.
    """

    def __init__(self, path: Path, *, device: str = "auto", threads: int = 0, batch: int = 0) -> None:
        """Load the file.

        Args:
            path: The `.onnx` file.
            device: "auto", "cpu", "cuda" or "cuda:N".
            threads: CPU threads; 0 takes all.
            batch: Crops in one pass where the file leaves it open; 0 chooses.

        Raises:
            InputError: Unreadable, unknown layout, or a device that this ONNX Runtime does not offer.
            MissingExtraError: ONNX Runtime is not installed.
        """
        try:
            import onnxruntime as ort
            from onnxruntime.capi import onnxruntime_pybind11_state as state
        except ImportError as error:
            raise MissingExtraError(f"{path.name}", "onnx") from error
        providers, self.runtime = _providers(device, ort.get_available_providers())
        on_cpu = len(providers) == 1
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # what fails is raised; its log would break the progress bar
        try:
            self._session = ort.InferenceSession(path, options, providers=providers)
        except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented) as error:
            raise InputError(f"{path}: not a readable ONNX file: {str(error).splitlines()[0][:200]}") from error
        self.layout = recognise_layout(
            str(path), _ports(self._session.get_inputs()), _ports(self._session.get_outputs())
        )
        self._output = self._session.get_outputs()[self.layout.output].name
        self._step = self.layout.batch or batch or (1 if on_cpu else 64)
        self._workers = ThreadPoolExecutor(cpu_threads(threads) if on_cpu else 1, "pose")

    def run(self, crops: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n ..."]:
        """The file's answer for every crop."""
        parts = [crops[i : i + self._step] for i in range(0, len(crops), self._step)]
        return np.concatenate(list(self._workers.map(self._run_batch, parts)))

    def _run_batch(self, crops: np.ndarray) -> np.ndarray:
        image = self.layout.prepare(crops)
        lacking = (self.layout.batch or 0) - len(image)
        if lacking > 0:  # a file with a fixed batch gets its last one filled up
            image = np.concatenate([image, np.zeros((lacking, *image.shape[1:]), image.dtype)])
        (answer,) = self._session.run([self._output], {self.layout.input: image})
        return answer[: len(crops)].astype(np.float32)


def _providers(device: str, available: list[str]) -> tuple[list[str | tuple[str, dict[str, str]]], str]:
    cpu: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in available:
        number = device.partition(":")[2] or "0"
        return [("CUDAExecutionProvider", {"device_id": number}), *cpu], f"ONNX Runtime, CUDA device {number}"
    if device.startswith("cuda"):
        raise InputError(
            f"--device {device}: this ONNX Runtime has no CUDA (pip install onnxruntime-gpu, or take --device cpu)"
        )
    return cpu, "ONNX Runtime, CPU"


def _ports(ends: list) -> list[Port]:
    """ONNX Runtime gives open dimensions as names or None."""
    return [
        Port(e.name, tuple(s if isinstance(s, int) and s > 0 else None for s in e.shape), _DTYPES.get(e.type, e.type))
        for e in ends
    ]
