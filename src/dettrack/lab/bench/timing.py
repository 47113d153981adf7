"""Times of things that take turns, so that a busy machine slows all of them alike, and what is said of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

__all__ = ["Spread", "Turns", "take_turns"]

Name = TypeVar("Name")


@dataclass(frozen=True)
class Spread:
    """Several values of one quantity.

    Attributes:
        median: The middle one.
        low: The smallest.
        high: The largest.
    """

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return Spread(float(np.median(values)), float(min(values)), float(max(values)))

    def __str__(self) -> str:
        return f"{_digits(self.median)} ({_digits(self.low)}-{_digits(self.high)})"


def _digits(value: float) -> str:
    """Three significant digits without an exponent."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{decimals}f}"


@dataclass(frozen=True)
class Turns:
    """Times of one thing over all rounds.

    Attributes:
        seconds: Wall time of each round.
        cpu_seconds: Processor time of each round, over all threads: what other work on the machine disturbs less.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]

    def per(self, count: float | int) -> Spread:
        """Wall seconds divided by a count."""
        return Spread.of([value / count for value in self.seconds])

    def rate(self, count: float | int) -> Spread:
        """A count divided by wall seconds."""
        return Spread.of([count / value for value in self.seconds])

    def over(self, other: Turns) -> Spread:
        """How many times as long as `other`, round by round."""
        return Spread.of([a / b for a, b in zip(self.seconds, other.seconds, strict=True)])

    def cpu_over(self, other: Turns) -> Spread:
        """`over` in processor time."""
        return Spread.of([a / b for a, b in zip(self.cpu_seconds, other.cpu_seconds, strict=True)])


def take_turns(
    things: Mapping[Name, Callable[[], object]], rounds: int, say: Callable[[str], None] = lambda line: None
) -> dict[Name, Turns]:
    """Call everything once for warming up, then in rounds; every other round backwards.

    Args:
        things: Calls by name.
        rounds: How often each is timed; at least 1.
        say: Receives a line of progress before each round.

    Returns:
        Times by name.
    """
    for thing in things.values():
        thing()
    seconds: dict[Name, list[float]] = {name: [] for name in things}
    cpu_seconds: dict[Name, list[float]] = {name: [] for name in things}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for name, thing in list(things.items())[:: 1 if number % 2 == 0 else -1]:
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            thing()
            seconds[name].append(time.perf_counter() - wall)
            cpu_seconds[name].append(time.process_time() - cpu)
    return {name: Turns(tuple(seconds[name]), tuple(cpu_seconds[name])) for name in things}
