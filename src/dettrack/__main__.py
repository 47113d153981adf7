"""`python -m dettrack`, and the command `dettrack`."""

import os
import signal
import sys
from types import FrameType


def run() -> None:
    """Run the command of this process, and end it; an interrupt before or after the work is no traceback either."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as in the background
        signal.signal(signal.SIGINT, _end)
    from dettrack.cli import main

    code = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: there is nothing to interrupt
    sys.exit(code)


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing is under way, or its end has been said: no exception that something might print or hold back."""
    try:
        os.write(2, b"dettrack: interrupted\n")
    finally:
        os._exit(130)


if __name__ == "__main__":
    run()
