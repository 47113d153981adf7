"""The joint sets that are known by name, and those of the user's files: TOML, one file each, in `sets/`.

joints = ["nose", "left_eye", ...]          # in the order of the arrays
limbs = [["nose", "left_eye"], ...]         # bones to draw; without it those that are known by name
sigmas = [0.026, 0.025, ...]                # OKS tolerances; without it those that are known by name
mirror = [["face_0", "face_16"], ...]       # pairs that swap in a mirror, beside left_ and right_
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dettrack.errors import InputError, UsageError
from dettrack.files.toml import read_table, read_toml
from dettrack.skeleton.joints import JointSet

__all__ = ["JOINT_SETS", "is_known", "joint_set", "joint_set_of", "known_joint_sets", "named_joints", "read_joint_set"]

_FOLDER = Path(__file__).with_name("sets")


@dataclass(frozen=True)
class _Entry:
    """A file's content."""

    joints: tuple[str, ...]
    sigmas: tuple[float, ...] = ()
    limbs: tuple[tuple[str, ...], ...] = ()
    mirror: tuple[tuple[str, ...], ...] = ()


@cache
def read_joint_set(path: Path) -> JointSet:
    """A joint set from a file; its name is the file's.

    Raises:
        InputError: The file cannot be read, or is no joint set.
    """
    try:
        entry = read_table(_Entry, read_toml(path), str(path))
        pairs = [tuple((pair[0], pair[1]) for pair in part if len(pair) == 2) for part in (entry.limbs, entry.mirror)]
        if [len(part) for part in pairs] != [len(entry.limbs), len(entry.mirror)]:
            raise InputError(f"{path}: limbs and mirror are lists of pairs of joints")
        return JointSet(path.stem, entry.joints, entry.sigmas, *pairs)
    except UsageError as error:
        raise InputError(str(error)) from error


@cache
def known_joint_sets() -> tuple[str, ...]:
    """Names of the sets that come with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def joint_set(name: str) -> JointSet:
    """The joint set called `name`, or that of a file `name` (`.toml`); raises `InputError` where there is none."""
    if name.endswith(".toml"):
        return read_joint_set(Path(name))
    if name not in known_joint_sets():
        raise InputError(
            f"unknown joint set {name!r}: expected one of {', '.join(known_joint_sets())}, or a .toml file"
        )
    return read_joint_set(_FOLDER / f"{name}.toml")


def joint_set_of(count: int) -> JointSet | None:
    """The set that models of so many joints usually have; None where there is no usual one."""
    usual = {14: "lsp14", 15: "posetrack15", 16: "mpii16", 17: "coco17", 26: "halpe26", 52: "synthpose52"}
    usual[133] = "wholebody133"
    return joint_set(usual[count]) if count in usual else None


def named_joints(joints: Sequence[str], name: str = "custom") -> JointSet:
    """The known set of these joints in this order, or a set of its own.

    Args:
        joints: Their names.
        name: Of a set that is not known.

    Returns:
        The set.
    """
    known = (joint_set(one) for one in known_joint_sets())
    return next((one for one in known if one.joints == tuple(joints)), JointSet(name, tuple(joints)))


def is_known(joints: JointSet) -> bool:
    """Whether it is one of those that come with the package."""
    return joints.name in known_joint_sets() and joints == joint_set(joints.name)


JOINT_SETS = {name: joint_set(name) for name in ("posetrack15", "posetrack17", "coco17", "mpii16", "lsp14")}
"""The sets of the body alone."""
