"""A network of ours in the runtime that runs it: tubes in, heatmaps out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jaxtyping import Float, UInt8

from dettrack.config import EstimateConfig
from dettrack.errors import InputError
from dettrack.models.pose.crops import sample_tubes
from dettrack.models.pose.exported import ExportedSpec, read_engine, read_exported_spec
from dettrack.models.runtime.open_file import open_file
from dettrack.models.runtime.precision import cpu_precision
from dettrack.models.runtime.runner import Runner, SessionOptions, installed
from dettrack.structures import Clip, Tubes
from dettrack.threads import cpu_threads

if TYPE_CHECKING:
    from dettrack.models.pose.checkpoint import Checkpoint

__all__ = ["TubeNetwork", "open_exported", "open_network", "open_networks"]

# Crops in one request of a 2D network. Processor time for each, light network in bf16, one core of an EPYC: at 128x96
# 2.7 ms alone, 1.6 in fours, 1.5 in eights; at 192x160 4.5, 3.7 and 3.8. A tube has frames enough by itself.
_OPENVINO_FRAMES = 4
_TORCH_TUBES = {"cpu": 4, "cuda": 32}  # in one pass; at least two on the CPU, where small 3D inputs run slowly alone


class TubeNetwork:
    """A network, ready to run.

    Attributes:
        name: Of its file, for people.
        runtime: What it is, and what runs it.
        size: Height and width of its crops in pixels.
        joint_set: Its joints.
        stride: Crop pixels per heatmap pixel.
        temporal: Whether frames see each other; a 2D network gets them one by one.
        batch: Tubes in one call.
        calibration: What its scores mean, as it says itself; empty where it does not.
    """

    def __init__(self, runner: Runner, spec: ExportedSpec, name: str, batch: int) -> None:
        """Take a runner.

        Args:
            runner: Runs it: crops `(n, clip, h, w, 3)` -> heatmaps `(n, clip, joints, h4, w4)`.
            spec: What it is.
            name: For people.
            batch: Tubes in one call.
        """
        self._runner, self.name, self.batch = runner, name, batch
        self.runtime = f"{spec.description}; {runner.runtime}"
        self.size, self.joint_set, self.stride, self.temporal = spec.size, spec.joint_set, spec.stride, spec.temporal
        self.calibration = spec.calibration
        self._frames: Any = None
        if runner.device.startswith("cuda"):
            from dettrack.models.pose.device_tubes import FramesOnDevice

            self._frames = FramesOnDevice(runner.device)

    def sample(self, clip: Clip, tubes: Tubes) -> UInt8[Any, "n clip h w 3"]:
        """Crops of a clip's tubes, a NumPy array or a tensor where the network runs.

        Args:
            clip: The frames.
            tubes: Where to cut.

        Returns:
            A NumPy array, or a tensor where the network runs.
        """
        return sample_tubes(clip, tubes) if self._frames is None else self._frames.sample(clip, tubes)

    def run(self, crops: UInt8[Any, "n clip h w 3"]) -> Float[Any, "n clip joints h4 w4"]:
        """Heatmaps in fp32, a NumPy array or a tensor on any device."""
        return self._runner.run(crops)[0]


def open_networks(
    checkpoint: Checkpoint, name: str, options: EstimateConfig, clip_length: int, sizes: Sequence[tuple[int, int]]
) -> list[TubeNetwork]:
    """A checkpoint in the runtime that the options name, or in the fastest one, for crops of several sizes.

    Args:
        checkpoint: The network; it may be changed in place.
        name: For people.
        options: Device, runtime, precision, batch and threads.
        clip_length: |C| that it will be run with.
        sizes: Height and width of the crops of each network that is returned; weights are shared where they can be.

    Returns:
        One for each size.

    Raises:
        InputError: The device or precision is not to be had.
        MissingExtraError: The runtime is not installed.
    """
    from dettrack.models.pose.crop_network import CropNetwork, onnx_bytes
    from dettrack.models.runtime.torch import TorchRunner, torch_device, torch_dtype, torch_precision

    spec = ExportedSpec.of(asdict(checkpoint.spec), clip_length)
    specs = [replace(spec, size=size) for size in sizes]
    on_gpu = options.runtime == "auto" and torch_device(options.device).type != "cpu"
    runtime = "pytorch" if on_gpu else _fastest(options)
    if runtime == "pytorch":
        device = torch_device(options.device)
        precision = torch_precision(options.precision, device)
        batch = options.batch or _TORCH_TUBES[device.type] * (1 if spec.temporal else 4)
        module = CropNetwork(checkpoint, spec.clip_length, torch_dtype(precision))
        runner = TorchRunner(module, device, precision, graph_rows=batch)
        return [TubeNetwork(runner, each, name, batch) for each in specs]
    content = onnx_bytes(checkpoint, spec.clip_length)
    if runtime == "tensorrt":
        from dettrack.models.runtime.tensorrt import build_engine

        rows = [(spec.clip_length, *size, 3) for size in sizes]
        engines = [build_engine(content, row, options.precision) for row in rows]
        return [_tensorrt_network(engine, name, each, options) for engine, each in zip(engines, specs, strict=True)]
    on_cpu: Runner = _open_on_cpu(content, name, spec, replace(options, runtime=runtime))
    return [TubeNetwork(on_cpu, each, name, _cpu_batch(each, options)) for each in specs]


def open_network(checkpoint: Checkpoint, name: str, options: EstimateConfig, clip_length: int = 0) -> TubeNetwork:
    """`open_networks` for the checkpoint's own size.

    Args:
        checkpoint: The network; it may be changed in place.
        name: For people.
        options: Device, runtime, precision, batch and threads.
        clip_length: |C|; 0 takes the checkpoint's own.

    Returns:
        The network.
    """
    (network,) = open_networks(
        checkpoint, name, options, clip_length or checkpoint.spec.clip_length, [checkpoint.spec.size]
    )
    return network


def open_exported(path: Path, options: EstimateConfig) -> TubeNetwork:
    """A file that `dettrack export` wrote.

    Args:
        path: The file.
        options: Device, runtime, precision, batch and threads.

    Returns:
        The network.

    Raises:
        InputError: Unreadable, or options that its runtime does not offer.
        MissingExtraError: Its runtime is not installed.
    """
    spec = read_exported_spec(path)
    if spec is None:
        raise InputError(f"{path}: not written by dettrack export")
    if path.suffix == ".engine":
        return _tensorrt_network(read_engine(path)[1], path.name, spec, options)
    if options.device.startswith("cuda"):
        raise InputError(f"--device {options.device}: exported networks run on the CPU: give the checkpoint instead")
    return TubeNetwork(_open_on_cpu(path, path.name, spec, options), spec, path.name, _cpu_batch(spec, options))


def _open_on_cpu(content: bytes | Path, name: str, spec: ExportedSpec, options: EstimateConfig) -> Runner:
    """By OpenVINO or ONNX Runtime."""
    is_xml = isinstance(content, Path) and content.suffix == ".xml"
    openvino = is_xml or options.runtime == "openvino" or (options.runtime == "auto" and not installed("onnxruntime"))
    if not openvino and options.precision not in ("auto", "fast", "fp32"):
        raise InputError(f"--precision {options.precision}: ONNX Runtime on a CPU runs these networks in fp32")
    session = SessionOptions(
        runtime=options.runtime,
        device="cpu",
        precision=cpu_precision(options.precision) if openvino else "fp32",
        threads=options.threads,
        rows=_OPENVINO_FRAMES if openvino and not spec.temporal else 1,
        side_by_side=True,
    )
    return open_file(content, name, session)


def _cpu_batch(spec: ExportedSpec, options: EstimateConfig) -> int:
    """Enough rows to keep every thread busy, in pairs with their mirror images."""
    return options.batch or 2 * cpu_threads(options.threads) * (1 if spec.temporal else 8)


def _tensorrt_network(engine: bytes, name: str, spec: ExportedSpec, options: EstimateConfig) -> TubeNetwork:
    from dettrack.models.runtime.tensorrt import TensorRtRunner

    runner = TensorRtRunner(engine, name, options.device)
    return TubeNetwork(runner, spec, name, min(options.batch or runner.rows, runner.rows))


def _fastest(options: EstimateConfig) -> Literal["pytorch", "onnxruntime", "openvino", "tensorrt"]:
    """The requested runtime, or the fastest on a CPU of those installed.

    Light network, one core, fp32, tubes of 192x160 at |C| = 9, processor time a frame: OpenVINO 6.1 ms (8.7 with early
    temporal filters), ONNX Runtime 6.1 (9.4), PyTorch 9.2 (13.7); other networks: docs/speed.md.
    """
    if options.runtime != "auto":
        return options.runtime
    precision = cpu_precision(options.precision)
    if precision != "fp16" and installed("openvino", "onnx"):
        return "openvino"
    if precision == "fp32" and installed("onnxruntime", "onnx"):
        return "onnxruntime"
    return "pytorch"
