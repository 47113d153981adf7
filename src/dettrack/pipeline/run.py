"""One video being tracked."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from dettrack.associate import associate
from dettrack.config import TrackConfig
from dettrack.sew import Linker
from dettrack.skeleton import JointSet
from dettrack.structures import Frame, Segment, TrackletBatch, TrackTable, VideoInfo
from dettrack.structures.report import Report
from dettrack.structures.shown import counts_html
from dettrack.threads import ahead

__all__ = ["BatchSink", "PlainFrames", "Progress", "Run", "Video"]

Progress = Callable[[int, int | None], None]
"""Takes the number of finished frames, and the number expected (None if unknown)."""


@runtime_checkable
class Video(Protocol):
    """Frames with what is known of them: `video.VideoReader`, `video.live.LiveFrames`, or anything like them."""

    @property
    def info(self) -> VideoInfo | None:
        """What is known before the frames are read; None: nothing."""
        ...

    @property
    def notes(self) -> list[str]:
        """What went wrong on the way, one line each."""
        ...

    @property
    def complete(self) -> bool:
        """False once reading has stopped before the end of the source."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...


@dataclass(frozen=True)
class PlainFrames:
    """Frames of which nothing more is known, as a `Video`."""

    frames: Iterable[Frame]
    info: VideoInfo | None = None
    notes: list[str] = field(default_factory=list)
    complete: bool = True

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)


@runtime_checkable
class BatchSink(Protocol):
    """Takes the tracklets of a run before they are sewn, such as `formats.tracklets.TrackletWriter`."""

    def write(self, batch: TrackletBatch) -> None:
        """Take the next batch."""
        ...


class Run:
    """One video being tracked: iterate it for finished segments, once; memory stays flat.

    Also a context manager: `close` stops early.

    Attributes:
        video: The video.
        joint_set: Joints of the results.
        report: Counts, what was dropped and why, and seconds by stage; complete after the last segment, and also after
            a run that broke off.
    """

    def __init__(
        self,
        video: Video,
        batches: Iterator[TrackletBatch],
        joint_set: JointSet,
        config: TrackConfig,
        *,
        linker: Linker | None = None,
        depth: int = 1,
        progress: Progress | None = None,
        save: BatchSink | None = None,
        notes: Iterable[str] = (),
        close: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; nothing is read before the first segment is wanted. See `Pipeline.track`.

        Args:
            video: The video.
            batches: Its tracklets, while they are made.
            joint_set: Of the tracklets.
            config: All settings.
            linker: In place of the one that the settings name.
            depth: How many batches may be ahead.
            progress: Told after each segment.
            save: Receives the tracklets too.
            notes: What is known already.
            close: Called at the end of the run, in whatever way it ends.
        """
        self.video, self.joint_set, self.report = video, joint_set, Report()
        self._ended, self._done = False, 0
        self._notes, self._progress, self._close = list(notes), progress, close or (lambda: None)
        self._segments = self._track(batches, config, linker, depth, save)

    @property
    def notes(self) -> list[str]:
        """What a reader of the result must know, one line each; all of them after the last segment."""
        return [*self._notes, *self.video.notes]

    @property
    def complete(self) -> bool:
        """Whether the run has come to its end, and the video could be read to its own."""
        return self._ended and self.video.complete

    def __iter__(self) -> Iterator[Segment]:
        return self._segments

    def gather(self) -> TrackTable:
        """All remaining segments as one table."""
        return TrackTable.concatenate((segment.table for segment in self), self.joint_set)

    def close(self) -> None:
        """Stop; safe to call again."""
        self._segments.close()
        self._close()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        info = self.video.info
        state = "ended" if self._ended else "under way" if self._done else "not begun: iterate it, or gather()"
        tracks = f", {self.report.counts['tracks']} tracks" if self._ended else ""
        return f"Run({info.name if info else 'frames'}, {state}, {self._done} frames{tracks})"

    def _repr_html_(self) -> str:
        parts = {"counts": self.report.counts, "dropped": self.report.dropped}
        return counts_html(repr(self), parts, self.notes)

    def _shown(self) -> AbstractContextManager[Any]:
        """Where progress is shown by something that begins and ends, such as a bar."""
        return self._progress if isinstance(self._progress, AbstractContextManager) else nullcontext()

    def _track(
        self,
        made: Iterator[TrackletBatch],
        config: TrackConfig,
        linker: Linker | None,
        depth: int,
        save: BatchSink | None,
    ) -> Generator[Segment, None, None]:
        rate = self.video.info.fps if self.video.info else None
        fps = None if rate is None else float(rate)
        try:
            with ahead(made, depth) as batches, self._shown():
                kept = batches if save is None else _saved(batches, save)
                for segment in associate(kept, self.joint_set, config, fps=fps, report=self.report, linker=linker):
                    self._done += len(segment.frames)
                    if self._progress:
                        self._progress(self._done, self.video.info.n_frames if self.video.info else None)
                    yield segment
            self._ended = True
        finally:
            self._close()


def _saved(batches: Iterable[TrackletBatch], sink: BatchSink) -> Iterator[TrackletBatch]:
    for batch in batches:
        sink.write(batch)
        yield batch
