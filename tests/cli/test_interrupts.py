"""Signals end a command politely the first time, at once the second time."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as on POSIX")

_SCRIPT = """
import os, signal, sys
from dettrack.cli.interrupts import ending_by_signals
try:
    with ending_by_signals():
        try:
            os.kill(os.getpid(), signal.{first})
            print("not interrupted", flush=True)
        finally:
            print("cleaned up", flush=True)
            {then}
            print("to the end", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def _as_in_a_terminal():
    """Runs in the background are started with signals ignored; a new process would keep that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def run(first, then="", before=_as_in_a_terminal):
    code = _SCRIPT.format(first=first, then=then)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=before)
    return done.returncode, done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_ends_like_ctrl_c(name):
    assert run(name) == (0, ["cleaned up", "to the end", "interrupted"])


def test_a_second_signal_ends_at_once():
    code, lines = run("SIGTERM", "os.kill(os.getpid(), signal.SIGINT)")
    assert code == 130
    assert lines == ["cleaned up"]


def test_signals_that_the_caller_ignores_stay_ignored():
    code, lines = run("SIGHUP", before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert (code, lines) == (0, ["not interrupted", "cleaned up", "to the end"])


def test_the_handlers_before_are_put_back():
    from dettrack.cli.interrupts import ending_by_signals

    before = signal.getsignal(signal.SIGTERM)
    with ending_by_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


_IN_A_FINALISER = """
import os, signal, time
from dettrack.cli.interrupts import ending_by_signals
class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        print("ignored", flush=True)
try:
    with ending_by_signals():
        x = Finalised()
        del x
        time.sleep(60)
        print("to the end", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_in_a_finaliser_is_not_lost(name):
    """Python ignores what is raised there: the run would go on as if nobody had asked it to end."""
    command = [sys.executable, "-c", _IN_A_FINALISER.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=_as_in_a_terminal)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
