"""Tracks of a run as labels: strong models follow everybody over a whole video, weak ones learn from it.

A track joins what several tubes say of a joint, and keeps people apart where boxes alone would exchange them. Its
scores say how far it is trusted; frames in which a track was only interpolated teach nothing.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dettrack.errors import InputError
from dettrack.formats import read_tracks
from dettrack.formats.posetrack.sequence import load_object
from dettrack.skeleton import JointMap, JointSet
from dettrack.structures import Source
from dettrack.training.labels.people import PeopleSet, seen_from_behind
from dettrack.training.labels.pseudo import AgreementConfig
from dettrack.video.reader import open_video

__all__ = ["read_track_labels"]

_FACE = ("nose", "head_bottom", "head_top")


def read_track_labels(path: Path, images: Path, joints: JointSet) -> tuple[PeopleSet, list[str]]:
    """A result folder of `dettrack track --min-joint-score 0`, and its video.

    Args:
        path: The result folder.
        images: The video.
        joints: Joint set of the result.

    Returns:
        Every frame with its people, and notes on what was left out.

    Raises:
        InputError: No such result, or the video cannot be read or does not hold its frames.
    """
    if not path.is_dir():
        raise InputError(f"{path}: expected the result folder of a run, and its video as tracks=FOLDER@VIDEO")
    table = read_tracks(path)
    config, notes = AgreementConfig(), []
    with open_video(str(images)) as reader:
        encoded = {frame.index: _encode(frame.image) for frame in reader}
    if not encoded or int(table.frame.max(initial=0)) > max(encoded):
        raise InputError(f"{images}: has {len(encoded)} frames, not all that {path} has tracks in: another video?")
    frames = sorted(encoded)
    place = {frame: row for row, frame in enumerate(frames)}
    seen = (table.source != int(Source.INTERPOLATED)) & np.isfinite(table.xy).all(-1).any(-1)
    if (~seen).any():
        notes.append(f"{path.name}: {int((~seen).sum())} interpolated or empty poses")
    rows = table[seen]
    xy, scores = JointMap(rows.joint_set, joints, approximate=False)(rows.xy, rows.joint_scores)
    scores = np.where(np.isfinite(xy).all(-1), scores, 0.0)
    weight = np.where(scores >= config.confident, 1.0, np.where(scores >= config.unsure, 0.5, 0.0))
    people = PeopleSet(
        joints,
        [encoded[frame] for frame in frames],
        video=np.zeros(len(frames), np.int64),
        frame=np.array(frames, np.int64),
        labelled=np.ones(len(frames), bool),
        person_image=np.array([place[frame] for frame in rows.frame.tolist()], np.int64),
        track=rows.track_id.astype(np.int64),
        boxes=rows.box.astype(np.float64),
        xy=xy,
        height=np.clip(scores / config.confident, 0, 1),
        weight=weight,
    )
    behind = seen_from_behind(people)
    for joint in set(_FACE) & set(joints.joints):
        weight[behind, joints.index(joint)] = 0  # teachers see faces on the backs of heads
    for joint in set(_approximated(path)) & set(joints.joints):
        most = 0.0 if joint == "head_top" else config.approximated  # a head top holds for faces from the front only
        weight[:, joints.index(joint)] = np.minimum(weight[:, joints.index(joint)], most)
    return people, notes


def _approximated(path: Path) -> list[str]:
    """Joints that the run's model lacks, as its summary says."""
    summary = path / "summary.json"
    return list(load_object(summary).get("approximated_joints", [])) if summary.is_file() else []


def _encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
