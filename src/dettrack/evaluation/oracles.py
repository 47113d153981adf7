"""Where the errors are: the same predictions with one part of the work done perfectly.

Predicted and annotated people are paired frame by frame, one to one, so that most joints agree and among equals the
distances are least. Then

- **perfect association** keeps the predicted poses and gives each paired person the annotated identity; the others get
  identities that are used nowhere else. What is missing to 100 is due to boxes and poses.
- **perfect poses** keeps the predicted identities and puts paired people's joints where they are annotated, all of them
  and no others; unpaired people stay as they are. What is missing is due to boxes and identities.
- **perfect boxes** drops people without a counterpart and adds those who were missed. The pose that would have been
  found for them is not known: they get the annotated one, so this is a bound; and the identity that the predictions
  give the person most often, where it is free. To measure rather than bound it, track with the annotated boxes as
  detections and evaluate that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace

import numpy as np
from jaxtyping import Int

from dettrack.evaluation.persons import frame_pairs
from dettrack.evaluation.prepare import Prepared, check_pair
from dettrack.evaluation.rules import EVALUATION15, rules_of
from dettrack.evaluation.summary import Evaluation, SequenceResult, count_sequence, evaluate_counts
from dettrack.formats.posetrack import People, PoseSequence
from dettrack.matching import match_matrix

__all__ = ["ORACLES", "oracles", "paired_rows", "perfect_association", "perfect_boxes", "perfect_poses"]

JOINTS = len(EVALUATION15)


def paired_rows(gt: PoseSequence, pred: PoseSequence) -> Int[np.ndarray, " pred"]:
    """For each predicted person the row of its annotated person in `gt.people`, -1 for none.

    Args:
        gt: Annotations.
        pred: Predictions.

    Returns:
        For each predicted person the row of its annotated person in `gt.people`, -1 for none.
    """
    check_pair(gt, pred)
    gt, pred = gt.with_joints(EVALUATION15), pred.with_joints(EVALUATION15)
    rows = np.full(len(pred.people), -1)
    for pairs in frame_pairs(Prepared(gt.name, np.arange(len(gt)), gt.people, pred.people)):
        match = pairs.match
        share = match.sum(2) / np.maximum(pairs.has_gt.sum(1), 1)
        closeness = np.where(match, 1 - pairs.distance, 0).sum(2) / JOINTS
        p, g = match_matrix(share + 1e-3 * closeness)
        rows[pairs.pred.start + p] = pairs.gt.start + g
    return rows


def perfect_association(gt: PoseSequence, pred: PoseSequence) -> PoseSequence:
    """Predicted poses with the annotated identities.

    Args:
        gt: Annotations.
        pred: Predictions.

    Returns:
        The changed predictions.
    """
    rows = paired_rows(gt, pred)
    ids = gt.people.track_id[rows] if len(gt.people) else np.zeros(len(rows), np.int64)
    free = int(gt.people.track_id.max(initial=-1)) + 1
    unpaired = np.flatnonzero(rows < 0)
    # Numbered within their frame, so that ids stay small; an unpaired person cannot make a switch anyway.
    image = pred.people.image[unpaired]
    first = np.searchsorted(image, image)
    return replace(
        pred, people=replace(pred.people, track_id=_put(ids, unpaired, free + np.arange(len(image)) - first))
    )


def _put(values: np.ndarray, rows: np.ndarray, new: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[rows] = new
    return values


def perfect_poses(gt: PoseSequence, pred: PoseSequence) -> PoseSequence:
    """Predicted identities with the annotated poses; a pose's joints all get the best score that it had.

    Args:
        gt: Annotations.
        pred: Predictions.

    Returns:
        The changed predictions.
    """
    rows = paired_rows(gt, pred)
    gt, pred = gt.with_joints(EVALUATION15), pred.with_joints(EVALUATION15)
    paired = np.flatnonzero(rows >= 0)
    people = pred.people
    best = np.where(np.isnan(people.scores), -np.inf, people.scores).max(1, initial=-np.inf)
    scores = np.where(np.isfinite(best), best, np.nan)[:, None].repeat(len(EVALUATION15), 1)
    new = replace(
        people,
        xy=_put(people.xy, paired, gt.people.xy[rows[paired]]),
        scores=_put(people.scores, paired, scores[paired]),
    )
    return replace(pred, joint_set=EVALUATION15, people=new)


def perfect_boxes(gt: PoseSequence, pred: PoseSequence) -> PoseSequence:
    """Predicted people without the false ones, and with those who were missed.

    Args:
        gt: Annotations.
        pred: Predictions.

    Returns:
        The changed predictions.
    """
    rows = paired_rows(gt, pred)
    gt, pred = gt.with_joints(EVALUATION15), pred.with_joints(EVALUATION15)
    usual: dict[int, Counter[int]] = {}
    for track, row in zip(pred.people.track_id[rows >= 0].tolist(), rows[rows >= 0].tolist(), strict=True):
        usual.setdefault(int(gt.people.track_id[row]), Counter())[track] += 1
    kept = pred.people[rows >= 0]
    missed = gt.people[np.setdiff1d(np.flatnonzero(gt.people.listed), rows)]
    taken = set(zip(kept.image.tolist(), kept.track_id.tolist(), strict=True))
    free = int(max(pred.people.track_id.max(initial=-1), gt.people.track_id.max(initial=-1))) + 1
    names = {track: free + i for i, track in enumerate(np.unique(gt.people.track_id).tolist())}
    ids = []
    for image, track in zip(missed.image.tolist(), missed.track_id.tolist(), strict=True):
        common = usual.get(track, Counter()).most_common(1)
        use = common[0][0] if common and (image, common[0][0]) not in taken else names[track]
        taken.add((image, use))
        ids.append(use)
    score = kept.scores[~np.isnan(kept.scores)].max(initial=1.0)
    added = replace(missed, track_id=np.array(ids, np.int64), scores=np.full(missed.scores.shape, score))
    both = {f.name: np.concatenate([getattr(kept, f.name), getattr(added, f.name)]) for f in fields(People)}
    people = People(**both)
    return replace(pred, people=people[np.argsort(people.image, kind="stable")])


ORACLES: dict[str, Callable[[PoseSequence, PoseSequence], PoseSequence]] = {
    "perfect association": perfect_association,
    "perfect poses": perfect_poses,
    "perfect boxes (bound)": perfect_boxes,
}


def oracles(
    gt: Iterable[PoseSequence],
    pred: Iterable[PoseSequence],
    *,
    mode: str = "official",
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Evaluation]:
    """Evaluate predictions as they are ("ours") and with each oracle, reading one sequence at a time.

    Args:
        gt: Annotated sequences, in the order of their names.
        pred: Predictions for them, in the same order.
        mode: "official" or "clean" (`rules`).
        thresholds: Joint name to score; joints below it do not count for tracking.

    Returns:
        The evaluation of "ours" and of each oracle, by name.

    Raises:
        InputError: Predictions do not fit their annotations.
    """
    rules = rules_of(mode)
    results: dict[str, list[SequenceResult]] = {name: [] for name in ("ours", *ORACLES)}
    for truth, found in zip(gt, pred, strict=True):
        for name, parts in results.items():
            changed = ORACLES[name](truth, found) if name in ORACLES else found
            parts.append(count_sequence(truth, changed, rules, thresholds=thresholds))
    return {name: evaluate_counts(parts, rules, thresholds) for name, parts in results.items()}
