"""Files that are whole or absent, reading what others wrote, SHA-256 of files, and the endings of pictures.

A file is written under its name with `.part` behind, brought to the disk, and renamed when it is whole: whoever reads
its final name finds the earlier file or the new one, never half of one, whatever interrupts the writing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from dettrack.errors import DettrackError, InputError, MissingExtraError, OutputError

__all__ = [
    "IMAGE_SUFFIXES",
    "NewFile",
    "base_name",
    "exists",
    "file_sha256",
    "json_lines",
    "load_arrays",
    "load_json",
    "load_xml",
    "output_error",
    "parsing",
    "path_inside",
    "plain_name",
    "write_bytes",
    "write_json",
    "write_text",
]

_MOST_EXPANSION = 50
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".jp2", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
"""Endings of pictures, in lower case."""


def output_error(path: str | os.PathLike[str], error: Exception) -> OutputError:
    """The one line that a user reads when a file cannot be written.

    Args:
        path: The file.
        error: What the system, or a library, said.

    Returns:
        The error, to be raised.
    """
    reason = (getattr(error, "strerror", None) or str(error)).splitlines() or [type(error).__name__]
    return OutputError(f"cannot write {os.fspath(path)}: {reason[0]}; free some space or write to another place")


class NewFile:
    """A file that gets its name when it is whole; as a context manager it is removed instead if the block fails.

    Attributes:
        path: The final name.
        part: Where to write.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = True) -> None:
        """Make the folder, if need be.

        Args:
            path: The final name.
            sync: Bring the content to the disk before it is named, so that even a power cut leaves no half file.
                That takes milliseconds: too long for files of which there are thousands.

        Raises:
            OutputError: The folder cannot be made.
        """
        self.path, self._sync = Path(path), sync
        self.part = self.path.with_name(self.path.name + ".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.path, error) from error

    def commit(self) -> None:
        """Give the file its name, replacing an earlier one.

        Raises:
            OutputError: It cannot be done; the temporary file is removed.
        """
        try:
            if self._sync:
                # Opened for writing, as Windows wants for this.
                with self.part.open("rb+") as file:
                    os.fsync(file.fileno())
            self.part.replace(self.path)
        except OSError as error:
            self.discard()
            raise output_error(self.path, error) from error

    def discard(self) -> None:
        """Remove the temporary file; an earlier file of the final name stays."""
        with suppress(OSError):
            self.part.unlink(missing_ok=True)

    def __enter__(self) -> NewFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.commit()
            return
        self.discard()
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise output_error(self.path, error) from error


def write_bytes(path: str | os.PathLike[str], content: bytes, *, sync: bool = True) -> None:
    """Write a whole file.

    Args:
        path: File to write.
        content: Its bytes.
        sync: See `NewFile`.

    Raises:
        OutputError: It cannot be written; what was there before stays.
    """
    with NewFile(path, sync=sync) as new:
        new.part.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a whole text file.

    Args:
        path: File to write.
        text: Its content, written as UTF-8.

    Raises:
        OutputError: It cannot be written; what was there before stays.
    """
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], content: Any, indent: int | None = None) -> None:
    """Write a whole JSON file.

    Args:
        path: File to write.
        content: What fits JSON.
        indent: Spaces for each level; None writes one line.

    Raises:
        OutputError: It cannot be written; what was there before stays.
    """
    write_text(path, json.dumps(content, indent=indent) + ("\n" if indent is not None else ""))


@contextmanager
def parsing(where: str, expected: str) -> Iterator[None]:
    """A block that reads what others wrote: whatever has the wrong type or range in it is one line for the user.

    Args:
        where: The file, and after a comma or colon the place in it.
        expected: What should be there.

    Yields:
        Nothing.

    Raises:
        InputError: The block failed, on the content or on reading it. Its own errors that name the file pass
            unchanged.
    """
    try:
        yield
    except (MissingExtraError, OutputError):
        raise
    except Exception as error:
        if isinstance(error, DettrackError) and re.split("[,:] ", where)[0] in str(error):
            raise
        said = f"no {error}" if isinstance(error, KeyError) else (str(error).splitlines() or [""])[0]
        if isinstance(error, OSError) and not isinstance(error, DettrackError):
            said = error.strerror or said
        raise InputError(f"{where}: {said[:200] or type(error).__name__}; expected {expected}") from error


def load_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file holds, with or without a byte-order mark; raises `InputError` where that cannot be read."""
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # the second where it is nested too deeply
        raise InputError(f"{os.fspath(path)}: not JSON ({(str(error).splitlines() or ['too large'])[0]})") from error


def json_lines(path: str | os.PathLike[str]) -> Iterator[Any]:
    """What the lines of a file hold, each by itself JSON; lines that are none, as a kill leaves them, are left out."""
    with Path(path).open("rb") as file:
        for line in file:
            try:
                content = json.loads(line)
            except (ValueError, RecursionError):
                continue
            yield content


def load_xml(path: str | os.PathLike[str]) -> ElementTree.Element:
    """The root of an XML file that declares nothing (entities could grow to any size, or name other files).

    Raises:
        InputError: It cannot be read, is no XML, or has a document type.
    """
    with parsing(f"{os.fspath(path)}", "an XML file without a document type"):
        content = Path(path).read_bytes()
        if b"<!" in content.replace(b"\x00", b"").replace(b"<!--", b"").replace(b"<![CDATA[", b""):
            raise InputError(f"{os.fspath(path)}: an XML file with declarations of its own")
        return ElementTree.fromstring(content)  # nosec B314 (nothing is declared)


def load_arrays(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arrays of an `.npz` file, without pickles; to be called within `parsing`.

    Raises:
        InputError: It would unpack to far more than it is: arrays are packed without compression here.
    """
    import numpy as np

    path = Path(path)
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _MOST_EXPANSION * path.stat().st_size + (1 << 20):
        raise InputError(f"{os.fspath(path)}: its arrays unpack to {size} bytes, {_MOST_EXPANSION} times the file")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def base_name(name: Any, where: str) -> str:
    """A name that stands in a file, before a path is made of it: it must name a file in a folder and no other place.

    Args:
        name: The name.
        where: The file that it stands in, for the message.

    Returns:
        The same name.

    Raises:
        InputError: It has folders in it, or is none.
    """
    if not isinstance(name, str) or name in ("", ".", "..") or re.search(r"[/\\\x00-\x1f]", name) or len(name) > 250:
        raise InputError(f"{where}: the name {str(name)[:80]!r} cannot be that of a file")
    return name


def plain_name(name: str) -> str:
    """The name of an input as results carry it: what no file format or other system takes in a name becomes `_`."""
    return re.sub(r"[\\\x00-\x1f\x7f\ud800-\udfff]", "_", name)


def path_inside(folder: Path, name: str, where: str) -> Path:
    """A path that stands in a file, below a folder.

    Args:
        folder: The folder.
        name: The path, from the folder on.
        where: The file that it stands in, for the message.

    Returns:
        The path.

    Raises:
        InputError: It leaves the folder.
    """
    parts = re.split(r"[/\\]", name)
    if ".." in parts or "\x00" in name or not parts[0] or ":" in parts[0]:
        raise InputError(f"{where}: the path {name[:80]!r} leaves the folder {folder}")
    return folder / name


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is such a file or folder; False, too, for names that the system refuses, as too long ones."""
    return os.path.exists(path)  # noqa: PTH110 (Path.exists raises for them)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, in hexadecimal digits; raises `InputError` where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from error
    return digest.hexdigest()
