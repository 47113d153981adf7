"""Per-joint score thresholds that make MOTA greatest, learned on held-out training videos (paper 4.1).

MOTA punishes every false joint, AP none: low-confidence joints are dropped before MOTA is measured, by a threshold for
each joint. The search is exact over all scores, not a grid: it takes a joint's predictions away one score after the
other, from the lowest, and follows how MOTA changes. Taking one away changes the tracker's bookkeeping in its frame and
in the frames after it until the remembered matches are what they were before, so only those are matched again.

Frames that count as empty (rule `singly`) are taken as they are before anything is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dettrack.evaluation.prepare import prepare
from dettrack.evaluation.rules import EVALUATION15, MISSING_SCORE, Rules, rules_of
from dettrack.evaluation.tracking import JointFrame, Outcome, joint_frames, step
from dettrack.files import write_text
from dettrack.files.toml import read_joint_thresholds
from dettrack.formats.posetrack import PoseSequence
from dettrack.skeleton import POSETRACK17

__all__ = ["JointThreshold", "learn_thresholds", "read_thresholds", "write_thresholds"]


@dataclass(frozen=True)
class JointThreshold:
    """The best threshold of one joint.

    Attributes:
        joint: Its name.
        threshold: Predictions with a lower score are dropped; it lies in the middle between the last score dropped and
            the first one kept. Where nothing should be dropped it is 0, or the lowest score if that is negative.
        mota: MOTA of this joint with the threshold, in percent; NaN where it is never annotated.
        mota_all: MOTA with all predictions.
        dropped: Number of predictions below the threshold, of `predicted`.
        predicted: Number of predictions.
    """

    joint: str
    threshold: float
    mota: float
    mota_all: float
    dropped: int
    predicted: int


def learn_thresholds(
    gt: Iterable[PoseSequence], pred: Iterable[PoseSequence], *, mode: str = "official"
) -> list[JointThreshold]:
    """Find, for each of the 15 joints, the threshold with the greatest MOTA over all sequences together.

    Of equally good thresholds the lowest is taken, which drops least.

    Args:
        gt: Annotations of videos that are not evaluated with these thresholds.
        pred: Predictions for them, in the same order.
        mode: Rules of MOTA.

    Returns:
        One for each joint, in the order of `EVALUATION15`.

    Raises:
        InputError: Predictions do not fit their annotations.
    """
    rules = rules_of(mode)
    errors = np.zeros(len(EVALUATION15))  # misses, false positives and switches with all predictions
    objects = np.zeros(len(EVALUATION15))
    scores: list[list[float]] = [[] for _ in EVALUATION15.joints]
    changes: list[list[float]] = [[] for _ in EVALUATION15.joints]
    for truth, found in zip(gt, pred, strict=True):
        for j, (frames, frame_scores) in enumerate(_with_scores(truth, found, rules)):
            removal = _Removal(frames, frame_scores)
            errors[j] += removal.errors
            objects[j] += removal.objects
            for score, change in removal.run():
                scores[j].append(score)
                changes[j].append(change)
    return [
        _best(joint, np.array(scores[j]), np.array(changes[j]), errors[j], objects[j])
        for j, joint in enumerate(EVALUATION15.joints)
    ]


def _best(joint: str, scores: np.ndarray, changes: np.ndarray, errors: float, objects: float) -> JointThreshold:
    """The threshold with the fewest errors; `changes` are what dropping each prediction adds to the errors."""
    if not len(scores):
        mota = 100 * (1 - errors / objects) if objects else float("nan")
        return JointThreshold(joint, MISSING_SCORE, mota, mota, 0, 0)
    order = np.argsort(scores, kind="stable")
    scores = scores[order]
    after = np.concatenate([[0.0], np.cumsum(changes[order])])  # errors added by dropping the lowest k
    possible = np.concatenate([[True], scores[1:] > scores[:-1], [True]])  # equal scores fall together
    k = int(np.flatnonzero(possible)[after[possible].argmin()])
    if k == 0:
        threshold = min(0.0, float(scores[0]))
    else:
        low, high = float(scores[k - 1]), float(scores[k]) if k < len(scores) else float(scores[-1]) + 1.0
        middle = (low + high) / 2
        threshold = middle if low < middle else high  # neighbouring floats have no middle
    if objects == 0:
        return JointThreshold(joint, threshold, float("nan"), float("nan"), k, len(scores))
    mota, mota_all = (100 * (1 - (errors + extra) / objects) for extra in (after[k], 0.0))
    return JointThreshold(joint, threshold, float(mota), float(mota_all), k, len(scores))


def _with_scores(
    gt: PoseSequence, pred: PoseSequence, rules: Rules
) -> Iterable[tuple[list[JointFrame], list[list[float]]]]:
    """For each joint its frames and, in the order of `JointFrame.pred`, the scores."""
    data = prepare(gt, pred, rules)
    frames = joint_frames(data, rules)
    has = ~np.isnan(data.pred.xy[..., 0])
    scores = np.where(np.isnan(data.pred.scores), MISSING_SCORE, data.pred.scores)
    rows = data.rows(data.pred)[: len(frames)]
    for j in range(len(EVALUATION15)):
        yield [frame[j] for frame in frames], [scores[row, j][has[row, j]].tolist() for row in rows]


class _Removal:
    """One joint of one sequence, from which predictions are taken away one by one, the lowest score first."""

    def __init__(self, frames: list[JointFrame], scores: list[list[float]]) -> None:
        self.frames = list(frames)
        self.queue = sorted((score, t, i) for t, row in enumerate(scores) for i, score in enumerate(row))
        self.places = [list(range(len(row))) for row in scores]  # which predictions each frame still has
        self.memory: list[dict[int, int]] = [{}]  # remembered matches before each frame, and at the end
        self.outcomes: list[Outcome] = []
        for frame in frames:
            last = dict(self.memory[-1])
            self.outcomes.append(step(last, frame))
            self.memory.append(last)
        self.errors = sum(map(_errors, self.outcomes))
        self.objects = sum(outcome.objects for outcome in self.outcomes)

    def run(self) -> Iterable[tuple[float, float]]:
        """Each score from the lowest, with the change in errors when its prediction goes too."""
        for score, t, i in self.queue:
            if self.frames[t].dummy:
                yield score, 0.0
                continue
            self._drop(t, self.places[t].index(i))
            self.places[t].remove(i)
            yield score, self._match_again(t)

    def _drop(self, t: int, place: int) -> None:
        frame = self.frames[t]
        pairs = [(g, p - (p > place), distance) for g, p, distance in frame.pairs if p != place]
        self.frames[t] = JointFrame(frame.gt, frame.pred[:place] + frame.pred[place + 1 :], pairs)

    def _match_again(self, t: int) -> float:
        change = 0.0
        last = dict(self.memory[t])
        while t < len(self.frames):
            outcome = step(last, self.frames[t])
            change += _errors(outcome) - _errors(self.outcomes[t])
            self.outcomes[t] = outcome
            t += 1
            if last == self.memory[t]:
                break
            self.memory[t] = dict(last)
        return change


def _errors(outcome: Outcome) -> int:
    return outcome.misses + outcome.false_positives + outcome.switches


def read_thresholds(value: str | Path) -> dict[str, float]:
    """Thresholds by joint name, from a TOML file or from one number for all joints.

    Args:
        value: A number as text, or a file with a table `[thresholds]` of joint names and numbers; joints that it does
            not name keep all predictions.

    Raises:
        InputError: The file cannot be read, names an unknown joint, or has something other than numbers.
    """
    try:
        single = float(str(value))
    except ValueError:
        path = Path(value)
    else:
        return dict.fromkeys(EVALUATION15.joints, single)
    return read_joint_thresholds(path, POSETRACK17.joints)


def write_thresholds(thresholds: Mapping[str, float], path: str | Path, comment: str = "") -> None:
    """Write thresholds as TOML; `read_thresholds` gives them back exactly.

    Args:
        thresholds: Joint name to score.
        path: TOML file; its folder is made.
        comment: Lines for its head.

    Raises:
        OutputError: The file cannot be written.
    """
    lines = [*(f"# {line}" for line in comment.splitlines()), "[thresholds]"]
    lines += [f"{joint} = {float(value)!r}" for joint, value in thresholds.items()]
    write_text(path, "\n".join(lines) + "\n")
