"""Adaptive keyframes: a coarse grid of keyframes, and more only where they would change something.

Beyond the paper, whose S is one number for a whole video. Between two neighbouring keyframes of the grid (S = 8, say)
their tubes meet, and what they say of the same frames is compared, person by person. Another keyframe is put in the
middle, for the people in question alone, where

* **a track starts or ends**: someone of one keyframe has no counterpart in the other, and frames of the interval are
  out of reach of the person's tube;
* **hypotheses disagree**: the two poses of a person in the frames that both tubes cover have an OKS below
  `CutConfig.agreement`;
* **detector and propagated box differ**: the boxes of the two keyframes, moved with their poses to those frames,
  overlap by less than `CutConfig.box_agreement`;
* **people overlap**: the boxes of two people, so moved, overlap by more than `CutConfig.overlap`.

Both halves are then compared in the same way, until nothing is in question or the finest step is reached (8, 4, 2, 1).
So a dull scene costs what the grid costs, and people in a scuffle get what a fine step gives them. A 2D network sees
each frame alone, so the tube of an added keyframe need not be whole: it reaches to the two keyframes beside it. That
costs 9, 5 or 3 frames instead of 9, and was more accurate: a fresh box is worth most near its keyframe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.config import CutConfig
from dettrack.cut.clips import make_clip
from dettrack.geometry import box_iou, boxes_at, boxes_with_joints
from dettrack.matching import match
from dettrack.oks import MIN_JOINTS, object_areas, oks
from dettrack.skeleton import JointSet
from dettrack.structures import Boxes, Clip, Tracklets

__all__ = ["Look", "Questions", "Refiner", "Seen", "clip_between", "questions"]

# Box overlap from which a detected box is about a propagated one.
_SAME = 0.3


@dataclass(frozen=True)
class Seen:
    """A keyframe that was looked at: its clip and what was found."""

    clip: Clip
    tracklets: Tracklets

    @cached_property
    def moved(self) -> Float[np.ndarray, "n clip 4"]:
        """The boxes moved along the tubes; only adaptive keyframes, and those left out by the detector, ask."""
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
class Look:
    """A keyframe to look at, for some of its people.

    Attributes:
        clip: Around the keyframe.
        people: Where the people in question should be in the keyframe.
        others: Where those are who are in no question.
    """

    clip: Clip
    people: Boxes
    others: Float[np.ndarray, "m 4"]

    def about(self, boxes: Float[np.ndarray, "n 4"]) -> Bool[np.ndarray, " n"]:
        """Which boxes, as detected in the keyframe, are of people in question, or of people not seen before."""
        mine = box_iou(boxes, self.people.xyxy).max(1, initial=0.0)
        theirs = box_iou(boxes, self.others).max(1, initial=0.0)
        return (mine >= theirs) | (theirs < _SAME)


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


def clip_between(left: Clip, right: Clip, keyframe: int, clip_length: int) -> Clip:
    """The clip around a frame between two keyframes whose clips touch."""
    first = left.frames[0].index
    window = [*left.frames, *right.frames[max(left.frames[-1].index + 1 - right.frames[0].index, 0) :]]
    return make_clip(window, keyframe - first, clip_length)


def questions(left: Seen, right: Seen, cut: CutConfig, joint_set: JointSet, confidence: float) -> Questions:
    """Compare two neighbouring keyframes of a shot (see above).

    Args:
        left: The earlier one.
        right: The later one.
        cut: Thresholds.
        joint_set: Of the poses.
        confidence: A joint counts where both sides have at least this score.
    """
    i, j, similarity, same_box = _pairs(left, right, joint_set, confidence)
    matched = match(i, j, similarity, (len(left.tracklets), len(right.tracklets)))
    i, j, similarity, same_box = i[matched], j[matched], similarity[matched], same_box[matched]
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def ask(reason: str, rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " m"]) -> None:
        found[reason] = (
            np.isin(np.arange(len(left.tracklets)), rows),
            np.isin(np.arange(len(right.tracklets)), columns),
        )

    differ, moved_apart = similarity < cut.agreement, same_box < cut.box_agreement
    ask("disagree", i[differ], j[differ])
    ask("box", i[moved_apart], j[moved_apart])
    ask("overlap", *(np.flatnonzero(_crowded(side, left.key, right.key, cut.overlap)) for side in (left, right)))
    if right.key - left.key > cut.clip_length // 2:
        alone = (np.delete(np.arange(len(left.tracklets)), i), np.delete(np.arange(len(right.tracklets)), j))
        ask("start_or_end", *alone)
    counts = Counter({reason: int(max(a.sum(), b.sum())) for reason, (a, b) in found.items()})
    rows, columns = (np.any([sides[k] for sides in found.values()], axis=0) for k in (0, 1))
    # Whoever is in question on one side is so on the other.
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
    """Who shares more than `limit` of a box with somebody else in a frame between `first` and `last`."""
    crowded = np.zeros(len(seen.tracklets), bool)
    inside = (seen.tracklets.frames >= first) & (seen.tracklets.frames <= last)
    for boxes in seen.moved[:, inside].swapaxes(0, 1):
        shared = box_iou(boxes, boxes)
        np.fill_diagonal(shared, 0.0)
        crowded |= shared.max(1, initial=0.0) > limit
    return crowded


# Some people of a keyframe, as a mask.
_Group: TypeAlias = tuple[Seen, np.ndarray]


@dataclass(frozen=True)
class _Interval:
    """Two neighbouring keyframes; only the people of the masks may be asked about.

    Attributes:
        beside: People of this keyframe or of wider intervals who are in no question here.
    """

    left: Seen
    right: Seen
    left_asked: Bool[np.ndarray, " n"]
    right_asked: Bool[np.ndarray, " m"]
    beside: tuple[_Group, ...] = ()


class Refiner:
    """Adds keyframes to a grid, a few of the grid at a time.

    Attributes:
        counts: Keyframes added, and people in question by reason.
    """

    def __init__(
        self,
        cut: CutConfig,
        joint_set: JointSet,
        look: Callable[[Sequence[Look]], list[Tracklets]],
        confidence: float = 0.2,
        *,
        short: bool = False,
    ) -> None:
        """Start a video.

        Args:
            cut: Thresholds and |C|.
            joint_set: Of the poses.
            look: Detects and estimates; gives one item for each look, about its people in question.
            confidence: A joint counts where both poses have at least this score.
            short: Tubes of added keyframes reach to the two keyframes beside them only; for networks that see each
                frame alone.
        """
        self._short = short
        self._cut, self._joints, self._look, self._confidence = cut, joint_set, look, confidence
        self._previous: Seen | None = None
        self.counts: Counter[str] = Counter()

    def add(self, grid: Sequence[Seen]) -> list[Tracklets]:
        """Tracklets of the next keyframes of the grid, and of those added before and between them, in order."""
        row = [*([self._previous] if self._previous else []), *grid]
        found = {seen.key: seen.tracklets for seen in grid}
        intervals = [
            _Interval(a, b, np.ones(len(a.tracklets), bool), np.ones(len(b.tracklets), bool)) for a, b in pairwise(row)
        ]
        while intervals:
            intervals = self._split(intervals, found)
        self._previous = grid[-1] if grid else self._previous
        return [found[key] for key in sorted(found)]

    def end_shot(self) -> None:
        """Forget the last keyframe: nothing is compared across a shot cut."""
        self._previous = None

    def _split(self, intervals: Sequence[_Interval], found: dict[int, Tracklets]) -> list[_Interval]:
        """Look into the middle of the intervals that raise questions; returns their halves."""
        asked = []
        for interval in intervals:
            if (interval.right.key - interval.left.key) // 2 >= self._cut.finest_step:
                about = questions(interval.left, interval.right, self._cut, self._joints, self._confidence)
                left, right = about.left & interval.left_asked, about.right & interval.right_asked
                if left.any() or right.any():
                    self.counts.update({f"asked_{reason}": n for reason, n in about.counts.items() if n})
                    asked.append((interval, left, right))
        if not asked:
            return []
        looks = [self._middle(*item) for item in asked]
        halves = []
        for (interval, left, right), look, tracklets in zip(asked, looks, self._look(looks), strict=True):
            middle = Seen(look.clip, tracklets)
            found[middle.key] = tracklets
            everyone = np.ones(len(tracklets), bool)
            beside = _beside(interval, left, right)
            halves.append(_Interval(interval.left, middle, left, everyone, beside))
            halves.append(_Interval(middle, interval.right, everyone, right, beside))
        self.counts["keyframes_added"] += len(looks)
        return halves

    def _middle(self, interval: _Interval, left: Bool[np.ndarray, " n"], right: Bool[np.ndarray, " m"]) -> Look:
        a, b = interval.left, interval.right
        key = (a.key + b.key) // 2

        def at_key(groups: Iterable[_Group]) -> Float[np.ndarray, "n 4"]:
            boxes = [seen.boxes_at(key)[rows] for seen, rows in groups]
            return np.concatenate(boxes)

        scores = np.concatenate([a.tracklets.boxes.scores[left], b.tracklets.boxes.scores[right]])
        people = Boxes(at_key([(a, left), (b, right)]), scores)
        others = at_key(_beside(interval, left, right))
        length = self._cut.clip_length
        if self._short:
            length = min(length, 2 * max(key - a.key, b.key - key) + 1)
        return Look(clip_between(a.clip, b.clip, key, length), people, others)


def _beside(interval: _Interval, left: Bool[np.ndarray, " n"], right: Bool[np.ndarray, " m"]) -> tuple[_Group, ...]:
    """People in no question, where those of the masks are."""
    return (
        *interval.beside,
        (interval.left, interval.left_asked & ~left),
        (interval.right, interval.right_asked & ~right),
    )
