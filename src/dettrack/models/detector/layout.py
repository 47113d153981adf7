"""What a layout of a detector file is, and what reading several of them needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dettrack.geometry import box_nms
from dettrack.models.runtime.runner import ImageInput, Port
from dettrack.structures import Boxes

__all__ = ["SCORE_FLOOR", "Arrays", "Layout", "best_first", "fits", "suppress"]

# Candidates below this score never reach the filters: thousands of grid cells answer with a score near 0.
SCORE_FLOOR = 0.05

Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Layout:
    """How to feed one family of detectors and how to read its answer.

    Attributes:
        name: Name on the command line.
        expected: Shapes of the file's outputs, for the user.
        images: How it takes letterboxed frames.
        fill: Grey value around a letterboxed frame.
        stretch: Frames are stretched to the input instead of letterboxed.
        matches: Whether inputs and outputs have this layout's shapes.
        decode: Raw outputs, the input's (height, width) and the NMS threshold -> boxes per image in input pixels, with
            their poses where it is a one-stage pose network.
        joints: Of such a network: how many joints its outputs have.
    """

    name: str
    expected: str
    images: ImageInput
    fill: int
    stretch: bool
    matches: Callable[[Port, Sequence[Port]], bool]
    decode: Callable[[Arrays, tuple[int, int], float], list[Boxes]]
    joints: Callable[[Sequence[Port]], int] | None = None


def fits(side: int | None, value: int) -> bool:
    """Whether a side of a port can have a length.

    Args:
        side: None where it is open.
        value: The length.

    Returns:
        True or False.
    """
    return side is None or side == value


def best_first(
    xyxy: Float[np.ndarray, "n 4"],
    scores: Float[np.ndarray, " n"],
    poses: Float[np.ndarray, "n joints 3"] | None = None,
) -> Boxes:
    """Boxes by falling score.

    Args:
        xyxy: Corners.
        scores: Theirs.
        poses: Theirs, where there are any.

    Returns:
        The boxes, with scores in [0, 1].
    """
    order = np.argsort(-scores, kind="stable")
    return Boxes(xyxy[order], np.clip(scores[order], 0.0, 1.0), None if poses is None else poses[order])


def suppress(
    xyxy: Float[np.ndarray, "n 4"],
    scores: Float[np.ndarray, " n"],
    nms: float,
    poses: Float[np.ndarray, "n joints 3"] | None = None,
) -> Boxes:
    """A raw grid answers each person from many cells: keep the best of them.

    Args:
        xyxy: Corners.
        scores: Theirs.
        nms: IoU above which two boxes are one person's.
        poses: Theirs, where there are any.

    Returns:
        Boxes by falling score.
    """
    boxes = best_first(xyxy, scores, poses)
    return boxes[box_nms(boxes.xyxy, boxes.scores, nms)]
