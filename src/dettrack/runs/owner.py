"""Folders that one run holds at a time: whoever makes the folder under its name has it, until it ends or dies."""

from __future__ import annotations

import ctypes
import glob
import json
import os
import shutil
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dettrack.errors import OutputError

__all__ = ["FOREIGN_IDLE_S", "OWNER", "is_alive", "living_owner", "take_folder"]

OWNER = "owner.json"
FOREIGN_IDLE_S = 900.0
"""After so many seconds without a change in the folder, a run of another machine counts as ended."""


def take_folder(path: Path, what: str, remedy: str, idle_s: float = FOREIGN_IDLE_S) -> None:
    """Make a folder, signed from its first moment; what ended runs left there is removed.

    Args:
        path: The folder; that above it exists.
        what: For the message: what the folder stands for.
        remedy: For the message: what to do where another run has it.
        idle_s: See `FOREIGN_IDLE_S`.

    Raises:
        OutputError: A living run has it.
        OSError: It cannot be written.
    """
    for left in path.parent.glob(f"{glob.escape(path.name)}.*"):
        if living_owner(left, idle_s) is None:
            shutil.rmtree(left, ignore_errors=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.mkdir()
    (fresh / OWNER).write_text(json.dumps(_me()), encoding="utf-8")
    owner = None
    try:
        for _ in range(2):
            with suppress(OSError):
                fresh.rename(path)  # fails where a folder with anything in it is
                return
            owner = living_owner(path, idle_s)
            if owner:
                break
            stale = path.with_name(f"{path.name}.{os.getpid()}.stale")
            with suppress(FileNotFoundError):
                path.rename(stale)  # of two runs that find the same one, one gets it
            if stale.is_symlink():
                stale.unlink()  # never what it points to
            shutil.rmtree(stale, ignore_errors=True)
        raise OutputError(f"{owner or 'another run'} is writing {what}: {remedy}")
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _me() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": _start_of(os.getpid())}


def _start_of(pid: int) -> str | None:
    """When a process started, in the system's own ticks, so that a number given again is told; None if unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def living_owner(part: Path, idle_s: float = FOREIGN_IDLE_S) -> str | None:
    """The run that has a folder.

    Args:
        part: The folder.
        idle_s: See `FOREIGN_IDLE_S`.

    Returns:
        Its process, for a message; None if it has ended without taking the folder away.
    """
    try:
        owner = json.loads((part / OWNER).read_text(encoding="utf-8"))
        pid, host, started = int(owner["pid"]), str(owner["host"]), owner["started"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    if host != socket.gethostname():
        return f"another run (process {pid} on {host})" if _idle_s(part) < idle_s else None
    if not is_alive(pid) or (started is not None and _start_of(pid) not in (None, started)):
        return None
    return f"another run (process {pid} on this machine)"


def _idle_s(part: Path) -> float:
    """Seconds since anything in the folder changed."""
    newest = 0.0
    for path in (part, *part.rglob("*")):
        with suppress(OSError):
            newest = max(newest, path.stat().st_mtime)
    return time.time() - newest


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number on this machine."""
    if pid < 1:  # these stand for groups of processes
        return False
    if sys.platform == "win32":
        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
