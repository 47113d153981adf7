"""Stages of work that overlap: the next frames are decoded and detected while the network estimates the last ones.

Each stage is an iterator over what the stage before gives. Run ahead in a thread of its own, with a bounded number of
finished items waiting, the stages work side by side: NumPy, OpenCV, PyAV and the runtimes of the networks release the
interpreter lock while they compute. Order and results are those of one stage after the other.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import queue
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["ReadAhead", "ahead", "cpu_threads", "exit_with_parent", "keep_memory", "tune_process"]

_ARENA_MAX, _MMAP_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -4, -3, -1  # of glibc's mallopt

T = TypeVar("T")


def cpu_threads(requested: int) -> int:
    """Threads to use: as many as requested, or for 0 one for each core that this process may run on."""
    if requested:
        return requested
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tune_process(threads: int = 0) -> None:
    """Change settings of the whole process, for one that does nothing but track or train.

    The commands call it at their start. Nothing else in the package changes such settings: a program that uses the
    package keeps its own, and calls this function where it wants them.

    * The C library returns large blocks of memory to the system at once, and keeps few heaps for all threads.
    * OpenCV is silent: what cannot be read becomes an error with a message anyway.
    * PyTorch computes with `threads` threads on the CPU; it knows no such number for one network alone.

    Args:
        threads: CPU threads of PyTorch; 0 leaves them as they are (and PyTorch unimported).
    """
    _give_memory_back()
    if "cv2" in sys.modules:
        opencv_log = sys.modules["cv2"].utils.logging
        opencv_log.setLogLevel(opencv_log.LOG_LEVEL_SILENT)
    else:
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # read when it is imported, which takes a while
    if threads:
        import torch

        torch.set_num_threads(threads)


def _give_memory_back() -> None:
    """Make glibc return large blocks at once, and keep few heaps for all threads; does nothing elsewhere.

    Frames and activations that come and go in several threads otherwise leave holes: 110 MiB of a run's peak. Blocks
    are large from 64 KiB on: a decoded frame of a small video (166 KB at 384x288) must not lie among the rows that
    stay, which use up the holes that frames leave, until memory grows with the video.
    """
    _mallopt((_ARENA_MAX, 2), (_MMAP_THRESHOLD, 64 << 10))


def keep_memory() -> None:
    """Make glibc keep what is freed, for a process that trains; does nothing elsewhere.

    Every step of a training takes the same large blocks and frees them. Given back to the system, each of them comes
    back as fresh pages that it has to clear: 40 % of a training's processor time.
    """
    _mallopt((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1))


def _mallopt(*settings: tuple[int, int]) -> None:
    """Settings of glibc's allocator as (number, value)."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such settings
        mallopt = ctypes.CDLL(None).mallopt
        for number, value in settings:
            mallopt(number, value)


def exit_with_parent() -> None:
    """Wait until the process that started this one has ended, in whatever way, and end; for a thread of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def ahead(items: Iterator[T], depth: int) -> Iterator[Iterator[T]]:
    """Run an iterator ahead in a thread for as long as the context lasts.

    Args:
        items: A stage; a generator is closed in the end, from the thread that ran it.
        depth: Bound on finished items waiting to be taken; 0 runs the stage in the caller's thread, as it is.

    Yields:
        The same items; an exception of the stage arrives where its item would have.
    """
    if depth < 1:
        yield items
        return
    stage = ReadAhead(items, depth)
    try:
        yield stage
    finally:
        stage.close()


@dataclass(frozen=True)
class _End:
    error: BaseException | None


class ReadAhead(Generic[T]):
    """An iterator that runs another one in a thread, at most `depth` items ahead.

    Order is kept; an exception of the inner iterator arrives where its item would have. The thread ends with the
    inner iterator, at `close()`, or when this object is forgotten.

    Args:
        items: Iterator to run ahead; only the thread touches it from now on. Generators are closed in the end.
        depth: Bound on finished items waiting to be taken; at least 1.
    """

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._queue: queue.Queue[T | _End] = queue.Queue(max(1, depth))
        self._done = False
        stop = threading.Event()
        # The thread must not hold `self`, or a forgotten reader would never be collected.
        thread = threading.Thread(
            target=_produce, args=(items, self._queue, stop), name="dettrack read-ahead", daemon=True
        )
        self._finalizer = weakref.finalize(self, _shut, self._queue, stop, thread)
        thread.start()

    def __iter__(self) -> ReadAhead[T]:
        return self

    def __next__(self) -> T:
        if self._done:
            raise StopIteration
        item = self._queue.get()
        if isinstance(item, _End):
            self._done = True
            if item.error is not None:
                raise item.error
            raise StopIteration
        return item

    def close(self) -> None:
        """Stop the thread and wait for it; safe to call again."""
        self._done = True
        self._finalizer()


def _produce(items: Iterator[T], out: queue.Queue[T | _End], stop: threading.Event) -> None:
    error = None
    try:
        for item in items:
            out.put(item)
            if stop.is_set():
                break
    except BaseException as caught:  # noqa: BLE001 (raised again in the thread that reads)
        error = caught
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
        out.put(_End(error))


def _shut(out: queue.Queue[T | _End], stop: threading.Event, thread: threading.Thread) -> None:
    stop.set()
    while thread.is_alive():
        with contextlib.suppress(queue.Empty):
            out.get(timeout=0.05)  # frees a place for a producer that waits to put
