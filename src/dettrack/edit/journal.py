"""`edits.jsonl`: the edit list of a result folder, one JSON object a line, only ever appended to."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from dettrack.edit.apply import check
from dettrack.edit.operations import Edit, parse
from dettrack.errors import InputError
from dettrack.files import output_error, parsing, write_text
from dettrack.structures import TrackTable

__all__ = ["EDITS", "append", "read", "write_edits"]

EDITS = "edits.jsonl"
"""Name of the list in a result folder."""


def append(run_folder: str | Path, operation: Mapping[str, Any], table: TrackTable | None = None, by: str = "") -> Edit:
    """Add one operation to the list of a result folder; when this returns, it is on the disk.

    Args:
        run_folder: The result folder.
        operation: `op` and its operands (see `OPERATIONS`); `id` and `time` are set here.
        table: The rows after all earlier edits: the operation is checked against them, and a split without `other`
            gets an id that was never used.
        by: Who makes the edit; "" takes the operation's own `by`, or the name of the user.

    Returns:
        The edit as it was written.

    Raises:
        InputError: The operation is wrong or does nothing to `table`; `run_folder` is none, or its list is damaged.
        OutputError: It cannot be written.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no result folder; expected one that `dettrack track` wrote")
    edit = parse({key: value for key, value in operation.items() if key not in ("id", "time")})
    path = folder / EDITS
    try:
        with path.open("a+b") as file, _locked(file):
            earlier = _whole_lines(path, _mend(file))
            edit = _complete(edit, earlier, table, by)
            file.write(json.dumps(edit.as_json(), separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except InputError:
        raise
    except OSError as error:
        raise output_error(path, error) from error
    return edit


def _complete(edit: Edit, earlier: list[Edit], table: TrackTable | None, by: str) -> Edit:
    if edit.op == "undo" and edit.undoes not in {each.id for each in earlier}:
        known = ", ".join(str(each.id) for each in earlier[-5:]) or "none yet"
        raise InputError(f"undo of edit {edit.undoes}: there is no such edit (the last ones: {known})")
    if edit.op == "split" and edit.other is None:
        if table is None:
            raise InputError("split needs other, an id that was never used")
        used = [-1, int(table.track_id.max(initial=-1)), *(e.other for e in earlier if e.other is not None)]
        edit = replace(edit, other=max(used) + 1)
    if table is not None:
        check(table, edit)
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return replace(edit, id=max((each.id for each in earlier), default=0) + 1, time=now, by=by or edit.by or _user())


def write_edits(run_folder: str | Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Begin the list of a new result with edits that were made elsewhere; they are numbered from 1.

    Args:
        run_folder: A folder without a list.
        lines: Edits with their time and the name of who made them.

    Raises:
        InputError: A line is no edit.
        OutputError: It cannot be written.
    """
    edits = [replace(parse(line), id=number) for number, line in enumerate(lines, 1)]
    if edits:
        text = "".join(json.dumps(edit.as_json(), separators=(",", ":")) + "\n" for edit in edits)
        write_text(Path(run_folder) / EDITS, text)


def read(run_folder: str | Path) -> list[Edit]:
    """The edits of a result folder, undone ones among them; none where there is no list.

    Args:
        run_folder: The result folder.

    Raises:
        InputError: The list cannot be read, or a line is no edit; the message names the line.
    """
    path = Path(run_folder) / EDITS
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return _whole_lines(path, content)


def _whole_lines(path: Path, content: bytes) -> list[Edit]:
    edits: list[Edit] = []
    lines = content.split(b"\n")
    torn = lines.pop()  # after the last end of line: nothing, or what a writer that was killed left
    if torn and _is_json(torn):
        lines.append(torn)
    for number, line in enumerate(lines, 1):
        if line.strip():
            with parsing(f"{path}: line {number}", "an edit as `dettrack correct` writes it"):
                edit = parse(json.loads(line))
                if edit.id <= (edits[-1].id if edits else 0):
                    raise ValueError(f"id {edit.id} does not grow")
                edits.append(edit)
    return edits


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _mend(file: BinaryIO) -> bytes:
    """The content, after an unfinished last line was completed or, where it is no JSON, taken away."""
    file.seek(0)
    content = file.read()
    torn = content.rpartition(b"\n")[2]
    if not torn:
        return content
    if _is_json(torn):
        file.write(b"\n")
        return content + b"\n"
    kept = len(content) - len(torn)
    file.truncate(kept)
    return content[:kept]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name
        return "unknown"


@contextmanager
def _locked(file: BinaryIO) -> Iterator[None]:
    """One writer at a time, among processes as well."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)
