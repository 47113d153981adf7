"""The tracks as the viewer shows them, edits applied, in any of the formats: a file, or a folder as a ZIP archive."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dettrack.errors import UsageError
from dettrack.formats.exports import export, export_names
from dettrack.view.opened import Opened

__all__ = ["DOWNLOADS", "write_download"]

DOWNLOADS = export_names()


@contextmanager
def write_download(one: Opened, name: str) -> Iterator[Path]:
    """Write the tracks in one format, for as long as the block lasts.

    Args:
        one: An opened result.
        name: Name of the format.

    Yields:
        The file.

    Raises:
        UsageError: There are no tracks.
        MissingExtraError: The format needs an optional library.
        OutputError: The disk is full.
    """
    if not len(one.packed.table):
        raise UsageError("there are no tracks to export")
    with tempfile.TemporaryDirectory(prefix="dettrack-") as folder:
        (path,) = export(one.result, [name], folder)
        yield _zipped(path) if path.is_dir() else path


def _zipped(folder: Path) -> Path:
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return path
