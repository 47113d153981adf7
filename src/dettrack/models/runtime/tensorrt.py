"""Networks run by TensorRT, on NVIDIA GPUs.

An engine fits one kind of GPU and one version of TensorRT: it is built where it shall run, from the ONNX form of the
network.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Shaped
from numpy import ndarray

from dettrack.errors import InputError, MissingExtraError

__all__ = ["ROWS", "TensorRtRunner", "build_engine"]

ROWS = 32
"""Rows in the largest batch of an engine."""

_FLAGS = {"fp32": None, "fp16": "FP16", "bf16": "BF16"}


def build_engine(onnx: bytes, row: tuple[int, ...], precision: str = "auto", rows: int = ROWS) -> bytes:
    """Compile a network for the GPU of this machine; takes minutes.

    Args:
        onnx: The network, with one input and one output; the number of rows is open.
        row: Shape of one row of its input.
        precision: "auto" and "fast" are bf16.
        rows: Rows in the largest batch.

    Returns:
        The engine.

    Raises:
        InputError: TensorRT cannot compile it, or no GPU is there.
        MissingExtraError: TensorRT is not installed.
    """
    trt, _ = _tensorrt()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        reasons = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise InputError(f"TensorRT {trt.__version__} cannot read the network: {reasons[:300]}")
    settings = builder.create_builder_config()
    flag = _FLAGS["bf16" if precision in ("auto", "fast") else precision]
    if flag is not None:
        settings.set_flag(getattr(trt.BuilderFlag, flag))
    profile = builder.create_optimization_profile()
    profile.set_shape(network.get_input(0).name, (1, *row), (rows, *row), (rows, *row))
    settings.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise InputError(f"TensorRT {trt.__version__} could not compile the network for this GPU; its log says why")
    return bytes(engine)


class TensorRtRunner:
    """A `Runner` (see there) for an engine with one input and one output, fp32."""

    def __init__(self, engine: bytes, name: str, device: str = "auto") -> None:
        """Load an engine.

        Args:
            engine: From `build_engine`.
            name: For people.
            device: "auto", "cuda" or "cuda:N".

        Raises:
            InputError: No GPU, or the engine was built for another one or by another version.
            MissingExtraError: TensorRT is not installed.
        """
        trt, torch = _tensorrt()
        self._torch, self._name = torch, name
        self._device = torch.device("cuda" if device == "auto" else device)
        self.device = str(self._device)
        with torch.cuda.device(self._device):
            self._engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(engine)
        if self._engine is None:
            raise InputError(f"{name}: made for another GPU or TensorRT than {trt.__version__}: export it here again")
        self._context = self._engine.create_execution_context()
        self._input, self._output = (self._engine.get_tensor_name(i) for i in range(2))
        self.rows: int = self._engine.get_tensor_profile_shape(self._input, 0)[2][0]
        self.runtime = f"TensorRT {trt.__version__}, {torch.cuda.get_device_name(self._device)}"

    def run(self, batch: Shaped[Any, "n ..."]) -> list[Any]:
        """See `Runner.run`; a tensor on the GPU."""
        torch = self._torch
        tensor = torch.from_numpy(batch) if isinstance(batch, ndarray) else batch
        with torch.cuda.device(self._device):
            answers = [self._pass(part) for part in tensor.to(self._device).contiguous().split(self.rows)]
        return [answers[0] if len(answers) == 1 else torch.cat(answers)]

    def _pass(self, part: Any) -> Any:
        torch = self._torch
        self._context.set_input_shape(self._input, tuple(part.shape))
        answer = torch.empty(
            tuple(self._context.get_tensor_shape(self._output)), dtype=torch.float32, device=self._device
        )
        self._context.set_tensor_address(self._input, part.data_ptr())
        self._context.set_tensor_address(self._output, answer.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream(self._device).cuda_stream):
            raise InputError(f"{self._name}: TensorRT could not run {len(part)} rows; try a smaller --batch")
        return answer


def _tensorrt() -> tuple[Any, Any]:
    """TensorRT and torch; clear errors where one of them or the GPU is absent."""
    try:
        import tensorrt
    except ImportError as error:
        raise MissingExtraError("TensorRT (Python package tensorrt, for NVIDIA GPUs)", "tensorrt") from error
    import torch

    if not torch.cuda.is_available():
        raise InputError("TensorRT needs an NVIDIA GPU, and this PyTorch sees none")
    return tensorrt, torch
