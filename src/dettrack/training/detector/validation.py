"""How good boxes are: average precision and recall at IoU 0.5, with regions that count for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dettrack.geometry import box_iou
from dettrack.structures import Boxes

__all__ = ["AnnotatedBoxes", "BoxScores", "score_boxes"]


@dataclass(frozen=True)
class AnnotatedBoxes:
    """What is known of one frame.

    Attributes:
        people: Boxes to be found.
        unsure: Boxes that may be found or not: neither counts.
    """

    people: Float[np.ndarray, "n 4"]
    unsure: Float[np.ndarray, "m 4"]


@dataclass(frozen=True)
class BoxScores:
    """Figures of a detector on labelled frames.

    Attributes:
        ap: Area under the precision-recall curve, precision made monotone, in [0, 1].
        threshold: The score that `precision` and `recall` are taken at.
        precision: Share of the boxes above it that are people.
        recall: Share of the people found above it.
        people: Number of people.
        best_threshold: The score at which precision and recall have the largest harmonic mean.
    """

    ap: float
    threshold: float
    precision: float
    recall: float
    people: int
    best_threshold: float


def score_boxes(
    found: Sequence[Boxes], labels: Sequence[AnnotatedBoxes], *, threshold: float = 0.3, min_iou: float = 0.5
) -> BoxScores:
    """Match found boxes to labels, best score first, and count.

    A box takes the free person of its frame that it overlaps most, if by at least `min_iou`; otherwise it falls out of
    the count if it overlaps an unsure box that much, and is wrong if not.

    Args:
        found: Boxes of each frame.
        labels: People of each frame.
        threshold: Score for `precision` and `recall`.
        min_iou: Overlap of a hit.

    Returns:
        AP, and precision and recall at the threshold and at the best one.
    """
    scores, hits = [np.zeros(0)], [np.zeros(0, bool)]
    for boxes, label in zip(found, labels, strict=True):
        order = np.argsort(-boxes.scores, kind="stable")
        hit, counts = _match(boxes.xyxy[order], label, min_iou)
        scores.append(boxes.scores[order][counts])
        hits.append(hit[counts])
    people = sum(len(label.people) for label in labels)
    score, hit = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-score, kind="stable")
    score, hit = score[order], hit[order]
    true = np.cumsum(hit)
    precision = true / np.arange(1, len(hit) + 1)
    recall = true / max(people, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    above = int((score >= threshold).sum())
    return BoxScores(
        ap=float((np.diff(recall, prepend=0.0) * envelope).sum()),
        threshold=threshold,
        precision=float(precision[above - 1]) if above else float("nan"),
        recall=float(recall[above - 1]) if above else 0.0,
        people=people,
        best_threshold=float(score[(precision * recall / np.maximum(precision + recall, 1e-9)).argmax()])
        if len(score)
        else threshold,
    )


def _match(
    xyxy: Float[np.ndarray, "n 4"], label: AnnotatedBoxes, min_iou: float
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Which boxes (best first) are hits, and which count at all."""
    overlap = box_iou(xyxy, label.people)
    unsure = box_iou(xyxy, label.unsure).max(1, initial=0.0) >= min_iou
    hit = np.zeros(len(xyxy), bool)
    for row in range(len(xyxy)):  # greedy by nature: a person is taken once
        if overlap.shape[1] and overlap[row].max() >= min_iou:
            hit[row] = True
            overlap[:, overlap[row].argmax()] = -1.0
    return hit, hit | ~unsure
