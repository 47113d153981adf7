"""Formats that are written from a whole result, and the one call that writes any format of a result."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from dettrack import __version__
from dettrack.errors import DettrackError, InputError, UsageError
from dettrack.files import exists, load_json, parsing, write_json
from dettrack.formats import FORMATS, open_writers
from dettrack.formats.result import Result
from dettrack.measure.scale import Scale

__all__ = ["EXPORT_LIST", "WHOLE", "Exporter", "command_line", "export", "export_names", "list_file", "listed_files"]

EXPORT_LIST = "export.json"
"""What an export wrote, and from what."""

WHOLE: dict[str, tuple[str, str]] = {
    "angles": ("angles", "dettrack.formats.angles"),
    "xlsx": ("tracks.xlsx", "dettrack.formats.xlsx"),
    "c3d": ("c3d", "dettrack.formats.c3d"),
    "cvat": ("cvat.xml", "dettrack.formats.cvat"),
    "label-studio": ("label_studio.json", "dettrack.formats.label_studio"),
    "npz": ("tracks.npz", "dettrack.formats.npz"),
    "sleap": ("tracks.slp", "dettrack.formats.sleap"),
    "nwb": ("tracks.nwb", "dettrack.formats.sleap"),
    "rerun": ("tracks.rrd", "dettrack.formats.rerun"),
}
"""Name of a format that needs the whole result -> its file, or folder, and the module whose `write` makes it."""


class Exporter(Protocol):
    """`write` of a module in `WHOLE`."""

    def __call__(self, path: Path, result: Result, scale: Scale | None) -> list[Path]:
        """Write a result.

        Args:
            path: File or folder.
            result: What to write.
            scale: Metres, where the user gave some.

        Returns:
            The files.
        """
        ...


def export_names() -> tuple[str, ...]:
    """Every format that a result can be written in."""
    return (*FORMATS, *WHOLE)


def export(result: Result, names: Sequence[str], out: str | Path, scale: Scale | None = None) -> list[Path]:
    """Write a result in some formats, without tracking again.

    Args:
        result: Rows after the edits; a part of a run, or other smoothing, is chosen before (`Result.select`).
        names: Some of `export_names()`.
        out: Folder to write into.
        scale: Metres, for the formats that have lengths.

    Returns:
        The files and folders, in the order of the names; `export.json` beside them says what they were made from.

    Raises:
        UsageError: Unknown format, or one that the scale does not fit.
        MissingExtraError: A format needs an optional library.
        OutputError: The folder cannot be written.
    """
    out, names = Path(out), tuple(dict.fromkeys(names))
    unknown = [name for name in names if name not in export_names()]
    if unknown or not names:
        raise UsageError(f"--to {','.join(unknown) or '(empty)'}: expected some of {', '.join(export_names())}")
    made: dict[str, list[Path]] = {}
    for name in names:
        if name in FORMATS:
            made[name] = _stream(name, result, out, scale)
        else:
            target, module = WHOLE[name]
            write: Exporter = importlib.import_module(module).write
            made[name] = write(out / target, result, scale)
    _list([path for paths in made.values() for path in paths], out, result, scale)
    return [out / (FORMATS[name] if name in FORMATS else WHOLE[name][0]) for name in names]


def list_file(path: Path, result: Result) -> None:
    """Note another file that was made from a result in the list beside it.

    Args:
        path: The file.
        result: What it was made from.

    Raises:
        OutputError: The list cannot be written.
    """
    _list([path], path.parent, result, None)


def listed_files(folder: Path) -> frozenset[str]:
    """Names of the files that exports into a folder have listed; nothing where there is no readable list."""
    with suppress(InputError), parsing(f"{folder}", "a list of files"):
        return frozenset(str(name) for name in load_json(folder / EXPORT_LIST)["files"])
    return frozenset()


def _list(paths: Sequence[Path], out: Path, result: Result, scale: Scale | None) -> None:
    listed = {name for name in listed_files(out) if exists(out / name)}  # of earlier exports, still there
    listed |= {str(path.relative_to(out)) for path in paths}
    write_json(out / EXPORT_LIST, {**history(result, scale), "files": sorted(listed)}, indent=2)


def _stream(name: str, result: Result, out: Path, scale: Scale | None) -> list[Path]:
    """Send a result through the writer that also runs beside the tracker."""
    (writer,) = open_writers([name], out, result.info, result.table.joint_set, scale)
    try:
        for frame in result.frames():
            writer.write(*frame)
    except DettrackError:
        writer.close()
        raise
    writer.close()
    path = out / FORMATS[name]
    return sorted(path.iterdir()) if path.is_dir() else [path]


def command_line() -> list[str]:
    """The arguments that this process was called with; empty where it was not our command that was called."""
    return sys.argv[1:] if Path(sys.argv[0]).name in ("dettrack", "dettrack.exe", "__main__.py") else []


def history(result: Result, scale: Scale | None = None) -> dict[str, Any]:
    """What was done, from the video to this file: for every result and export.

    Args:
        result: What is written.
        scale: Metres, where the user gave some.

    Returns:
        Ready for JSON: source, command, settings, hashes of weights, versions, frames, edits, smoothing and scale.
    """
    summary = result.summary
    kept = (
        "command",
        "settings",
        "weights",
        "range_s",
        "fingerprint",
        "preset",
        "detector",
        "model",
        "versions",
        "associated_from",
    )
    index = result.times.index
    return {
        "schema": 1,
        "source": str(result.path),
        "video": {**asdict(result.info), "fps": None if result.info.fps is None else str(result.info.fps)},
        "run": {key: summary[key] for key in kept if key in summary},
        "frames": [int(index[0]), int(index[-1])] if len(index) else [],
        "people": result.tracks.tolist(),
        "names": {str(track): name for track, name in sorted(result.names.items())},
        "edits": [edit.as_json() for edit in result.edits],
        "smoothed": result.table.xy_smooth is not None,
        "scale": None if scale is None else scale.about,
        "exported": {
            "command": command_line(),
            "dettrack": __version__,
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        },
    }
