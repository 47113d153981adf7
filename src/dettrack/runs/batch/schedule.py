"""A run of a batch: which videos are due, who gets them, and what becomes of their answers.

Work is done at least once, its result is seen exactly once: a result folder appears whole, with the fingerprint of what
it was made of, and the manifest says afterwards that it is there. A run that is killed between the two finds the result
the next time, and does not make it again.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from dettrack.config import TrackConfig
from dettrack.cut.known import Span
from dettrack.errors import DettrackError, OutputError
from dettrack.runs.batch.inputs import Entry
from dettrack.runs.batch.manifest import FINISHED, Manifest, Row
from dettrack.runs.batch.tasks import Death, Engine, Outcome, Task, spans_of
from dettrack.runs.fingerprint import made_with, stamp
from dettrack.runs.options import RunOptions
from dettrack.video.sources import ImageList, find_source

__all__ = ["Due", "Retry", "find_due", "run_batch"]

Retry = Literal["", "failed", "poison", "all"]

_MOST_DEATHS = 2
_BLOCKED_IN_A_ROW = 3  # results that cannot be written, one after the other: nothing more will be


@dataclass(frozen=True)
class Due:
    """A video that is to be tracked.

    Attributes:
        entry: The video.
        why: "new", "unfinished", "changed input", "other settings", "result gone" or "again".
        stamp: What the file system says of it; nothing where it cannot be found.
        made_with: Hash of settings, weights and outputs.
    """

    entry: Entry
    why: str
    stamp: list[object]
    made_with: str


def find_due(
    entries: Sequence[Entry], rows: dict[str, Row], out: Path, options: RunOptions, retry: Retry = ""
) -> tuple[list[Due], Counter[str]]:
    """What is missing, or was made of something else.

    Args:
        entries: The videos.
        rows: What the manifest says of them.
        out: Folder of the results.
        options: What to write.
        retry: Which videos that failed are due again.

    Returns:
        Those to track; and how many are left out, by state.

    Raises:
        InputError: Weights cannot be found or read.
    """
    due: list[Due] = []
    left: Counter[str] = Counter()
    hashes: dict[tuple[TrackConfig, RunOptions], str] = {}
    for entry in entries:
        kind = (entry.config, _of_entry(options, entry))
        if kind not in hashes:
            hashes[kind] = made_with(entry.config, kind[1].deciding)
        row = rows.get(entry.name)
        seen: list[object] = []
        with suppress(DettrackError):  # the worker says what is wrong
            seen = stamp(entry.source)
        why = _why(row, seen, hashes[kind], entry.result(out), retry)
        if why or row is None:
            due.append(Due(entry, why, seen, hashes[kind]))
        else:
            left[row.state] += 1
    return due, left


def _why(row: Row | None, seen: list[object], made: str, result: Path, retry: Retry) -> str:
    """Why a video is due; "" where it is not."""
    if row is None:
        return "new"
    if row.state not in FINISHED:
        return "unfinished"
    if row.stamp != seen:
        return "changed input"
    if row.made_with != made:
        return "other settings"
    if row.state == "done" and not result.is_dir():
        return "result gone"
    if row.state == "done":
        return "again" if retry == "all" and not row.complete else ""
    return "again" if retry in ("all", row.state) else ""


def _of_entry(options: RunOptions, entry: Entry) -> RunOptions:
    """The options of a run with the range of one video; a rate is for images."""
    if entry.start_s or entry.end_s is not None:
        options = replace(options, start_s=entry.start_s, end_s=entry.end_s)
    if options.fps is not None:
        with suppress(DettrackError):  # the worker says what is wrong
            if not isinstance(find_source(entry.source), ImageList):
                return replace(options, fps=None)
    return options


def run_batch(
    due: Sequence[Due],
    manifest: Manifest,
    engine: Engine,
    options: RunOptions,
    split_s: float = 0.0,
    tell: Callable[[Row], None] = lambda row: None,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Track what is due.

    Args:
        due: The videos.
        manifest: Of the batch, held by this run.
        engine: Who does the work; closed in the end.
        options: What to write.
        split_s: A video longer than this many seconds is divided where workers have nothing else to do; 0 for never.
        tell: Called with the row of each video that has come to an end.
        tick: Called about once a second.

    Raises:
        OutputError: Results cannot be written, several times one after the other; what is done stays.
    """
    for one in due:
        about = {"source": one.entry.source, "stamp": one.stamp, "made_with": one.made_with}
        manifest.note(one.entry.name, state="pending", **about)
    run = _Run(due, manifest, engine, options, split_s, tell)
    last = time.monotonic()
    try:
        while run.waiting or run.under_way:
            while run.waiting and len(run.under_way) < engine.size:
                run.begin(run.waiting.popleft())
            for task, outcome in engine.wait(1.0):
                run.end(task, outcome)
            if time.monotonic() - last >= 1.0:
                last = time.monotonic()
                manifest.beat()
                tick()
    finally:
        engine.close()
        run.abandon()


@dataclass(frozen=True)
class _Job:
    """A video, or a part of one, to be given to a worker."""

    due: Due
    span: Span | None = None
    whole: bool = False  # not to be divided (again)


class _Run:
    """The state of a run: every video of it is waiting, under way, or has come to its end."""

    def __init__(
        self,
        due: Sequence[Due],
        manifest: Manifest,
        engine: Engine,
        options: RunOptions,
        split_s: float,
        tell: Callable[[Row], None],
    ) -> None:
        self.waiting = deque(_Job(one) for one in due)
        self.under_way: dict[tuple[str, Span | None], _Job] = {}
        self._manifest, self._engine, self._options = manifest, engine, options
        self._split_s, self._tell = split_s, tell
        self._out = manifest.folder.parent
        self._blocked = 0
        self._deaths: Counter[str] = Counter()  # in this run: another one may try again
        self._parts: Counter[str] = Counter()  # spans of a video that are not done yet

    def begin(self, job: _Job) -> None:
        entry = job.due.entry
        idle = self._engine.size - len(self.under_way) - len(self.waiting) > 1
        task = Task(
            entry.name,
            entry.source,
            entry.result(self._out),
            self._manifest.folder,
            entry.config,
            _of_entry(self._options, entry),
            job.span,
            self._split_s if idle and not job.whole and job.span is None else 0.0,
        )
        self.under_way[entry.name, job.span] = job
        worker = self._engine.start(task)
        if job.span is None:
            attempts = self._manifest.rows[entry.name].attempts + (not job.whole)
            about = {"attempts": attempts, "deaths": self._deaths[entry.name], "worker": worker, "reason": ""}
            self._manifest.note(entry.name, state="running", since=round(time.time(), 3), **about)

    def end(self, task: Task, outcome: Outcome | Death) -> None:
        """Record an end; what is to be done once more waits again, before all others."""
        job = self.under_way.pop((task.video, task.span))
        if isinstance(outcome, Death):
            self._died(task, outcome, job)
        elif task.span is not None:  # what it could not do is done, or fails, with the whole video
            self._part_ended(job)
        elif outcome.state == "long":
            self._divide(job, outcome.frames)
        elif outcome.state == "blocked":
            self._tell(self._manifest.note(task.video, state="pending", reason=outcome.reason))
            self._blocked += 1
            if self._blocked >= _BLOCKED_IN_A_ROW:
                raise OutputError(f"{outcome.reason} ({self._blocked} results in a row: the batch ends here)")
        else:
            self._blocked = 0
            result = {name: value for name, value in asdict(outcome).items() if name != "adopted"}
            self._tell(self._manifest.note(task.video, ended=round(time.time(), 3), **result))

    def _divide(self, job: _Job, frames: int) -> None:
        """One span for each worker that has nothing to do."""
        number = max(2, self._engine.size - len(self.under_way) - len(self.waiting))
        edges = [frames * i // number for i in range(number)]
        spans = [Span(first, stop) for first, stop in zip(edges, [*edges[1:], None], strict=True)]
        self._parts[job.due.entry.name] = number
        self.waiting.extendleft(_Job(job.due, span) for span in reversed(spans))

    def _part_ended(self, job: _Job) -> None:
        name = job.due.entry.name
        self._parts[name] -= 1
        if not self._parts[name]:
            self.waiting.appendleft(_Job(job.due, whole=True))

    def _died(self, task: Task, death: Death, job: _Job) -> None:
        self._deaths[task.video] += 1
        deaths = self._deaths[task.video]
        where = "" if death.frame is None else f" near frame {death.frame}"
        reason = f"the worker died ({death.cause}){where}"
        if task.span is not None:
            self._part_ended(job)
        elif deaths < _MOST_DEATHS:
            self._manifest.note(task.video, state="pending", deaths=deaths, reason=reason)
            self.waiting.appendleft(_Job(job.due, whole=job.whole))
        else:
            self._remove_traces(task)
            reason += f", {deaths} times; tried again with --retry poison"
            about = {"deaths": deaths, "reason": reason, "ended": round(time.time(), 3)}
            self._tell(self._manifest.note(task.video, state="poison", **about))

    def _remove_traces(self, task: Task) -> None:
        shutil.rmtree(task.result.with_name(task.result.name + ".part"), ignore_errors=True)
        shutil.rmtree(spans_of(task.folder, task.video), ignore_errors=True)

    def abandon(self) -> None:
        """What was under way when the run ended is due the next time; nothing half-made is in the results' place."""
        for job in self.under_way.values():
            result = job.due.entry.result(self._out)
            shutil.rmtree(result.with_name(result.name + ".part"), ignore_errors=True)
            with suppress(OutputError):
                self._manifest.note(job.due.entry.name, state="pending", reason="interrupted")
        self.under_way = {}
