"""`evaluate`: all measures of some sequences in one call, and what the result offers.

Sequences are read, counted and forgotten one after the other: what stays is one score and one label per predicted
joint, and some counts per sequence. AP is always measured on all predictions; tracking measures on those above the
thresholds, where thresholds are given (paper 4.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.evaluation.boxes import BoxCounts, count_boxes
from dettrack.evaluation.hota import HotaCounts, combine_hota, count_hota, hota
from dettrack.evaluation.precision import Labels, average_precision, label_joints
from dettrack.evaluation.prepare import pair_notes, prepare
from dettrack.evaluation.rules import EVALUATION15, GROUPS, HOTA_RULES, Rules, rules_of
from dettrack.evaluation.tracking import COUNTS, TrackCounts, clear_mot, count_tracking
from dettrack.formats.posetrack import PoseSequence

__all__ = ["Evaluation", "SequenceResult", "count_sequence", "evaluate", "evaluate_counts", "grouped", "with_total"]

TOTAL = len(EVALUATION15)


@dataclass(frozen=True)
class SequenceResult:
    """What is kept of one sequence.

    Attributes:
        name: Name of the sequence.
        labels: Its predicted joints, for AP.
        tracking: Its counts, for MOTA and IDF1.
        boxes: Its counts for box recall.
        hota: Its counts for HOTA; None where HOTA was not requested.
        notes: What was odd in its files.
    """

    name: str
    labels: Labels
    tracking: TrackCounts
    boxes: BoxCounts
    hota: HotaCounts | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """Figures over sequences, and what they were made from.

    Attributes:
        rules: The rules in use.
        sequences: One result per sequence, in the order of evaluation.
        AP: "AP", "precision", "recall": `(16,)` percent per joint (order `EVALUATION15`) and total.
        MOT: "mota", "motp", "pre", "rec", "idf1": likewise.
        HOTA: HOTA and its terms, `(16,)` in [0, 1]; empty where it was not requested.
        thresholds: Joint scores below which predictions were dropped for tracking; empty for none.
    """

    rules: Rules
    sequences: tuple[SequenceResult, ...]
    AP: dict[str, Float[np.ndarray, " 16"]]
    MOT: dict[str, Float[np.ndarray, " 16"]]
    HOTA: dict[str, Float[np.ndarray, " 16"]] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @property
    def ap(self) -> float:
        """Mean AP over joints, in percent."""
        return float(self.AP["AP"][TOTAL])

    @property
    def mota(self) -> float:
        """Mean MOTA over joints, in percent."""
        return float(self.MOT["mota"][TOTAL])

    @property
    def counts(self) -> TrackCounts:
        """Tracking counts over all sequences."""
        return sum((part.tracking for part in self.sequences), TrackCounts.zero())

    @property
    def boxes(self) -> BoxCounts:
        """Box counts over all sequences."""
        return sum((part.boxes for part in self.sequences), BoxCounts())

    def groups(self, values: Float[np.ndarray, " 16"]) -> dict[str, float]:
        """Head, Sho, Elb, Wri, Hip, Kne, Ank and Total of per-joint values."""
        return grouped(values, self.rules)

    def of_sequence(self, index: int) -> Evaluation:
        """The figures of one sequence on its own."""
        return evaluate_counts([self.sequences[index]], self.rules, self.thresholds)

    def to_json(self, *, per_sequence: bool = True) -> dict[str, Any]:
        """Everything as plain numbers, NaN as None; `AP` and `MOT` have the layout that the cases' files have."""
        mot_names = {"MOTA": "mota", "MOTP": "motp", "precision": "pre", "recall": "rec", "IDF1": "idf1"}
        counts = dict(zip(COUNTS, self.counts.clear, strict=True))
        out: dict[str, Any] = {
            "mode": self.rules.name,
            "joint_order": list(EVALUATION15.joints),
            "total_index": TOTAL,
            "thresholds": dict(self.thresholds),
            "AP": {"per_joint": self.AP, "groups": {name: self.groups(v) for name, v in self.AP.items()}},
            "MOT": {
                "per_joint": self.MOT,
                "groups": {name: self.groups(self.MOT[key]) for name, key in mot_names.items()},
                "counts": counts,
            },
            "boxes": self.boxes.to_json(),
            "notes": [note for part in self.sequences for note in part.notes],
        }
        if self.HOTA:
            out["HOTA"] = {"per_joint": self.HOTA, "groups": {n: self.groups(v) for n, v in self.HOTA.items()}}
        if per_sequence:
            out["per_sequence"] = {}
            for i, part in enumerate(self.sequences):
                alone = self.of_sequence(i)
                names = {"ap": "AP", "pre": "precision", "rec": "recall"}
                out["per_sequence"][f"{part.name}_AP_metrics"] = {k: alone.AP[v] for k, v in names.items()}
                if part.tracking.frames:
                    out["per_sequence"][f"{part.name}_MOT_metrics"] = alone.MOT
                if alone.HOTA:
                    out["per_sequence"][f"{part.name}_HOTA_metrics"] = alone.HOTA
        return _plain(out)


def _plain(value: Any) -> Any:
    """Arrays to lists and NaN to None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def with_total(values: Float[np.ndarray, " 15"]) -> Float[np.ndarray, " 16"]:
    """Append the total: the mean over the joints (not the groups) that have a figure."""
    known = values[~np.isnan(values)]
    return np.append(values, known.mean() if known.size else np.nan)


def grouped(values: Float[np.ndarray, " 16"], rules: Rules) -> dict[str, float]:
    """Columns of the published tables from per-joint values and their total.

    Args:
        values: Of each joint, and their total last.
        rules: `group_skips_nan` matters here.

    Returns:
        By group ("Head", "Sho" ...), and "Total".
    """
    out = {}
    for name, joints in GROUPS.items():
        group = values[list(joints)]
        if rules.group_skips_nan:
            group = group[~np.isnan(group)]
        out[name] = float(group.mean()) if group.size else float("nan")
    return {**out, "Total": float(values[TOTAL])}


def count_sequence(
    gt: PoseSequence,
    pred: PoseSequence,
    rules: Rules,
    *,
    thresholds: Mapping[str, float] | None = None,
    with_hota: bool = False,
) -> SequenceResult:
    """Count one sequence; `evaluate_counts` makes figures of several.

    Args:
        gt: Annotations.
        pred: Predictions.
        rules: Which rules.
        thresholds: Joint name to score; joints below it do not count for tracking.
        with_hota: Count for HOTA too.

    Returns:
        The counts.
    """
    data = prepare(gt, pred, rules)
    above = prepare(gt, pred, rules, thresholds) if thresholds else data
    return SequenceResult(
        name=gt.name,
        labels=label_joints(data),
        tracking=count_tracking(above, rules),
        boxes=count_boxes(gt, pred),
        hota=count_hota(prepare(gt, pred, HOTA_RULES, thresholds)) if with_hota else None,
        notes=tuple(pair_notes(gt, pred)),
    )


def evaluate_counts(
    results: Sequence[SequenceResult], rules: Rules, thresholds: Mapping[str, float] | None = None
) -> Evaluation:
    """The figures of sequences that were counted.

    Args:
        results: Counts of the sequences, in the order of their names.
        rules: Under which they were counted.
        thresholds: With which they were counted, for the record.

    Returns:
        All figures.
    """
    precision = average_precision([part.labels for part in results], rules)
    tracking = clear_mot(sum((part.tracking for part in results), TrackCounts.zero()))
    parts = [part.hota for part in results if part.hota is not None]
    return Evaluation(
        rules=rules,
        sequences=tuple(results),
        AP={name: with_total(values) for name, values in precision.items()},
        MOT={name: with_total(values) for name, values in tracking.items()},
        HOTA=hota(combine_hota(parts)) if parts else {},
        thresholds=dict(thresholds or {}),
    )


def evaluate(
    gt: Iterable[PoseSequence],
    pred: Iterable[PoseSequence],
    *,
    mode: str = "official",
    thresholds: Mapping[str, float] | None = None,
    hota: bool = False,
) -> Evaluation:
    """Evaluate predictions against annotations, in memory or from generators that read one sequence at a time.

    Args:
        gt: Annotated sequences, in the order of their names.
        pred: Predictions for them, in the same order.
        mode: "official" or "clean" (`rules`).
        thresholds: Joint name to score; joints below it do not count for tracking. AP keeps all joints.
        hota: Measure HOTA too.

    Returns:
        All figures, with the counts of each sequence.

    Raises:
        InputError: Predictions do not fit their annotations; the message says where and what to do.
        UsageError: Unknown mode or joint.
    """
    rules = rules_of(mode)
    for joint in thresholds or {}:
        EVALUATION15.index(joint)
    results = []
    pred = iter(pred)
    for truth in gt:
        found = next(pred, None)
        if found is None:
            raise InputError(f"no predictions for {truth.name}: as many sequences must be predicted as are annotated")
        results.append(count_sequence(truth, found, rules, thresholds=thresholds, with_hota=hota))
    if next(pred, None) is not None:
        raise InputError(f"more sequences are predicted than the {len(results)} annotated")
    return evaluate_counts(results, rules, thresholds)
