"""Our networks as TensorRT engines, for NVIDIA GPUs.

An engine fits one kind of GPU and one version of TensorRT: it is built where it shall run, from the ONNX form of the
network. Its file starts with one line of JSON, what the network is; the engine follows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jaxtyping import Float, UInt8
from numpy import ndarray

from dettrack.config import EstimateConfig
from dettrack.errors import InputError, MissingExtraError
from dettrack.models.runtime.exported_spec import METADATA_KEY, ExportedSpec
from dettrack.structures import Clip, Tubes

__all__ = ["ROWS", "TensorRtTubeModel", "build_engine", "pack_engine", "read_engine"]

ROWS = 32
"""Tubes in the largest batch of an engine."""

_FLAGS = {"fp32": None, "fp16": "FP16", "bf16": "BF16"}


def build_engine(onnx: bytes, shape: tuple[int, int, int, int], precision: str = "auto", rows: int = ROWS) -> bytes:
    """Compile a network for the GPU of this machine; takes minutes.

    Args:
        onnx: The network, with uint8 `crops` `(n, *shape)` as input (see `export.onnx_bytes`).
        shape: Frames, height, width and channels of a tube.
        precision: "auto" and "fast" are bf16.
        rows: Tubes in the largest batch.

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
    profile.set_shape("crops", (1, *shape), (rows, *shape), (rows, *shape))
    settings.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise InputError(f"TensorRT {trt.__version__} could not compile the network for this GPU; its log says why")
    return bytes(engine)


def pack_engine(engine: bytes, about: dict[str, Any]) -> bytes:
    """Content of an `.engine` file; `about` is what `export` writes into every file."""
    return json.dumps({METADATA_KEY: about}).encode() + b"\n" + engine


def read_engine(path: Path) -> tuple[ExportedSpec, bytes]:
    """What `pack_engine` packed; raises `InputError` for other files."""
    line, _, engine = path.read_bytes().partition(b"\n")
    try:
        about = json.loads(line)[METADATA_KEY]
        return ExportedSpec.of(about["spec"], about["clip_length"]), engine
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not written by dettrack export --to tensorrt") from error


class TensorRtTubeModel:
    """A `TubeModel` run by TensorRT; tubes are cut on the GPU (see `device_tubes`)."""

    def __init__(self, engine: bytes, name: str, spec: ExportedSpec, options: EstimateConfig) -> None:
        """Load an engine.

        Args:
            engine: From `build_engine`.
            name: For people.
            spec: What it is.
            options: Device and batch.

        Raises:
            InputError: No GPU, or the engine was built for another one or by another version.
            MissingExtraError: TensorRT is not installed.
        """
        trt, torch = _tensorrt()
        from dettrack.models.pose.device_tubes import FramesOnDevice

        self._torch = torch
        self._device = torch.device("cuda" if options.device == "auto" else options.device)
        torch.cuda.set_device(self._device)
        self._engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(engine)
        if self._engine is None:
            raise InputError(f"{name}: made for another GPU or TensorRT than {trt.__version__}: export it here again")
        self._context = self._engine.create_execution_context()
        self._frames = FramesOnDevice(self._device)
        self.name, self.size, self.joint_set = name, spec.size, spec.joint_set
        self.stride, self.temporal = spec.stride, spec.temporal
        self.batch = min(options.batch or ROWS, self._engine.get_tensor_profile_shape("crops", 0)[2][0])
        self.runtime = f"{spec.what}; TensorRT {trt.__version__}, {torch.cuda.get_device_name(self._device)}"

    def sample(self, clip: Clip, tubes: Tubes) -> Any:
        """Crops on the GPU."""
        return self._frames.sample(clip, tubes)

    def run(self, crops: UInt8[Any, "n clip h w 3"]) -> Float[Any, "n clip joints h4 w4"]:
        """Heatmaps on the GPU."""
        torch = self._torch
        tubes = torch.from_numpy(crops) if isinstance(crops, ndarray) else crops
        answers = [self._batch(part) for part in tubes.to(self._device).contiguous().split(self.batch)]
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def _batch(self, tubes: Any) -> Any:
        torch = self._torch
        self._context.set_input_shape("crops", tuple(tubes.shape))
        heatmaps = torch.empty(
            tuple(self._context.get_tensor_shape("heatmaps")), dtype=torch.float32, device=self._device
        )
        self._context.set_tensor_address("crops", tubes.data_ptr())
        self._context.set_tensor_address("heatmaps", heatmaps.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream(self._device).cuda_stream):
            raise InputError(f"{self.name}: TensorRT could not run {len(tubes)} tubes; try a smaller --batch")
        return heatmaps


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
