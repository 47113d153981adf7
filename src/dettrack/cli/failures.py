"""What nobody foresaw: one line for the user, and the details in a file."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence

from dettrack import __version__

__all__ = ["TRACEBACK", "unforeseen", "write_safely"]

TRACEBACK = "DETTRACK_TRACEBACK"  # set: errors that nobody foresaw are raised as they are


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


def write_safely() -> None:
    """Characters that a terminal cannot show are written as their numbers, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
