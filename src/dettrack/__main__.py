"""`python -m dettrack`, and the command `dettrack`."""

import signal
import sys


def run() -> None:
    """Run the command of this process, and end it; an interrupt before or after the work is no traceback either."""
    code = 130
    try:
        from dettrack.cli import main

        code = main()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: there is nothing to interrupt
    except KeyboardInterrupt:
        sys.stderr.write("dettrack: interrupted\n")
    sys.exit(code)


if __name__ == "__main__":
    run()
