"""How sure a figure is: bootstrap over sequences, and the paired comparison of two systems.

Sequences are drawn with replacement, as many as there are, and the figures of the draw are computed from the kept
counts: nothing is read or matched again. What one draw does to a sequence it does to both systems in a comparison
(paired), which takes out what they share, the difficulty of the sequences drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dettrack.errors import InputError
from dettrack.evaluation.hota import HotaCounts, hota
from dettrack.evaluation.precision import area_under_curve
from dettrack.evaluation.rules import EVALUATION15, Rules
from dettrack.evaluation.summary import Evaluation
from dettrack.evaluation.tracking import TrackCounts, clear_mot

__all__ = ["Difference", "Interval", "compare", "draws", "intervals", "resampled"]

JOINTS = len(EVALUATION15)


@dataclass(frozen=True)
class Interval:
    """A figure in percent and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """System B minus system A, in points.

    Attributes:
        a: Figure of A.
        b: Figure of B.
        low: Lower end of the 95 % interval of B - A.
        high: Upper end.
        p: Two-sided: twice the smaller share of draws in which the difference has one sign, at most 1; it cannot be
            smaller than 2 / (draws + 1).
    """

    a: float
    b: float
    low: float
    high: float
    p: float


def draws(sequences: int, samples: int, seed: int = 0) -> Int[np.ndarray, "samples sequences"]:
    """How often each sequence is drawn in each sample.

    Args:
        sequences: How many there are.
        samples: How many samples to draw.
        seed: Of the draws.

    Returns:
        For each sample how often each sequence is in it.

    Raises:
        InputError: Fewer than two sequences: nothing can be said about their spread.
    """
    if sequences < 2:
        raise InputError(f"{sequences} sequence: a bootstrap over sequences needs at least 2")
    chosen = np.random.default_rng(seed).integers(0, sequences, (samples, sequences))
    return np.stack([np.bincount(row, minlength=sequences) for row in chosen])


def resampled(
    result: Evaluation, times: Int[np.ndarray, "samples sequences"]
) -> dict[str, Float[np.ndarray, " samples"]]:
    """AP, MOTA, IDF1 and, where it was measured, HOTA of bootstrap samples: totals over the joints, in percent.

    Args:
        result: The evaluation.
        times: How often each sequence is in each sample, as `draws` gives it.

    Returns:
        The values of each figure, by name.
    """
    parts = result.sequences
    out = {"AP": _mean_known(_average_precisions(result, times))}
    clear = np.einsum("bs,sij->bij", times, np.stack([part.tracking.clear for part in parts]))
    identity = np.einsum("bs,sij->bij", times, np.stack([part.tracking.identity for part in parts]))
    figures = [clear_mot(TrackCounts(c, i, 1)) for c, i in zip(clear, identity, strict=True)]
    out["MOTA"] = _mean_known(np.array([figure["mota"] for figure in figures]))
    out["IDF1"] = _mean_known(np.array([figure["idf1"] for figure in figures]))
    if result.HOTA:
        out["HOTA"] = _hotas(result, times)
    return out


def _mean_known(values: Float[np.ndarray, "samples joints"]) -> Float[np.ndarray, " samples"]:
    known = ~np.isnan(values)
    count = known.sum(1)
    return np.where(count > 0, np.where(known, values, 0).sum(1) / np.maximum(count, 1), np.nan)


def _average_precisions(
    result: Evaluation, times: Int[np.ndarray, "samples sequences"]
) -> Float[np.ndarray, "samples 15"]:
    """AP of each joint, a sequence that is drawn k times counting k times."""
    parts, rules = [part.labels for part in result.sequences], result.rules
    sequence = np.repeat(np.arange(len(parts)), [len(part.joint) for part in parts])
    joint, score, correct = (np.concatenate([getattr(p, n) for p in parts]) for n in ("joint", "score", "correct"))
    annotated = times @ np.stack([part.annotated for part in parts])
    out = np.zeros((len(times), JOINTS))
    for j in range(JOINTS):
        mine = joint == j
        order = np.argsort(score[mine])[::-1]
        from_sequence, right, ranked = sequence[mine][order], correct[mine][order], score[mine][order]
        last = np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), bool))
        for b, weights in enumerate(times):
            out[b, j] = _weighted_ap(weights[from_sequence], right, last, int(annotated[b, j]), rules)
    return out


def _weighted_ap(weights: np.ndarray, right: np.ndarray, last: np.ndarray, annotated: int, rules: Rules) -> float:
    count, true = np.cumsum(weights), np.cumsum(weights * right)
    if not len(count) or count[-1] == 0:
        return 0.0 if rules.unseen_is_zero or annotated > 0 else float("nan")
    if annotated == 0:
        return float("nan")
    if rules.ties_together:
        count, true = count[last], true[last]
    return 100 * area_under_curve(true / np.maximum(count, 1), true / annotated)


def _hotas(result: Evaluation, times: Int[np.ndarray, "samples sequences"]) -> Float[np.ndarray, " samples"]:
    parts = [part.hota for part in result.sequences if part.hota is not None]
    names = list(vars(parts[0]))
    stacked = {name: np.stack([getattr(part, name) for part in parts]) for name in names}
    sums = {name: np.einsum("bs,sij->bij", times, stacked[name]) for name in ("tp", "fn", "fp")}
    means = {
        name: np.einsum("bs,sij->bij", times, stacked[name] * stacked["tp"]) / np.maximum(1, sums["tp"])
        for name in names
        if name not in sums
    }
    every = [HotaCounts(**{name: values[b] for name, values in (sums | means).items()}) for b in range(len(times))]
    return np.array([100 * hota(counts)["HOTA"][JOINTS] for counts in every])


def _point_values(result: Evaluation) -> dict[str, float]:
    values = {"AP": result.ap, "MOTA": result.mota, "IDF1": float(result.MOT["idf1"][JOINTS])}
    return values | ({"HOTA": 100 * float(result.HOTA["HOTA"][JOINTS])} if result.HOTA else {})


def intervals(result: Evaluation, *, samples: int = 1000, seed: int = 0) -> dict[str, Interval]:
    """95 % intervals of AP, MOTA, IDF1 and HOTA.

    Args:
        result: The evaluation.
        samples: How many bootstrap samples.
        seed: Of the draws.

    Returns:
        By name of the figure.

    Raises:
        InputError: Fewer than two sequences.
    """
    found = resampled(result, draws(len(result.sequences), samples, seed))
    values = _point_values(result)
    return {name: Interval(values[name], *_ends(sample)) for name, sample in found.items()}


def _ends(sample: Float[np.ndarray, " samples"]) -> tuple[float, float]:
    known = sample[~np.isnan(sample)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def compare(a: Evaluation, b: Evaluation, *, samples: int = 1000, seed: int = 0) -> Mapping[str, Difference]:
    """Paired comparison of two systems on the same sequences.

    Args:
        a: Evaluation of the first system.
        b: Of the second.
        samples: How many bootstrap samples; both systems see the same ones.
        seed: Of the draws.

    Returns:
        B - A by name of the figure.

    Raises:
        InputError: The two were evaluated on different sequences, or on fewer than two.
    """
    names = [[part.name for part in result.sequences] for result in (a, b)]
    if names[0] != names[1]:
        raise InputError("A and B were evaluated on different sequences; compare needs the same ones")
    times = draws(len(a.sequences), samples, seed)
    first, second = resampled(a, times), resampled(b, times)
    values_a, values_b = _point_values(a), _point_values(b)
    out = {}
    for name in first.keys() & second.keys():
        change = second[name] - first[name]
        change = change[~np.isnan(change)]
        side = min((change <= 0).sum(), (change >= 0).sum())
        p = min(1.0, 2 * (side + 1) / (len(change) + 1))
        out[name] = Difference(values_a[name], values_b[name], *_ends(change), float(p))
    return {name: out[name] for name in values_a if name in out}
