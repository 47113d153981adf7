"""Frames of every kind of source: `open_video(...)` gives them in order, as displayed, with their true times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType

import cv2

from dettrack.errors import InputError, UsageError
from dettrack.structures import Frame, VideoInfo
from dettrack.threads import ReadAhead
from dettrack.video.containers import ContainerFrames
from dettrack.video.images import ImageFrames
from dettrack.video.jumps import split_at_jumps
from dettrack.video.pages import PageFrames, holds_pages
from dettrack.video.raw import RawFrames
from dettrack.video.shots import mark_shots
from dettrack.video.sources import MAX_PIXELS, ImageList, VideoSource, find_source

__all__ = ["VideoReader", "open_video"]

_AHEAD_BYTES = 64 << 20
_AHEAD_FRAMES = 16


def open_video(
    source: VideoSource,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    shots: bool = True,
    fps: float | Fraction | None = None,
    max_pixels: int = MAX_PIXELS,
) -> VideoReader:
    """Open a video, a folder of frames, a pattern, a list of images or an `ImageList`.

    Args:
        source: See `sources.find_source`.
        start_s: Seconds from the first frame to start at; earlier frames are decoded and dropped.
        end_s: Seconds from the first frame to stop at; None reads to the end.
        shots: Find shot cuts and number the shots in `Frame.shot`; otherwise only a jump in time ends a shot.
        fps: Frames per second of images, which have no clock; a video has its own.
        max_pixels: Larger pictures are not decoded.

    Returns:
        A reader that already holds the first frame: bad input fails here, not in the middle of a run.

    Raises:
        InputError: There is no such source, or no frame can be read from it.
        UsageError: The times contradict each other.
    """
    if not start_s >= 0:
        raise UsageError(f"--start is {start_s}: it must not be negative")
    if end_s is not None and not end_s > start_s:
        raise UsageError(f"--end is {end_s}: it must be later than --start, which is {start_s}")
    found = find_source(source, fps)
    raw: RawFrames
    if not isinstance(found, ImageList):
        raw = ContainerFrames(found, max_pixels=max_pixels)
    elif holds_pages(found):
        raw = PageFrames(found, max_pixels)
    else:
        raw = ImageFrames(found, max_pixels)
    try:
        return VideoReader(raw, start_s, end_s, shots)
    except BaseException:
        raw.close()
        raise


class VideoReader:
    """Frames of one video, once, in order; a context manager.

    Frames are decoded in a thread, a bounded number ahead. Results for the frames so far stay good whatever happens
    later: a file that turns out to be cut off, or a picture that changes its shape, ends the iteration with a note.

    A size that changes in mid-stream at the same aspect ratio (adaptive streams do so) is scaled to the first frame's
    size, with a note: positions then all mean the same picture. At another aspect ratio (a phone turned while it
    records, unrelated photos) no one frame of reference exists, and reading stops.

    Attributes:
        info: What is known of the video.
        notes: What went wrong on the way, one line each; complete after the last frame.
    """

    def __init__(self, raw: RawFrames, start_s: float, end_s: float | None, shots: bool = True) -> None:
        """Read the first frame.

        Args:
            raw: Source of the frames.
            start_s: See `open_video`.
            end_s: See `open_video`.
            shots: See `open_video`.

        Raises:
            InputError: No frame lies between the two times.
        """
        self._raw = raw
        frames = raw.frames(start_s, end_s)
        first = next(frames, None)
        if first is None:
            until = "the end" if end_s is None else f"{end_s:g} s"
            raise InputError(f"no frame lies between {start_s:g} s and {until}: the video is shorter")
        self.info: VideoInfo = raw.info(first, start_s, end_s)
        self.notes: list[str] = raw.notes
        steady = _one_size(_chain(first, frames), raw, self.info.height, self.info.width)
        depth = min(_AHEAD_FRAMES, max(2, _AHEAD_BYTES // first.image.nbytes))
        marked = mark_shots(steady) if shots else steady
        self._frames = ReadAhead(split_at_jumps(marked, self.notes), depth)

    @property
    def complete(self) -> bool:
        """False once something could not be read, or reading stopped before the end; `notes` says what."""
        return self._raw.complete

    @property
    def unreadable(self) -> int:
        """Images of a list or folder that could not be read, and for which a neighbour stands in."""
        return self._raw.unreadable if isinstance(self._raw, ImageFrames) else 0

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """Stop reading and close the file; safe to call again."""
        self._frames.close()
        self._raw.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _chain(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest


def _one_size(frames: Iterator[Frame], raw: RawFrames, height: int, width: int) -> Iterator[Frame]:
    """Not a method: the thread that reads must not hold the reader, or a forgotten one would never be collected."""
    scaled = False
    for frame in frames:
        h, w = frame.image.shape[:2]
        if (h, w) == (height, width):
            yield frame
            continue
        change = f"at frame {frame.index} the picture changes from {width}x{height} to {w}x{h}"
        if abs(w * height - h * width) > 0.01 * w * height:
            raw.complete = False
            raw.notes.append(f"{change}, another shape: reading stopped there")
            return
        if not scaled:
            raw.notes.append(f"{change}: scaled to the first size")
            scaled = True
        shrinks = w > width
        image = cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        yield replace(frame, image=image)
