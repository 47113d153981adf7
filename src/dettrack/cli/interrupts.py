"""How commands end: their exit codes, and signals, politely the first time and at once the second time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["INTERRUPTED", "UNREAD", "ending_by_signals"]

INTERRUPTED = 130
UNREAD = 3  # done, but not all of the input could be read
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def ending_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block like Ctrl-C; a second signal ends the process at once.

    Results stay whole in both cases: what is under way is never under its final name.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    interrupted = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            os._exit(INTERRUPTED)
        interrupted = True
        raise KeyboardInterrupt

    signals = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    # Ignored by the caller, as under nohup: stays ignored.
    before = {each: signal.signal(each, end) for each in signals if signal.getsignal(each) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
