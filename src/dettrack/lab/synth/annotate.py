"""Annotations of rendered frames as a PoseTrack18 sequence.

Who is annotated: people in view of whom nothing hides all but 15 % and of whom at least one joint is seen. Joints out
of the picture are missing; joints hidden by someone or something are written with visibility 0 (the official
evaluator counts them, as it counts every joint that is not 0, 0, 0), the others with 1. A person who leaves and
returns keeps the identity: a method whose tracks end after |C| frames without support has one switch there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.year2018 import image_id
from dettrack.lab.synth.render import Truth, Visibility
from dettrack.skeleton import POSETRACK15, POSETRACK17

__all__ = ["sequence_name", "to_sequence"]


def sequence_name(seed: int, index: int) -> str:
    """Name of a scene as PoseTrack names its videos: six digits (seed modulo 1000, scene) and `_mpii_test`.

    Args:
        seed: Of the series.
        index: Of the scene.

    Returns:
        The name.
    """
    return f"{seed % 1000:03d}{index % 1000:03d}_mpii_test"


def to_sequence(name: str, split: str, truths: Sequence[Truth]) -> PoseSequence:
    """The annotations of a whole scene, one `Truth` per frame, in PoseTrack18's terms.

    Args:
        name: Of the sequence.
        split: Folder of its images: train, val or test.
        truths: Of its frames, in order.

    Returns:
        The annotations.
    """
    images = tuple(
        ImageInfo(f"images/{split}/{name}/{frame:06d}.jpg", image_id(name, frame), is_labeled=True)
        for frame in range(len(truths))
    )
    places = [(frame, int(person)) for frame, truth in enumerate(truths) for person in np.flatnonzero(truth.present)]
    frames = np.array([frame for frame, _ in places], int)
    people = np.array([person for _, person in places], int)
    pick = lambda attribute: np.array([getattr(truths[f], attribute)[p] for f, p in places])  # noqa: E731
    size = len(places)
    xy, seen = pick("xy").reshape(size, 15, 2), pick("visibility").reshape(size, 15)
    columns = np.array([POSETRACK17.joints.index(joint) for joint in POSETRACK15.joints])
    all_xy, visible = np.full((size, 17, 2), np.nan), np.full((size, 17), np.nan)
    all_xy[:, columns] = np.where((seen == Visibility.OUTSIDE)[..., None], np.nan, np.round(xy, 3))
    visible[:, columns] = np.where(seen == Visibility.OUTSIDE, np.nan, (seen != Visibility.HIDDEN).astype(float))
    found = People.build(
        frames, all_xy, visible=visible, track_id=people,
        box=np.round(pick("boxes").reshape(size, 4), 3), head_box=np.round(pick("head_boxes").reshape(size, 4), 3),
    )  # fmt: skip
    return PoseSequence(name, "posetrack18", POSETRACK17, images, found, vid_id=name.split("_")[0], nframes=len(truths))
