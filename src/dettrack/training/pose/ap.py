"""AP of a pose network on held-out people, by the evaluator that also judges whole runs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dettrack.evaluation.summary import evaluate
from dettrack.formats.posetrack.sequence import HEAD_SIZE_PER_DIAGONAL, ImageInfo, People, PoseSequence
from dettrack.training.labels.people import PeopleSet
from dettrack.training.pose.score import Poses

__all__ = ["crop_ap", "head_boxes"]


def crop_ap(poses: Poses, people: PeopleSet, sizes: Float[np.ndarray, " people"]) -> float:
    """AP in percent, clean rules, with the true box of every person given: measured is the network, not a detector.

    People in one image compete for each other's joints as they do in a run, so an answer on the wrong person costs.
    Joints without labels are left out on both sides: machine-made labels have gaps where there is a joint.

    Args:
        poses: Of `people`, one row each; NaN where the network did not answer.
        people: With labels.
        sizes: Head size of each person in pixels; within half of it a joint is right.

    Returns:
        Percent.
    """
    answered = ~np.isnan(poses.xy).all((1, 2))
    rows = np.flatnonzero(answered & (sizes > 0))
    images, image = np.unique(people.person_image[rows], return_inverse=True)
    known = ((people.weight > 0) & (people.height > 0))[rows]
    order = np.argsort(image, kind="stable")
    ids = np.empty(len(rows), np.int64)
    ids[order] = np.arange(len(rows)) - np.searchsorted(image[order], image[order])
    heads = head_boxes(sizes[rows])

    def sequence(xy: np.ndarray, **columns: np.ndarray) -> PoseSequence:
        there = np.where(known[..., None], xy, np.nan)
        all_people = People.build(image, there, track_id=ids, head_box=heads, **columns)
        named = tuple(ImageInfo(f"{number}.jpg", number, is_labeled=True) for number in range(len(images)))
        return PoseSequence("held-out", "posetrack18", people.joint_set, named, all_people)

    found = sequence(poses.xy[rows], scores=poses.scores[rows])
    return evaluate([sequence(people.xy[rows])], [found], mode="clean").ap


def head_boxes(sizes: Float[np.ndarray, " people"]) -> Float[np.ndarray, "people 4"]:
    """Head boxes whose diagonals give back these head sizes, anywhere: the evaluator reads no more from them."""
    side = sizes / (HEAD_SIZE_PER_DIAGONAL * np.sqrt(2))
    return np.column_stack([np.zeros((len(sizes), 2)), side, side])
