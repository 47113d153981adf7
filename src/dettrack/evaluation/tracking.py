"""CLEAR MOT of joints (MOTA, MOTP, precision, recall, identity switches) and IDF1, per joint and sequence.

Every joint is tracked on its own: in each frame its annotated and its predicted instances are matched by distance, with
memory of earlier matches. The assignment of whole people (`persons.assign_people`) plays no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from dettrack.evaluation.persons import FramePairs, frame_pairs
from dettrack.evaluation.prepare import Prepared
from dettrack.evaluation.rules import Rules
from dettrack.matching import match_matrix

__all__ = [
    "COUNTS",
    "JointFrame",
    "Outcome",
    "TrackCounts",
    "clear_mot",
    "count_tracking",
    "identity_counts",
    "joint_frames",
    "step",
]

JOINTS = 15
COUNTS = ("num_objects", "num_detections", "num_misses", "num_false_positives", "num_switches", "sumD")


class JointFrame(NamedTuple):
    """One joint in one frame.

    Attributes:
        gt: Track ids of the people whose joint is annotated, in the order of the file.
        pred: Track ids of those whose joint is predicted.
        pairs: (position in `gt`, position in `pred`, distance in head sizes) of the pairs within the threshold.
        dummy: CLEAR MOT takes the frame as one object missed and one false positive, whoever is in it.
    """

    gt: list[int]
    pred: list[int]
    pairs: list[tuple[int, int, float]]
    dummy: bool = False


class Outcome(NamedTuple):
    """What one frame adds to the counts of a joint."""

    objects: int
    detections: int
    misses: int
    false_positives: int
    switches: int
    distance: float


@dataclass(frozen=True)
class TrackCounts:
    """Counts of one sequence, or of several added up, per joint.

    Attributes:
        clear: `(6, 15)` in the order of `COUNTS`.
        identity: `(3, 15)` true positives, false positives and false negatives of the best one-to-one matching of whole
            tracks (IDF1).
        frames: Number of frames counted.
    """

    clear: Float[np.ndarray, "6 15"]
    identity: Float[np.ndarray, "3 15"]
    frames: int

    def __add__(self, other: TrackCounts) -> TrackCounts:
        return TrackCounts(self.clear + other.clear, self.identity + other.identity, self.frames + other.frames)

    @staticmethod
    def zero() -> TrackCounts:
        """Nothing counted."""
        return TrackCounts(np.zeros((len(COUNTS), JOINTS)), np.zeros((3, JOINTS)), 0)


def joint_frames(data: Prepared, rules: Rules) -> list[list[JointFrame]]:
    """The frames that count for tracking, each as its 15 joints; rules `last_frame` and `singly` apply here.

    Args:
        data: A prepared sequence.
        rules: `last_frame` and `singly` matter here.

    Returns:
        For each frame its 15 joints.
    """
    frames = []
    for pairs in frame_pairs(data):
        joints = _split_joints(data, pairs)
        if not rules.singly and 0 in pairs.distance.shape[:2]:
            joints = [joint._replace(dummy=True) for joint in joints]
        frames.append(joints)
    return frames if rules.last_frame else frames[:-1]


def _split_joints(data: Prepared, pairs: FramePairs) -> list[JointFrame]:
    gt_ids, pred_ids = data.gt.track_id[pairs.gt].tolist(), data.pred.track_id[pairs.pred].tolist()
    # Position of a person among those who have the joint.
    gt_place = (np.cumsum(pairs.has_gt, 0) - 1).tolist()
    pred_place = (np.cumsum(pairs.has_pred, 0) - 1).tolist()
    out = [JointFrame([], [], []) for _ in range(JOINTS)]
    for ids, has, which in ((gt_ids, pairs.has_gt, 0), (pred_ids, pairs.has_pred, 1)):
        for row, joint in zip(*(axis.tolist() for axis in np.nonzero(has)), strict=True):
            out[joint][which].append(ids[row])
    g, p, j = np.nonzero(pairs.match.transpose(1, 0, 2))
    distances = pairs.distance[p, g, j].tolist()
    for g1, p1, j1, distance in zip(g.tolist(), p.tolist(), j.tolist(), distances, strict=True):
        out[j1].pairs.append((gt_place[g1][j1], pred_place[p1][j1], distance))
    return out


def step(last: dict[int, int], frame: JointFrame) -> Outcome:
    """Match one joint in one frame; `last` remembers the last match of each annotated id and is brought up to date.

    First, in the order of the file, an annotated id keeps its last matched prediction, however long ago that was, if
    it is here and near enough. The rest are matched by the assignment with the most pairs and, among those, the least
    distance; where the id was matched before to another prediction this is a switch (which is a detection too).
    What is left over is missed, or a false positive.

    Args:
        last: Last match of each annotated id; brought up to date.
        frame: The joint in this frame.

    Returns:
        What is counted.
    """
    if frame.dummy:
        return Outcome(1, 0, 1, 1, 0, 0.0)
    gt, pred, pairs, _ = frame
    kept_gt: set[int] = set()
    kept_pred: set[int] = set()
    total = 0.0
    for i, k, distance in pairs:  # sorted by i: the order of the file
        if last.get(gt[i]) == pred[k] and i not in kept_gt and k not in kept_pred:
            kept_gt.add(i)
            kept_pred.add(k)
            total += distance
    matches, switches = len(kept_gt), 0
    if matches < min(len(gt), len(pred)):
        for i, k, distance in _assign([p for p in pairs if p[0] not in kept_gt and p[1] not in kept_pred], frame):
            switches += last.get(gt[i], pred[k]) != pred[k]
            last[gt[i]] = pred[k]
            matches += 1
            total += distance
    return Outcome(len(gt), matches, len(gt) - matches, len(pred) - matches, switches, total)


def _assign(pairs: list[tuple[int, int, float]], frame: JointFrame) -> list[tuple[int, int, float]]:
    """Most pairs, then least distance; rows and columns may each be used once."""
    if len({p[0] for p in pairs}) == len(pairs) == len({p[1] for p in pairs}):
        return pairs  # no two compete
    # A forbidden pair costs more than all allowed ones together. The matrix is that of all people of the frame, with
    # the cost that the official evaluator's library takes, so that equally good assignments are decided alike.
    largest = max(p[2] for p in pairs) + 1
    cost = np.full((len(frame.gt), len(frame.pred)), 2 * min(len(frame.gt), len(frame.pred)) * largest + 1)
    allowed = {}
    for i, k, distance in pairs:
        cost[i, k] = distance
        allowed[i, k] = (i, k, distance)
    chosen = zip(*(axis.tolist() for axis in linear_sum_assignment(cost)), strict=True)
    return [allowed[pair] for pair in chosen if pair in allowed]


def count_tracking(data: Prepared, rules: Rules) -> TrackCounts:
    """All counts of a sequence; none where no frame counts (a sequence with one frame, officially).

    Args:
        data: A prepared sequence.
        rules: As in `joint_frames`.

    Returns:
        The counts.
    """
    frames = joint_frames(data, rules)
    clear, identity = np.zeros((len(COUNTS), JOINTS)), np.zeros((3, JOINTS))
    for j in range(JOINTS):
        last: dict[int, int] = {}
        mine = [frame[j] for frame in frames]
        for frame in mine:
            clear[:, j] += step(last, frame)
        identity[:, j] = identity_counts(mine)
    return TrackCounts(clear, identity, len(frames))


def identity_counts(frames: Sequence[JointFrame]) -> tuple[int, int, int]:
    """Identity true positives, false positives, false negatives of one joint, or of boxes (IDF1).

    Each annotated track is given to at most one predicted track and the reverse, so that most frames agree.
    """
    together: dict[tuple[int, int], int] = {}
    for frame in frames:
        for i, k, _ in frame.pairs:
            key = frame.gt[i], frame.pred[k]
            together[key] = together.get(key, 0) + 1
    gt_ids = {g: i for i, g in enumerate(dict.fromkeys(g for g, _ in together))}
    pred_ids = {p: i for i, p in enumerate(dict.fromkeys(p for _, p in together))}
    frames_together = np.zeros((len(gt_ids), len(pred_ids)))
    for (g, p), count in together.items():
        frames_together[gt_ids[g], pred_ids[p]] = count
    found = int(frames_together[match_matrix(frames_together)].sum())
    annotated, predicted = sum(len(frame.gt) for frame in frames), sum(len(frame.pred) for frame in frames)
    return found, predicted - found, annotated - found


def clear_mot(counts: TrackCounts) -> dict[str, Float[np.ndarray, " 15"]]:
    """MOTA, MOTP, precision, recall and IDF1 of each joint from counts, in percent.

    MOTP is 100 (1 - mean distance of the matches in head sizes), so 50 to 100, and 0 where nothing matched. MOTA and
    recall are NaN where nothing is annotated, precision where nothing is predicted.
    """
    objects, detections, misses, false_positives, switches, distance = counts.clear
    true, wrong, missed = counts.identity
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = 100 * detections / objects
        mota = 100 * (1 - (misses + switches + false_positives) / objects)
        return {
            "mota": np.where(objects > 0, mota, np.nan),
            "motp": np.where(detections > 0, 100 * (1 - distance / detections), 0.0),
            "pre": 100 * detections / (detections + false_positives),
            "rec": np.where(objects > 0, recall, np.nan),
            "idf1": 100 * 2 * true / (2 * true + wrong + missed),
        }
