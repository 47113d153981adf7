"""Results by content: a key is the hash of everything that decides a result, so nothing stale is ever read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from dettrack.errors import InputError
from dettrack.files import file_sha256

__all__ = ["content_key", "file_digest", "files_digest", "read_json"]

# Raised when the meaning of cached results changes: association, merging or evaluation answer differently.
_VERSION = 2


def content_key(*parts: Any) -> str:
    """Hash of settings that fit JSON."""
    text = json.dumps([_VERSION, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; raises `InputError` where it cannot be read."""
    try:
        stat = path.stat()
        return _digest(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


@cache
def _digest(path: Path, size: int, changed_ns: int) -> str:
    """Read once in a process as long as the file stays as it is."""
    return file_sha256(path)


def files_digest(paths: Iterable[Path]) -> str:
    """One hash of the contents of many files, in the order given."""
    return content_key([file_digest(path) for path in paths])


def read_json(path: Path) -> dict[str, Any] | None:
    """A cached result; None where there is none, or half a one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
