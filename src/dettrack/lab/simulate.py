"""Simulated tubes: what a network might answer, made from known trajectories without any pixel.

For testing and measuring association and merging. The errors are those that the paper's steps are there for: noise that
grows away from the keyframe, wild positions, hidden joints with low scores, a hidden joint taken from the neighbour,
a tube that jumps to the person who crosses (and stays there, nearly as sure of itself), frames in which the person
is absent, and keyframes in which the detector misses people, one by one or in runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.cut.clips import keyframe_indices
from dettrack.errors import UsageError
from dettrack.formats.posetrack import PoseSequence, head_box_sizes
from dettrack.geometry import box_iou
from dettrack.skeleton import POSETRACK15, JointSet
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets

__all__ = ["SimulateConfig", "Trajectories", "simulate", "trajectories_of", "walkers"]


@dataclass(frozen=True)
class Trajectories:
    """The true poses of all people in one video.

    Attributes:
        name: Of the video.
        joint_set: Order of the joints.
        ids: `(people,)` identities.
        xy: `(people, frames, joints, 2)` pixels; NaN where unknown.
        visible: `(people, frames, joints)` whether the joint is known and not hidden.
        boxes: `(people, frames, 4)` pixels; NaN where the person is absent.
        head: `(people, frames)` head size in pixels; NaN where the person is absent.
    """

    name: str
    joint_set: JointSet
    ids: Int[np.ndarray, " people"]
    xy: Float[np.ndarray, "people frames joints 2"]
    visible: Bool[np.ndarray, "people frames joints"]
    boxes: Float[np.ndarray, "people frames 4"]
    head: Float[np.ndarray, "people frames"]

    @property
    def present(self) -> Bool[np.ndarray, "people frames"]:
        """Who is there."""
        return np.isfinite(self.boxes[..., 0])


@dataclass(frozen=True)
class SimulateConfig:
    """How bad detector and network are.

    Attributes:
        clip_length: |C|.
        step: S.
        noise: Standard deviation of a visible joint at the keyframe, in head sizes.
        drift: What each frame of distance from the keyframe adds to it.
        hidden_noise: Standard deviation of a hidden joint, in head sizes.
        shared: Share of the variance at the keyframe that all tubes which see a joint in a frame have in common: they
            see the same pixels. 0 is the best case for merging, 1 leaves it nothing to average.
        wild: Share of joints that land anywhere in the box, with middling scores.
        missed: Share of boxes that the detector misses.
        run: Missed boxes come in runs of this many keyframes per person.
        crossing: Box IoU from which two people can be confused.
        jump: Probability per frame of such an overlap that a tube changes over to the other person.
        mixed: Probability that a hidden joint is put on the other person's instead.
    """

    clip_length: int = 9
    step: int = 1
    noise: float = 0.12
    drift: float = 0.03
    hidden_noise: float = 0.35
    shared: float = 0.0
    wild: float = 0.02
    missed: float = 0.0
    run: int = 1
    crossing: float = 0.3
    jump: float = 0.1
    mixed: float = 0.3

    def __post_init__(self) -> None:
        for name in ("shared", "wild", "missed", "crossing", "jump", "mixed"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must lie between 0 and 1")
        if self.run < 1:
            raise UsageError(f"run is {self.run}: it must be at least 1 keyframe")


def trajectories_of(sequence: PoseSequence, margin: float = 0.1) -> Trajectories:
    """The annotated people of a sequence, in PoseTrack's 15 joints.

    Args:
        sequence: With track ids. Where its visibility flags reach 2, a flag of 1 means hidden (as in COCO and in the
            Bonn trajectories); else every joint counts as visible.
        margin: A box is that around the joints, wider by this share of its sides all round.

    Returns:
        The people.
    """
    sequence = sequence.with_joints(POSETRACK15)
    people = sequence.people
    ids, row = np.unique(people.track_id, return_inverse=True)
    shape = (len(ids), len(sequence.images))
    xy = np.full((*shape, len(sequence.joint_set), 2), np.nan)
    xy[row, people.image] = people.xy
    hidden = np.zeros(xy.shape[:3], bool)
    hidden[row, people.image] = (people.visible == 1) & (people.visible == 2).any()
    head = np.full(shape, np.nan)
    head[row, people.image] = head_box_sizes(people.head_box)
    return _with_boxes(sequence.name, sequence.joint_set, ids, xy, hidden, head, margin)


def _with_boxes(
    name: str,
    joint_set: JointSet,
    ids: Int[np.ndarray, " people"],
    xy: Float[np.ndarray, "people frames joints 2"],
    hidden: Bool[np.ndarray, "people frames joints"],
    head: Float[np.ndarray, "people frames"],
    margin: float,
) -> Trajectories:
    known = np.isfinite(xy).all(-1)
    low = np.where(known[..., None], xy, np.inf).min(2)
    high = np.where(known[..., None], xy, -np.inf).max(2)
    there = known.any(2)
    side = np.where(there[..., None], high - low, 0.0)
    boxes = np.concatenate([low - margin * side, high + margin * side], -1)
    boxes = np.where(there[..., None], boxes, np.nan)
    # A head that is not annotated is a seventh of the body, about what the annotated ones are.
    head = np.where(np.isfinite(head) & (head > 0), head, (boxes[..., 3] - boxes[..., 1]) / 7)
    return Trajectories(name, joint_set, ids, xy, known & ~hidden, boxes, np.where(there, head, np.nan))


def walkers(people: int, frames: int, seed: int = 0, spacing: float = 150.0) -> Trajectories:
    """People of 150 pixels who walk about.

    The field grows with their number, so that each keeps as many neighbours.

    Args:
        people: How many.
        frames: Length.
        seed: Of the draws.
        spacing: Side in pixels of the square that each has on average.

    Returns:
        Their trajectories.
    """
    rng = np.random.default_rng(seed)
    pose = np.array([_share(joint) for joint in POSETRACK15.joints]) * 150
    field = spacing * np.sqrt(people)
    start, velocity = rng.uniform(0, field, (people, 1, 2)), rng.uniform(-4, 4, (people, 1, 2))
    t = np.arange(frames)[None, :, None]
    # they turn round at the edge of the field: a triangle wave
    place = np.abs((start + velocity * t) % (2 * field) - field)
    swing = 12 * np.sin(t / 4 + rng.uniform(0, 6, (people, 1, 1)))
    xy = place[:, :, None] + pose
    limbs = [i for i, joint in enumerate(POSETRACK15.joints) if joint.split("_")[-1] in ("wrist", "ankle", "knee")]
    sign = np.array([1 if POSETRACK15.joints[i].startswith("left") else -1 for i in limbs])
    xy[:, :, limbs, 0] += swing * sign
    hidden = np.zeros(xy.shape[:3], bool)
    head = np.full((people, frames), 0.15 * 150 * 6 / 7)
    return _with_boxes(f"{people} walkers", POSETRACK15, np.arange(people), xy, hidden, head, 0.1)


# Where a standing person's joints are, in heights from the head top; the left side is mirrored.
_STANDING = {
    "head_top": (0.0, 0.0),
    "nose": (0.06, 0.09),
    "head_bottom": (0.0, 0.15),
    "shoulder": (0.12, 0.2),
    "elbow": (0.15, 0.36),
    "wrist": (0.16, 0.5),
    "hip": (0.08, 0.52),
    "knee": (0.09, 0.76),
    "ankle": (0.1, 1.0),
}


def _share(joint: str) -> tuple[float, float]:
    x, y = _STANDING[joint.removeprefix("left_").removeprefix("right_")]
    return -x if joint.startswith("right_") else x, y


def simulate(truth: Trajectories, config: SimulateConfig, seed: int = 0) -> Iterator[TrackletBatch]:
    """What cutting and estimating a video of these people might give, one step per keyframe.

    Args:
        truth: The people.
        config: The errors.
        seed: Of all chance; equal arguments give equal tubes.

    Yields:
        Batches as `associate.associate` takes them; timestamps are those of 25 frames per second.
    """
    rng = np.random.default_rng(seed)
    n_frames, reach = truth.xy.shape[1], config.clip_length // 2
    keys = keyframe_indices(0, n_frames, config.step, config.clip_length).tolist()
    found = ~_missed(len(truth.ids), len(keys), config, rng)
    other = _others(truth, config.crossing)
    # A generator of its own: the rest of chance does not depend on `shared`.
    common = np.random.default_rng((seed, 1)).normal(0, 1, truth.xy.shape) if config.shared else None
    read = 0
    for number, key in enumerate(keys):
        frames = np.arange(max(0, key - reach), min(n_frames, key + reach + 1))
        who = np.flatnonzero(truth.present[:, key] & found[:, number])
        last = number == len(keys) - 1
        new = range(read, n_frames if last else int(frames[-1]) + 1)
        read = max(read, int(frames[-1]) + 1)
        yield TrackletBatch(
            FrameTimes.of((t, t / 25, 0, "") for t in new),
            (_tubes(truth, config, rng, key, frames, who, other, common),),
            n_frames if last else max(0, keys[number + 1] - reach),
            last,
        )


def _missed(
    people: int, keys: int, config: SimulateConfig, rng: np.random.Generator
) -> Bool[np.ndarray, "people keys"]:
    """Boxes that the detector misses: an expected share of `missed`, in runs."""
    if config.missed in (0, 1):
        return np.full((people, keys), bool(config.missed))
    # A run begins at any free keyframe with the probability that makes the share come out.
    begin = config.missed / (config.missed + config.run * (1 - config.missed))
    out = np.zeros((people, keys), bool)
    left = np.where(rng.random(people) < config.missed, rng.integers(1, config.run + 1, people), 0)
    for k in range(keys):
        left = np.where((left == 0) & (rng.random(people) < begin), config.run, left)
        out[:, k] = left > 0
        left = np.maximum(left - 1, 0)
    return out


def _others(truth: Trajectories, least: float) -> Int[np.ndarray, "people frames"]:
    """Whom each person overlaps most in each frame, -1 where no IoU reaches `least`."""
    people, frames = truth.present.shape
    out = np.full((people, frames), -1)
    for t in range(frames if people else 0):
        box = truth.boxes[:, t]
        iou = box_iou(box, box)
        np.fill_diagonal(iou, 0)
        best = iou.argmax(1)
        out[:, t] = np.where(iou[np.arange(people), best] >= least, best, -1)
    return out


def _tubes(
    truth: Trajectories,
    config: SimulateConfig,
    rng: np.random.Generator,
    key: int,
    frames: Int[np.ndarray, " clip"],
    who: Int[np.ndarray, " n"],
    other: Int[np.ndarray, "people frames"],
    common: Float[np.ndarray, "people frames joints 2"] | None,
) -> Tracklets:
    """One keyframe's answers."""
    followed = _followed(who, key, frames, other, config.jump, rng)
    xy, visible = truth.xy[followed, frames].copy(), truth.visible[followed, frames]
    neighbour = other[followed, frames]
    mixed = ~visible & (neighbour >= 0)[..., None] & (rng.random(visible.shape) < config.mixed)
    xy = np.where(mixed[..., None], truth.xy[neighbour, frames], xy)
    head = truth.head[who, key][:, None, None]
    distance = np.abs(frames - key)[None, :, None]
    sigma = np.where(visible, config.noise + config.drift * distance, config.hidden_noise) * head
    own = rng.normal(0, 1, xy.shape)
    if common is None:
        xy = xy + own * sigma[..., None]
    else:
        together = np.sqrt(config.shared) * np.where(visible, config.noise, config.hidden_noise) * head
        alone = np.sqrt(np.maximum(sigma**2 - together**2, 0))
        xy = xy + own * alone[..., None] + common[followed, frames] * together[..., None]
    scores = np.where(visible, rng.normal(0.8, 0.1, visible.shape), rng.normal(0.3, 0.12, visible.shape))
    # A joint without truth in this frame (the person has left, or it is beyond the picture): a low answer anywhere.
    nowhere = np.isnan(xy[..., 0])
    wild = rng.random(visible.shape) < config.wild
    box = truth.boxes[who, key]
    anywhere = box[:, None, None, :2] + rng.random(xy.shape) * (box[:, 2:] - box[:, :2])[:, None, None]
    xy = np.where((nowhere | wild)[..., None], anywhere, xy)
    scores = np.where(wild, rng.uniform(0.1, 0.5, visible.shape), scores)
    scores = np.where(nowhere, rng.uniform(0, 0.08, visible.shape), scores)
    never = np.isnan(truth.xy[..., 0]).all((0, 1))  # joints that the data does not know at all
    xy[:, :, never], scores[:, :, never] = np.nan, 0.0
    corners = box + rng.normal(0, 0.1, box.shape) * truth.head[who, key][:, None]
    boxes = Boxes(corners, rng.uniform(0.6, 0.95, len(who)))
    return Tracklets(key, frames, boxes, xy, scores.clip(0, 1))


def _followed(
    who: Int[np.ndarray, " n"],
    key: int,
    frames: Int[np.ndarray, " clip"],
    other: Int[np.ndarray, "people frames"],
    jump: float,
    rng: np.random.Generator,
) -> Int[np.ndarray, "n clip"]:
    """Whom each tube follows in each frame: outwards from the keyframe it may change over, and then stays."""
    out = np.repeat(who[:, None], len(frames), 1)
    at_key = int(np.flatnonzero(frames == key)[0])
    for side in (range(at_key + 1, len(frames)), range(at_key - 1, -1, -1)):
        now = who
        for c in side:
            near = other[now, frames[c]]
            now = np.where((near >= 0) & (rng.random(len(who)) < jump), near, now)
            out[:, c] = now
    return out
