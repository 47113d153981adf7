"""Recall of person boxes (paper, table 9): how many annotated people have a box of their own.

The paper gives no overlap; here it is the usual intersection over union of 0.5, and each box serves one person. Boxes
are those of the files; for predicted people without one, the box around their joints. Frames count by `is_labeled`, or
where there is no such flag by whether a person is annotated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dettrack.files import load_json, parsing
from dettrack.formats.posetrack import People, PoseSequence
from dettrack.geometry import box_iou, extents, xyxy_of
from dettrack.matching import match_matrix

__all__ = ["BoxCounts", "box_counts", "box_recall", "count_boxes", "detection_recall", "read_detections"]

MIN_IOU = 0.5


@dataclass(frozen=True)
class BoxCounts:
    """Annotated boxes, how many of them were found, and predicted boxes, in the frames that count."""

    annotated: int = 0
    found: int = 0
    predicted: int = 0

    def __add__(self, other: BoxCounts) -> BoxCounts:
        return BoxCounts(self.annotated + other.annotated, self.found + other.found, self.predicted + other.predicted)

    @property
    def recall(self) -> float:
        """Share of annotated boxes that were found, in percent; NaN where none is annotated."""
        return 100 * self.found / self.annotated if self.annotated else float("nan")

    @property
    def precision(self) -> float:
        """Share of predicted boxes that serve someone, in percent; NaN where none is predicted."""
        return 100 * self.found / self.predicted if self.predicted else float("nan")

    def to_json(self) -> dict[str, int | float]:
        """Counts and shares."""
        return {**vars(self), "recall": self.recall, "precision": self.precision, "min_iou": MIN_IOU}


def box_counts(gt: Float[np.ndarray, "n 4"], pred: Float[np.ndarray, "m 4"]) -> BoxCounts:
    """Count one frame; the assignment gives as many annotated boxes as possible a predicted box of their own.

    Args:
        gt: Annotated boxes, in pixels.
        pred: Predicted boxes, in pixels.

    Returns:
        The counts.
    """
    found, _ = match_matrix(box_iou(gt, pred) >= MIN_IOU)
    return BoxCounts(len(gt), len(found), len(pred))


def boxes_of(people: People) -> Float[np.ndarray, "n 4"]:
    """The people's boxes; around the joints where the file has none, NaN where it has no joints either."""
    around = extents(people.xy, ~np.isnan(people.xy).any(-1))
    boxes = np.where(np.isnan(people.box), around, people.box)
    return np.where(np.isfinite(boxes), boxes, np.nan)


def count_boxes(gt: PoseSequence, pred: PoseSequence) -> BoxCounts:
    """Count a sequence. Annotated people without a box of their own (PoseTrack17 has none) do not take part.

    Args:
        gt: Annotations.
        pred: Predictions.

    Returns:
        The counts.
    """
    found = boxes_of(pred.people)
    edges = pred.starts
    return box_recall(gt, [found[a:b] for a, b in pairwise(edges)])


def box_recall(gt: PoseSequence, boxes: Sequence[Float[np.ndarray, "_ 4"]]) -> BoxCounts:
    """Count a sequence against boxes given frame by frame.

    Args:
        gt: Annotations with boxes.
        boxes: For each image of the sequence, `(m, 4)` corners in pixels.

    Returns:
        The counts.
    """
    total, edges = BoxCounts(), gt.starts
    for i, (info, found) in enumerate(zip(gt.images, boxes, strict=True)):
        truth = gt.people.box[edges[i] : edges[i + 1]]
        counts = edges[i + 1] > edges[i] if info.is_labeled is None else info.is_labeled
        if counts:
            total += box_counts(truth[~np.isnan(truth).any(1)], found[~np.isnan(found).any(1)])
    return total


def read_detections(path: str | Path, min_score: float = 0.0) -> dict[int, Float[np.ndarray, "_ 4"]]:
    """Boxes of a COCO-style list of detections, by image id.

    Args:
        path: JSON list of objects with `image_id`, `bbox` (x, y, width, height in pixels) and `score`.
        min_score: Detections with a lower score are left out.

    Returns:
        `(m, 4)` corners in pixels, by image id.

    Raises:
        InputError: The file cannot be read, or an entry is not a detection.
    """
    entries = load_json(path)
    with parsing(f"{path}", "a list of detections: objects with image_id, bbox (x, y, width, height) and score"):
        good = [entry for entry in entries if entry.get("score", 1.0) >= min_score]
        ids = np.array([entry["image_id"] for entry in good], int)
        sizes = np.array([entry["bbox"] for entry in good], float).reshape(-1, 4)
    corners = xyxy_of(sizes)
    return {int(image): corners[ids == image] for image in np.unique(ids)}


def detection_recall(gt: PoseSequence, detections: Mapping[int, Float[np.ndarray, "_ 4"]]) -> BoxCounts:
    """Count a sequence against detections by image id (PoseTrack18 and 21).

    Args:
        gt: Annotations.
        detections: `(m, 4)` corners in pixels by image id; a missing image has none.

    Returns:
        The counts.
    """
    return box_recall(gt, [detections.get(info.image_id, np.zeros((0, 4))) for info in gt.images])
