"""Joints below a score threshold become missing (paper 4.1)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dettrack.config import FinishConfig
from dettrack.files.toml import read_joint_thresholds
from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable
from dettrack.structures.report import Tally

__all__ = ["JointThresholds", "apply_thresholds", "joint_thresholds", "read_thresholds"]


def read_thresholds(path: str | Path, joint_set: JointSet) -> Float[np.ndarray, " joints"]:
    """Per-joint score thresholds from a file (see `settings.read_joint_thresholds`).

    Joints that the file does not name keep every score (threshold 0).

    Args:
        path: TOML file.
        joint_set: Joints of the rows.

    Returns:
        In the order of the joints.
    """
    thresholds = np.zeros(len(joint_set))
    for joint, value in read_joint_thresholds(Path(path), joint_set.joints).items():
        thresholds[joint_set.index(joint)] = value
    return thresholds


def joint_thresholds(config: FinishConfig, joint_set: JointSet) -> Float[np.ndarray, " joints"]:
    """Score below which each joint becomes missing: the higher one of the two that the settings give.

    Args:
        config: Settings.
        joint_set: Joints of the rows.

    Returns:
        In the order of the joints.

    Raises:
        InputError: The file of joint thresholds cannot be used.
    """
    thresholds = np.full(len(joint_set), config.min_joint_score)
    if config.joint_thresholds:
        thresholds = np.maximum(thresholds, read_thresholds(config.joint_thresholds, joint_set))
    return thresholds


def apply_thresholds(table: TrackTable, thresholds: Float[np.ndarray, " joints"]) -> tuple[TrackTable, dict[str, int]]:
    """Make joints below their threshold missing (their scores stay), and remove rows that have no joint left.

    Args:
        table: Rows.
        thresholds: Of each joint.

    Returns:
        The rows that remain, and the numbers of joints and rows removed.
    """
    there = np.isfinite(table.xy).all(-1)
    below = there & (table.joint_scores < thresholds)
    empty = below.any(1) & ~(there & ~below).any(1)
    columns = {name: value for name, value in vars(table).items() if name not in ("xy", "spread", "support")}
    cut = TrackTable(
        **columns,
        xy=np.where(below[..., None], np.nan, table.xy),
        spread=np.where(below, np.nan, table.spread),
        support=np.where(below, 0, table.support),
    )
    return cut[~empty], {"joints_below_threshold": int(below.sum()), "poses_without_joints": int(empty.sum())}


class JointThresholds:
    """The stage that applies thresholds; it holds no rows back.

    Attributes:
        settled_before: Every row of the frames before this one has been given out.
    """

    name = "thresholds"

    def __init__(self, config: FinishConfig, joint_set: JointSet) -> None:
        self.settled_before = 0
        self._thresholds = joint_thresholds(config, joint_set)
        self._dropped: Counter[str] = Counter()

    @property
    def tally(self) -> Tally:
        """Joints and rows removed so far."""
        return Tally(dropped=self._dropped)

    def add(self, table: TrackTable, until: int) -> TrackTable:
        """See `stages.Stage.add`; joints below their thresholds become missing."""
        self.settled_before = until
        table, dropped = apply_thresholds(table, self._thresholds)
        self._dropped.update(dropped)
        return table

    def end_shot(self, frame: int) -> None:
        """Nothing changes at a shot cut."""

    def finish(self) -> TrackTable | None:
        """Nothing waits."""
        return None
