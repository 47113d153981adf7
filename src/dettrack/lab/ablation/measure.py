"""One row's figures: tubes -> boxes lost -> linked and merged -> thresholds -> evaluated, with bootstrap draws.

Thresholds are learned for every row by itself, on sequences that are not evaluated with them (paper 4.1): the held-out
ones, or where there are none, each half of the sequences serves the other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Int

from dettrack.associate import associate
from dettrack.evaluation.bootstrap import draws, resampled
from dettrack.evaluation.boxes import BoxCounts
from dettrack.evaluation.precision import Labels
from dettrack.evaluation.rules import EVALUATION15
from dettrack.evaluation.summary import Evaluation, SequenceResult, count_sequence, evaluate_counts
from dettrack.evaluation.thresholds import learn_thresholds
from dettrack.evaluation.tracking import COUNTS, TrackCounts
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.posetrack.files import prediction_sequence
from dettrack.lab.ablation.right_person import RightPerson
from dettrack.lab.ablation.right_person import figures as right_person_figures
from dettrack.lab.ablation.rows import Row
from dettrack.lab.ablation.sources import SequenceSource
from dettrack.lab.ablation.tubes import lose_boxes, unlinked
from dettrack.sew.replay import narrow, with_keyframes
from dettrack.structures import TrackTable

__all__ = ["Result", "folds", "measure", "track_row"]

MISSES = COUNTS.index("num_misses")


@dataclass(frozen=True)
class Result:
    """Figures of a row.

    Attributes:
        figures: AP, MOTA, IDF1, recall, box_precision (percent), false_negatives (joints), switches,
            frames_per_second, association_fps (linking and merging alone, by CPU time). NaN where there is none.
            With `Row.right_person` also those of `right_person.FIGURES`.
        draws: The same figures in bootstrap samples of the sequences; all rows of a study have the same samples.
        groups: AP and MOTA by joint group.
    """

    figures: dict[str, float]
    draws: dict[str, list[float]] = field(default_factory=dict)
    groups: dict[str, dict[str, float]] = field(default_factory=dict)


def track_row(source: SequenceSource, sequence: PoseSequence, row: Row, seed: int) -> TrackTable:
    """What the row's method makes of a sequence.

    Args:
        source: Sequences and tubes.
        sequence: The annotated sequence.
        row: The setting.
        seed: Of the random choices.

    Returns:
        All poses of the sequence.
    """
    tubes = source.tubes(sequence, row, seed)
    batches = tubes.batches()
    if row.missed:
        batches = lose_boxes(batches, row.missed, row.missed_run, seed)
    if row.config.sew.linking == "tubes":
        batches = narrow(batches, tubes.cut, row.config.cut)
    else:
        batches = with_keyframes(batches, row.config.cut.step, row.config.cut.clip_length // 2, keep=0)
    if not row.linked:
        return unlinked(batches, tubes.joints, row.config.sew, row.config.polish)
    return TrackTable.concatenate((s.table for s in associate(batches, tubes.joints, row.config)), tubes.joints)


def measure(source: SequenceSource, row: Row, *, seeds: int, bootstrap: int) -> Result:
    """Evaluate a row on all sequences.

    Args:
        source: Sequences and tubes; `prepare` has been called.
        row: The setting.
        seeds: How often chance is drawn; a sequence's draws count as one sequence.
        bootstrap: Samples of the intervals.

    Returns:
        Figures, their bootstrap draws and the seconds that it took.
    """
    start = time.process_time()
    predicted = {
        (split, i, seed): prediction_sequence(sequence, track_row(source, sequence, row, seed))[0]
        for split, sequences in (("test", source.test), ("held_out", source.held_out if row.linked else []))
        for i, sequence in enumerate(sequences)
        for seed in range(seeds)
    }
    seconds = time.process_time() - start
    # A frame without any prediction counts as one object of every joint, officially: one such frame would bring in a
    # joint that is never annotated, with a MOTA of -100.
    known = (
        np.any([np.isfinite(s.with_joints(EVALUATION15).people.xy[..., 0]).any(0) for s in source.test], axis=0)
        if source.only_annotated_joints
        else np.ones(len(EVALUATION15), bool)
    )
    results = []
    for numbers, limits in folds(source, predicted, seeds, row.linked):
        for i in numbers:
            parts = [
                count_sequence(source.test[i], predicted["test", i, seed], source.rules, thresholds=limits)
                for seed in range(seeds)
            ]
            results.append((i, _without_joints(_together(parts), ~known)))
    evaluated = evaluate_counts([result for _, result in sorted(results, key=lambda pair: pair[0])], source.rules)
    frames = seeds * sum(map(len, source.test))
    result = _result(evaluated, row, bootstrap, frames / max(seconds, 1e-9), source.speed(row) if row.timed else None)
    return _with_right_person(result, source, row, seeds, bootstrap) if row.right_person else result


def _with_right_person(result: Result, source: SequenceSource, row: Row, seeds: int, bootstrap: int) -> Result:
    counts = np.array([_right_person(source, sequence, row, seeds) for sequence in source.test])
    found = {name: float(value) for name, value in right_person_figures(counts.sum(0)).items()}
    made = {}
    if len(counts) >= 2:
        drawn = right_person_figures(draws(len(counts), bootstrap) @ counts)
        made = {name: values.tolist() for name, values in drawn.items()}
    return replace(result, figures=result.figures | found, draws=result.draws | made)


def _right_person(source: SequenceSource, sequence: PoseSequence, row: Row, seeds: int) -> np.ndarray:
    total = np.zeros(0)
    for seed in range(seeds):
        tubes = source.tubes(sequence, row, seed)
        counter = RightPerson(sequence, tubes.joints, row.config.polish.presence)
        counts = counter.add(narrow(tubes.batches(), tubes.cut, row.config.cut)).counts
        total = counts if seed == 0 else total + counts
    return total


def folds(
    source: SequenceSource, predicted: dict[tuple[str, int, int], PoseSequence], seeds: int, linked: bool
) -> list[tuple[list[int], dict[str, float]]]:
    """Sequences to evaluate, and the thresholds for them, learned on others.

    Args:
        source: The sequences.
        predicted: Predictions by split, number of the sequence and draw of chance.
        seeds: Draws.
        linked: Whether tracks exist at all.

    Returns:
        Numbers of test sequences, with the thresholds by joint name that hold for them.
    """
    every = list(range(len(source.test)))
    if not linked:
        return [(every, {})]
    if source.held_out:
        held = list(range(len(source.held_out)))
        return [(every, _learned("held_out", source.held_out, held, predicted, seeds))]
    halves = [every[::2], every[1::2]]
    return [
        (mine, _learned("test", source.test, others, predicted, seeds))
        for mine, others in (halves, halves[::-1])
        if mine
    ]


def _learned(
    split: str,
    sequences: Sequence[PoseSequence],
    numbers: list[int],
    predicted: dict[tuple[str, int, int], PoseSequence],
    seeds: int,
) -> dict[str, float]:
    pairs = [(sequences[i], predicted[split, i, seed]) for i in numbers for seed in range(seeds)]
    found = learn_thresholds((gt for gt, _ in pairs), (pred for _, pred in pairs))
    return {limit.joint: limit.threshold for limit in found}


def _together(parts: Sequence[SequenceResult]) -> SequenceResult:
    """Several draws of chance on one sequence as one sequence."""
    if len(parts) == 1:
        return parts[0]
    joint, score, correct = (
        np.concatenate([getattr(part.labels, name) for part in parts]) for name in ("joint", "score", "correct")
    )
    labels = Labels(joint, score, correct, np.sum([part.labels.annotated for part in parts], 0))
    return SequenceResult(
        parts[0].name,
        labels,
        sum((part.tracking for part in parts), TrackCounts.zero()),
        sum((part.boxes for part in parts), BoxCounts()),
    )


def _without_joints(result: SequenceResult, drop: Bool[np.ndarray, " 15"]) -> SequenceResult:
    """The counts without some joints: they have no figure then and stay out of means."""
    tracking = result.tracking
    clear, identity = (np.where(drop, 0.0, counts) for counts in (tracking.clear, tracking.identity))
    return replace(result, tracking=TrackCounts(clear, identity, tracking.frames))


def _result(evaluated: Evaluation, row: Row, bootstrap: int, association_fps: float, fps: float | None) -> Result:
    nan = float("nan")
    clear = np.array([part.tracking.clear.sum(1) for part in evaluated.sequences])
    figures = {
        "AP": evaluated.ap,
        "MOTA": evaluated.mota if row.linked else nan,
        "IDF1": float(evaluated.MOT["idf1"][-1]) if row.linked else nan,
        "recall": evaluated.boxes.recall,
        "box_precision": evaluated.boxes.precision,
        "false_negatives": float(clear[:, MISSES].sum()),
        "switches": float(clear[:, COUNTS.index("num_switches")].sum()) if row.linked else nan,
        "association_fps": association_fps,
        "frames_per_second": nan if fps is None else fps,
    }
    made: dict[str, list[float]] = {}
    if len(evaluated.sequences) >= 2:
        times = draws(len(evaluated.sequences), bootstrap)
        made = {name: values.tolist() for name, values in resampled(evaluated, times).items()}
        made["recall"] = _recalls(evaluated, times)
        made["false_negatives"] = (times @ clear[:, MISSES]).tolist()
        for name in made if not row.linked else ():
            if np.isnan(figures[name]):
                made[name] = [nan] * bootstrap
    groups = {"AP": evaluated.groups(evaluated.AP["AP"]), "MOTA": evaluated.groups(evaluated.MOT["mota"])}
    return Result(figures, made, groups)


def _recalls(evaluated: Evaluation, times: Int[np.ndarray, "samples sequences"]) -> list[float]:
    found = times @ np.array([part.boxes.found for part in evaluated.sequences])
    annotated = times @ np.array([part.boxes.annotated for part in evaluated.sequences])
    return np.where(annotated > 0, 100 * found / np.maximum(annotated, 1), np.nan).tolist()
