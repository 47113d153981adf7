"""Detector files of other projects: which preprocessing they need and what their outputs mean.

A file says the names and shapes of its inputs and outputs and nothing else, so a layout is recognised by these, or
named by the user (`--detector-layout`). Figures of preprocessing are those of the projects that train the models:
RTMDet (MMDetection), YOLOX (Megvii), PicoDet (PaddleDetection).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.geometry import box_nms
from dettrack.models.runtime.runner import ImageInput, Port
from dettrack.structures import Boxes

__all__ = ["LAYOUTS", "Layout", "recognise"]

# Candidates below this score never reach the filters: thousands of grid cells answer with a score near 0.
SCORE_FLOOR = 0.05
_STRIDES = (8, 16, 32)


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
        decode: Raw outputs, the input's (height, width) and the NMS threshold -> boxes per image in input pixels.
    """

    name: str
    expected: str
    images: ImageInput
    fill: int
    stretch: bool
    matches: Callable[[Port, Sequence[Port]], bool]
    decode: Callable[[Arrays, tuple[int, int], float], list[Boxes]]


def _is(side: int | None, value: int) -> bool:
    return side is None or side == value


def _matches_rtmdet(_: Port, outputs: Sequence[Port]) -> bool:
    """`dets[b, n, 5]` and `labels[b, n]`, in any order."""
    if sorted(len(port.shape) for port in outputs) != [2, 3]:
        return False
    return all(_is(port.shape[2], 5) for port in outputs if len(port.shape) == 3)


def _decode_rtmdet(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """NMS is inside the file; class 0 is the person. Padding rows carry score 0 or label -1."""
    dets, labels = sorted(arrays, key=lambda array: -array.ndim)
    found = []
    for det, label in zip(dets.astype(float), labels, strict=True):
        keep = (label == 0) & (det[:, 4] >= SCORE_FLOOR)
        found.append(_best_first(det[keep, :4], det[keep, 4]))
    return found


def _grid_cells(size: tuple[int, int]) -> int:
    return sum((size[0] // stride) * (size[1] // stride) for stride in _STRIDES)


def _matches_yolox(source: Port, outputs: Sequence[Port]) -> bool:
    if len(outputs) != 1 or len(outputs[0].shape) != 3:
        return False
    _, cells, channels = outputs[0].shape
    if channels is None or channels < 6:
        return False
    height, width = source.shape[2:]
    if height is None or width is None:
        return cells is None
    return _is(cells, _grid_cells((height, width)))


def _decode_yolox(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """Raw grid `(b, cells, 4 + 1 + classes)`: centre offset and log size in cells, objectness, class scores."""
    raw = arrays[0].astype(float)
    corners, strides = [], []
    for stride in _STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        corners.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full((x.size, 1), stride))
    corner, stride_of = np.concatenate(corners), np.concatenate(strides)
    found = []
    for image in raw:
        scores = image[:, 4] * image[:, 5]
        keep = scores >= SCORE_FLOOR
        centre = (image[keep, :2] + corner[keep]) * stride_of[keep]
        half = np.exp(image[keep, 2:4]) * stride_of[keep] / 2
        found.append(_suppress(np.concatenate([centre - half, centre + half], 1), scores[keep], nms))
    return found


def _matches_picodet(_: Port, outputs: Sequence[Port]) -> bool:
    """`boxes[b, n, 4]` and `scores[b, classes, n]`, in any order."""
    if [len(port.shape) for port in outputs] != [3, 3]:
        return False
    boxes, scores = sorted(outputs, key=lambda port: port.shape[2] != 4)
    return (
        boxes.shape[2] == 4
        and scores.shape[2] != 4
        and (boxes.shape[1] is None or _is(scores.shape[2], boxes.shape[1]))
    )


def _decode_picodet(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """Corners are decoded in the file, NMS is not; class 0 is the person."""
    boxes, scores = sorted((array.astype(float) for array in arrays), key=lambda array: array.shape[2] != 4)
    found = []
    for xyxy, score in zip(boxes, scores[:, 0], strict=True):
        keep = score >= SCORE_FLOOR
        found.append(_suppress(xyxy[keep], score[keep], nms))
    return found


def _best_first(xyxy: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, " n"]) -> Boxes:
    order = np.argsort(-scores, kind="stable")
    return Boxes(xyxy[order], np.clip(scores[order], 0.0, 1.0))


def _suppress(xyxy: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, " n"], nms: float) -> Boxes:
    """A raw grid answers each person from many cells: keep the best of them."""
    boxes = _best_first(xyxy, scores)
    return boxes[box_nms(boxes.xyxy, boxes.scores, nms)]


_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            name="rtmdet",
            expected="dets[b,n,5] + labels[b,n], NMS inside",
            images=ImageInput(bgr=True, mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395)),
            fill=114,
            stretch=False,
            matches=_matches_rtmdet,
            decode=_decode_rtmdet,
        ),
        Layout(
            name="yolox",
            expected="[b,cells,5+classes], cells of strides 8, 16 and 32, undecoded",
            images=ImageInput(bgr=True),
            fill=114,
            stretch=False,
            matches=_matches_yolox,
            decode=_decode_yolox,
        ),
        Layout(
            name="picodet",
            expected="boxes[b,n,4] + scores[b,classes,n], NMS outside",
            images=ImageInput(mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
            fill=0,
            stretch=True,
            matches=_matches_picodet,
            decode=_decode_picodet,
        ),
    )
}


def recognise(path: str, inputs: Sequence[Port], outputs: Sequence[Port], wanted: str = "auto") -> Layout:
    """The layout of a detector file.

    Args:
        path: File, for the message.
        inputs: Inputs of the file.
        outputs: Outputs of the file.
        wanted: Name of a layout, or "auto".

    Returns:
        The layout.

    Raises:
        InputError: The shapes fit no layout, or not the named one.
    """
    picture = len(inputs) == 1 and len(inputs[0].shape) == 4 and _is(inputs[0].shape[1], 3)
    candidates = list(LAYOUTS.values()) if wanted == "auto" else [LAYOUTS[wanted]]
    for layout in candidates:
        if picture and layout.matches(inputs[0], outputs):
            return layout
    seen = f"{', '.join(map(str, inputs))} -> {', '.join(map(str, outputs))}"
    known = "; ".join(f"{layout.name}: image[b,3,h,w] -> {layout.expected}" for layout in candidates)
    raise InputError(f"{path}: not a person detector of a known layout: it has {seen}; supported are {known}")
