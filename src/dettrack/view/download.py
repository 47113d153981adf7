"""The tracks as the viewer shows them, edits applied, in any of the formats: a file, or a folder as a ZIP archive."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dettrack.errors import UsageError
from dettrack.formats import FORMATS, open_writers
from dettrack.structures import Segment, VideoInfo
from dettrack.view.opened import Opened

__all__ = ["DOWNLOADS", "write_download"]

DOWNLOADS = tuple(FORMATS)


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
        OutputError: The disk is full.
    """
    if one.folder is None or not len(one.frames):
        raise UsageError("there are no tracks to export")
    width, height = one.size or (0, 0)
    if not width:
        raise UsageError("the result does not say how large its video is: track it again")
    info = VideoInfo(one.name, str(one.source or one.name), width, height, one.fps, len(one.frames))
    with tempfile.TemporaryDirectory(prefix="dettrack-") as folder:
        table = one.packed.table
        (writer,) = open_writers([name], folder, info, table.joint_set)
        segment = Segment(one.frames, table)
        try:
            for (frame, time_s, rows), image in zip(segment.by_frame(), one.frames.name, strict=True):
                writer.write(frame, time_s, rows, image)
        finally:
            writer.close()
        path = Path(folder) / FORMATS[name]
        yield _zipped(path) if path.is_dir() else path


def _zipped(folder: Path) -> Path:
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return path
