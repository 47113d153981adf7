"""Detector files of other projects: which preprocessing they need and what their outputs mean.

A file says the names and shapes of its inputs and outputs and nothing else, so a layout is recognised by these, or
named by the user (`--detector-layout`). Figures of preprocessing are those of the projects that train the models:
RTMDet (MMDetection), YOLOX (Megvii), PicoDet (PaddleDetection).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dettrack.errors import InputError
from dettrack.models.detector.layout import SCORE_FLOOR, Arrays, Layout, best_first, fits, suppress
from dettrack.models.detector.one_stage import ONE_STAGE
from dettrack.models.runtime.runner import ImageInput, Port
from dettrack.structures import Boxes

__all__ = ["LAYOUTS", "candidates", "recognise"]

_STRIDES = (8, 16, 32)
_FARTHEST_OFFSET = 32.0  # in cells, of a box's centre from its cell; a file that decodes itself gives pixels


def _matches_rtmdet(_: Port, outputs: Sequence[Port]) -> bool:
    """`dets[b, n, 5]` and `labels[b, n]`, in any order."""
    if sorted(len(port.shape) for port in outputs) != [2, 3]:
        return False
    return all(fits(port.shape[2], 5) for port in outputs if len(port.shape) == 3)


def _decode_rtmdet(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """NMS is inside the file; class 0 is the person. Padding rows carry score 0 or label -1."""
    dets, labels = sorted(arrays, key=lambda array: -array.ndim)
    found = []
    for det, label in zip(dets.astype(float), labels, strict=True):
        keep = (label == 0) & (det[:, 4] >= SCORE_FLOOR)
        found.append(best_first(det[keep, :4], det[keep, 4]))
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
    return fits(cells, _grid_cells((height, width)))


def _decode_yolox(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """Raw grid `(b, cells, 4 + 1 + classes)`: centre offset and log size in cells, objectness, class scores.

    Some files have centres and sizes in pixels already; offsets of trained networks stay within a few cells.
    """
    raw = arrays[0].astype(float)
    corners, strides = [], []
    for stride in _STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        corners.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full((x.size, 1), stride))
    corner, stride_of = np.concatenate(corners), np.concatenate(strides)
    decoded = bool(np.abs(raw[..., :2]).max(initial=0) > _FARTHEST_OFFSET)
    found = []
    for image in raw:
        scores = image[:, 4] * image[:, 5]
        keep = scores >= SCORE_FLOOR
        if decoded:
            centre, half = image[keep, :2], image[keep, 2:4] / 2
        else:
            centre = (image[keep, :2] + corner[keep]) * stride_of[keep]
            half = np.exp(image[keep, 2:4]) * stride_of[keep] / 2
        found.append(suppress(np.concatenate([centre - half, centre + half], 1), scores[keep], nms))
    return found


def _matches_picodet(_: Port, outputs: Sequence[Port]) -> bool:
    """`boxes[b, n, 4]` and `scores[b, classes, n]`, in any order."""
    if [len(port.shape) for port in outputs] != [3, 3]:
        return False
    boxes, scores = sorted(outputs, key=lambda port: port.shape[2] != 4)
    return (
        boxes.shape[2] == 4
        and scores.shape[2] != 4
        and (boxes.shape[1] is None or fits(scores.shape[2], boxes.shape[1]))
    )


def _decode_picodet(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """Corners are decoded in the file, NMS is not; class 0 is the person."""
    boxes, scores = sorted((array.astype(float) for array in arrays), key=lambda array: array.shape[2] != 4)
    found = []
    for xyxy, score in zip(boxes, scores[:, 0], strict=True):
        keep = score >= SCORE_FLOOR
        found.append(suppress(xyxy[keep], score[keep], nms))
    return found


def _matches_yolo(_: Port, outputs: Sequence[Port]) -> bool:
    """One output `(b, 4 + classes, n)`, many more candidates than channels."""
    if len(outputs) != 1 or len(outputs[0].shape) != 3:
        return False
    channels, count = outputs[0].shape[1:]
    return channels is not None and channels >= 5 and (count is None or count > 4 * channels)


def _decode_yolo(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """Centre, size and class scores in pixels, channels first; class 0 is the person."""
    found = []
    for image in arrays[0].astype(float):
        image = image[:, image[4] >= SCORE_FLOOR]
        centre, half = image[:2].T, image[2:4].T / 2
        found.append(suppress(np.concatenate([centre - half, centre + half], 1), image[4], nms))
    return found


def _matches_detr(_: Port, outputs: Sequence[Port]) -> bool:
    """`labels[b, n]`, `boxes[b, n, 4]` and `scores[b, n]`, in any order."""
    return sorted(len(port.shape) for port in outputs) == [2, 2, 3] and all(
        fits(port.shape[2], 4) for port in outputs if len(port.shape) == 3
    )


def _decode_detr(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """Corners in pixels, nothing to suppress; class 0 is the person."""
    boxes = next(array for array in arrays if array.ndim == 3).astype(float)
    labels, scores = sorted((array for array in arrays if array.ndim == 2), key=lambda array: array.dtype.kind == "f")
    keep = (labels == 0) & (scores >= SCORE_FLOOR)
    return [best_first(xyxy[k], score[k].astype(float)) for xyxy, score, k in zip(boxes, scores, keep, strict=True)]


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
        Layout(
            name="yolox-nms",
            expected="dets[b,n,5] + labels[b,n], NMS inside, pictures as they are",
            images=ImageInput(bgr=True),
            fill=114,
            stretch=False,
            matches=_matches_rtmdet,
            decode=_decode_rtmdet,
        ),
        *ONE_STAGE,
        Layout(
            name="detr",
            expected="labels[b,n] + boxes[b,n,4] + scores[b,n], in pixels of the sizes that are its second input",
            images=ImageInput(std=(255.0, 255.0, 255.0)),
            fill=0,
            stretch=True,
            matches=_matches_detr,
            decode=_decode_detr,
        ),
        Layout(
            name="yolo",
            expected="[b,4+classes,n], centres and sizes in pixels",
            images=ImageInput(std=(255.0, 255.0, 255.0)),
            fill=114,
            stretch=False,
            matches=_matches_yolo,
            decode=_decode_yolo,
        ),
    )
}


def candidates(inputs: Sequence[Port], outputs: Sequence[Port], wanted: str = "auto") -> list[Layout]:
    """The layouts that a file's ends allow, likeliest first.

    Args:
        inputs: Inputs of the file.
        outputs: Its outputs.
        wanted: Name of a layout, or "auto" for all.

    Returns:
        Layouts; with several, shapes alone do not tell how pictures are prepared.
    """
    sized = len(inputs) == 2 and len(inputs[1].shape) == 2 and fits(inputs[1].shape[1], 2)
    picture = (len(inputs) == 1 or sized) and len(inputs[0].shape) == 4 and fits(inputs[0].shape[1], 3)
    named = list(LAYOUTS.values()) if wanted == "auto" else [LAYOUTS[wanted]]
    return [layout for layout in named if picture and layout.matches(inputs[0], outputs)]


def recognise(path: str, inputs: Sequence[Port], outputs: Sequence[Port], wanted: str = "auto") -> Layout:
    """The likeliest layout of a detector file.

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
    found = candidates(inputs, outputs, wanted)
    if found:
        return found[0]
    seen = f"{', '.join(map(str, inputs))} -> {', '.join(map(str, outputs))}"
    named = list(LAYOUTS.values()) if wanted == "auto" else [LAYOUTS[wanted]]
    known = "; ".join(f"{layout.name}: image[b,3,h,w] -> {layout.expected}" for layout in named)
    raise InputError(f"{path}: not a person detector of a known layout: it has {seen}; supported are {known}")
