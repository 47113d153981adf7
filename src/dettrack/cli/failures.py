"""What nobody foresaw: one line for the user, and the details in a file."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, cast

from dettrack import __version__

__all__ = ["TRACEBACK", "one_line", "unforeseen", "writing_safely"]

TRACEBACK = "DETTRACK_TRACEBACK"  # set: errors that nobody foresaw are raised as they are


def one_line(error: Exception) -> str:
    """What it says. Names of files may hold anything: none of it breaks the line, or speaks to the terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], str(error))


def unforeseen(error: Exception, args: Sequence[str]) -> str:
    """Write what happened to a file.

    Args:
        error: What happened.
        args: Of the command.

    Returns:
        The line for the user; raises the error itself where the environment says so (`TRACEBACK`).
    """
    if os.environ.get(TRACEBACK):
        raise error
    if isinstance(error, MemoryError):
        return "out of memory; try smaller pictures or fewer runs at a time"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{str(error.filename)[:300]!r}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError) and (error.name or "dettrack").partition(".")[0] != "dettrack":
        return f"the Python package {error.name} is not installed here: install dettrack again, with what it needs"
    said = (str(error).splitlines() or [""])[0][:200]
    line = f"{type(error).__name__}: {said}; this is a fault of dettrack"
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="dettrack-", suffix=".txt", delete=False
        ) as file:
            file.write(f"dettrack {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
            file.write(f"arguments: {list(args)}\n\n")
            traceback.print_exception(error, file=file)
        return f"{line}: please report it with {file.name} (it names your files; nothing was sent)"
    except OSError:
        return line


@contextmanager
def writing_safely() -> Iterator[None]:
    """A block whose standard output and errors never stop its work.

    Characters that a terminal cannot show are written as their numbers. What is written after nobody reads it any more,
    as behind `| head -1`, goes nowhere: the command does its work and ends with the code that it has earned.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (cast("TextIO", _Heedless(stream)) for stream in before)
    try:
        yield
    finally:
        for wrapped in (sys.stdout, sys.stderr):
            wrapped.flush()
        sys.stdout, sys.stderr = before


class _Heedless:
    """A stream for text that takes everything, also where its reader has gone or there is none."""

    def __init__(self, stream: Any) -> None:
        self._stream: Any = open(os.devnull, "w", encoding="utf-8") if stream is None else stream  # noqa: SIM115, PTH123

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, call: Callable[..., object], *arguments: str) -> None:
        try:
            call(*arguments)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # or its last lines would fail once more when it is closed
            os.close(nowhere)
        except ValueError:  # it was closed
            if not self._stream.closed:
                raise
