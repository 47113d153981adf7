"""The videos of a batch: folders searched through, patterns, lists, and tables with settings for single videos.

Each video has a name that stays the same from call to call, whatever else is added: its path below the folder that was
searched, or its file name. Its result is `OUT/NAME.dettrack`.
"""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from dettrack.config import SECTIONS, TrackConfig
from dettrack.errors import InputError, UsageError
from dettrack.files import IMAGE_SUFFIXES, plain_name
from dettrack.files.toml import field_types, from_texts
from dettrack.video.sources import natural_key

__all__ = ["VIDEO_SUFFIXES", "Entry", "find_entries", "of_shard"]

VIDEO_SUFFIXES = frozenset(
    (
        *(".3gp", ".asf", ".avi", ".divx", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
        *(".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
    )
)
"""Endings of the files that are taken from a folder, in lower case; a file that is named itself may have any."""

_RESULT = ".dettrack"


@dataclass(frozen=True)
class Entry:
    """One video of a batch.

    Attributes:
        name: What it is called in the results; folders in it are separated by slashes.
        source: What to read, as for `video.sources.find_source`.
        config: Its settings.
        start_s: Skip frames before this time, in seconds from the first frame.
        end_s: Stop at this time; None reads to the end.
    """

    name: str
    source: str
    config: TrackConfig
    start_s: float = 0.0
    end_s: float | None = None

    def result(self, out: Path) -> Path:
        """The result folder below `out`."""
        return out / f"{self.name}{_RESULT}"


def find_entries(inputs: Sequence[str], config: TrackConfig, out: Path) -> list[Entry]:
    """All videos that the inputs name.

    Args:
        inputs: Video files; folders (all videos in them and below, or one folder of frames); patterns; `.txt` lists of
            such, one a line; `.csv` tables with a column `video`, and any of `name`, `start`, `end` and of the
            settings' names.
        config: Settings, where a table says nothing else.
        out: Folder of the results; what lies in it is no input.

    Returns:
        The videos in the order of the inputs, those of a folder in natural order; each once.

    Raises:
        InputError: An input is not there, or holds no video.
        UsageError: A table is wrong, or two different videos have one name.
    """
    found: dict[str, Entry] = {}
    for given in inputs:
        try:
            entries = list(_entries(given, config, out))
        except OSError as error:  # a name that is too long, links in a circle, a folder that may not be read
            raise InputError(f"cannot read {given}: {error.strerror or error}") from error
        for entry in entries:
            known = found.setdefault(entry.name, entry)
            if known != entry:
                raise UsageError(
                    f"{entry.source} and {known.source} would both be {entry.name}: give the folder of both, or "
                    "a table with a column `name`"
                )
    if not found:
        raise UsageError("nothing to track: name videos, folders, patterns, a .txt list or a .csv table")
    return list(found.values())


def _entries(given: str, config: TrackConfig, out: Path) -> Iterator[Entry]:
    path = Path(given)
    if path.suffix.lower() == ".csv" and path.is_file():
        yield from _from_table(path, config)
    elif path.suffix.lower() == ".txt" and path.is_file():
        lines = (line.strip() for line in _text(path).splitlines())
        for line in lines:
            if line and not line.startswith("#"):
                yield from _entries(os.fspath(path.parent / line), config, out)
    elif path.is_dir():
        videos = sorted(_below(path, out.absolute()), key=lambda video: natural_key(video.as_posix()))
        if not videos and not any(each.suffix.lower() in IMAGE_SUFFIXES for each in path.iterdir()):
            raise InputError(f"{path}: no video in it or below; expected files ending in {', '.join(_shown())}")
        for video in videos or [path]:
            name = (video.relative_to(path) if videos else Path(path.absolute().name)).as_posix()
            yield Entry(plain_name(name), os.fspath(video.absolute()), config)
    elif glob.has_magic(given) and not path.exists():
        matches = sorted(glob.glob(given, recursive=True), key=natural_key)  # noqa: PTH207 (absolute patterns too)
        videos = [Path(match) for match in matches if _is_video(Path(match))]
        if not videos:
            raise InputError(f"{given}: no video matches; quote the pattern if the shell should not expand it")
        top = Path(os.path.commonpath([video.absolute().parent for video in videos]))
        for video in videos:
            yield Entry(plain_name(video.absolute().relative_to(top).as_posix()), os.fspath(video.absolute()), config)
    elif path.exists():
        yield Entry(plain_name(path.name), os.fspath(path.absolute()), config)
    else:
        raise InputError(f"{given}: no such file or folder")


def _shown() -> list[str]:
    return [suffix[1:] for suffix in sorted(VIDEO_SUFFIXES)]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _below(folder: Path, out: Path) -> Iterator[Path]:
    """Videos in a folder and below; never those in results."""
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and _RESULT not in name and (here / name).absolute() != out
        ]
        yield from (here / name for name in files if _is_video(here / name))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _from_table(path: Path, config: TrackConfig) -> Iterator[Entry]:
    lines = _text(path).splitlines()
    rows = csv.DictReader(lines, delimiter=";" if lines and lines[0].count(";") > lines[0].count(",") else ",")
    kinds = {name: kind for cls in SECTIONS.values() for name, kind in field_types(cls).items()}
    columns = [name.strip() for name in rows.fieldnames or ()]
    unknown = [name for name in columns if name not in ("video", "name", "start", "end", *kinds)]
    if "video" not in columns or unknown:
        what = f"unknown column {unknown[0]!r}" if "video" in columns else "no column `video`"
        raise UsageError(
            f"{path}: {what}; expected video, and any of name, start, end and settings such as step or detector"
        )
    rows.fieldnames = columns
    for number, row in enumerate(rows, 2):
        cells = {name: text.strip() for name, text in row.items() if isinstance(name, str) and text and text.strip()}
        if not cells:
            continue
        if "video" not in cells or None in row:
            raise UsageError(f"{path}, line {number}: expected a video and a cell for each column of the first line")
        try:
            yield _from_row(path, cells, config, kinds)
        except (UsageError, ValueError) as error:
            raise UsageError(f"{path}, line {number}: {error}") from error


def _from_row(path: Path, cells: Mapping[str, str], config: TrackConfig, kinds: Mapping[str, object]) -> Entry:
    changes = {name: from_texts(kinds[name], text.split()) for name, text in cells.items() if name in kinds}
    config = config.with_settings(**changes) if changes else config
    start, end = (float(cells[name]) if name in cells else None for name in ("start", "end"))
    source = path.parent / cells["video"]
    name = cells.get("name", source.name)
    if name != Path(name).as_posix() or ".." in name.split("/") or name.startswith("/"):
        raise UsageError(f"name is {name!r}: expected a plain name, such as a/b")
    return Entry(name, os.fspath(source.absolute()), config, start or 0.0, end)


def of_shard(entries: Iterable[Entry], shard: tuple[int, int]) -> list[Entry]:
    """The share of one of several runs that know nothing of each other.

    Args:
        entries: All videos.
        shard: `(i, n)`: the i-th of n shares, from 0.

    Returns:
        The same videos whatever else is among them: what decides is the name.
    """
    return [entry for entry in entries if crc32(entry.name.encode()) % shard[1] == shard[0]]
