"""Groups of keyframes that need not be looked at again: their tracklets are known already, or are another worker's.

A video can be continued, or divided among workers, without any difference in its tracklets: all read all of its frames
from the beginning (which costs little; seeking may land on another frame), so that shots, keyframes and groups are the
same for all; only the networks are spared. What a group gives depends on the group before it in one way alone: its last
keyframe is compared with the next one (`plan.Planner`). So that group is looked at once more, and its own tracklets are
thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from dettrack.cut.clips import KeyframeGroup
from dettrack.structures import TrackletBatch

__all__ = ["KnownBatches", "Span", "needed"]


@runtime_checkable
class KnownBatches(Protocol):
    """Tracklets of a video by the first keyframe of their group, such as `runs.checkpoint.Checkpoint`."""

    def __contains__(self, first: int) -> bool:
        """Whether the batch of the group is known whose first keyframe this is."""
        ...

    def find(self, first: int) -> TrackletBatch:
        """That batch."""
        ...

    def add(self, first: int, batch: TrackletBatch) -> None:
        """Take a batch that was made; `first` is the first keyframe of its group."""
        ...


@dataclass(frozen=True)
class Span:
    """Part of a video: the groups whose first keyframe lies in it.

    Attributes:
        first: Frame index.
        stop: Frame index, not in it; None reaches to the end.
    """

    first: int = 0
    stop: int | None = None


def needed(groups: Iterator[KeyframeGroup], known: KnownBatches | None, span: Span) -> Iterator[KeyframeGroup]:
    """The groups, marked whether anything must look at them.

    Args:
        groups: All groups of a video from its beginning.
        known: Batches that are there already.
        span: The part that is wanted; groups behind it are not read.

    Yields:
        The groups up to the end of the span; those before it, and known ones, with `visit` set only where the next one
        depends on them.
    """
    held: KeyframeGroup | None = None
    for group in groups:
        first = group.clips[0].keyframe.index
        if span.stop is not None and first >= span.stop:
            break
        settled = first < span.first or (known is not None and first in known)
        if held is not None:
            yield replace(held, visit=not settled and not held.shot_ended)
        held = group if settled else None
        if not settled:
            yield group
    if held is not None:
        yield replace(held, visit=False)
