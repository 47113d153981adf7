"""Does a tube stay with the person of its keyframe (paper 3.1)? Measured on tracklets, before they are linked.

Each tube belongs to the annotated person whose box it was cut at (IoU of at least 0.5, one tube per person). In every
frame of the tube in which that person is annotated, the tube has the right person where its pose is nearer to that
person than to anybody else: by the mean distance over the joints that are annotated.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from dettrack.evaluation.boxes import MIN_IOU
from dettrack.evaluation.rules import EVALUATION15, MATCH_DISTANCE
from dettrack.formats.posetrack import People, PoseSequence, head_box_sizes
from dettrack.geometry import box_iou
from dettrack.matching import match_matrix
from dettrack.skeleton import JointMap, JointSet
from dettrack.structures import TrackletBatch, Tracklets

__all__ = ["FIGURES", "RightPerson"]

# Figure -> (numerator, denominator) among the counts.
FIGURES = {
    "right_person": ("right", "frames"),
    "right_person_near": ("right_near", "near"),
    "PCKh_key": ("correct_key", "joints_key"),
    "PCKh_ends": ("correct_ends", "joints_ends"),
    "silent": ("silent", "gone"),
}
_COUNTS = tuple(dict.fromkeys(name for pair in FIGURES.values() for name in pair))
# Someone else's box overlaps the person's by this much: the frames in which a tube can lose its person.
_NEAR_IOU = 0.2


class RightPerson:
    """Counts over the tubes of a sequence.

    Attributes:
        counts: `(10,)` in the order of `_COUNTS`: frames (of tubes, with their person annotated), those with another
            person near, those with the right person; annotated joints, and those within half a head size, in keyframes
            and in the frames farthest from them; frames without the tube's person, and those without an answer.
    """

    def __init__(self, gt: PoseSequence, joints: JointSet, presence: float) -> None:
        """Prepare.

        Args:
            gt: Annotations, with head boxes.
            joints: Joint set of the tracklets.
            presence: A pose in which no joint reaches this score is no answer.
        """
        truth = gt.with_joints(EVALUATION15)
        self._people = truth.people
        edges = np.searchsorted(self._people.image, np.arange(len(truth.images) + 1))
        self._rows = [np.arange(a, b) for a, b in pairwise(edges)]
        self._map = JointMap(joints, EVALUATION15, approximate=False)
        self._presence = presence
        self.counts = np.zeros(len(_COUNTS))

    def add(self, batches: Iterable[TrackletBatch]) -> RightPerson:
        """Count the tubes of these batches; returns itself."""
        for batch in batches:
            for tracklets in batch.tracklets:
                here = self._people[self._rows[tracklets.keyframe]]
                tubes, owners = _paired(tracklets.boxes.xyxy, here)
                self._tubes(tracklets[tubes], here.track_id[owners])
        return self

    def _tubes(self, tracklets: Tracklets, owners: Int[np.ndarray, " n"]) -> None:
        far = np.abs(tracklets.frames - tracklets.keyframe)
        for c, frame in enumerate(tracklets.frames.tolist()):
            people = self._people[self._rows[frame]]
            own, place = np.nonzero(owners[:, None] == people.track_id[None])
            gone = np.setdiff1d(np.arange(len(owners)), own)
            self._count("gone", len(gone))
            best = np.nan_to_num(tracklets.scores[gone, c]).max(-1, initial=0)
            self._count("silent", (best < self._presence).sum())
            xy = self._map(tracklets.xy[own, c], tracklets.scores[own, c])[0]
            gap = np.linalg.norm(xy[:, None] - people.xy[None], axis=-1)  # (tubes, people, joints)
            self._identity(gap, place, people)
            if far[c] == 0 or far[c] == far.max():
                self._pckh(gap[np.arange(len(own)), place], people[place], "key" if far[c] == 0 else "ends")

    def _identity(self, gap: Float[np.ndarray, "n m 15"], place: Int[np.ndarray, " n"], people: People) -> None:
        shared = np.isfinite(gap)
        mean = np.where(shared, gap, 0).sum(-1) / np.maximum(shared.sum(-1), 1)
        mean[~shared.any(-1)] = np.inf
        mine = mean[np.arange(len(place)), place]
        others = mean.copy()
        others[np.arange(len(place)), place] = np.inf
        right = mine < others.min(1, initial=np.inf)
        overlap = box_iou(people.box, people.box)
        np.fill_diagonal(overlap, 0)
        near = overlap.max(1, initial=0)[place] >= _NEAR_IOU
        for name, values in (("frames", right | True), ("right", right), ("near", near), ("right_near", right & near)):
            self._count(name, values.sum())

    def _pckh(self, gap: Float[np.ndarray, "n 15"], people: People, where: str) -> None:
        head = head_box_sizes(people.head_box)
        known = np.isfinite(people.xy).all(-1) & np.isfinite(head)[:, None]
        self._count(f"joints_{where}", known.sum())
        self._count(f"correct_{where}", (known & (gap <= MATCH_DISTANCE * head[:, None])).sum())

    def _count(self, name: str, number: int | np.integer) -> None:
        self.counts[_COUNTS.index(name)] += number


def _paired(boxes: Float[np.ndarray, "n 4"], people: People) -> tuple[np.ndarray, np.ndarray]:
    """Tubes and the places of the people that they were cut at."""
    overlap = box_iou(boxes, people.box)
    return match_matrix(np.where(overlap >= MIN_IOU, overlap, 0))


def figures(counts: Float[np.ndarray, "*batch counts"]) -> dict[str, Float[np.ndarray, "*batch"]]:
    """`FIGURES` in percent from summed counts; NaN where there is nothing to count."""
    column = {name: counts[..., i] for i, name in enumerate(_COUNTS)}
    return {
        name: np.where(column[below] > 0, 100 * column[above] / np.maximum(column[below], 1), np.nan)
        for name, (above, below) in FIGURES.items()
    }
