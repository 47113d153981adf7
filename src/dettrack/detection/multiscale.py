"""Testing at several scales with merged boxes, as SNIPER does (Singh, Najibi and Davis, NeurIPS 2018).

Each input size answers for the people that it shows at a comfortable size; the answers are merged by suppression.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from dettrack.detection.filters import non_maximum_suppression
from dettrack.detection.own import Predictor, find_people
from dettrack.errors import UsageError
from dettrack.structures import Boxes

__all__ = ["find_people_multiscale"]


def find_people_multiscale(
    predictor: Predictor,
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    sizes: Sequence[int],
    valid: Sequence[tuple[float, float]],
    max_iou: float = 0.65,
) -> list[Boxes]:
    """People found at any of several input sizes.

    Args:
        predictor: The network.
        images: RGB, of any sizes.
        sizes: Longer sides of the network's input.
        valid: For each size the smallest and largest person that it answers for: the root of the box's area in input
            pixels. Ranges should overlap, so that nobody falls between.
        max_iou: Overlap above which the weaker of two boxes falls.

    Returns:
        For each image boxes in its pixels, best first.
    """
    if len(sizes) != len(valid) or not sizes:
        raise UsageError(f"{len(sizes)} input sizes but {len(valid)} valid ranges: give one for each")
    answers: list[list[Boxes]] = [[] for _ in images]
    for longer, (low, high) in zip(sizes, valid, strict=True):
        for index, boxes in enumerate(find_people(predictor, images, longer, max_iou)):
            scale = longer / max(images[index].shape[:2])
            root = np.sqrt((boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).prod(1)) * scale
            answers[index].append(boxes[(root >= low) & (root < high)])
    return [_merge(boxes, max_iou) for boxes in answers]


def _merge(answers: Sequence[Boxes], max_iou: float) -> Boxes:
    boxes = Boxes(np.concatenate([b.xyxy for b in answers]), np.concatenate([b.scores for b in answers]))
    boxes = boxes[np.argsort(-boxes.scores, kind="stable")]
    return boxes[non_maximum_suppression(boxes, max_iou)]
