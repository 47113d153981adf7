"""Which keyframes are visited, and for which of their people (paper 3.1).

The paper visits every S-th frame, for all people: the grid. Adaptive keyframes go beyond it: a coarse grid (S = 8,
say), and between two of its keyframes another one in the middle, where the two leave people in question (see `compare`)
and for these people alone. Both halves are then compared in the same way, until no one is in question or the finest
step is reached (8, 4, 2, 1). So a calm scene costs what the grid costs, and people in a scuffle get what a fine step
gives.

A 2D network sees each frame alone, so the tube of an added keyframe need not be whole: it reaches to the two keyframes
beside it. That costs 9, 5 or 3 frames instead of 9, and was more accurate: a box is worth most near its own keyframe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from dettrack.config import CutConfig
from dettrack.cut.clips import KeyframeGroup, make_clip
from dettrack.cut.compare import Seen, questions
from dettrack.geometry import box_iou
from dettrack.skeleton import JointSet
from dettrack.structures import Boxes, Clip, TrackletBatch, Tracklets
from dettrack.structures.report import Report, Tally

__all__ = [
    "Planner",
    "Requested",
    "Visit",
    "clip_between",
]

# Box overlap (IoU) from which a detected box is that of a propagated one.
_SAME = 0.3


@dataclass(frozen=True)
class Requested:
    """The people of a keyframe for whom it is visited.

    Attributes:
        people: Where they should be in the keyframe.
        others: `(m, 4)` where those are for whom it is not.
    """

    people: Boxes
    others: Float[np.ndarray, "m 4"]

    def among(self, boxes: Float[np.ndarray, "n 4"]) -> Bool[np.ndarray, " n"]:
        """Which boxes, as detected in the keyframe, are of requested people, or of people not seen before."""
        mine = box_iou(boxes, self.people.xyxy).max(1, initial=0.0)
        theirs = box_iou(boxes, self.others).max(1, initial=0.0)
        return (mine >= theirs) | (theirs < _SAME)


@dataclass(frozen=True)
class Visit:
    """A keyframe to visit: its people are detected, and their poses estimated in every frame of its clip.

    Attributes:
        clip: Around the keyframe.
        requested: For whom; None: for all people.
    """

    clip: Clip
    requested: Requested | None = None


# Some people of a keyframe, as a mask.
_Group: TypeAlias = tuple[Seen, np.ndarray]


@dataclass(frozen=True)
class _Interval:
    """Two neighbouring keyframes, and for whom another one may be put between them.

    Attributes:
        beside: People of these two or of wider intervals for whom none may be.
    """

    left: Seen
    right: Seen
    left_open: Bool[np.ndarray, " n"]
    right_open: Bool[np.ndarray, " m"]
    beside: tuple[_Group, ...] = ()

    def closing(self, left: Bool[np.ndarray, " n"], right: Bool[np.ndarray, " m"]) -> tuple[_Group, ...]:
        """All people but those of the masks."""
        return (*self.beside, (self.left, self.left_open & ~left), (self.right, self.right_open & ~right))


@dataclass(frozen=True)
class _Split:
    """An interval that gets a keyframe in its middle, for the people of the masks."""

    interval: _Interval
    left: Bool[np.ndarray, " n"]
    right: Bool[np.ndarray, " m"]

    def halves(self, middle: Seen) -> list[_Interval]:
        everyone = np.ones(len(middle.tracklets), bool)
        beside = self.interval.closing(self.left, self.right)
        return [
            _Interval(self.interval.left, middle, self.left, everyone, beside),
            _Interval(middle, self.interval.right, everyone, self.right, beside),
        ]


class Planner:
    """Decides which keyframes of one video are visited; it calls no network.

    For each group of keyframes: `begin` it; as long as `ask` names visits, make them and `tell` what was found; then
    `take` the batch that they became.
    """

    def __init__(self, cut: CutConfig, joint_set: JointSet, confidence: float = 0.2, *, short: bool = False) -> None:
        """Start a video.

        Args:
            cut: |C|, and the thresholds of adaptive keyframes.
            joint_set: Of the poses.
            confidence: A joint counts where both poses that are compared have at least this score, in [0, 1].
            short: Tubes of added keyframes reach to the two keyframes beside them only; for networks that see each
                frame alone.
        """
        self._cut, self._joints, self._confidence, self._short = cut, joint_set, confidence, short
        self._previous: Seen | None = None  # the last keyframe of the grid that belongs to the same shot
        self._group: KeyframeGroup | None = None
        self._visits: list[Visit] = []  # to make next, or under way
        self._splits: list[_Split] = []  # what they will split; nothing for those of the grid
        self._intervals: list[_Interval] = []  # to compare
        self._found: dict[int, Tracklets] = {}
        self._report = Report()

    def begin(self, group: KeyframeGroup) -> None:
        """Turn to the next group, once the batch of the one before was taken."""
        self._group, self._visits = group, [Visit(clip) for clip in group.clips]
        self._report.add(group.tally)

    def ask(self) -> list[Visit]:
        """The visits to make next; none once nothing is in question any more."""
        if not self._visits:
            self._compare()
        return self._visits

    def tell(self, seen: Sequence[Tracklets], tally: Tally) -> None:
        """Take what was seen at the visits.

        Args:
            seen: One item for each visit, with the requested people.
            tally: Of making the visits.
        """
        made = [Seen(visit.clip, tracklets) for visit, tracklets in zip(self._visits, seen, strict=True)]
        self._found.update({one.key: one.tracklets for one in made})
        self._report.add(tally)
        if self._splits:
            halves = [split.halves(middle) for split, middle in zip(self._splits, made, strict=True)]
            self._intervals = [half for pair in halves for half in pair]
        elif self._cut.adds_keyframes:
            row = [*([self._previous] if self._previous else []), *made]
            everyone = [np.ones(len(one.tracklets), bool) for one in row]
            pairs = zip(pairwise(row), pairwise(everyone), strict=True)
            self._intervals = [_Interval(*two, *masks) for two, masks in pairs]
            self._previous = made[-1]
        self._visits, self._splits = [], []

    def take(self) -> TrackletBatch | None:
        """The group's tracklets, also those of keyframes added before and between its own; None until told all."""
        group = self._group
        if group is None or self._visits or self._intervals:
            return None
        tracklets = tuple(self._found[key] for key in sorted(self._found))
        batch = TrackletBatch(group.frames, tracklets, group.final_before, group.shot_ended, self._report.tally())
        self._group, self._found, self._report = None, {}, Report()
        if group.shot_ended:
            self._previous = None  # nothing is compared across a shot cut
        return batch

    def _compare(self) -> None:
        """Find the intervals with people in question, and plan a visit to the middle of each."""
        for interval in self._intervals:
            if (interval.right.key - interval.left.key) // 2 < self._cut.finest_step:
                continue
            found = questions(interval.left, interval.right, self._cut, self._joints, self._confidence)
            left, right = found.left & interval.left_open, found.right & interval.right_open
            if left.any() or right.any():
                self._report.counts.update({f"in_question_{reason}": n for reason, n in found.counts.items() if n})
                self._splits.append(_Split(interval, left, right))
        self._intervals = []
        self._visits = [self._middle(split) for split in self._splits]
        if self._visits:
            self._report.counts["keyframes_added"] += len(self._visits)

    def _middle(self, split: _Split) -> Visit:
        a, b = split.interval.left, split.interval.right
        key = (a.key + b.key) // 2

        def at_key(groups: Iterable[_Group]) -> Float[np.ndarray, "n 4"]:
            boxes = [seen.boxes_at(key)[rows] for seen, rows in groups]
            return np.concatenate(boxes)

        scores = np.concatenate([a.tracklets.boxes.scores[split.left], b.tracklets.boxes.scores[split.right]])
        people = Boxes(at_key([(a, split.left), (b, split.right)]), scores)
        others = at_key(split.interval.closing(split.left, split.right))
        length = self._cut.clip_length
        if self._short:
            length = min(length, 2 * max(key - a.key, b.key - key) + 1)
        return Visit(clip_between(a.clip, b.clip, key, length), Requested(people, others))


def clip_between(left: Clip, right: Clip, keyframe: int, clip_length: int) -> Clip:
    """The clip around a frame between two keyframes whose clips touch.

    Args:
        left: Around the earlier keyframe.
        right: Around the later one.
        keyframe: Index of the frame between them.
        clip_length: |C|, or less.

    Returns:
        The clip, made of the frames of both.
    """
    first = left.frames[0].index
    window = [*left.frames, *right.frames[max(left.frames[-1].index + 1 - right.frames[0].index, 0) :]]
    return make_clip(window, keyframe - first, clip_length)
