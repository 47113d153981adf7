"""Average precision of joints: labels by the assignment of people, curve, area under its envelope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.evaluation.persons import assign_people, frame_pairs
from dettrack.evaluation.prepare import Prepared
from dettrack.evaluation.rules import MISSING_SCORE, Rules

__all__ = ["Labels", "area_under_curve", "average_precision", "label_joints"]

JOINTS = 15


@dataclass(frozen=True)
class Labels:
    """Every predicted joint of a sequence, in the order of frames and of people in the file.

    Attributes:
        joint: `(n,)` which of the 15.
        score: `(n,)` confidence.
        correct: `(n,)` whether it lies on its person's annotated joint.
        annotated: `(15,)` number of annotated joints.
    """

    joint: Int[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    correct: Bool[np.ndarray, " n"]
    annotated: Int[np.ndarray, " 15"]


def label_joints(data: Prepared) -> Labels:
    """Label every predicted joint.

    Right is a joint within the threshold of the same joint of the annotated person that its person is assigned to.
    Wrong are all others: those of unassigned people, those whose annotated joint is missing, and those in frames that
    count but have no annotated person left.
    """
    correct = np.zeros(data.pred.xy.shape[:2], bool)
    for pairs in frame_pairs(data):
        assigned = assign_people(pairs)
        rows = np.flatnonzero(assigned >= 0)
        if rows.size:
            correct[pairs.pred.start + rows] = pairs.match[rows, assigned[rows]]
    exists = ~np.isnan(data.pred.xy[..., 0])
    scores = np.where(np.isnan(data.pred.scores), MISSING_SCORE, data.pred.scores)
    return Labels(
        joint=np.nonzero(exists)[1],
        score=scores[exists],
        correct=correct[exists],
        annotated=(~np.isnan(data.gt.xy[..., 0])).sum(0),
    )


def average_precision(labels: Sequence[Labels], rules: Rules) -> dict[str, Float[np.ndarray, " 15"]]:
    """AP, precision and recall of each joint over sequences, in percent.

    Precision and recall are those of all predictions, without a threshold: the curve's last point. A joint that is
    predicted but nowhere annotated has AP and recall NaN, and precision 0.

    Args:
        labels: Of each sequence, in the order of their names (it decides between equal scores, officially).
        rules: `ties_together` and `unseen_is_zero` matter here.

    Returns:
        "AP", "precision" and "recall": percent of each joint.
    """
    out = {name: np.full(JOINTS, np.nan) for name in ("AP", "precision", "recall")}
    if not labels:
        return out
    joint, score = (np.concatenate([getattr(part, name) for part in labels]) for name in ("joint", "score"))
    correct = np.concatenate([part.correct for part in labels])
    annotated = np.sum([part.annotated for part in labels], 0)
    for j in range(JOINTS):
        mine = joint == j
        if not mine.any():
            unseen = rules.unseen_is_zero or annotated[j] > 0
            for values in out.values():
                values[j] = 0.0 if unseen else np.nan
            continue
        precision, recall = _curve(score[mine], correct[mine], int(annotated[j]), rules)
        out["AP"][j] = 100 * area_under_curve(precision, recall)
        out["precision"][j], out["recall"][j] = 100 * precision[-1], 100 * recall[-1]
    return out


def _curve(
    scores: Float[np.ndarray, " n"], correct: Bool[np.ndarray, " n"], annotated: int, rules: Rules
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Precision and recall of the best 1, 2, ... n predictions."""
    # Officially NumPy's default sort, which is not stable, turned round: equal scores are in no defined order.
    order = np.argsort(scores)[::-1]
    right = np.cumsum(correct[order])
    count = np.arange(1, len(order) + 1)
    if rules.ties_together:
        sorted_scores = scores[order]
        last = np.append(sorted_scores[1:] != sorted_scores[:-1], True)
        right, count = right[last], count[last]
    with np.errstate(invalid="ignore"):
        return right / count, right / np.float64(annotated)


def area_under_curve(precision: Float[np.ndarray, " n"], recall: Float[np.ndarray, " n"]) -> float:
    """Area under the monotone envelope of a precision-recall curve, all points, from recall 0 to 1.

    Args:
        precision: In the order of ascending recall, in [0, 1].
        recall: Ascending, in [0, 1].

    Returns:
        In [0, 1].
    """
    heights = np.concatenate([precision, [0.0]])
    heights = np.maximum.accumulate(heights[::-1])[::-1]
    widths = np.diff(np.concatenate([[0.0], recall, [1.0]]))
    return float(np.sum(widths * heights))
