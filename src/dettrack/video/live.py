"""Cameras, streams, and files played at their own pace: always the newest frames, and a count of those left out.

A camera does not wait. Frames arrive in a thread; a few may wait for the tracker, and when it falls behind the oldest
of them is dropped, so that what it works on is never older than those few frames.
"""

from __future__ import annotations

import math
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import av

from dettrack.errors import InputError
from dettrack.structures import Frame, VideoInfo
from dettrack.video.containers import ContainerFrames
from dettrack.video.reader import VideoReader, open_video

__all__ = ["LiveFrames", "connect", "open_live", "paced"]

_FALLBACK_FPS = 25.0
_TIMEOUT_S = 10.0  # without a packet from the network


class LiveFrames:
    """The newest frames of a source that does not wait; an iterator and a context manager.

    Frames that are given out count from 0 without gaps, whatever was dropped between them; `Frame.time_s` is the
    source's own, so that a gap shows there.

    Attributes:
        info: What is known of the source.
        received: Frames that have arrived.
        taken: Frames that were given out.
        dropped: Frames that were left out.
        notes: What went wrong with the source: a stream that stalled, damage.
    """

    def __init__(
        self,
        frames: Iterator[Frame],
        info: VideoInfo,
        waiting: int,
        close: Callable[[], None] = lambda: None,
        source: ContainerFrames | VideoReader | None = None,
    ) -> None:
        """Start to receive.

        Args:
            frames: The source; only the thread touches it from now on.
            info: What is known of it.
            waiting: At most so many frames wait; at least 1.
            close: Called in the end, after the thread's last frame.
            source: Where the frames come from, for its notes.
        """
        self.info, self._source = info, source
        self.notes: list[str] = [] if source is None else source.notes
        self.received = self.taken = self.dropped = 0
        self._frames, self._close = frames, close
        self._waiting: deque[Frame] = deque()
        self._most = max(1, waiting)
        self._changed = threading.Condition()
        self._ended = self._stop = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._receive, name="dettrack live", daemon=True)
        self._thread.start()

    @property
    def complete(self) -> bool:
        """False once the source broke off, as far as that can be told from its end."""
        return self._source is None or self._source.complete

    def _receive(self) -> None:
        error: BaseException | None = None
        try:
            for frame in self._frames:
                with self._changed:
                    if self._stop:
                        break
                    self.received += 1
                    if len(self._waiting) >= self._most:
                        self._waiting.popleft()
                        self.dropped += 1
                    self._waiting.append(frame)
                    self._changed.notify()
        except BaseException as caught:  # noqa: BLE001 (raised again in the thread that reads)
            error = caught
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify()

    def __iter__(self) -> LiveFrames:
        return self

    def __next__(self) -> Frame:
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait(0.5)  # a bound, or Ctrl-C would have to wait on some systems
            if not self._waiting:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                raise StopIteration
            frame = self._waiting.popleft()
        frame = replace(frame, index=self.taken, shot=0)
        self.taken += 1
        return frame

    def close(self) -> None:
        """Stop receiving; safe to call again."""
        with self._changed:
            self._stop = True
        self._thread.join(_TIMEOUT_S + 1)
        self._close()

    def __enter__(self) -> LiveFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_live(source: str, waiting: int) -> LiveFrames:
    """Open a camera, a stream or a file.

    Args:
        source: Number or name of a camera ("0", "/dev/video2", "video=NAME" on Windows), the address of a stream (rtsp,
            http ...), or a video file, which is then played at its own pace.
        waiting: At most so many frames wait; older ones are dropped.

    Returns:
        The frames; to be closed.

    Raises:
        InputError: Nothing is there, or no frame comes.
    """
    camera = _camera(source)
    if camera is None and "://" not in source:
        video = open_video(source, shots=False)
        return LiveFrames(paced(iter(video)), video.info, waiting, video.close, video)
    name, kind = camera or (source, None)
    container = ContainerFrames(Path(source), connect(name, kind))
    try:
        frames = container.frames(0.0, None)
        first = next(frames, None)
        if first is None:
            raise InputError(f"{source}: no frame came")
        info = replace(container.info(first, 0.0, None), n_frames=None, path=source)
    except BaseException:
        container.close()
        raise
    return LiveFrames(_after(first, frames), info, waiting, container.close, container)


def paced(
    frames: Iterator[Frame], clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Frame]:
    """Frames at the moments that their timestamps say, counted from the first; a source without a clock at 25 a second.

    Args:
        frames: In order.
        clock: Seconds.
        sleep: Waits for so many seconds.

    Yields:
        The same frames.
    """
    start = first_s = None
    for number, frame in enumerate(frames):
        time_s = number / _FALLBACK_FPS if math.isnan(frame.time_s) else frame.time_s
        if start is None or first_s is None:
            start, first_s = clock(), time_s
        early = start + time_s - first_s - clock()
        if early > 0:
            sleep(early)
        yield frame


def _camera(source: str) -> tuple[str, str] | None:
    """Name and FFmpeg's format of a camera on this system; None if `source` is none."""
    system = platform.system()
    if system == "Linux" and (source.isdigit() or source.startswith("/dev/video")):
        return (f"/dev/video{source}" if source.isdigit() else source), "v4l2"
    if system == "Darwin" and source.isdigit():
        return source, "avfoundation"
    if system == "Windows" and source.startswith("video="):
        return source, "dshow"
    if source.isdigit():
        raise InputError(f"camera {source}: on {system} cameras have names: give video=NAME")
    return None


def connect(name: str, kind: str | None = None) -> av.container.InputContainer:
    """A camera or an address, opened.

    Args:
        name: As FFmpeg knows it.
        kind: FFmpeg's format of a camera; None for an address.

    Returns:
        The container.

    Raises:
        InputError: Nothing is there.
    """
    options = {"rtsp_transport": "tcp"} if name.startswith("rtsp") else {}
    try:
        return av.open(name, format=kind, options=options, timeout=None if kind else _TIMEOUT_S)
    except (av.FFmpegError, OSError) as error:
        what = "camera" if kind else "stream"
        raise InputError(f"{what} {name}: cannot be opened ({(error.strerror or str(error)).lower()})") from error


def _after(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest
