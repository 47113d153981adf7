"""Reads a result folder, or a file of tracks, ours or not, as people left it: rows after the edits, frames, video."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dettrack.edit import apply, names, read
from dettrack.errors import InputError
from dettrack.files import json_lines, load_json, parsing
from dettrack.formats import FRAMES, SUSPECTS
from dettrack.formats.frames import read_frames
from dettrack.formats.result import Result, smoothing_again, video_info
from dettrack.structures import FrameTimes, TrackTable, VideoInfo

__all__ = ["SUMMARY", "TRACKLETS", "read_result", "read_rows", "read_suspects"]

SUMMARY = "summary.json"
TRACKLETS = "tracklets.parquet"
TABLES = {"parquet": "tracks.parquet", "jsonl": "tracks.jsonl", "csv": "tracks.csv"}
"""Files that tracks are read from, the best one first: Parquet is the fastest, and not rounded."""

_SUMMARY_TYPES: dict[str, type] = {
    **dict.fromkeys(("video", "settings", "counts", "dropped", "seconds", "versions", "weights"), dict),
    **dict.fromkeys(("notes", "formats", "joints", "approximated_joints", "command", "range_s"), list),
    **dict.fromkeys(("detector", "model", "content", "fingerprint", "joint_set", "preset", "date"), str),
    "complete": bool,
}
_FRAME = re.compile(rb'\{"frame_index":(\d+),"time_s":(null|[-+0-9.eE]+),')


def read_result(path: str | Path, *, edits: bool = True) -> Result:
    """A result folder, or one of its files.

    Args:
        path: The folder, or a `tracks.parquet`, `tracks.jsonl` or `tracks.csv`, or a file of poses that another program
            wrote (`formats.foreign`).
        edits: Apply the folder's edit list.

    Returns:
        The result.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    result = read_rows(path, edits=edits)
    if len(result.times):
        return result
    return replace(result, times=_frame_times(_tracks_file(result.path).parent, result.table))


def read_rows(path: str | Path, *, edits: bool = True) -> Result:
    """As `read_result`, without the frames that have nobody in them, which takes less time.

    Args:
        path: See `read_result`.
        edits: See `read_result`.

    Returns:
        The result; `times` may be empty.

    Raises:
        InputError: See `read_result`.
    """
    path = Path(path)
    file = _tracks_file(path)
    if file.is_dir() or file.suffix not in (".parquet", ".jsonl", ".csv"):
        from dettrack.formats.foreign import read_foreign

        table, times, info = read_foreign(file)
        return Result(path, table, times, info)
    folder = file.parent
    summary = _read_summary(folder / SUMMARY) if (folder / SUMMARY).is_file() else {}
    listed = tuple(read(folder)) if edits else ()
    table = _read_table(file)
    with parsing(f"{folder / SUMMARY}", "the summary of a run"):
        info = video_info(summary["video"]) if "video" in summary else _guessed_info(file, table)
        if listed:
            table = apply(table, listed, smoothing_again(summary, info.fps))
    return Result(path, table, FrameTimes.of(()), info, names(listed), listed, summary)


def _read_summary(path: Path) -> dict[str, Any]:
    """The summary of a run, with the types that its readers count on."""
    content = load_json(path)
    with parsing(f"{path}", "the summary of a run"):
        known = {name: value for name, value in content.items() if name in _SUMMARY_TYPES and value is not None}
        wrong = next((name for name, value in known.items() if not isinstance(value, _SUMMARY_TYPES[name])), None)
        if wrong or not all(isinstance(note, str) for note in known.get("notes", ())):
            raise TypeError(f"{wrong or 'notes'} is {str(known[wrong or 'notes'])[:80]}")
        return dict(content)


def read_suspects(folder: Path) -> list[dict[str, Any]]:
    """The places that a person should look at, strongest first; none where the run listed none."""
    path, found = folder / SUSPECTS, []
    for entry in json_lines(path) if path.is_file() else ():
        if isinstance(entry, dict) and all(type(entry.get(key)) is kind for key, kind in _SUSPECT.items()):
            numbers = {key: entry.get(key) for key in ("track", "other", "from_frame", "to_frame")}
            known = {key: value for key, value in numbers.items() if type(value) is int}
            said = {key: value for key, value in entry.items() if key not in numbers}
            found.append({**said, "track": None, "other": None, **known})
    return found


_SUSPECT = {"rank": int, "frame": int, "reason": str}


def _tracks_file(path: Path) -> Path:
    if path.is_dir():
        files = [path / name for name in TABLES.values()]
        found = next((file for file in files if file.is_file()), None)
        if found is None and any(path.glob("*_keypoints.json")):
            return path
        if found is None:
            raise InputError(f"{path}: no tracks in it; expected one of {', '.join(file.name for file in files)}")
        return found
    if not path.is_file():
        raise InputError(f"no such tracks file or result folder: {path}")
    return path


def _read_table(path: Path) -> TrackTable:
    if path.suffix == ".jsonl":
        from dettrack.formats.jsonl import read_jsonl

        return read_jsonl(path)
    from dettrack.formats.table import read_csv, read_parquet

    return read_parquet(path) if path.suffix == ".parquet" else read_csv(path)


def _frame_times(folder: Path, table: TrackTable) -> FrameTimes:
    """The frames of a run, from whichever of its files lists them."""
    if (folder / FRAMES).is_file():
        return read_frames(folder / FRAMES)
    stamps = _saved_stamps(folder / TRACKLETS)
    known = {index: name for index, _, _, name in stamps}
    jsonl = folder / TABLES["jsonl"]
    if jsonl.is_file():
        shots = {index: shot for index, _, shot, _ in stamps}
        found = []
        with jsonl.open("rb") as file:
            for line in file:
                if match := _FRAME.match(line):
                    index, time_s = int(match[1]), math.nan if match[2] == b"null" else float(match[2])
                    found.append((index, time_s, shots.get(index, 0), known.get(index, "")))
        if found:
            return _exact(FrameTimes.of(found), table)
    if stamps:
        return FrameTimes.of(stamps)
    return _times_of_rows(table)


def _exact(times: FrameTimes, table: TrackTable) -> FrameTimes:
    """Timestamps that the rows know without rounding."""
    exact = dict(zip(table.frame.tolist(), table.time_s.tolist(), strict=True))
    time_s = [exact.get(index, time) for index, time in zip(times.index.tolist(), times.time_s.tolist(), strict=True)]
    return replace(times, time_s=np.array(time_s, float))


def _saved_stamps(path: Path) -> list[tuple[int, float, int, str]]:
    if not path.is_file():
        return []
    try:
        column = pq.read_table(path, columns=["stamps"]).column("stamps").to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    return [(one["index"], one["time_s"], one["shot"], one["name"]) for batch in column for one in batch]


def _times_of_rows(table: TrackTable) -> FrameTimes:
    """From the first frame with people to the last; times of frames between are interpolated."""
    if not len(table):
        return FrameTimes.of(())
    known, at = np.unique(table.frame, return_index=True)
    index = np.arange(known[0], known[-1] + 1)
    time_s = np.interp(index, known, table.time_s[at])
    return FrameTimes(index, time_s, np.zeros(len(index), np.int64), ("",) * len(index))


def _guessed_info(file: Path, table: TrackTable) -> VideoInfo:
    """What a lone file says of its video: the size that its people need, and the usual distance of its frames."""
    video: dict[str, Any] = {}
    if file.suffix == ".parquet":
        from dettrack.formats.table import video_of

        video = video_of(file)
    if video.get("width"):
        return video_info({"path": str(file), "n_frames": None, **video})
    corner = np.nanmax(table.box[:, 2:], 0, initial=0) if len(table) else np.zeros(2)
    times = _times_of_rows(table).time_s
    steps = np.diff(times)
    fps = Fraction(1 / float(np.median(steps))).limit_denominator(1001) if (steps > 0).any() else None
    return VideoInfo(file.stem, str(file), math.ceil(corner[0]) + 1, math.ceil(corner[1]) + 1, fps, None)
