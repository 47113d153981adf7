"""The tracks as the viewer shows them, edits applied, in any of the formats: a file, or a folder as a ZIP archive."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dettrack.edit import names
from dettrack.errors import UsageError
from dettrack.formats.exports import export, export_names
from dettrack.formats.result import Result
from dettrack.structures import VideoInfo
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
        UsageError: There are no tracks, or the format needs the video's size and it is not known.
        MissingExtraError: The format needs an optional library.
        OutputError: The disk is full.
    """
    if one.folder is None or not len(one.frames):
        raise UsageError("there are no tracks to export")
    width, height = one.size or (0, 0)
    if not width:
        raise UsageError("the result does not say how large its video is: track it again")
    info = VideoInfo(one.name, str(one.source or one.name), width, height, one.fps, len(one.frames))
    edits = tuple(one.packed.edits)
    result = Result(one.folder, one.packed.table, one.frames, info, names(edits), edits, one.summary)
    with tempfile.TemporaryDirectory(prefix="dettrack-") as folder:
        (path,) = export(result, [name], folder)
        yield _zipped(path) if path.is_dir() else path


def _zipped(folder: Path) -> Path:
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return path
