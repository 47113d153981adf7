"""Which boxes of a keyframe become tubes: score, duplicates, size (paper 4.1), at most so many; nothing in silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from dettrack.config import DetectConfig
from dettrack.structures import Boxes

__all__ = ["box_iou", "filter_boxes", "for_frame", "non_maximum_suppression"]

REFERENCE_AREA = 1280 * 720
"""Frame area in square pixels that the paper's smallest box area is meant for."""


def box_iou(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every box of `a` with every box of `b`; 0 where both are empty."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    union = _area(a)[:, None] + _area(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _area(xyxy: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    return np.clip(xyxy[:, 2:] - xyxy[:, :2], 0, None).prod(-1)


def non_maximum_suppression(boxes: Boxes, max_iou: float) -> Bool[np.ndarray, " n"]:
    """Which boxes the greedy NMS keeps.

    A box falls if a better box that itself stays overlaps it by more than `max_iou`. That rule is iterated on all
    boxes at once until nothing changes: each round settles at least the best box not yet settled, so it ends, and
    ends with the greedy answer; a scene takes two or three rounds.

    Args:
        boxes: Boxes in any order; among equal scores the earlier one is the better.
        max_iou: Largest overlap of two boxes that both stay.
    """
    order = np.argsort(-boxes.scores, kind="stable")
    xyxy = boxes.xyxy[order]
    beats = np.triu(box_iou(xyxy, xyxy) > max_iou, 1)
    keep: np.ndarray = np.ones(len(xyxy), bool)
    while True:
        fresh: np.ndarray = ~(beats & keep[:, None]).any(0)
        if (fresh == keep).all():
            break
        keep = fresh
    result = np.empty(len(xyxy), bool)
    result[order] = keep
    return result


def for_frame(config: DetectConfig, image: UInt8[np.ndarray, "height width 3"]) -> DetectConfig:
    """Settings with the smallest box area meant for frames of this size (see `DetectConfig.scale_min_area`)."""
    share = image.shape[0] * image.shape[1] / REFERENCE_AREA
    if not config.scale_min_area or share >= 1:
        return config
    return replace(config, min_box_area=config.min_box_area * share)


def filter_boxes(boxes: Boxes, config: DetectConfig) -> tuple[Boxes, dict[str, int]]:
    """Boxes that become tubes, best first, and how many fell for which reason.

    Args:
        boxes: A detector's answer for one frame.
        config: Thresholds.

    Returns:
        The boxes that stay, sorted by falling score, and the number of dropped boxes by reason (`boxes_invalid`: not
        finite or without area; `boxes_overlap`; `boxes_small`; `boxes_over_limit`). Reasons that dropped nothing are
        left out. Boxes below the threshold are not counted: detectors give a hundred of them for every person.
    """
    dropped: dict[str, int] = {}

    def keep(kept: Bool[np.ndarray, " n"], reason: str) -> None:
        nonlocal boxes
        if not kept.all():
            dropped[reason] = int((~kept).sum())
            boxes = boxes[kept]

    extended = (boxes.xyxy[:, 2:] > boxes.xyxy[:, :2]).all(1)
    keep(np.isfinite(boxes.xyxy).all(1) & np.isfinite(boxes.scores) & extended, "boxes_invalid")
    boxes = boxes[boxes.scores >= config.detector_threshold]
    boxes = boxes[np.argsort(-boxes.scores, kind="stable")]
    keep(non_maximum_suppression(boxes, config.detector_nms), "boxes_overlap")
    keep(_area(boxes.xyxy) >= config.min_box_area, "boxes_small")
    if config.max_people:
        keep(np.arange(len(boxes)) < config.max_people, "boxes_over_limit")
    return boxes, dropped
