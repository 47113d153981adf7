"""How commands end: their exit codes, and signals, politely the first time and at once the second time."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["INTERRUPTED", "UNREAD", "ending_by_signals"]

INTERRUPTED = 130
UNREAD = 3  # done, but not all of the input could be read
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_AGAIN_S = 0.02  # until a signal that was lost is sent again


@contextmanager
def ending_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block like Ctrl-C; a second signal ends the process at once.

    Results stay whole in both cases: what is under way is never under its final name.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    interrupted = False
    again: threading.Timer | None = None

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted, again
        if interrupted:
            os._exit(INTERRUPTED)
        interrupted = True
        again = threading.Timer(_AGAIN_S, _send_to_main, (number,))
        raise KeyboardInterrupt

    def lost(unraisable: Any) -> None:
        """Finalisers and callbacks of the garbage collector ignore exceptions, a signal's too: it is sent again."""
        nonlocal interrupted
        if unraisable.exc_type is KeyboardInterrupt and again is not None:
            interrupted = False
            again.start()
        else:
            earlier(unraisable)

    earlier, sys.unraisablehook = sys.unraisablehook, lost
    signals = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    # Ignored by the caller, as under nohup: stays ignored.
    before = {each: signal.signal(each, end) for each in signals if signal.getsignal(each) is not signal.SIG_IGN}
    try:
        yield
    finally:
        sys.unraisablehook = earlier
        for each, handler in before.items():
            signal.signal(each, handler)
        if again is not None:
            again.cancel()


def _send_to_main(number: int) -> None:
    """To the thread itself where that can be: what it waits for is then interrupted, too."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)
