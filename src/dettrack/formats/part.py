"""Result files that grow while a run lasts, and are named when it ends.

Only whole frames are ever in a file: when the disk is full, the frame that did not fit is taken back, and what was
written before it can still be finished.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dettrack.errors import OutputError
from dettrack.files import NewFile, output_error

__all__ = ["JsonArrays", "PartFile"]


class PartFile:
    """A text file that gets its name when it is closed."""

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        """Open `path` under its temporary name.

        Args:
            path: The file.
            sync: See `NewFile`.

        Raises:
            OutputError: The folder cannot be written.
        """
        self.path = path
        self._new = NewFile(path, sync=sync)
        try:
            self._file = self._new.part.open("w+b", buffering=0)
        except OSError as error:
            raise output_error(path, error) from error
        self._good = 0

    def write(self, content: str | bytes) -> None:
        """Append everything, or nothing.

        Raises:
            OutputError: It does not fit; the file is as it was before.
        """
        data = memoryview(content.encode() if isinstance(content, str) else content)
        written = 0
        try:
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as error:
            self._file.truncate(self._good)
            self._file.seek(self._good)
            raise output_error(self.path, error) from error
        self._good += written

    def close(self) -> None:
        """Give the file its name, replacing an earlier one; nothing happens the second time.

        Raises:
            OutputError: It cannot be renamed.
        """
        if self._file.closed:
            return
        try:
            self._file.truncate(self._good)  # an interrupt may have hit within a write
            self._file.close()
        except OSError as error:
            raise output_error(self.path, error) from error
        self._new.commit()

    def discard(self) -> None:
        """Remove the file instead of naming it."""
        self._file.close()
        self._new.discard()

    def drain_into(self, target: PartFile) -> None:
        """Append the whole content to `target` and remove this file.

        Raises:
            OutputError: It does not fit.
        """
        self._file.seek(0)
        while chunk := self._file.read(1 << 20):
            target.write(chunk)
        self.discard()


class JsonArrays:
    """A JSON object of two long arrays that grow together, never held in memory.

    The long one is written in place, the short one beside it until the end.
    """

    def __init__(self, path: Path, long: str, short: str, head: dict[str, Any]) -> None:
        """Open the file.

        Args:
            path: The file to write.
            long: Key of the array with more entries.
            short: Key of the other.
            head: Everything else in the object.
        """
        self._long = PartFile(path)
        self._short = PartFile(path.with_name(f"{path.name}.{short}"))
        start = json.dumps(head)[:-1]
        self._long.write(f"{start}{', ' if head else ''}{json.dumps(long)}: [")
        self._middle = f"\n], {json.dumps(short)}: ["
        self._first = {"long": True, "short": True}
        self._closed = False

    def add(self, long: Iterable[dict[str, Any]], short: Iterable[dict[str, Any]]) -> None:
        """Append entries to both arrays.

        Args:
            long: Entries of the array that may be long.
            short: Entries of the other one.

        Raises:
            OutputError: The disk is full.
        """
        self._append(self._short, "short", short)
        self._append(self._long, "long", long)

    def _append(self, file: PartFile, name: str, entries: Iterable[dict[str, Any]]) -> None:
        text = ",".join("\n" + json.dumps(entry, separators=(",", ":"), allow_nan=False) for entry in entries)
        if text:
            file.write(text if self._first[name] else "," + text)
            self._first[name] = False

    def close(self) -> None:
        """Join both arrays and give the file its name.

        Raises:
            OutputError: The disk is full; the unfinished file is removed.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._long.write(self._middle)
            self._short.drain_into(self._long)
            self._long.write("\n]}\n")
        except OutputError:
            self._short.discard()
            self._long.discard()
            raise
        self._long.close()
