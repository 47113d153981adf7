"""Which boxes of a keyframe become tubes: score, duplicates, size (paper 4.1), at most so many; nothing in silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, UInt8

from dettrack.config import DetectConfig
from dettrack.geometry import box_areas, box_nms
from dettrack.structures import Boxes

__all__ = ["filter_boxes", "for_frame"]

REFERENCE_AREA = 1280 * 720
"""Frame area in square pixels that the paper's smallest box area is meant for."""


def for_frame(config: DetectConfig, image: UInt8[np.ndarray, "height width 3"]) -> DetectConfig:
    """Settings with the smallest box area meant for frames of this size (see `DetectConfig.scale_min_area`).

    Args:
        config: Settings of the run.
        image: Any frame.

    Returns:
        Settings for `filter_boxes`.
    """
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
    keep(box_nms(boxes.xyxy, boxes.scores, config.detector_nms), "boxes_overlap")
    keep(box_areas(boxes.xyxy) >= config.min_box_area, "boxes_small")
    if config.max_people:
        keep(np.arange(len(boxes)) < config.max_people, "boxes_over_limit")
    return boxes, dropped
