"""`dettrack batch`: thousands of videos, by several workers or machines; a second call does what is missing."""

from __future__ import annotations

import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from dettrack import __version__
from dettrack.cli.settings import SettingsOptions, format_names, parse_options, seconds
from dettrack.config import DEFAULT_PRESET, Preset, TrackConfig
from dettrack.errors import UsageError
from dettrack.threads import cpu_threads

if TYPE_CHECKING:
    from dettrack.runs.batch.inputs import Entry
    from dettrack.runs.batch.manifest import Manifest, Row
    from dettrack.runs.batch.schedule import Due
    from dettrack.runs.batch.tasks import Engine
    from dettrack.runs.options import RunOptions

__all__ = ["BatchArgs", "StatusArgs", "run"]

_PAGE_EVERY_S = 10.0
_UNREAD = 3  # exit code, as of `dettrack track`


@dataclass(frozen=True)
class BatchArgs(SettingsOptions):
    """Track many videos. A second call does what is missing or was made of something else, and nothing else.

    Each video gives a folder OUT/<name>.dettrack as `dettrack track` makes it. `dettrack batch status OUT` says how it
    stands, also while it runs (docs/scaling.md).

    Attributes:
        inputs: Videos, folders of videos (searched through), patterns in quotes, .txt lists, .csv tables with a column
            video and any of name, start, end and of the settings below.
        out: Folder that receives the results and the manifest.
        workers: Worker processes, each with models of its own; 0 is one for each core (or for --threads of them).
        worker_memory: With worker processes: bound on what each may allocate, in GiB; 0 for none.
        ray: Use a Ray cluster: its address, or local to start one here. All nodes must see inputs and OUT (extra ray).
        num_cpus: With --ray: CPUs of each worker, which may be a fraction.
        num_gpus: With --ray: GPUs of each worker, which may be a fraction: 0.25 puts four on one.
        split: Videos longer than this many seconds are divided among workers that have nothing to do; 0 for never.
        shard: Do the I-th of N shares of the videos (1/16 to 16/16), for array jobs: several machines with one OUT.
        retry: Track videos again that failed (failed), that killed their workers (poison), or any (all).
        dry_run: Say what would be done, and how long it takes by the speed so far.
        formats: Comma-separated: jsonl, parquet, csv, posetrack18, coco, mot, trc, openpose.
        render: Write render.mp4 too.
        blur_faces: Make the heads of all people unrecognisable in render.mp4.
        save_tracklets: Write tracklets.parquet too.
        start: Skip what comes before this time from each video's first frame: seconds, or minutes:seconds.
        end: Stop at this time from the first frame, likewise.
        fps: Frames per second of folders of images, which have no clock; videos have times of their own.
        max_pixels: Largest picture, in pixels, that is decoded; one that a header announces to be larger is refused.
        preset: See `dettrack track`.
        config: TOML file of settings; options given here win.
        quiet: Print errors only.
    """

    inputs: tyro.conf.Positional[tuple[str, ...]] = ()
    out: Path | None = None
    workers: int = 0
    worker_memory: float = 0.0
    ray: str = ""
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    split: float = 300.0
    shard: str = ""
    retry: Literal["", "failed", "poison", "all"] = ""
    dry_run: bool = False
    formats: str = "jsonl,parquet"
    render: bool = False
    blur_faces: bool = False
    save_tracklets: bool = False
    start: str = "0"
    end: str = ""
    fps: float | None = None
    max_pixels: int = 100_000_000
    preset: Preset = DEFAULT_PRESET
    config: Path | None = None
    quiet: bool = False

    @property
    def settings(self) -> TrackConfig:
        """The settings alone. A worker has one thread unless told otherwise.

        Not all cores, as for a single video: results must not depend on how many workers share them.
        """
        estimate = self.estimate if self.estimate.threads else replace(self.estimate, threads=1)
        return replace(super().settings, estimate=estimate)


@dataclass(frozen=True)
class StatusArgs:
    """Say how a batch stands: done, failed by reason, speed, time left; and write the same as a page.

    Attributes:
        out: Its --out.
    """

    out: tyro.conf.Positional[Path]


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    if args[:1] == ["status"]:
        return _run_status(args[1:])
    parsed = parse_options(BatchArgs, args, "dettrack batch")
    if parsed.out is None or not parsed.inputs:
        raise UsageError("give videos (or folders, patterns, lists) and --out DIR; see --help")
    from dettrack.runs.batch.inputs import find_entries, of_shard
    from dettrack.runs.options import RunOptions, check_formats
    from dettrack.video import choose_encoder

    formats, shard = format_names(parsed.formats), _shard(parsed.shard)
    check_formats(formats)
    _check_numbers(parsed)
    if parsed.render:
        choose_encoder()
    options = RunOptions(
        formats=formats,
        render=parsed.render,
        save_tracklets=parsed.save_tracklets,
        start_s=seconds(parsed.start, "--start"),
        end_s=seconds(parsed.end, "--end") if parsed.end else None,
        preset=parsed.preset,
        fps=parsed.fps,
        max_pixels=parsed.max_pixels,
        blur_faces=parsed.blur_faces,
    )
    entries = find_entries(parsed.inputs, parsed.settings, parsed.out)
    if shard is not None:
        entries = of_shard(entries, shard)
    return (_dry_run if parsed.dry_run else _run)(parsed, parsed.out, entries, options)


def _check_numbers(parsed: BatchArgs) -> None:
    """What would fail every single video, or leave none of them with a worker."""
    for name in ("workers", "worker_memory", "split", "num_cpus", "num_gpus"):
        if not 0 <= getattr(parsed, name) < math.inf:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(parsed, name)}: expected a number of at least 0")
    if parsed.end and seconds(parsed.end, "--end") <= seconds(parsed.start, "--start"):
        raise UsageError(f"--end is {parsed.end}: it must be later than --start, which is {parsed.start}")
    if parsed.fps is not None:
        from dettrack.video.sources import check_fps

        check_fps(parsed.fps)
    if parsed.max_pixels < 1:
        raise UsageError(f"--max-pixels is {parsed.max_pixels}: expected at least 1")
    if not parsed.num_cpus and not parsed.num_gpus:
        raise UsageError("--num-cpus and --num-gpus are both 0: a worker needs a share of one of them")


def _shard(text: str) -> tuple[int, int] | None:
    """Which share, from 0, of how many."""
    if not text:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard is {text!r}: expected I/N with I from 1 to N, such as 3/16")
    return int(found[1]) - 1, int(found[2])


def _engine(parsed: BatchArgs, folder: Path) -> Engine:
    if parsed.ray:
        from dettrack.runs.batch.actors import Actors

        return Actors(parsed.ray, folder, parsed.workers, parsed.num_cpus, parsed.num_gpus)
    from dettrack.runs.batch.processes import Processes

    size = parsed.workers or max(1, cpu_threads(0) // parsed.settings.estimate.threads)
    return Processes(size, folder, parsed.worker_memory)


def _run(parsed: BatchArgs, out: Path, entries: Sequence[Entry], options: RunOptions) -> int:
    from dettrack.runs.batch.manifest import Manifest, read_manifest
    from dettrack.runs.batch.schedule import find_due, run_batch
    from dettrack.runs.batch.status import read_status, status_lines, write_page
    from dettrack.runs.batch.tables import write_videos

    with Manifest(out, parsed.shard.replace("/", "-of-") or "all") as manifest:
        due, left = find_due(entries, manifest.rows, out, options, parsed.retry)
        _say(parsed, _plan_line(due, left))
        if due:
            engine = _engine(parsed, manifest.folder)
            manifest.note_run(version=__version__, pid=os.getpid(), workers=engine.size, videos=len(due))
            show = _Progress(parsed, manifest, len(due))
            try:
                run_batch(due, manifest, engine, options, parsed.split, show.tell, show.tick)
            finally:
                write_videos(manifest.folder, read_manifest(out).values())
                write_page(out, read_status(out))
        rows = [manifest.rows[entry.name] for entry in entries if entry.name in manifest.rows]
    for line in status_lines(read_status(out)) if due else ():
        _say(parsed, line)
    return _exit_code(rows)


def _exit_code(rows: Sequence[Row]) -> int:
    if any(row.state != "done" for row in rows):
        return 1
    return 0 if all(row.complete for row in rows) else _UNREAD


def _dry_run(parsed: BatchArgs, out: Path, entries: Sequence[Entry], options: RunOptions) -> int:
    from dettrack.runs.batch.manifest import read_manifest
    from dettrack.runs.batch.schedule import find_due
    from dettrack.runs.batch.status import duration

    rows = read_manifest(out)
    due, left = find_due(entries, rows, out, options, parsed.retry)
    done = [row for row in rows.values() if row.state == "done" and row.bytes]
    size = parsed.workers or max(1, cpu_threads(0) // parsed.settings.estimate.threads)
    sizes = [int(one.stamp[0]) for one in due if one.stamp]  # type: ignore[call-overload]
    lines = [_plan_line(due, left), *(f"  {one.entry.name}: {one.why}" for one in due)]
    if due and done:
        seconds = sum(sizes) * sum(row.seconds for row in done) / sum(row.bytes for row in done) / min(size, len(due))
        lines.append(f"about {duration(seconds)} with {size} workers, by the {len(done)} videos done so far")
    elif due:
        lines.append("how long it takes is known once a video is done here")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _plan_line(due: Sequence[Due], left: Counter[str]) -> str:
    why = ", ".join(f"{number} {name}" for name, number in Counter(one.why for one in due).most_common())
    kept = ", ".join(f"{number} {state}" for state, number in left.most_common())
    return f"{len(due)} to do{f' ({why})' if why else ''}{f'; left as they are: {kept}' if kept else ''}"


class _Progress:
    """A line for each video that failed, and one for all now and then."""

    def __init__(self, parsed: BatchArgs, manifest: Manifest, due: int) -> None:
        self._parsed, self._manifest, self._due = parsed, manifest, due
        self._ended = self._frames = 0
        self._start = self._last = time.monotonic()

    def tell(self, row: Row) -> None:
        self._ended += 1
        self._frames += row.frames
        if row.state != "done":
            sys.stderr.write(f"{row.video}: {row.state}: {row.reason}\n")

    def tick(self) -> None:
        from dettrack.runs.batch.status import read_status, write_page

        now = time.monotonic()
        if now - self._last < _PAGE_EVERY_S:
            return
        self._last = now
        rate = self._frames / (now - self._start)
        _say(self._parsed, f"{self._ended} of {self._due} videos, {rate:.1f} frames/s")
        out = self._manifest.folder.parent
        write_page(out, read_status(out))


def _run_status(args: Sequence[str]) -> int:
    parsed = tyro.cli(StatusArgs, args=list(args), prog="dettrack batch status")
    from dettrack.errors import OutputError
    from dettrack.runs.batch.status import read_status, status_lines, write_page

    status = read_status(parsed.out)
    lines = status_lines(status)
    try:
        lines.append(f"page: {write_page(parsed.out, status)}")
    except OutputError as error:  # another's results may be read, not written
        lines.append(f"no page: {error}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _say(parsed: BatchArgs, line: str) -> None:
    if not parsed.quiet:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
