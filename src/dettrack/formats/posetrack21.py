"""PoseTrack21: PoseTrack18's files with a few fields more.

Images have `has_labeled_person` (boxes are annotated, though maybe no joints; `is_labeled` means joints) and always
lists of ignore regions; people have `person_id`, an identity that is the same in all sequences. The official evaluator
takes 17 joints only and ignores the visibility flag.
"""

from __future__ import annotations

from pathlib import Path

from dettrack.errors import InputError
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.posetrack18 import read_posetrack18, write_posetrack18
from dettrack.skeleton import POSETRACK17

__all__ = ["read_posetrack21", "write_posetrack21"]


def read_posetrack21(path: str | Path) -> PoseSequence:
    """Read a PoseTrack21 file.

    Raises:
        InputError: The file cannot be read, or has 15 joints (PoseTrack21 is 17, the ears being 0, 0, 0).
    """
    sequence = read_posetrack18(path)[0]
    if sequence.joint_set != POSETRACK17:
        raise InputError(
            f"{path}: {len(sequence.joint_set)} joints; PoseTrack21 has 17 (with the ears): read it as PoseTrack18"
        )
    return PoseSequence(**{**vars(sequence), "format": "posetrack21"})


def write_posetrack21(sequence: PoseSequence, path: str | Path) -> None:
    """Write a sequence with 17 joints and PoseTrack21's fields; `read_posetrack21` gives it back.

    Raises:
        OutputError: The file cannot be written.
    """
    write_posetrack18(sequence.with_joints(POSETRACK17), path, format="posetrack21")
