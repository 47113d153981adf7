"""What an exported network says of itself, whatever its file: ONNX, OpenVINO or TensorRT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dettrack.skeleton import JointSet, joint_set

__all__ = ["METADATA_KEY", "ExportedSpec"]

METADATA_KEY = "dettrack_network"


@dataclass(frozen=True)
class ExportedSpec:
    """What a runtime needs to know of an exported network.

    Attributes:
        what: Architecture, width and variant, for people.
        size: Height and width of its crops in pixels.
        joint_set: Its joints.
        stride: Crop pixels per heatmap pixel.
        temporal: Whether frames see each other.
        clip_length: Frames of a tube; 1 for a 2D network.
    """

    what: str
    size: tuple[int, int]
    joint_set: JointSet
    stride: int
    temporal: bool
    clip_length: int

    @staticmethod
    def of(spec: dict[str, Any], clip_length: int) -> ExportedSpec:
        """From a `NetworkSpec` as a dictionary."""
        height, width = spec["size"]
        temporal = spec["variant"] != "none"
        return ExportedSpec(
            what=f"{spec['architecture']} {spec['width']}, {spec['variant']}, {width}x{height}",
            size=(height, width),
            joint_set=joint_set(spec["joints"]),
            stride=spec["stride"],
            temporal=temporal,
            clip_length=clip_length if temporal else 1,
        )
