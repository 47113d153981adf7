"""Comparison of two neighbouring keyframes: for which people they leave a question open (beyond the paper).

Where the tubes of two keyframes meet, both say something of the same frames. A person is in question where

* **a track starts or ends**: the person of one keyframe has no counterpart in the other, and frames of the interval
  are out of reach of the person's tube;
* **hypotheses disagree**: the two poses of the person in the frames that both tubes cover have an OKS below
  `CutConfig.agreement`;
* **detector and propagated box differ**: the boxes of the two keyframes, moved with their poses to those frames,
  overlap by less than `CutConfig.box_agreement`;
* **people overlap**: the boxes of two people, so moved, overlap by more than `CutConfig.overlap`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.config import CutConfig
from dettrack.geometry import box_iou, boxes_at, boxes_with_joints
from dettrack.matching import match
from dettrack.oks import MIN_JOINTS, object_areas, oks
from dettrack.skeleton import JointSet
from dettrack.structures import Clip, Tracklets

__all__ = ["Questions", "Seen", "questions"]


@dataclass(frozen=True)
class Seen:
    """A keyframe that was visited: its clip and what was found."""

    clip: Clip
    tracklets: Tracklets

    @cached_property
    def moved(self) -> Float[np.ndarray, "n clip 4"]:
        """The boxes moved along the tubes; computed when first needed, which is for adaptive keyframes only."""
        tubes = self.tracklets
        return boxes_with_joints(tubes.boxes.xyxy, tubes.xy, tubes.scores, tubes.keyframe - int(tubes.frames[0]))

    def boxes_at(self, frame: int) -> Float[np.ndarray, "n 4"]:
        """The boxes in any frame, beyond the tubes moved on with the speed of their end."""
        return boxes_at(self.moved, int(self.tracklets.frames[0]), np.array([frame]))[:, 0]

    @property
    def key(self) -> int:
        """Frame index of the keyframe."""
        return self.tracklets.keyframe


@dataclass(frozen=True)
class Questions:
    """Who is in question between two keyframes.

    Attributes:
        left: `(n,)` people of the earlier keyframe.
        right: `(m,)` people of the later one.
        counts: People in question by reason; one person may have several.
    """

    left: Bool[np.ndarray, " n"]
    right: Bool[np.ndarray, " m"]
    counts: Counter[str]

    def __bool__(self) -> bool:
        return bool(self.left.any() or self.right.any())


def questions(left: Seen, right: Seen, cut: CutConfig, joint_set: JointSet, confidence: float) -> Questions:
    """Compare two neighbouring keyframes of a shot.

    Args:
        left: The earlier one.
        right: The later one.
        cut: Thresholds.
        joint_set: Of the poses.
        confidence: A joint counts where both sides have at least this score.

    Returns:
        Who is in question.
    """
    i, j, similarity, same_box = _pairs(left, right, joint_set, confidence)
    matched = match(i, j, similarity, (len(left.tracklets), len(right.tracklets)))
    i, j, similarity, same_box = i[matched], j[matched], similarity[matched], same_box[matched]
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def put(reason: str, rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " m"]) -> None:
        found[reason] = (
            np.isin(np.arange(len(left.tracklets)), rows),
            np.isin(np.arange(len(right.tracklets)), columns),
        )

    differ, moved_apart = similarity < cut.agreement, same_box < cut.box_agreement
    put("disagree", i[differ], j[differ])
    put("box", i[moved_apart], j[moved_apart])
    put("overlap", *(np.flatnonzero(_crowded(side, left.key, right.key, cut.overlap)) for side in (left, right)))
    if right.key - left.key > cut.clip_length // 2:
        alone = (np.delete(np.arange(len(left.tracklets)), i), np.delete(np.arange(len(right.tracklets)), j))
        put("start_or_end", *alone)
    counts = Counter({reason: int(max(a.sum(), b.sum())) for reason, (a, b) in found.items()})
    rows, columns = (np.any([sides[k] for sides in found.values()], axis=0) for k in (0, 1))
    # A person in question in one keyframe is so in the other.
    rows[i[columns[j]]] = True
    columns[j[rows[i]]] = True
    return Questions(rows, columns, counts)


def _pairs(
    left: Seen, right: Seen, joint_set: JointSet, confidence: float
) -> tuple[
    Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]
]:
    """Pairs of people with common ground: mean OKS and mean box overlap over the frames that both tubes cover."""
    first, stop = int(right.tracklets.frames[0]), int(left.tracklets.frames[-1]) + 1
    of_left = slice(first - int(left.tracklets.frames[0]), None)
    of_right = slice(0, max(stop - first, 0))
    a_boxes, b_boxes = left.moved[:, of_left], right.moved[:, of_right]
    overlap = np.zeros((len(a_boxes), len(b_boxes)))
    for t in range(max(stop - first, 0)):
        overlap += box_iou(a_boxes[:, t], b_boxes[:, t]) / (stop - first)
    i, j = np.nonzero(overlap)
    a_xy, b_xy = left.tracklets.xy[i, of_left], right.tracklets.xy[j, of_right]
    a_has = np.isfinite(a_xy).all(-1) & (left.tracklets.scores[i, of_left] >= confidence)
    b_has = np.isfinite(b_xy).all(-1) & (right.tracklets.scores[j, of_right] >= confidence)
    area = (object_areas(left.tracklets.boxes.xyxy)[i] + object_areas(right.tracklets.boxes.xyxy)[j]) / 2
    frames = np.repeat(area[:, None], a_has.shape[1], 1)
    values = oks(a_xy, a_has, b_xy, b_has, frames, joint_set.sigmas, MIN_JOINTS)
    known = np.isfinite(values)
    similarity = np.where(known, values, 0.0).sum(1) / np.maximum(known.sum(1), 1)
    near = similarity > 0
    return i[near], j[near], similarity[near], overlap[i, j][near]


def _crowded(seen: Seen, first: int, last: int, limit: float) -> Bool[np.ndarray, " n"]:
    """Whose box overlaps another one by more than `limit` in a frame between `first` and `last`."""
    crowded = np.zeros(len(seen.tracklets), bool)
    inside = (seen.tracklets.frames >= first) & (seen.tracklets.frames <= last)
    for boxes in seen.moved[:, inside].swapaxes(0, 1):
        shared = box_iou(boxes, boxes)
        np.fill_diagonal(shared, 0.0)
        crowded |= shared.max(1, initial=0.0) > limit
    return crowded
