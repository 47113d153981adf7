"""Progress of a run: a bar on a terminal, a plain line now and then without one, nothing when quiet."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["RunProgress"]

_PLAIN_EVERY_S = 10.0


class RunProgress:
    """Shows finished frames, frames per second and the time left of one video; a context manager."""

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True)
        self._name, self._quiet = name, quiet
        self._start = self._last_line = time.perf_counter()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> RunProgress:
        self._start = self._last_line = time.perf_counter()
        if not self._quiet and self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            speed = (TextColumn("{task.fields[rate]:.1f} frames/s"), TimeRemainingColumn())
            self._bar = Progress(*columns, *speed, console=self._console)
            self._task = self._bar.add_task(self._name, total=None, rate=0.0)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, expected: int | None) -> None:
        """Frames finished so far, and how many are expected."""
        now = time.perf_counter()
        rate = done / max(now - self._start, 1e-9)
        if self._bar is not None and self._task is not None:
            total = None if expected is None else max(expected, done)
            self._bar.update(self._task, completed=done, total=total, rate=rate)
        elif not self._quiet and now - self._last_line >= _PLAIN_EVERY_S:
            self._last_line = now
            left = "" if not expected or rate <= 0 else f", {max(expected - done, 0) / rate:.0f} s left"
            of = "" if not expected else f" of {expected}"
            self._console.print(f"{self._name}: frame {done}{of}, {rate:.1f} frames/s{left}", highlight=False)
