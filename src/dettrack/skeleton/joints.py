"""A joint set: names, sides, limbs, OKS tolerances and the head of a body model, all of it data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from dettrack.errors import InputError

__all__ = ["JointSet"]

# OKS sigmas by joint name, for sets that state none. COCO: the COCO keypoint evaluation; head_bottom and head_top: the
# PoseTrack18 values in common use (.079); pelvis and thorax: the hip's and the shoulder's; feet: COCO-WholeBody's.
_SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
    "head_bottom": 0.079,
    "head_top": 0.079,
    "pelvis": 0.107,
    "thorax": 0.079,
    "big_toe": 0.068,
    "small_toe": 0.066,
    "heel": 0.066,
}
_OTHER_SIGMA = 0.079  # of a joint of which nothing is known: a shoulder's

_LIMBS = (
    ("head_top", "nose"),
    ("nose", "head_bottom"),
    ("head_bottom", "left_shoulder"),
    ("head_bottom", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)
_FOOT_LIMBS = tuple(
    (f"{side}_ankle", f"{side}_{part}") for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")
)
_COCO_HEAD_LIMBS = (
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
    ("left_shoulder", "right_shoulder"),
)


@dataclass(frozen=True)
class JointSet:
    """An ordered set of body joints.

    Attributes:
        name: Name of the set, as the command line takes it.
        joints: Joint names in the order of the arrays. A joint has one name in every set, by which sets are converted.
        own_sigmas: OKS tolerance of each joint; empty takes those of joints of the same name.
        own_limbs: Pairs of joints to draw as bones; empty takes those that are known by name.
        mirror: Pairs of joints that swap in a mirror, beside those called left_ and right_.
    """

    name: str
    joints: tuple[str, ...]
    own_sigmas: tuple[float, ...] = ()
    own_limbs: tuple[tuple[str, str], ...] = ()
    mirror: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        doubled = sorted({joint for joint in self.joints if self.joints.count(joint) > 1})
        if doubled or not self.joints:
            raise InputError(f"joint set {self.name}: {', '.join(doubled) or 'no joint'}: expected each name once")
        if self.own_sigmas and len(self.own_sigmas) != len(self.joints):
            raise InputError(f"joint set {self.name}: {len(self.own_sigmas)} sigmas for {len(self.joints)} joints")
        for pair in (*self.own_limbs, *self.mirror):
            for joint in pair:
                self.index(joint)

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of `joint` in the arrays; raises `InputError` for an unknown name."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise InputError(f"unknown joint {joint!r}: {self.name} has {', '.join(self.joints)}") from None

    @cached_property
    def sigmas(self) -> Float[np.ndarray, " joints"]:
        """OKS fall-off of each joint, as a fraction of the object scale."""
        return np.array(self.own_sigmas or [_SIGMAS.get(_side_free(joint), _OTHER_SIGMA) for joint in self.joints])

    @cached_property
    def flip_permutation(self) -> Int[np.ndarray, " joints"]:
        """Index of each joint's mirror partner: `xy[..., flip_permutation, :]` swaps left and right."""
        partners = {a: b for pair in self.mirror for a, b in (pair, pair[::-1])}
        names = [partners.get(joint, _mirror(joint)) for joint in self.joints]
        return np.array(
            [
                self.joints.index(name if name in self.joints else own)
                for own, name in zip(self.joints, names, strict=True)
            ]
        )

    @cached_property
    def limbs(self) -> Int[np.ndarray, "limbs 2"]:
        """Pairs of joint indices to draw as bones; a set without a neck draws COCO's head instead."""
        if self.own_limbs:
            pairs = list(self.own_limbs)
        else:
            heads = () if "head_bottom" in self.joints else _COCO_HEAD_LIMBS
            pairs = [pair for pair in (*_LIMBS, *heads, *_FOOT_LIMBS) if set(pair) <= set(self.joints)]
        return np.array([[self.joints.index(a), self.joints.index(b)] for a, b in pairs], int).reshape(-1, 2)


def _side_free(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


def _mirror(joint: str) -> str:
    if joint.startswith("left_"):
        return "right_" + joint.removeprefix("left_")
    if joint.startswith("right_"):
        return "left_" + joint.removeprefix("right_")
    return joint
