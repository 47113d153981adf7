"""From `--model` to an estimator: by the file's ending, or by the name of built-in weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dettrack.config import CutConfig, EstimateConfig
from dettrack.errors import InputError
from dettrack.models.pose.estimator import Estimator
from dettrack.models.pose.frame_estimator import FrameEstimator
from dettrack.models.pose.tube_estimator import TubeEstimator, TubeModel
from dettrack.models.runtime.exported import OnnxTubeModel, OpenVinoTubeModel, read_exported_spec
from dettrack.models.runtime.exported_spec import ExportedSpec
from dettrack.models.runtime.precision import cpu_precision
from dettrack.models.weights import SHIPPED, find_weights

if TYPE_CHECKING:
    from dettrack.models.pose.checkpoint import Checkpoint

__all__ = ["find_model", "load_estimator", "open_checkpoint_with", "open_exported_file"]

_KNOWN = (".safetensors", ".pth", ".onnx", ".xml", ".engine")


def load_estimator(estimate: EstimateConfig, cut: CutConfig | None = None) -> Estimator:
    """The pose model that `estimate.model` names.

    Args:
        estimate: Settings; `model` is a `.safetensors` checkpoint of this package, an official HRNet `.pth`, what
            `dettrack export` wrote, a 2D model's `.onnx` or `.xml` (OpenVINO), or the name of weights ("default", or
            one that `dettrack weights list` shows).
        cut: Clip settings: a temporal network sees tubes of this |C|, whatever it was trained with (the description
            says so where they differ).

    Raises:
        InputError: The file is missing, unreadable, of unknown kind, does not fit its network, or cannot get the
            temporal filters that `estimate.variant` asks for.
        MissingExtraError: The file needs a runtime that is not installed.
    """
    path = find_model(estimate.model)
    clip_length = (cut or CutConfig()).clip_length
    if path.suffix not in (".onnx", ".xml", ".engine"):
        return _from_checkpoint(path, estimate, clip_length)
    spec = read_exported_spec(path)
    if estimate.variant != "auto" and (estimate.variant != "none" or (spec is not None and spec.temporal)):
        raise InputError(
            f"--variant {estimate.variant}: {path.name} runs as it was exported; only a checkpoint (.safetensors or "
            ".pth) gets temporal filters on loading"
        )
    if spec is None:
        return FrameEstimator(path, estimate)
    if spec.temporal and spec.clip_length != clip_length:
        raise InputError(
            f"{path}: exported for |C| = {spec.clip_length}, asked for --clip-length {clip_length}: "
            "set it so, or export the network again"
        )
    return TubeEstimator(_open_exported(path, path.name, spec, estimate), estimate, clip_length)


def _from_checkpoint(path: Path, options: EstimateConfig, clip_length: int) -> TubeEstimator:
    from dettrack.models.pose.official import open_checkpoint

    checkpoint = open_checkpoint(path)
    note, trained = "", checkpoint.spec
    if options.variant != "auto" and options.variant != trained.variant:
        from dettrack.models.pose.checkpoint import inflate_checkpoint

        checkpoint = inflate_checkpoint(checkpoint, options.variant, clip_length)
        note = "; its temporal filters are means of 2D ones, not trained"
    elif trained.variant != "none" and trained.clip_length != clip_length:
        note = f"; trained with |C| = {trained.clip_length}, run with {clip_length}"
    note += _reached(checkpoint.metrics)
    model = open_checkpoint_with(checkpoint, path.name, options, clip_length)
    return TubeEstimator(model, options, clip_length, note)


def _reached(metrics: Mapping[str, Any]) -> str:
    """What a checkpoint's training measured in keyframes of held-out sets, as a part of its description."""
    pck = {name: value for name, value in metrics.items() if not name.endswith("_ap") and "+" not in name}
    said = ", ".join(f"{name} {value:.2f}" for name, value in pck.items() if isinstance(value, float))
    return f"; held-out PCKh@0.5: {said}" if said else ""


def open_checkpoint_with(checkpoint: Checkpoint, name: str, options: EstimateConfig, clip_length: int) -> TubeModel:
    """A network of ours in the runtime that the options ask for, or in the fastest one.

    Args:
        checkpoint: The network; it may be changed in place.
        name: For people.
        options: Device, runtime, precision, batch and threads.
        clip_length: |C| that it will be run with.
    """
    from dettrack.models.runtime.torch import TorchTubeModel, torch_device

    on_gpu = options.runtime == "auto" and torch_device(options.device).type != "cpu"
    runtime = "pytorch" if on_gpu else _runtime(options)
    if runtime == "pytorch":
        return TorchTubeModel(checkpoint, name, options, clip_length)
    from dettrack.models.runtime.export import onnx_bytes

    spec = ExportedSpec.of(asdict(checkpoint.spec), clip_length)
    content = onnx_bytes(checkpoint, spec.clip_length)
    if runtime == "tensorrt":
        from dettrack.models.runtime.tensorrt import TensorRtTubeModel, build_engine

        engine = build_engine(content, (spec.clip_length, *spec.size, 3), options.precision)
        return TensorRtTubeModel(engine, name, spec, options)
    return _open_exported(content, name, spec, replace(options, runtime=runtime))


def open_exported_file(path: Path, options: EstimateConfig) -> TubeModel:
    """A file that `dettrack export` wrote."""
    spec = read_exported_spec(path)
    if spec is None:
        raise InputError(f"{path}: not written by dettrack export")
    return _open_exported(path, path.name, spec, options)


def _open_exported(content: bytes | Path, name: str, spec: ExportedSpec, options: EstimateConfig) -> TubeModel:
    """By the runtime asked for; else `.xml` by OpenVINO, and ONNX by the runtime that is installed."""
    if isinstance(content, Path) and content.suffix == ".engine":
        from dettrack.models.runtime.tensorrt import TensorRtTubeModel, read_engine

        return TensorRtTubeModel(read_engine(content)[1], name, spec, options)
    if options.device.startswith("cuda"):
        raise InputError(f"--device {options.device}: exported networks run on the CPU: give the checkpoint instead")
    is_xml = isinstance(content, Path) and content.suffix == ".xml"
    if is_xml and options.runtime not in ("auto", "openvino"):
        raise InputError(f"--runtime {options.runtime}: {name} is run by OpenVINO")
    if is_xml or options.runtime == "openvino" or (options.runtime == "auto" and not _installed("onnxruntime")):
        return OpenVinoTubeModel(content, name, spec, options)
    return OnnxTubeModel(content, name, spec, options)


def _runtime(options: EstimateConfig) -> Literal["pytorch", "onnxruntime", "openvino", "tensorrt"]:
    """The fastest on a CPU of those installed.

    Light network, one core, fp32, tubes of 192x160 at |C| = 9, processor time a frame: OpenVINO 6.1 ms (8.7 with early
    temporal filters), ONNX Runtime 6.1 (9.4), PyTorch 9.2 (13.7); other networks: docs/speed.md.
    """
    if options.runtime != "auto":
        return options.runtime
    precision = cpu_precision(options.precision)
    if precision != "fp16" and _installed("openvino"):
        return "openvino"
    if precision == "fp32" and _installed("onnxruntime"):
        return "onnxruntime"
    return "pytorch"


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def find_model(model: str) -> Path:
    """The file behind a path or the name of built-in weights; raises `InputError` where there is none."""
    path = Path(model)
    if path.suffix not in _KNOWN:
        if path.exists():
            raise InputError(f"{model}: not a pose model: expected a file ending in {', '.join(_KNOWN)}")
        return _builtin(model)
    if not path.is_file():
        raise InputError(f"no such pose model: {path}")
    return path


def _builtin(name: str) -> Path:
    """Weights of the package or of the user's store."""
    if name != "default":
        return find_weights(name).path
    path = SHIPPED / "pose.safetensors"
    if not path.is_file():
        raise InputError(f"no pose weights are built in: give a file with --model FILE ({', '.join(_KNOWN)})")
    return path
