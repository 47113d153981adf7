"""Keypoint HOTA (Luiten et al., IJCV 2020) as PoseTrack21 defines it for joints, with the terms that it is made of.

Similarity of two instances of a joint is 1 - d / 0.5001, at least 0, with d in head sizes. In each frame the instances
of a joint are matched by the greatest total similarity; pairs with at least the similarity alpha count, for alpha =
0.05, 0.10 ... 0.95. Frames are those with `is_labeled`, all of them (`rules.HOTA_RULES`).

Where PoseTrack21's evaluator is right the figures are equal to its own. It is wrong in frames without annotated or
without predicted people: it adds the whole sequence's number of joints to the false positives or misses; here it is the
frame's. It fails where all annotated people of a frame lie in ignore regions; here such a frame counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dettrack.evaluation.persons import frame_pairs
from dettrack.evaluation.prepare import Prepared
from dettrack.matching import match_matrix

__all__ = ["ALPHAS", "HotaCounts", "combine_hota", "count_hota", "hota"]

ALPHAS = np.arange(0.05, 0.99, 0.05)
JOINTS = 15
TOTAL = 15
# Distance in head sizes at which the similarity is 0: a trace above the 0.5 at which a joint is still right.
_ZERO_AT = 0.5001
_EPS = np.finfo(float).eps


@dataclass(frozen=True)
class HotaCounts:
    """What HOTA is made of, for each alpha and each joint and, last, their total: `(19, 16)` each.

    Attributes:
        tp: Matched pairs.
        fn: Annotated joints without a match.
        fp: Predicted joints without a match.
        loc: Mean similarity of the matched pairs; 1 where there are none.
        ass_a: Association accuracy; the total is the mean of the joints.
        ass_re: Association recall.
        ass_pr: Association precision.
        frag_a: `ass_a` where each uninterrupted run of a pair counts on its own.
    """

    tp: Float[np.ndarray, "19 16"]
    fn: Float[np.ndarray, "19 16"]
    fp: Float[np.ndarray, "19 16"]
    loc: Float[np.ndarray, "19 16"]
    ass_a: Float[np.ndarray, "19 16"]
    ass_re: Float[np.ndarray, "19 16"]
    ass_pr: Float[np.ndarray, "19 16"]
    frag_a: Float[np.ndarray, "19 16"]


@dataclass(frozen=True)
class _Matches:
    """Matched pairs of one sequence: one entry per pair, in the order of frames."""

    joint: np.ndarray
    gt: np.ndarray
    pred: np.ndarray
    similarity: np.ndarray


def count_hota(data: Prepared) -> HotaCounts:
    """Count one sequence, prepared with `HOTA_RULES`."""
    gt_names, gt = np.unique(data.gt.track_id, return_inverse=True)
    pred_names, pred = np.unique(data.pred.track_id, return_inverse=True)
    has_gt, has_pred = ~np.isnan(data.gt.xy[..., 0]), ~np.isnan(data.pred.xy[..., 0])
    gt_count, pred_count = np.zeros((len(gt_names), JOINTS)), np.zeros((len(pred_names), JOINTS))
    np.add.at(gt_count, gt, has_gt)
    np.add.at(pred_count, pred, has_pred)
    matches = _match(data, gt, pred)
    tp, loc, ass_a, ass_re, ass_pr, frag_a = (np.zeros((len(ALPHAS), JOINTS)) for _ in range(6))
    for j in range(JOINTS):
        mine = matches.joint == j
        similarity = matches.similarity[mine]
        for a, alpha in enumerate(ALPHAS):
            good = similarity >= alpha - _EPS
            tp[a, j], loc[a, j] = good.sum(), similarity[good].sum()
            if not good.any():
                continue
            g, p = matches.gt[mine][good], matches.pred[mine][good]
            terms = _association(g, p, gt_count[:, j], pred_count[:, j])
            ass_a[a, j], ass_re[a, j], ass_pr[a, j], frag_a[a, j] = terms
    fn, fp = has_gt.sum(0) - tp, has_pred.sum(0) - tp
    loc = np.maximum(1e-10, loc) / np.maximum(1e-10, tp)
    summed, averaged = (_with_total(v, np.sum) for v in (tp, fn, fp)), (loc, ass_a, ass_re, ass_pr, frag_a)
    return HotaCounts(*summed, *(_with_total(v, np.mean) for v in averaged))


def _with_total(values: Float[np.ndarray, "19 15"], reduce: object) -> Float[np.ndarray, "19 16"]:
    return np.concatenate([values, reduce(values, axis=1, keepdims=True)], 1)  # type: ignore[operator]


def _match(data: Prepared, gt: np.ndarray, pred: np.ndarray) -> _Matches:
    """The pairs of greatest total similarity, joint by joint and frame by frame."""
    joint: list[int] = []
    rows: list[np.ndarray] = []
    columns: list[np.ndarray] = []
    similarities: list[np.ndarray] = []
    for pairs in frame_pairs(data):
        similarity = np.maximum(1 - pairs.distance / _ZERO_AT, 0)
        for j in np.flatnonzero(similarity.any((0, 1))):
            chosen_pred, chosen_gt = match_matrix(similarity[..., j])
            joint += [int(j)] * len(chosen_gt)
            rows.append(gt[pairs.gt][chosen_gt])
            columns.append(pred[pairs.pred][chosen_pred])
            similarities.append(similarity[chosen_pred, chosen_gt, j])
    empty = np.zeros(0, int)
    return _Matches(
        np.array(joint, int),
        np.concatenate([empty, *rows]),
        np.concatenate([empty, *columns]),
        np.concatenate([np.zeros(0), *similarities]),
    )


def _association(
    g: np.ndarray, p: np.ndarray, gt_count: Float[np.ndarray, " g"], pred_count: Float[np.ndarray, " p"]
) -> tuple[float, float, float, float]:
    """AssA, AssRe, AssPr and FragA of the matched pairs of one joint at one alpha, in the order of frames."""
    pair, inverse, together = np.unique(g * len(pred_count) + p, return_inverse=True, return_counts=True)
    of_gt, of_pred = gt_count[pair // len(pred_count)], pred_count[pair % len(pred_count)]
    union = of_gt + of_pred - together
    # A run ends where the annotated person is matched to another prediction; a gap does not end it.
    order = np.argsort(g, kind="stable")
    new = np.ones(len(g), bool)
    new[1:] = (np.diff(g[order]) != 0) | (np.diff(p[order]) != 0)
    run = np.bincount(np.cumsum(new) - 1)
    run_union = union[inverse[order][new]]
    n = len(g)
    return (
        float((together**2 / union).sum() / n),
        float((together**2 / of_gt).sum() / n),
        float((together**2 / of_pred).sum() / n),
        float((run**2 / run_union).sum() / n),
    )


def combine_hota(parts: Sequence[HotaCounts]) -> HotaCounts:
    """Several sequences: counts are added, association and localisation averaged by true positives."""
    tp, fn, fp = (sum(getattr(part, name) for part in parts) for name in ("tp", "fn", "fp"))

    def weighted(name: str) -> Float[np.ndarray, "19 16"]:
        return sum(getattr(part, name) * part.tp for part in parts)

    loc = np.maximum(1e-10, weighted("loc")) / np.maximum(1e-10, tp)
    association = (weighted(name) / np.maximum(1, tp) for name in ("ass_a", "ass_re", "ass_pr", "frag_a"))
    return HotaCounts(tp, fn, fp, loc, *association)


def hota(counts: HotaCounts) -> dict[str, Float[np.ndarray, " 16"]]:
    """HOTA and its terms from counts: means over alpha, in [0, 1], per joint and, last, for all.

    In the last column DetA, DetRe and DetPr are of the added counts, AssA is a mean of the joints (0 for a joint that a
    sequence lacks), as in PoseTrack21's tables.
    """
    tp, fn, fp = counts.tp, counts.fn, counts.fp
    det_a, det_re, det_pr = (tp / np.maximum(1, n) for n in (tp + fn + fp, tp + fn, tp + fp))
    terms = {
        "HOTA": np.sqrt(det_a * counts.ass_a),
        "DetA": det_a,
        "AssA": counts.ass_a,
        "DetRe": det_re,
        "DetPr": det_pr,
        "AssRe": counts.ass_re,
        "AssPr": counts.ass_pr,
        "LocA": counts.loc,
        "FragA": counts.frag_a,
        "FA-HOTA": np.sqrt(det_a * np.sqrt(counts.ass_a * counts.frag_a)),
        "HOTA_TP": tp,
        "HOTA_FN": fn,
        "HOTA_FP": fp,
    }
    return {name: values.mean(0) for name, values in terms.items()}
