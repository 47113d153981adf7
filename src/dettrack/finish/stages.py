"""The stages after association, one protocol for all, on rows that arrive frame by frame (paper 3.3, 4.1).

In this order: hypotheses are merged (`polish`); gaps that no tube reaches over are bridged; tracks that are too short
go; joints below their threshold become missing; gaps inside a track are filled if the settings say so; joints are
smoothed beside the raw ones. Each stage takes whole frames in order and gives whole frames in order, some frames later;
none holds more than a bounded number of frames, whatever the length of the video. Everything removed is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Generic, Protocol, TypeVar, runtime_checkable

from dettrack.config import FinishConfig, TrackConfig
from dettrack.finish.bridge import Bridge, bridge_frames
from dettrack.finish.gaps import GapFiller
from dettrack.finish.smooth import Smoother
from dettrack.finish.thresholds import JointThresholds, joint_thresholds
from dettrack.finish.tracks import TrackRules
from dettrack.sew import gap_frames
from dettrack.sew.links import Links
from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable
from dettrack.structures.report import Report, Tally

__all__ = ["Chain", "Stage", "check_finish", "finishing"]

In = TypeVar("In", contravariant=True)


@runtime_checkable
class Stage(Protocol[In]):
    """Takes what the stage before gives, and gives rows, whole frames in order.

    Attributes:
        name: For the seconds in the report.
        settled_before: Every row of the frames before this one has been given out.
    """

    @property
    def name(self) -> str:
        """See the class."""
        ...

    @property
    def settled_before(self) -> int:
        """See the class."""
        ...

    @property
    def tally(self) -> Tally:
        """What was counted and dropped so far."""
        ...

    def add(self, rows: In, until: int, /) -> TrackTable:
        """Take what comes next.

        Args:
            rows: Of later frames than all before.
            until: All frames before this one are complete.

        Returns:
            Rows that are final, by frame and track id.
        """
        ...

    def end_shot(self, frame: int, /) -> None:
        """Frames from `frame` on, which come next, are of another shot."""
        ...

    def finish(self) -> TrackTable | None:
        """The remaining rows; None where nothing waits. Nothing is added afterwards."""
        ...


class Chain(Generic[In]):
    """Stages one after the other; itself a stage.

    Args:
        first: Takes what the chain takes.
        rest: Take rows.
    """

    name = "chain"

    def __init__(self, first: Stage[In], *rest: Stage[TrackTable]) -> None:
        self._first, self._rest = first, rest
        self._report = Report()

    @property
    def _stages(self) -> Sequence[Stage]:
        return (self._first, *self._rest)

    @property
    def settled_before(self) -> int:
        """Every row of the frames before this one has been given out."""
        return self._stages[-1].settled_before

    @property
    def tally(self) -> Tally:
        """What the stages counted and dropped so far, and the seconds of each."""
        return sum((stage.tally for stage in self._stages), self._report.tally())

    def add(self, rows: In, until: int, /) -> TrackTable:
        """See `Stage.add`."""
        with self._report.timed(self._first.name):
            table = self._first.add(rows, until)
        for before, stage in pairwise(self._stages):
            with self._report.timed(stage.name):
                table = stage.add(table, before.settled_before)
        return table

    def end_shot(self, frame: int) -> None:
        """Frames from `frame` on are of another shot."""
        for stage in self._stages:
            stage.end_shot(frame)

    def finish(self) -> TrackTable | None:
        """All remaining rows of all stages."""
        table = self._first.finish()
        for before, stage in pairwise(self._stages):
            with self._report.timed(stage.name):
                parts = [None if table is None else stage.add(table, before.settled_before), stage.finish()]
            known = [part for part in parts if part is not None]
            table = TrackTable.concatenate(known) if known else None
        return table


def check_finish(config: FinishConfig, joint_set: JointSet) -> None:
    """Check settings that a run would only find wrong after an earlier result has made way for it.

    Args:
        config: Settings.
        joint_set: Joints of the rows.

    Raises:
        InputError: The file of joint thresholds cannot be used.
    """
    joint_thresholds(config, joint_set)


def finishing(
    config: TrackConfig, joint_set: JointSet, fps: float | None, links: Links | None = None
) -> list[Stage[TrackTable]]:
    """The stages after the polisher, in their order, as the settings say.

    Args:
        config: Settings.
        joint_set: Joints of the rows.
        fps: Frames per second of the video; None where it has no clock.
        links: What people said of single tracklets.

    Returns:
        The stages.

    Raises:
        InputError: The file of joint thresholds cannot be used.
    """
    finish, clip = config.finish, config.cut.clip_length
    linked_gap = gap_frames(config.sew)
    stages: list[Stage[TrackTable]] = []
    if bridge_frames(config.sew):
        stages.append(Bridge(config.sew, joint_set, clip, links))
    stages.append(TrackRules(finish, max_gap=max(clip, linked_gap)))
    if finish.min_joint_score or finish.joint_thresholds:
        stages.append(JointThresholds(finish, joint_set))
    if fill := max(finish.fill_gaps, linked_gap):
        stages.append(GapFiller(fill))
    if finish.smooth != "none":
        stages.append(Smoother(finish, fps))
    return stages
