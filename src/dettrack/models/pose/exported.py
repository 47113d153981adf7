"""What an exported network of ours says of itself, whatever its file: ONNX, OpenVINO or TensorRT. Without PyTorch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dettrack.errors import InputError
from dettrack.files import load_xml, parsing
from dettrack.models.pose.calibration import Table
from dettrack.skeleton import JointSet, joint_set

__all__ = ["METADATA_KEY", "ExportedSpec", "pack_engine", "read_engine", "read_exported_spec"]

METADATA_KEY = "dettrack_network"
_MOST_PIXELS = 4096  # of a crop's side


@dataclass(frozen=True)
class ExportedSpec:
    """What a runtime needs to know of an exported network.

    Attributes:
        trunk: Architecture, width and variant, for people.
        size: Height and width of its crops in pixels.
        joint_set: Its joints.
        stride: Crop pixels per heatmap pixel.
        temporal: Whether frames see each other.
        clip_length: Frames of a tube; 1 for a 2D network.
        calibration: What its scores mean; empty where that was not measured.
    """

    trunk: str
    size: tuple[int, int]
    joint_set: JointSet
    stride: int
    temporal: bool
    clip_length: int
    calibration: Table = ()

    @property
    def description(self) -> str:
        """For people; sizes are width x height there."""
        return f"{self.trunk}, {self.size[1]}x{self.size[0]}"

    @staticmethod
    def of(spec: dict[str, Any], clip_length: int) -> ExportedSpec:
        """From a `NetworkSpec` as a dictionary.

        Args:
            spec: The dictionary.
            clip_length: |C| that the network is run with, if it is temporal.

        Returns:
            What the exported file says of itself.
        """
        height, width = (int(side) for side in spec["size"])
        stride, clip_length = int(spec["stride"]), int(clip_length)
        if not (0 < stride <= min(height, width) and max(height, width) <= _MOST_PIXELS and clip_length > 0):
            raise InputError(f"a crop of {width}x{height} pixels, a stride of {stride}, |C| = {clip_length}")
        temporal = spec["variant"] != "none"
        return ExportedSpec(
            trunk=f"{spec['architecture']} {spec['width']}, {spec['variant'] if temporal else '2D'}",
            size=(height, width),
            joint_set=joint_set(spec["joints"]),
            stride=stride,
            temporal=temporal,
            clip_length=clip_length if temporal else 1,
            calibration=tuple((float(score), float(right)) for score, right in spec.get("calibration", ())),
        )


def read_exported_spec(path: Path) -> ExportedSpec | None:
    """What `dettrack export` wrote into a `.onnx`, `.xml` or `.engine` file; None for files of others."""
    if path.suffix == ".engine":
        return read_engine(path)[0]
    text = _xml_metadata(path) if path.suffix == ".xml" else _onnx_metadata(path)
    if text is None:
        return None
    with parsing(f"{path}", "what dettrack export writes into it: export it again"):
        about, _ = json.JSONDecoder().raw_decode(text)
        if about["format"] != 1:
            raise InputError(f"{path}: exported by a newer dettrack: upgrade, or export it again")
        return ExportedSpec.of(about["spec"], about["clip_length"])


def _xml_metadata(path: Path) -> str | None:
    entry = load_xml(path).find(f"./rt_info/{METADATA_KEY}")
    return None if entry is None else entry.get("value")


def _onnx_metadata(path: Path) -> str | None:
    """Our entry is the last of the file; found without any ONNX library."""
    tail = path.read_bytes()[-16384:]
    place = tail.rfind(METADATA_KEY.encode())
    brace = tail.find(b"{", place)
    return None if place < 0 or brace < 0 else tail[brace:].decode("utf-8", "replace")


def pack_engine(engine: bytes, about: dict[str, Any]) -> bytes:
    """Content of an `.engine` file: one line of JSON, then TensorRT's engine.

    Args:
        engine: From `runtime.tensorrt.build_engine`.
        about: What `export` writes into every file.

    Returns:
        The file's content.
    """
    return json.dumps({METADATA_KEY: about}).encode() + b"\n" + engine


def read_engine(path: Path) -> tuple[ExportedSpec, bytes]:
    """What `pack_engine` packed; raises `InputError` for other files."""
    line, _, engine = path.read_bytes().partition(b"\n")
    with parsing(f"{path}", "what dettrack export --to tensorrt writes"):
        about = json.loads(line)[METADATA_KEY]
        return ExportedSpec.of(about["spec"], about["clip_length"]), engine
