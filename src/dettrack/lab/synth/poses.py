"""Key poses and the actions made of them.

A pose names the joints that differ from standing at ease, each with its rotations about y, x and z in radians, z acting
first. About +z a hip or shoulder bends forward and an elbow bends; a knee bends about -z; about +y a joint turns
to the left.
"""

from __future__ import annotations

__all__ = ["ACTIONS", "POSES"]

# Bone -> (y, x, z). Right-handed; `motion.Action.mirrored` swaps the sides.
POSES: dict[str, dict[str, tuple[float, float, float]]] = {
    "stand": {},
    "squat": {
        "root": (0, 0, -0.45), "chest": (0, 0, -0.15), "right_hip": (0, -0.25, 1.75), "left_hip": (0, 0.25, 1.75),
        "right_knee": (0, 0, -2.0), "left_knee": (0, 0, -2.0), "right_ankle": (0, 0, 0.70), "left_ankle": (0, 0, 0.70),
        "right_shoulder": (0, -0.1, 1.45), "left_shoulder": (0, 0.1, 1.45),
    },
    "half squat": {
        "root": (0, 0, -0.25), "right_hip": (0, -0.1, 0.95), "left_hip": (0, 0.1, 0.95), "right_knee": (0, 0, -1.2),
        "left_knee": (0, 0, -1.2), "right_ankle": (0, 0, 0.5), "left_ankle": (0, 0, 0.5),
        "right_shoulder": (0, -0.2, -0.5), "left_shoulder": (0, 0.2, -0.5),
    },
    "arms up": {"right_shoulder": (0, -0.3, 2.9), "left_shoulder": (0, 0.3, 2.9)},
    "arms out": {"right_shoulder": (0, -1.5, 0.0), "left_shoulder": (0, 1.5, 0.0)},
    "arms forward": {"right_shoulder": (0, -0.05, 1.5), "left_shoulder": (0, 0.05, 1.5)},
    "wave out": {"right_shoulder": (0, -2.3, 0.3), "right_elbow": (0, 0, 0.3)},
    "wave in": {"right_shoulder": (0, -1.9, 0.5), "right_elbow": (0, 0, 1.5)},
    "reach": {
        "root": (0, 0, -0.2), "chest": (0.2, 0, -0.3), "right_shoulder": (0, -0.1, 1.9), "right_elbow": (0, 0, 0.1),
        "right_hip": (0, 0, 0.5), "left_hip": (0, 0, -0.1), "right_knee": (0, 0, -0.4),
    },
    "pick up": {
        "root": (0, 0, -0.9), "chest": (0, 0, -0.5), "neck": (0, 0, 0.3), "right_hip": (0, 0, 1.5),
        "left_hip": (0, 0, 1.5), "right_knee": (0, 0, -0.9), "left_knee": (0, 0, -0.9),
        "right_ankle": (0, 0, 0.3), "left_ankle": (0, 0, 0.3), "right_shoulder": (0, 0, 1.5),
        "left_shoulder": (0, 0, 1.1), "right_elbow": (0, 0, 0.1),
    },
    "kick back": {
        "root": (0, 0, -0.1), "right_hip": (0, 0, -0.5), "right_knee": (0, 0, -1.3), "left_knee": (0, 0, -0.15),
        "left_hip": (0, 0, 0.2), "left_shoulder": (0, 0.5, 0.6), "right_shoulder": (0, -0.5, -0.5),
    },
    "kick": {
        "root": (0, 0, 0.2), "right_hip": (0, 0, 1.5), "right_knee": (0, 0, -0.1), "left_hip": (0, 0, -0.15),
        "left_knee": (0, 0, -0.2), "left_shoulder": (0, 0.4, -0.6), "right_shoulder": (0, -0.7, 0.6),
        "right_ankle": (0, 0, -0.5),
    },
    "guard": {
        "chest": (0.3, 0, -0.1), "right_shoulder": (0, 0.1, 0.6), "right_elbow": (0, 0, 2.1),
        "left_shoulder": (0, -0.1, 0.9), "left_elbow": (0, 0, 1.9), "right_hip": (0, -0.1, -0.15),
        "left_hip": (0, 0, 0.35), "right_knee": (0, 0, -0.3), "left_knee": (0, 0, -0.4), "left_ankle": (0, 0, 0.1),
    },
    "punch": {
        "root": (0.25, 0, -0.1), "chest": (0.5, 0, -0.1), "right_shoulder": (0, 0.15, 1.5), "right_elbow": (0, 0, 0.1),
        "left_shoulder": (0, -0.1, 0.7), "left_elbow": (0, 0, 2.0), "left_hip": (0, 0, 0.45),
        "left_knee": (0, 0, -0.5), "right_hip": (0, -0.1, -0.25), "right_knee": (0, 0, -0.25),
    },
    "phone": {"right_shoulder": (0.3, -0.35, 0.7), "right_elbow": (0, 0, 2.3), "neck": (-0.1, 0.1, -0.1)},
    "arms crossed": {
        "right_shoulder": (0.7, 0.0, 0.55), "right_elbow": (0, 0, 1.75), "left_shoulder": (-0.7, 0.0, 0.65),
        "left_elbow": (0, 0, 1.7),
    },
    "hands on hips": {
        "right_shoulder": (-0.6, -0.75, -0.35), "right_elbow": (0, 0, 1.6), "left_shoulder": (0.6, 0.75, -0.35),
        "left_elbow": (0, 0, 1.6),
    },
    "talk": {"right_shoulder": (0.1, -0.3, 0.5), "right_elbow": (0, 0, 1.5), "neck": (0.2, 0, 0)},
    "hug": {
        "chest": (0, 0, -0.12), "right_shoulder": (0.65, -0.45, 1.35), "right_elbow": (0, 0, 0.75),
        "left_shoulder": (-0.65, 0.45, 1.2), "left_elbow": (0, 0, 0.75), "neck": (0.25, 0, 0),
    },
    "dance hold": {
        "right_shoulder": (0.4, -0.5, 1.0), "right_elbow": (0, 0, 1.1), "left_shoulder": (0, 1.25, 0.6),
        "left_elbow": (0, 0, 0.5),
    },
    "lunge": {
        "right_hip": (0, 0, 1.2), "right_knee": (0, 0, -1.3), "right_ankle": (0, 0, 0.1), "left_hip": (0, 0, -0.35),
        "left_knee": (0, 0, -0.9), "left_ankle": (0, 0, -0.3),
    },
    "bend left": {"root": (0, -0.1, 0), "chest": (0, -0.55, 0), "right_shoulder": (0, -2.7, 0.2)},
    "bend right": {"root": (0, 0.1, 0), "chest": (0, 0.55, 0), "left_shoulder": (0, 2.7, 0.2)},
    "twist left": {"chest": (0.8, 0, 0), "right_shoulder": (0.5, -0.9, 0.9), "left_shoulder": (0.5, 1.3, 0)},
    "twist right": {"chest": (-0.8, 0, 0), "right_shoulder": (-0.5, -1.3, 0), "left_shoulder": (-0.5, 0.9, 0.9)},
    "knee up": {
        "right_hip": (0, 0, 1.6), "right_knee": (0, 0, -1.7), "left_shoulder": (0, 0.1, 1.3),
        "left_elbow": (0, 0, 1.2), "right_shoulder": (0, -0.1, -0.6), "right_elbow": (0, 0, 1.0),
    },
    "star": {
        "right_shoulder": (0, -2.2, 0), "left_shoulder": (0, 2.2, 0), "right_hip": (0, -0.45, 0),
        "left_hip": (0, 0.45, 0),
    },
    "throw back": {
        "chest": (-0.6, 0, 0.15), "right_shoulder": (-0.4, -1.7, -0.4), "right_elbow": (0, 0, 1.6),
        "left_shoulder": (0.1, 0.3, 1.4), "left_hip": (0, 0, 0.4), "left_knee": (0, 0, -0.4),
    },
    "throw": {
        "root": (0, 0, -0.2), "chest": (0.6, 0, -0.3), "right_shoulder": (0.3, -0.3, 1.7), "right_elbow": (0, 0, 0.2),
        "left_hip": (0, 0, 0.6), "left_knee": (0, 0, -0.6), "right_hip": (0, 0, -0.3),
    },
}  # fmt: skip

# Action -> (poses in turn, seconds per pose, whether only the upper body takes part, metres of flight).
ACTIONS: dict[str, tuple[tuple[str, ...], float, bool, float]] = {
    "idle": (("stand",), 2.0, True, 0.0),
    "wave": (("wave out", "wave in"), 0.35, True, 0.0),
    "reach": (("stand", "reach", "reach"), 0.8, False, 0.0),
    "squat": (("stand", "squat"), 0.9, False, 0.0),
    "jump": (("half squat", "arms up", "half squat", "stand"), 0.4, False, 0.30),
    "star": (("stand", "star"), 0.4, False, 0.12),
    "kick": (("stand", "kick back", "kick", "stand"), 0.45, False, 0.0),
    "box": (("guard", "punch", "guard"), 0.3, False, 0.0),
    "phone": (("phone",), 2.0, True, 0.0),
    "arms crossed": (("arms crossed",), 2.0, True, 0.0),
    "hands on hips": (("hands on hips",), 2.0, True, 0.0),
    "talk": (("talk", "arms forward", "stand", "talk"), 0.7, True, 0.0),
    "hug": (("hug",), 2.0, True, 0.0),
    "dance": (("dance hold", "twist left", "arms up", "twist right", "dance hold", "knee up"), 0.5, False, 0.03),
    "couple": (("dance hold", "dance hold", "hug"), 1.1, True, 0.0),
    "stretch": (("arms up", "bend left", "arms up", "bend right"), 0.9, True, 0.0),
    "lunge": (("stand", "lunge"), 0.9, False, 0.0),
    "pick up": (("stand", "pick up", "stand"), 0.9, False, 0.0),
    "throw": (("throw back", "throw", "stand"), 0.4, False, 0.0),
    "march": (("knee up", "stand"), 0.4, False, 0.0),
    "arms out": (("arms out", "stand", "arms up"), 0.7, True, 0.0),
}
