"""What a run counted, what it dropped and why, and where its time went.

Every stage tallies its own work; a `Tally` travels with the batch that it is of, and one reader sums all in a `Report`.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Report", "Tally"]


@dataclass(frozen=True)
class Tally:
    """Counts of one batch, or of a stage so far.

    Attributes:
        counts: Frames, keyframes, boxes, crops by size, tracks, poses by source.
        dropped: How many of what was removed, by reason.
        seconds: Wall time by stage.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        total = Report()
        total.add(self)
        total.add(other)
        return total.tally()


@dataclass
class Report:
    """The sum of tallies; goes into `summary.json`.

    Attributes:
        counts: As in `Tally`.
        dropped: As in `Tally`.
        seconds: As in `Tally`.
    """

    counts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, tally: Tally) -> None:
        """Add a tally."""
        self.counts.update(tally.counts)
        self.dropped.update(tally.dropped)
        for name, seconds in tally.seconds.items():
            self.seconds[name] += seconds

    def tally(self) -> Tally:
        """What was counted so far, frozen."""
        return Tally(dict(self.counts), dict(self.dropped), dict(self.seconds))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time spent inside to `seconds[stage]`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start
