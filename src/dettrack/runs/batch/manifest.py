"""The manifest of a batch: what is known of each video, as lines of JSON that are only ever appended.

    OUT/batch.state/log/WRITER.jsonl      one line for each change of a video's state
    OUT/batch.state/lock-WRITER/          held by the run that writes this log
    OUT/batch.state/running/WORKER.json   what a worker is doing, replaced every second or less
    OUT/batch.state/spans/KEY/            tracklets of videos under way (`runs.checkpoint`)

Lines, not a database: a manifest lies where the results lie, often on a network file system that several machines
share, and there SQLite's locks and its write-ahead log cannot be relied on. Each log has one writer (the run of all
videos, or of one shard), a line cut off by a kill is recognised and left out, and a reader needs no lock. The log says
what happened; whether a result is there is said by its folder alone, which appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from dettrack.errors import InputError, OutputError, UsageError
from dettrack.files import json_lines, load_json, output_error
from dettrack.files.toml import Range, field_types, fit, read_table
from dettrack.runs.owner import is_alive, living_owner, take_folder

__all__ = ["FINISHED", "FOLDER", "Manifest", "Row", "begun", "last_frame", "read_manifest", "read_running"]

FOLDER = "batch.state"
FINISHED = ("done", "failed", "poison")
_Count = Annotated[int, Range(0, 1 << 53)]
_Seconds = Annotated[float, Range(0, 1e11)]
_SILENT_S = 120.0  # a run shows every second that it is alive (`Manifest.beat`): on another machine it is not any more


@dataclass
class Row:
    """What is known of one video.

    Attributes:
        video: Its name.
        source: Where it was read.
        state: "pending", "running", "done", "failed" (its input cannot be used) or "poison" (it kills its worker).
        stamp: What the file system said of the input (`fingerprint.stamp`).
        made_with: Hash of settings, weights and outputs (`fingerprint.made_with`).
        key: Fingerprint of the result, of content and all of these.
        attempts: How often it was begun.
        deaths: How often a worker died of it.
        worker: Who had it last.
        since: When it was begun last, in seconds since 1970.
        ended: When it came to its state.
        frames: Frames in the result.
        tracks: Tracks in the result.
        poses: Poses in the result.
        seconds: Time that tracking took.
        video_s: Length of what was tracked, in seconds.
        complete: The video could be read to its end.
        reason: Why it is not done, or what there is to say.
        output: Hash of the files of the result.
    """

    video: str
    source: str = ""
    state: str = "pending"
    stamp: list[Any] = field(default_factory=list)
    made_with: str = ""
    key: str = ""
    attempts: _Count = 0
    deaths: _Count = 0
    worker: str = ""
    since: _Seconds | None = None
    ended: _Seconds | None = None
    frames: _Count = 0
    tracks: _Count = 0
    poses: _Count = 0
    seconds: _Seconds = 0.0
    video_s: _Seconds | None = None
    complete: bool = True
    reason: str = ""
    output: str = ""

    @property
    def bytes(self) -> int:
        """Size of the input."""
        return self.stamp[0] if self.stamp and isinstance(self.stamp[0], int) else 0


_COLUMNS = frozenset(column.name for column in fields(Row))


@dataclass(frozen=True)
class _Shown:
    """What a worker shows of itself (`running/WORKER.json`)."""

    worker: str
    video: str
    frame: _Count
    of: _Count | None
    since: _Seconds = 0.0
    pid: _Count = 0
    host: str = ""

    @staticmethod
    def read(path: Path) -> _Shown | None:
        with suppress(InputError, UsageError):
            return read_table(_Shown, load_json(path), str(path))
        return None


class Manifest:
    """The manifest of one run, which alone writes its log; a context manager.

    Attributes:
        folder: `OUT/batch.state`.
        rows: All videos that any log knows, by name; those of this run are kept up to date.
    """

    def __init__(self, out: Path, writer: str = "all") -> None:
        """Lock, and read what earlier runs wrote.

        Args:
            out: Folder of the results; made if need be.
            writer: Name of the log: "all", or the shard's.

        Raises:
            OutputError: Another run is at work there, or the folder cannot be written.
        """
        self.folder = out / FOLDER
        self._lock = self.folder / f"lock-{writer}"
        self._path = self.folder / "log" / f"{writer}.jsonl"
        try:
            for name in ("log", "running", "spans"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            _refuse_others(self.folder, writer)
            take_folder(self._lock, f"{out}", "wait for it, or name another --out", _SILENT_S)
            self._file = self._path.open("ab+", buffering=0)
            self._begin_line()
        except OutputError:
            raise
        except OSError as error:
            raise output_error(out, error) from error
        self.rows = read_manifest(out)

    def _begin_line(self) -> None:
        if size := self._path.stat().st_size:
            self._file.seek(size - 1)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def note(self, video: str, **changes: Any) -> Row:
        """Record a change of one video.

        Args:
            video: Its name.
            **changes: Columns of `Row`.

        Returns:
            Its row.

        Raises:
            OutputError: The log cannot be written.
        """
        row = self.rows.setdefault(video, Row(video))
        for name, value in changes.items():
            setattr(row, name, value)
        self._append({"t": round(time.time(), 3), "video": video, **changes})
        return row

    def note_run(self, **about: Any) -> None:
        """Record that a run begins, with what holds for all of its videos."""
        self._append({"t": round(time.time(), 3), "run": about})

    def _append(self, line: dict[str, Any]) -> None:
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise output_error(self._path, error) from error

    def close(self) -> None:
        """Bring the log to the disk, and give the lock back."""
        with suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()
        _sweep(self.folder / "running")
        for path in sorted(self._lock.glob("*")):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self._lock.rmdir()

    def beat(self) -> None:
        """Show runs on other machines that this one is alive."""
        with suppress(OSError):
            os.utime(self._lock)

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sweep(running: Path) -> None:
    """Remove what workers showed of themselves that are not any more: those of a run that was killed could not."""
    for path in running.iterdir():
        with suppress(OSError):
            silent = time.time() - path.stat().st_mtime > _SILENT_S
            shown = None if silent or path.suffix != ".json" else _Shown.read(path)
            if silent or (shown and shown.host == socket.gethostname() and not is_alive(shown.pid)):
                path.unlink()


def _refuse_others(folder: Path, writer: str) -> None:
    """A run of all videos beside runs of shards would do the same ones twice."""
    for lock in folder.glob("lock-*"):
        if lock.suffix or (writer == "all") == (lock.name == "lock-all"):
            continue
        if owner := living_owner(lock, _SILENT_S):
            raise OutputError(f"{owner} is writing {folder.parent}: wait for it, or name another --out")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """What a log says; lines that were cut off, by a kill or a full disk, or that we never wrote are left out."""
    kinds = {**field_types(Row), "t": _Seconds}
    for line in json_lines(path):
        if isinstance(line, dict) and "t" in line:
            with suppress(UsageError):
                yield {name: fit(kinds.get(name, Any), value, name) for name, value in line.items()}


def read_manifest(out: Path) -> dict[str, Row]:
    """What all logs of a batch say of its videos, by name.

    Raises:
        InputError: A log cannot be read.
    """
    changes: list[dict[str, Any]] = []
    try:
        for path in sorted((out / FOLDER / "log").glob("*.jsonl")):
            changes += (line for line in _lines(path) if "video" in line)
    except OSError as error:
        raise InputError(f"cannot read the manifest of {out}: {error.strerror or error}") from error
    rows: dict[str, Row] = {}
    for change in sorted(changes, key=lambda line: line["t"]):
        row = rows.setdefault(change["video"], Row(change["video"]))
        for name in change.keys() & _COLUMNS:
            setattr(row, name, change[name])
    return rows


def begun(out: Path) -> float:
    """When the runs began that are at work, or else the last one; in seconds since 1970."""
    starts: dict[str, float] = {}
    for path in (out / FOLDER / "log").glob("*.jsonl"):
        with suppress(OSError):
            for line in _lines(path):
                if "run" in line:
                    starts[path.stem] = line["t"]
    at_work = [start for writer, start in starts.items() if living_owner(out / FOLDER / f"lock-{writer}", _SILENT_S)]
    return min(at_work, default=max(starts.values(), default=0.0))


def read_running(out: Path, within_s: float = 30.0) -> Sequence[dict[str, Any]]:
    """What workers are doing now.

    Args:
        out: Folder of the results.
        within_s: A worker that has said nothing for so long is not at work any more.

    Returns:
        For each worker its `worker`, `video`, `frame`, `of` (None if unknown) and `since`.
    """
    now, found = time.time(), []
    for path in sorted((out / FOLDER / "running").glob("*.json")):
        with suppress(OSError):
            if now - path.stat().st_mtime < within_s and (shown := _Shown.read(path)):
                found.append(vars(shown))
    return found


def last_frame(folder: Path, worker: str) -> int | None:
    """The last frame that a worker said to have finished; it has ended, and what it said is removed.

    Args:
        folder: `OUT/batch.state`.
        worker: Its name.

    Returns:
        Frame index; None if it had finished none.
    """
    path = folder / "running" / f"{worker}.json"
    shown = _Shown.read(path)
    for left in (path, path.with_suffix(".part")):
        with suppress(OSError):
            left.unlink(missing_ok=True)
    return shown.frame or None if shown else None
