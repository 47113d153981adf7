"""Joint sets of the field: names, left/right pairs, limbs, OKS sigmas, and maps between sets by name.

A joint has one name in every set ("head_bottom" is PoseTrack's name for MPII's "upper_neck"), so sets are converted by
name.
"""

from dettrack.skeleton.joints import JointSet
from dettrack.skeleton.maps import APPROXIMATIONS, JointMap
from dettrack.skeleton.sets import (
    JOINT_SETS,
    is_known,
    joint_set,
    joint_set_of,
    known_joint_sets,
    named_joints,
    read_joint_set,
)

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
    "is_known",
    "joint_set",
    "joint_set_of",
    "known_joint_sets",
    "named_joints",
    "read_joint_set",
]

POSETRACK15 = JOINT_SETS["posetrack15"]
POSETRACK17 = JOINT_SETS["posetrack17"]
COCO17 = JOINT_SETS["coco17"]
MPII16 = JOINT_SETS["mpii16"]
LSP14 = JOINT_SETS["lsp14"]
