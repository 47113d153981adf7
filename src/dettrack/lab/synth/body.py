"""A person's bones: lengths that vary from person to person, forward kinematics, and PoseTrack's 15 joints.

World and body axes: x forward, y up, z to the right of the body, metres. The 13 turning joints and their order are
those of the DeepMimic humanoid (Peng et al. 2018), so that its motion files move our people; the lengths are
the fractions of body height collected by Winter (Biomechanics and Motor Control of Human Movement).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from dettrack.lab.synth.rotations import matrices
from dettrack.skeleton import POSETRACK15

__all__ = ["BONES", "PARENTS", "Body", "Motion", "Skeleton", "draw_body", "skeleton"]

BONES = (
    *("root", "chest", "neck"),
    *("right_hip", "right_knee", "right_ankle", "right_shoulder", "right_elbow"),
    *("left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow"),
)
PARENTS = (-1, 0, 1, 0, 3, 4, 1, 6, 0, 8, 9, 1, 11)


@dataclass(frozen=True)
class Body:
    """Proportions of one person.

    Attributes:
        height: Standing height in metres.
        legs: Leg length relative to the average of that height.
        arms: Arm length, likewise.
        shoulders: Shoulder width, likewise.
        hips: Hip width, likewise.
        girth: Thickness of trunk and limbs, likewise.
        head: Size of the head, likewise (children's heads are larger).
    """

    height: float = 1.7
    legs: float = 1.0
    arms: float = 1.0
    shoulders: float = 1.0
    hips: float = 1.0
    girth: float = 1.0
    head: float = 1.0

    @cached_property
    def leg_length(self) -> float:
        """Hip to ankle in metres."""
        return 0.491 * self.height * self.legs

    @cached_property
    def sole(self) -> float:
        """Ankle above the ground in metres."""
        return 0.042 * self.height

    @cached_property
    def offsets(self) -> Float[np.ndarray, "bones 3"]:
        """Each turning joint from its parent, in the parent's axes, metres."""
        h = self.height
        thigh, shank = 0.245 * h * self.legs, 0.246 * h * self.legs
        trunk = h * (1 - 0.71 * (self.legs - 1))
        hip, shoulder = 0.052 * h * self.hips, 0.112 * h * self.shoulders
        return np.array(
            [
                [0, 0, 0],
                [0, 0.14 * trunk, 0],
                [0, 0.15 * trunk, 0],
                [0, 0, hip],
                [0, -thigh, 0],
                [0, -shank, 0],
                [0, 0.130 * trunk, shoulder],
                [0, -0.178 * h * self.arms, 0],
                [0, 0, -hip],
                [0, -thigh, 0],
                [0, -shank, 0],
                [0, 0.130 * trunk, -shoulder],
                [0, -0.178 * h * self.arms, 0],
            ]
        )

    @cached_property
    def forearm(self) -> float:
        """Elbow to wrist in metres."""
        return 0.148 * self.height * self.arms

    @cached_property
    def landmarks(self) -> tuple[tuple[int, Float[np.ndarray, "3"]], ...]:
        """Bone and offset in its axes of each joint of PoseTrack's 15."""
        size = self.height * self.head
        named = {
            "nose": ("neck", (0.076 * size, 0.099 * size, 0.0)),
            "head_bottom": ("neck", (0.004 * size, 0.027 * size, 0.0)),
            "head_top": ("neck", (-0.004 * size, 0.182 * size, 0.0)),
        }
        for side in ("left", "right"):
            named[f"{side}_wrist"] = (f"{side}_elbow", (0.0, -self.forearm, 0.0))
            for joint in ("shoulder", "elbow", "hip", "knee", "ankle"):
                named[f"{side}_{joint}"] = (f"{side}_{joint}", (0.0, 0.0, 0.0))
        return tuple((BONES.index(named[j][0]), np.array(named[j][1])) for j in POSETRACK15.joints)


def draw_body(rng: np.random.Generator) -> Body:
    """A random person: an adult, or one time in twelve a child."""
    child = rng.random() < 1 / 12
    height = rng.uniform(1.1, 1.45) if child else float(np.clip(rng.normal(1.7, 0.09), 1.5, 1.98))
    near = lambda spread: float(np.clip(rng.normal(1, spread), 1 - 2 * spread, 1 + 2 * spread))  # noqa: E731
    return Body(
        height,
        legs=near(0.03),
        arms=near(0.03),
        shoulders=near(0.06),
        hips=near(0.06),
        girth=near(0.12),
        head=near(0.03) + (1.7 - height) * (0.45 if child else 0.15),
    )


@dataclass(frozen=True)
class Motion:
    """A person's movement, frame by frame.

    Attributes:
        root: Position of the pelvis in metres.
        turns: Rotation of every joint relative to its parent (the root's: relative to the world), `(w, x, y, z)`.
    """

    root: Float[np.ndarray, "frames 3"]
    turns: Float[np.ndarray, "frames bones 4"]

    def __len__(self) -> int:
        return len(self.root)


@dataclass(frozen=True)
class Skeleton:
    """Where a moving person's bones are.

    Attributes:
        joints: Turning joints in metres.
        axes: Columns are each joint's forward, up and right axes in the world.
        landmarks: PoseTrack's 15 joints in metres.
    """

    joints: Float[np.ndarray, "frames bones 3"]
    axes: Float[np.ndarray, "frames bones 3 3"]
    landmarks: Float[np.ndarray, "frames 15 3"]


def skeleton(body: Body, motion: Motion) -> Skeleton:
    """Forward kinematics of a whole motion.

    Args:
        body: Sizes of the person.
        motion: Rotation of every bone in every frame.

    Returns:
        Positions and axes of the bones.
    """
    local = matrices(motion.turns)
    axes = np.empty_like(local)
    joints = np.empty((len(motion), len(BONES), 3))
    for bone, parent in enumerate(PARENTS):
        if parent < 0:
            axes[:, bone], joints[:, bone] = local[:, bone], motion.root
            continue
        axes[:, bone] = axes[:, parent] @ local[:, bone]
        joints[:, bone] = joints[:, parent] + axes[:, parent] @ body.offsets[bone]
    marks = [joints[:, bone] + axes[:, bone] @ offset for bone, offset in body.landmarks]
    return Skeleton(joints, axes, np.stack(marks, 1))
