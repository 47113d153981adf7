"""A video decoded in a process of its own, with limits: no file can take down, fill up or hold up whoever reads it.

Decoders are large programs in C that parse what strangers wrote. A file that makes one crash, grow or hang costs the
frames behind that place, and one line says so; the frames before it are good. Frames come through a pipe, as pixels:
0.6 ms of processor time at 768x576, 3 ms at 1920x1080.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import UInt8

from dettrack.errors import DettrackError, InputError, UsageError
from dettrack.structures import Frame, VideoInfo
from dettrack.threads import exit_with_parent
from dettrack.video.reader import open_video
from dettrack.video.sources import VideoSource

__all__ = ["CONTEXT", "DIED", "IsolatedReader", "Limits", "death_of"]

CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
"""How processes are made: on Linux forked off a server that has imported modules and done nothing else, in a moment."""

DIED = "the decoder died"
"""How the note, or the error, begins that says so."""

_ERRORS: dict[str, type[DettrackError]] = {"InputError": InputError, "UsageError": UsageError}


@dataclass(frozen=True)
class Limits:
    """What the decoding of one video may take.

    Attributes:
        memory_gib: Private memory of the process, in GiB; 0 for no bound. (Linux.)
        frame_s: Longest time without a frame, in seconds; 0 for no bound.
        frames: Frames; 0 for no bound.
    """

    memory_gib: float = 4.0
    frame_s: float = 120.0
    frames: int = 0


class IsolatedReader:
    """A `VideoReader` (see there) whose decoder is in another process; a context manager.

    Attributes:
        info: What is known of the video.
        notes: What went wrong on the way, one line each; complete after the last frame.
        complete: False once reading has stopped before the end of the source.
    """

    def __init__(self, source: VideoSource, *, limits: Limits | None = None, **part: Any) -> None:
        """Open a video.

        Args:
            source: Video, folder of frames, or list of images.
            limits: What decoding may take.
            **part: What else `open_video` takes.

        Raises:
            InputError: There is no such source, no frame can be read from it, or the decoder died before the first.
            UsageError: The times contradict each other.
        """
        self._limits = limits or Limits()
        self._source, self._next = source, 0
        self.notes: list[str] = []
        self.complete = True
        self._pipe, theirs = CONTEXT.Pipe(duplex=False)
        arguments = (theirs, source, part, self._limits.memory_gib)
        self._process = CONTEXT.Process(target=_decode, args=arguments, name="dettrack decoder", daemon=True)  # type: ignore[attr-defined]
        self._process.start()
        theirs.close()
        try:
            first = self._receive()
            if not isinstance(first, VideoInfo):
                raise InputError(f"{source}: {'; '.join(self.notes) or 'no frame can be decoded'}")
        except BaseException:
            self.close()
            raise
        self.info: VideoInfo = first
        self._frames = self._read()

    @property
    def process_id(self) -> int | None:
        """Of the decoder."""
        return self._process.pid

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def _read(self) -> Iterator[Frame]:
        height, width = self.info.height, self.info.width
        count = 0
        while isinstance(header := self._receive(), tuple):
            if self._limits.frames and count >= self._limits.frames:
                self._stop(f"reading stopped after {count} frames, the most that are allowed")
                return
            image = np.empty((height, width, 3), np.uint8)
            try:
                _take_pixels(self._pipe, image, self._limits.frame_s)
            except TimeoutError:
                self._hung()
                return
            except (EOFError, OSError):
                self._died()
                return
            index, time_s, shot, name = header
            yield Frame(index, time_s, image, shot, name)
            count, self._next = count + 1, index + 1

    def _receive(self) -> Any:
        """What the decoder says next; None at the end, which a note explains where it came too early."""
        try:
            if self._limits.frame_s and not self._pipe.poll(self._limits.frame_s):
                self._hung()
                return None
            kind, content = self._pipe.recv()
        except (EOFError, OSError):
            self._died()
            return None
        if kind == "error":
            name, message = content
            raise _ERRORS.get(name, InputError)(message)
        if kind == "end":
            notes, self.complete = content
            self.notes += notes
            return None
        return content

    def _hung(self) -> None:
        self._stop(f"the decoder gave nothing for {self._limits.frame_s:g} s at frame {self._next}: stopped")

    def _died(self) -> None:
        self._process.join(5.0)
        self._stop(f"{DIED} ({death_of(self._process.exitcode)}) at frame {self._next}")

    def _stop(self, why: str) -> None:
        self.complete = False
        self.notes.append(why)
        self.close()

    def close(self) -> None:
        """End the decoder; safe to call again."""
        self._pipe.close()
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def __enter__(self) -> IsolatedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# Pixels go through the pipe as they are where the system lets them: `Connection.recv_bytes_into` copies them three
# times, which is as much work as decoding them.


def _give_pixels(pipe: Connection, image: UInt8[np.ndarray, "height width 3"]) -> None:
    view = np.ascontiguousarray(image).data.cast("B")
    if sys.platform == "win32":
        pipe.send_bytes(view)
        return
    while view:
        view = view[os.write(pipe.fileno(), view) :]


def _take_pixels(pipe: Connection, image: UInt8[np.ndarray, "height width 3"], timeout_s: float) -> None:
    view = image.data.cast("B")
    if sys.platform == "win32":
        pipe.recv_bytes_into(view)
        return
    ready = select.poll()
    ready.register(pipe.fileno(), select.POLLIN)
    while view:
        if timeout_s and not ready.poll(timeout_s * 1000):
            raise TimeoutError
        count = os.readv(pipe.fileno(), [view])
        if not count:
            raise EOFError
        view = view[count:]


def death_of(code: int | None) -> str:
    """How a process ended, from its exit code."""
    if code is None or code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"signal {-code}, {signal.Signals(-code).name}"
    return f"signal {-code}"


def _decode(pipe: Connection, source: VideoSource, part: dict[str, Any], memory_gib: float) -> None:
    """The decoder's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the reader, which ends this process
    threading.Thread(target=exit_with_parent, name="dettrack parent", daemon=True).start()
    if memory_gib and sys.platform == "linux":
        import resource

        bound = int(memory_gib * (1 << 30))
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    with suppress(BrokenPipeError):
        try:
            with open_video(source, **part) as video:
                pipe.send(("info", video.info))
                for frame in video:
                    pipe.send(("frame", (frame.index, frame.time_s, frame.shot, frame.name)))
                    _give_pixels(pipe, frame.image)
                pipe.send(("end", (video.notes, video.complete)))
        except DettrackError as error:
            pipe.send(("error", (type(error).__name__, str(error))))
        except MemoryError:
            pipe.send(("error", ("InputError", f"{source}: decoding it takes more than {memory_gib:g} GiB of memory")))
