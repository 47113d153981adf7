"""Can a user trust a joint by its spread? Spread and score against the true error, joint by joint.

Spread is how far a joint's hypotheses disagree (root mean square distance from the chosen position, in head sizes);
the error is the distance from the annotated joint of the person that the pose is paired with, in head sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata, spearmanr

from dettrack.evaluation.oracles import paired_rows
from dettrack.evaluation.rules import EVALUATION15, MATCH_DISTANCE
from dettrack.formats.posetrack import PoseSequence, head_box_sizes
from dettrack.formats.posetrack.files import prediction_sequence
from dettrack.lab.ablation.measure import track_row
from dettrack.lab.ablation.rows import Row
from dettrack.lab.ablation.sources import SequenceSource
from dettrack.skeleton import JointMap

__all__ = ["Calibration", "auc", "bins", "calibrate"]

BINS = 10


@dataclass(frozen=True)
class Calibration:
    """What spread and score say about the error.

    Attributes:
        joints: Number of joints compared.
        wrong: Share of them farther than half a head size from the truth, in percent.
        auc: How well a measure ranks wrong joints before right ones: 0.5 is chance, 1 perfect; by measure.
        spearman: Rank correlation of the measure with the error.
        bins: For "spread" and "score", tenths of the joints in order of the measure: its mean, the median error in head
            sizes, the share of wrong joints in percent.
    """

    joints: int
    wrong: float
    auc: dict[str, float] = field(default_factory=dict)
    spearman: dict[str, float] = field(default_factory=dict)
    bins: dict[str, list[dict[str, float]]] = field(default_factory=dict)


def calibrate(source: SequenceSource, row: Row, seeds: int) -> Calibration:
    """Compare over all sequences of a source.

    Args:
        source: Sequences and tubes.
        row: The setting.
        seeds: How often chance is drawn.

    Returns:
        Spread, score and error of all joints, summarised.
    """
    parts = [_of_sequence(sequence, source, row, seed) for sequence in source.test for seed in range(seeds)]
    spread, score, error = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    wrong = error > MATCH_DISTANCE
    measures = {
        "spread": spread,
        "score": 1 - score,
        "both": rankdata(spread) + rankdata(1 - score),
    }
    usable = bool(wrong.any() and not wrong.all())
    return Calibration(
        len(error),
        100 * float(wrong.mean()) if len(error) else float("nan"),
        {name: auc(values, wrong) for name, values in measures.items()} if usable else {},
        {name: float(spearmanr(values, error).statistic) for name, values in measures.items()} if usable else {},
        {"spread": bins(spread, error), "score": bins(score, error)},
    )


def _of_sequence(
    gt: PoseSequence, source: SequenceSource, row: Row, seed: int
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Spread, score and error of each joint that is predicted by several hypotheses and annotated."""
    table = track_row(source, gt, row, seed)
    pred = prediction_sequence(gt, table)[0]
    # The predictions are the sorted table, row by row, unless there are more tracks than a file may hold.
    table = table.sorted()
    matched = paired_rows(gt, pred) if len(pred.people) == len(table) else np.full(len(pred.people), -1)
    who = np.flatnonzero(matched >= 0)
    truth = gt.with_joints(EVALUATION15).people[matched[who]]
    mapping = JointMap(table.joint_set, EVALUATION15, approximate=False)
    both = np.stack([table.spread, table.spread], -1)
    xy, scores = mapping(table.xy[who], table.joint_scores[who])
    spread = mapping(both[who], table.joint_scores[who])[0][..., 0]
    support = mapping(np.repeat(table.support[who, :, None], 2, -1).astype(float), table.joint_scores[who])[0][..., 0]
    head = head_box_sizes(truth.head_box)[:, None]
    error = np.linalg.norm(xy - truth.xy, axis=-1) / head
    # One hypothesis agrees with itself: its spread of 0 says nothing.
    several = (support > 1) | (spread > 0)
    known = np.isfinite(error) & np.isfinite(spread) & several
    return (spread / head)[known], scores[known], error[known]


def auc(measure: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> float:
    """Probability that a wrong joint has the larger measure than a right one; ties count half.

    Args:
        measure: Of each joint.
        wrong: Joints further off than a match may be.

    Returns:
        From 0 to 1; 0.5 says nothing.
    """
    bad, good = int(wrong.sum()), int((~wrong).sum())
    ranks = rankdata(measure)
    return float((ranks[wrong].sum() - bad * (bad + 1) / 2) / (bad * good))


def bins(measure: Float[np.ndarray, " n"], error: Float[np.ndarray, " n"]) -> list[dict[str, float]]:
    """Tenths of the joints in the order of the measure.

    Args:
        measure: Of each joint.
        error: Of each joint, in head sizes.

    Returns:
        Mean, least and largest measure of each tenth, and how far off its joints are.
    """
    order = np.argsort(measure, kind="stable")
    return [
        {
            "mean": float(measure[part].mean()),
            "low": float(measure[part].min()),
            "high": float(measure[part].max()),
            "joints": len(part),
            "median_error": float(np.median(error[part])),
            "wrong": 100 * float((error[part] > MATCH_DISTANCE).mean()),
        }
        for part in np.array_split(order, BINS)
        if len(part)
    ]
