"""What a run of a batch hands to its workers, and what comes back: small, and made of paths, never of pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from dettrack.config import TrackConfig
from dettrack.cut.known import Span
from dettrack.runs.options import RunOptions

__all__ = ["Death", "Engine", "Outcome", "Task", "spans_of"]


@dataclass(frozen=True)
class Task:
    """One video to track.

    Attributes:
        video: Its name.
        source: What to read.
        result: Its result folder.
        folder: `OUT/batch.state`.
        config: Settings.
        options: What to write, and which part of the video to read.
        span: Find the tracklets of this part only, for a later task that makes the result.
        split_s: A video that is longer than this many seconds is not tracked: it is to be divided; 0 for none.
    """

    video: str
    source: str
    result: Path
    folder: Path
    config: TrackConfig
    options: RunOptions
    span: Span | None = None
    split_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        state: "done" or "failed" (the input cannot be used), as of `manifest.Row`; "blocked": the result could not be
            written, which says nothing of the video; "long": it has `frames` frames, and is to be divided.
        reason: Why, or what there is to say of what is done.
        adopted: The result was there already.
        key: Fingerprint of the result.
        complete: The video could be read to its end.
        frames: In the result.
        tracks: In the result.
        poses: In the result.
        seconds: Time that tracking took.
        video_s: Length of what was tracked, in seconds; None where the video has no clock.
        output: Hash of the files of the result.
    """

    state: str
    reason: str = ""
    adopted: bool = False
    key: str = ""
    complete: bool = True
    frames: int = 0
    tracks: int = 0
    poses: int = 0
    seconds: float = 0.0
    video_s: float | None = None
    output: str = ""


@dataclass(frozen=True)
class Death:
    """A worker ended without an answer.

    Attributes:
        cause: Such as "signal 11 (SIGSEGV)".
        frame: The last frame that it was known to have finished; None if none was.
    """

    cause: str
    frame: int | None = None


@runtime_checkable
class Engine(Protocol):
    """Who does the work. At most `size` tasks are under way; a worker that dies is replaced.

    Attributes:
        size: Number of workers.
    """

    size: int

    def start(self, task: Task) -> str:
        """Give a task to a free worker, and say its name; there must be one."""
        ...

    def wait(self, timeout_s: float) -> Sequence[tuple[Task, Outcome | Death]]:
        """The tasks that have ended since; waits for the first one for so long at the most."""
        ...

    def close(self) -> None:
        """End all workers at once; what they had under way is not finished."""
        ...


def spans_of(folder: Path, video: str) -> Path:
    """Where the tracklets of a video under way are kept.

    Args:
        folder: `OUT/batch.state`.
        video: Its name.

    Returns:
        A folder, with one in it for each fingerprint of a result.
    """
    return folder / "spans" / hashlib.sha256(video.encode()).hexdigest()[:16]
