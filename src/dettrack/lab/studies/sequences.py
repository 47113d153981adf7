"""What the benchmarks on annotated sequences share: tubes that are in memory, and settings that leave no joint out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dettrack.config import CutConfig, FinishConfig
from dettrack.skeleton import JointSet
from dettrack.structures import Step

__all__ = ["ALL_JOINTS", "Tubes"]

# AP counts every joint, and tracking learns its thresholds: none is left out before.
ALL_JOINTS = FinishConfig(min_track_score=0.0, min_joint_score=0.0)


@dataclass(frozen=True)
class Tubes:
    """Tracklets of one sequence, as `ablation.sources.Tubes` asks."""

    joints: JointSet
    cut: CutConfig
    made: Sequence[Step]

    def steps(self) -> Iterable[Step]:
        """The steps of one sequence."""
        return self.made
