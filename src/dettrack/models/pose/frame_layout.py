"""What a 2D pose model's file takes and gives, recognised from the names, shapes and types of its ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dettrack.errors import InputError
from dettrack.models.runtime.runner import ImageInput, Port
from dettrack.skeleton import COCO17, LSP14, MPII16, POSETRACK15, JointSet

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "FrameLayout", "recognise_layout"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_JOINT_SETS = {17: COCO17, 16: MPII16, 15: POSETRACK15, 14: LSP14}
_SUPPORTED = (
    "one image input (N, 3, h, w) or (N, h, w, 3) of fixed size, and an output of heatmaps (N, joints, h, w) or "
    "(N, h, w, joints) with 17 (COCO), 16 (MPII), 15 (PoseTrack) or 14 (LSP) joints, or of coordinates "
    "(N, 1, 17, 3) as y, x, score in [0, 1] (MoveNet single pose)"
)


@dataclass(frozen=True)
class FrameLayout:
    """How to feed a 2D model and to read its answer.

    Attributes:
        kind: "heatmaps" or "coordinates".
        size: Height and width of its crops in pixels.
        joint_set: Its joints.
        output: Position of the answer among the outputs.
        channels_first: Whether the image is (N, 3, h, w).
        joints_last: Whether heatmaps are (N, h, w, joints).
        batch: The batch that the file fixes, or None.
        dtype: NumPy name of the input's type.
        stride: Crop pixels per heatmap pixel.
    """

    kind: Literal["heatmaps", "coordinates"]
    size: tuple[int, int]
    joint_set: JointSet
    output: int
    channels_first: bool
    joints_last: bool
    batch: int | None
    dtype: str
    stride: int

    @property
    def images(self) -> ImageInput:
        """How it takes crops: ImageNet's normalisation for heatmap models, plain 0..255 for MoveNet."""
        if self.kind != "heatmaps":
            return ImageInput(self.channels_first, self.dtype)
        mean, std = ((255 * r, 255 * g, 255 * b) for r, g, b in (IMAGENET_MEAN, IMAGENET_STD))
        return ImageInput(self.channels_first, self.dtype, mean=mean, std=std)


def recognise_layout(what: str, inputs: Sequence[Port], outputs: Sequence[Port]) -> FrameLayout:
    """Find out what a 2D pose model's file is.

    Args:
        what: The file, for messages.
        inputs: Its inputs.
        outputs: Its outputs; others than the answer (arg max of heatmaps, say) are passed over.

    Returns:
        The layout.

    Raises:
        InputError: Not a layout that is known; the message says what was seen and what is supported.
    """
    images = [port for port in inputs if len(port.shape) == 4 and 3 in (port.shape[1], port.shape[3])]
    if len(inputs) == 1 and images:
        image = images[0]
        channels_first = image.shape[1] == 3
        height, width = image.shape[2:] if channels_first else image.shape[1:3]
        if height is not None and width is not None:
            for i, output in enumerate(outputs):
                found = _recognise_output(output, (height, width))
                if found is not None:
                    kind, joints, stride, joints_last = found
                    return FrameLayout(
                        kind=kind,
                        size=(height, width),
                        joint_set=joints,
                        output=i,
                        channels_first=channels_first,
                        joints_last=joints_last,
                        batch=image.shape[0],
                        dtype=image.dtype,
                        stride=stride,
                    )
    raise InputError(
        f"{what}: not a known pose model: inputs {'; '.join(map(str, inputs))}; "
        f"outputs {'; '.join(map(str, outputs))}. Supported: {_SUPPORTED}"
    )


def _recognise_output(
    port: Port, size: tuple[int, int]
) -> tuple[Literal["heatmaps", "coordinates"], JointSet, int, bool] | None:
    """Kind, joints, stride and whether joints come last, or None if the port is no answer that is known."""
    height, width = size
    if len(port.shape) != 4:
        return None
    if port.shape[1:] == (1, 17, 3):
        return "coordinates", COCO17, 1, False
    # Heatmaps keep the crop's proportions at a whole stride: that tells joints from height and width.
    for joints, h, w, last in ((port.shape[1], *port.shape[2:], False), (port.shape[3], *port.shape[1:3], True)):
        if joints in _JOINT_SETS and h and w and height % h == 0 and width == w * (height // h):
            return "heatmaps", _JOINT_SETS[joints], height // h, last
    return None
