"""Our networks as ONNX, OpenVINO and TensorRT files, and how far their joints are from PyTorch's.

An exported network takes crops as they are cut, uint8 RGB `(n, clip, h, w, 3)`, and gives heatmaps
`(n, clip, joints, h/4, w/4)`: normalisation is inside, and |C| is fixed. What it is stands in its metadata, so that it
is a `--model` like the checkpoint that it came from.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.errors import InputError, MissingExtraError, OutputError
from dettrack.models.pose.checkpoint import FORMAT_VERSION, Checkpoint
from dettrack.models.pose.crop_network import onnx_bytes
from dettrack.models.pose.exported import METADATA_KEY, pack_engine
from dettrack.models.pose.heatmap import decode_heatmaps
from dettrack.models.pose.tube_network import TubeNetwork
from dettrack.models.runtime.runner import installed, on_host

__all__ = ["Parity", "compare", "export_network", "probe_crops"]


@dataclass(frozen=True)
class Parity:
    """How far an exported network is from PyTorch fp32 on the same crops.

    Attributes:
        heatmap: Largest difference of a heatmap value, as a share of the largest value.
        joint: Largest shift of a decoded joint in crop pixels.
        joint_mean: Mean shift in crop pixels.
    """

    heatmap: float
    joint: float
    joint_mean: float


def export_network(
    checkpoint: Checkpoint, path: Path, to: Literal["onnx", "openvino", "tensorrt"], clip_length: int
) -> None:
    """Write a network as `.onnx`, as OpenVINO's `.xml` and `.bin`, or as TensorRT's `.engine` for this GPU.

    Args:
        checkpoint: The network; left as it is.
        path: File to write.
        to: Its kind.
        clip_length: |C| that the file fixes; ignored for a 2D network.

    Raises:
        InputError: The path's ending does not fit, or TensorRT has no GPU here.
        MissingExtraError: OpenVINO or TensorRT is not installed.
        OutputError: It cannot be written.
    """
    ending = {"onnx": ".onnx", "openvino": ".xml", "tensorrt": ".engine"}[to]
    if path.suffix != ending:
        raise InputError(f"--out {path}: {to} files end in {ending}")
    spec = checkpoint.spec
    clip_length = 1 if spec.variant == "none" else clip_length
    about = {"format": FORMAT_VERSION, "spec": asdict(spec), "clip_length": clip_length}
    content = onnx_bytes(checkpoint, clip_length)
    if to == "tensorrt":
        from dettrack.models.runtime.tensorrt import build_engine

        content = pack_engine(build_engine(content, (clip_length, *spec.size, 3)), about)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if to != "openvino":
            path.write_bytes(content)
            return
        if not installed("openvino"):
            raise MissingExtraError("export to OpenVINO", "openvino")
        from dettrack.models.runtime.openvino import write_graph

        write_graph(content, path, {METADATA_KEY: json.dumps(about)})
    except (OSError, RuntimeError) as error:
        raise OutputError(f"cannot write {path}: {str(error).splitlines()[0]}") from error


def probe_crops(size: tuple[int, int], clip_length: int, tubes: int = 2) -> UInt8[np.ndarray, "n clip h w 3"]:
    """Smooth random pictures that drift along the clip: an input where no video is at hand.

    Args:
        size: Height and width.
        clip_length: |C|.
        tubes: How many.

    Returns:
        RGB.
    """
    rng = np.random.default_rng(0)
    height, width = size
    rows, columns = np.mgrid[:height, :width] / 32
    crops = np.empty((tubes, clip_length, height, width, 3), np.uint8)
    for tube in crops:
        across, down, phase, speed = rng.uniform(-1, 1, (4, 8, 3, 1, 1))
        for t, crop in enumerate(tube):
            image = np.sin(across * columns + down * rows + np.pi * phase + speed * t / 8).mean(0)
            crop[:] = (127.5 + 127.5 * image).astype(np.uint8).transpose(1, 2, 0)
    return crops


def compare(
    model: TubeNetwork, reference: TubeNetwork, crops: UInt8[np.ndarray, "n clip h w 3"], *, floor: float = 0.0
) -> Parity:
    """Run two forms of one network on the same crops.

    Args:
        model: The exported form.
        reference: PyTorch, fp32.
        crops: Their input.
        floor: Joints whose peak is not above this in the reference do not count: a flat map has no place.

    Returns:
        The differences.

    Raises:
        InputError: No joint counts.
    """
    maps, expected = (on_host(each.run(crops)) for each in (model, reference))
    xy, _ = decode_heatmaps(maps, stride=model.stride)
    expected_xy, scores = decode_heatmaps(expected, stride=reference.stride)
    shift: Float[np.ndarray, " joints"] = np.linalg.norm(xy - expected_xy, axis=-1)[scores > floor]
    if not shift.size:
        raise InputError("no joint of the reference is above the floor: there is nothing to compare")
    return Parity(float(abs(maps - expected).max() / abs(expected).max()), float(shift.max()), float(shift.mean()))
