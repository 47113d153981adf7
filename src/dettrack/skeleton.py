"""Joint sets of the field: names, left/right pairs, limbs, OKS sigmas, and maps between sets by name.

A joint has one canonical name in every set ("head_bottom" is PoseTrack's name for MPII's "upper_neck"), so sets
are converted by name. What the source lacks stays NaN, except for a few stated approximations
(`APPROXIMATIONS`), which a `JointMap` lists so that users can tell them from measured joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from dettrack.errors import InputError

__all__ = [
    "APPROXIMATIONS",
    "COCO17",
    "JOINT_SETS",
    "LSP14",
    "MPII16",
    "POSETRACK15",
    "POSETRACK17",
    "JointMap",
    "JointSet",
    "joint_set",
]

# OKS sigmas by joint name. COCO: the COCO keypoint evaluation; head_bottom and head_top: the PoseTrack18 values
# in common use (.079); pelvis and thorax: the hip's and the shoulder's.
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
}

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
        joints: Canonical joint names in the order of the arrays.
    """

    name: str
    joints: tuple[str, ...]

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
        return np.array([_SIGMAS[_side_free(joint)] for joint in self.joints])

    @cached_property
    def flip_permutation(self) -> Int[np.ndarray, " joints"]:
        """Index of each joint's mirror partner: `xy[..., flip_permutation, :]` swaps left and right."""
        return np.array([self.joints.index(_mirror(joint)) for joint in self.joints])

    @cached_property
    def limbs(self) -> Int[np.ndarray, "limbs 2"]:
        """Pairs of joint indices to draw as bones; a set without a neck draws COCO's head instead."""
        pairs = [pair for pair in _LIMBS if pair[0] in self.joints and pair[1] in self.joints]
        if "head_bottom" not in self.joints:
            pairs += [pair for pair in _COCO_HEAD_LIMBS if set(pair) <= set(self.joints)]
        return np.array([[self.joints.index(a), self.joints.index(b)] for a, b in pairs])


def _side_free(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


def _mirror(joint: str) -> str:
    if joint.startswith("left_"):
        return "right_" + joint.removeprefix("left_")
    if joint.startswith("right_"):
        return "left_" + joint.removeprefix("right_")
    return joint


def _sides(*parts: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for part in parts for side in ("left", "right"))


_BODY = _sides("shoulder", "elbow", "wrist", "hip", "knee", "ankle")

POSETRACK15 = JointSet("posetrack15", ("nose", "head_bottom", "head_top", *_BODY))
POSETRACK17 = JointSet("posetrack17", ("nose", "head_bottom", "head_top", *_sides("ear"), *_BODY))
COCO17 = JointSet("coco17", ("nose", *_sides("eye", "ear"), *_BODY))
MPII16 = JointSet(
    "mpii16",
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "thorax", "head_bottom", "head_top"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    ),
)
LSP14 = JointSet(
    "lsp14",
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
        *("head_bottom", "head_top"),
    ),
)
JOINT_SETS = {s.name: s for s in (POSETRACK15, POSETRACK17, COCO17, MPII16, LSP14)}


def joint_set(name: str) -> JointSet:
    """The joint set called `name`; raises `InputError` with the known names otherwise."""
    if name not in JOINT_SETS:
        raise InputError(f"unknown joint set {name!r}: expected one of {', '.join(JOINT_SETS)}")
    return JOINT_SETS[name]


# What a COCO model cannot give, approximated linearly: joint -> {source joint: weight}. The head bottom lies on
# the line from the shoulders' middle to the nose, a quarter of the way; the head top lies beyond the ears' middle, seen
# from the shoulders' middle, by 0.7 of that distance (from the nose alone the error is 2.5 times as large: it says
# nothing of how the head is tilted). Fitted and measured by lab/studies/approximations.py; errors: docs/formats.md.
APPROXIMATIONS: dict[str, dict[str, float]] = {
    "head_bottom": {"left_shoulder": 0.375, "right_shoulder": 0.375, "nose": 0.25},
    "head_top": {"left_shoulder": -0.35, "right_shoulder": -0.35, "left_ear": 0.85, "right_ear": 0.85},
    "nose": {"head_bottom": 0.45, "head_top": 0.55},
}


@dataclass(frozen=True)
class JointMap:
    """Conversion of poses from one joint set to another, by name.

    Attributes:
        source: Joint set of the input arrays.
        target: Joint set of the output arrays.
        approximate: Whether joints that the source lacks are filled by `APPROXIMATIONS` where these apply.
    """

    source: JointSet
    target: JointSet
    approximate: bool = True

    @cached_property
    def approximated(self) -> tuple[str, ...]:
        """Target joints that are stated approximations, not measured."""
        if not self.approximate:
            return ()
        return tuple(
            joint
            for joint in self.target.joints
            if joint not in self.source.joints
            and joint in APPROXIMATIONS
            and set(APPROXIMATIONS[joint]) <= set(self.source.joints)
        )

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Target joints that stay NaN."""
        return tuple(
            joint for joint in self.target.joints if joint not in self.source.joints and joint not in self.approximated
        )

    @cached_property
    def _weights(self) -> Float[np.ndarray, "target source"]:
        weights = np.zeros((len(self.target), len(self.source)))
        for row, joint in enumerate(self.target.joints):
            if joint in self.source.joints:
                weights[row, self.source.index(joint)] = 1.0
            elif joint in self.approximated:
                for name, weight in APPROXIMATIONS[joint].items():
                    weights[row, self.source.index(name)] = weight
        return weights

    def __call__(
        self, xy: Float[np.ndarray, "*batch source 2"], scores: Float[np.ndarray, "*batch source"]
    ) -> tuple[Float[np.ndarray, "*batch target 2"], Float[np.ndarray, "*batch target"]]:
        """Convert poses.

        Args:
            xy: Joint positions, NaN where missing.
            scores: Joint confidences in [0, 1].

        Returns:
            Positions and scores in the target's order. A joint that is not available is NaN with score 0; an
            approximated joint takes the lowest score of the joints that it is made from.
        """
        if self.source == self.target:
            return xy.copy(), scores.copy()
        out_xy = np.full((*xy.shape[:-2], len(self.target), 2), np.nan, xy.dtype)
        out_scores = np.zeros((*scores.shape[:-1], len(self.target)), scores.dtype)
        for row, weights in enumerate(self._weights):
            used = np.flatnonzero(weights)
            if used.size:
                out_xy[..., row, :] = np.einsum("s,...sd->...d", weights[used], xy[..., used, :])
                out_scores[..., row] = scores[..., used].min(-1)
        return out_xy, out_scores
