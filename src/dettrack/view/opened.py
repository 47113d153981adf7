"""What a viewer shows: a result with its video, edits and suspects, or a video alone, as bytes ready to be served."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dettrack import edit
from dettrack.edit import Edit
from dettrack.errors import InputError
from dettrack.files import exists
from dettrack.formats.read import TABLES, TRACKLETS, read_result, read_suspects
from dettrack.formats.result import Result, smoothing_again
from dettrack.skeleton import POSETRACK15
from dettrack.structures import TrackTable, VideoInfo
from dettrack.view.frames import clock, frames_of_video
from dettrack.view.hypotheses import Hypotheses
from dettrack.view.media import BrowserCopy, plays_in_browsers
from dettrack.view.packing import joint_names, pack_lanes, pack_rows, row_index

__all__ = ["Opened", "Packed", "open_result"]


@dataclass(frozen=True)
class Packed:
    """One version of the tracks: as they are after the edits so far.

    Attributes:
        table: The rows.
        files: Name -> bytes, as `packing` makes them.
        lanes: Lanes of the tracks, without their entries.
        edits: The list of edits.
    """

    table: TrackTable
    files: dict[str, memoryview]
    lanes: dict[str, Any]
    edits: list[Edit]


class Opened:
    """A result or a video that a viewer shows.

    Args:
        result: As the run wrote it, without the edits; of a video alone one without rows.
        source: The video; None where it was not found.
        folder: Result folder, whose edit list counts; None where there is none.

    Attributes:
        name: Title.
        folder: Result folder; None where there is none, and nothing can be corrected.
        source: The video; None where it was not found.
        frames: Its frames.
        times: Seconds of the frames, as the viewer plays them.
        version: Number of the current `packed`; grows with every edit.
    """

    def __init__(self, result: Result, source: Path | None, folder: Path | None = None) -> None:
        self._original = replace(result, table=result.table.sorted())
        self.name, self.folder, self.source, self.frames = result.info.name, folder, source, result.times
        self.times = clock(result.times)
        self.plays = source is not None and plays_in_browsers(source)
        self.copy = BrowserCopy(source, self.frames, self.times) if source is not None and len(self.frames) else None
        self.version = 0
        self._lock = threading.Lock()
        self._hypotheses: Hypotheses | None = None
        self._suspects = [] if folder is None else read_suspects(folder)
        self._smooth = smoothing_again(result.summary, result.info.fps)
        self.packed = self._pack()

    @property
    def result(self) -> Result:
        """What is shown: with the edits so far."""
        packed = self.packed
        edits = tuple(packed.edits)
        return replace(self._original, table=packed.table, edits=edits, names=edit.names(edits))

    @property
    def fps(self) -> Fraction | None:
        """Average frames per second; None for images."""
        return self._original.info.fps

    def append(self, operation: dict[str, Any], by: str) -> None:
        """Add a correction to the result's list and show the tracks as they are with it.

        Args:
            operation: As `edit.append` takes it.
            by: Who makes it.

        Raises:
            InputError: The operation is wrong, or would do nothing; or there is no result.
            OutputError: The list cannot be written.
        """
        if self.folder is None:
            raise InputError(f"{self.name}: there is no result to correct; track the video first")
        with self._lock:
            edit.append(self.folder, operation, self.packed.table, by)
            self.packed = self._pack()
            self.version += 1

    def _pack(self) -> Packed:
        index = self.frames.index
        edits = [] if self.folder is None else edit.read(self.folder)
        table = edit.apply(self._original.table, edits, self._smooth)
        lanes = pack_lanes(table, index)
        rows = pack_rows(table)
        files = {
            "rows": memoryview(rows.tobytes()) if len(rows) else memoryview(b""),
            "index": memoryview(row_index(table.frame, index).tobytes()),
            "lanes": memoryview(lanes.entries.tobytes()),
            "times": memoryview(self.times.astype("<f8").tobytes()),
        }
        names = edit.names(edits)
        about = {
            "bin_frames": lanes.bin_frames,
            "tracks": [{**track, "name": names.get(track["id"], "")} for track in lanes.tracks],
            "row_bytes": rows.dtype.itemsize,
            "smooth": table.xy_smooth is not None,
            "joint_set": joint_names(table.joint_set),
            "rows": len(table),
            "suspects": edit.follow_suspects(self._suspects, self._original.table, edits),
        }
        return Packed(table, files, about, edits)

    def hypotheses(self, frame: int, track: int) -> dict[str, Any]:
        """What the tubes say of one person in one frame (see `Hypotheses.of`).

        Args:
            frame: Frame index.
            track: Id.

        Returns:
            Poses and path.

        Raises:
            InputError: The run saved no tracklets.
        """
        with self._lock:
            if self._hypotheses is None:
                path = None if self.folder is None else self.folder / TRACKLETS
                if path is None or not path.is_file():
                    raise InputError(f"{self.name}: hypotheses need the run's tracklets (track with --save-tracklets)")
                self._hypotheses = Hypotheses(path)
            return self._hypotheses.of(self.packed.table, frame, track)

    def describe(self) -> dict[str, Any]:
        """What a page must know to show it."""
        index, shots = self.frames.index, self.frames.shot
        info, summary = self._original.info, self._original.summary
        return {
            "name": self.name,
            "folder": None if self.folder is None else str(self.folder),
            "source": None if self.source is None else self.source.name,
            "video": "file" if self.plays else "copy" if self.copy is not None else "none",
            "size": (info.width, info.height) if info.width and info.height else None,
            "frames": len(index),
            "first_frame": int(index[0]) if len(index) else 0,
            "cuts": (np.flatnonzero(np.diff(shots)) + 1).tolist() if len(shots) else [],
            "timed": bool(np.isfinite(self.frames.time_s).all()),
            "version": self.version,
            **self.packed.lanes,
            "edits": [each.as_json() for each in self.packed.edits],
            "hypotheses": self.folder is not None and (self.folder / TRACKLETS).is_file(),
            "notes": summary.get("notes", []),
            "complete": summary.get("complete", True),
            "detector": summary.get("detector", ""),
            "model": summary.get("model", ""),
        }


def open_result(path: Path, video: Path | None = None) -> Opened:
    """Open a result, a file of tracks or poses, or a video: with its result where that stands beside it, else alone.

    Args:
        path: Result folder, a file as `formats.read.read_result` takes it, or a video.
        video: The video of a result whose own path does not lead to it any more.

    Returns:
        What the viewer shows.

    Raises:
        InputError: None of these, or a video that has changed since it was tracked.
    """
    if not path.exists():
        raise InputError(f"{path}: no such result folder or video")
    if video is not None and not video.exists():
        raise InputError(f"--video {video}: no such file or folder")
    beside, given = path.with_name(f"{path.stem}.dettrack"), video is not None
    if path.is_file() and path.suffix.lower() not in _TRACKS and _is_result(beside):
        path, video = beside, video or path
    if path.is_dir() or path.suffix.lower() in _TRACKS:
        result = read_result(path, edits=False)
        folder = path if _is_result(path) else None
        shown = video or _find_video(path, result.info)
        if shown is not None and not given:
            result.check_video(shown)
        return Opened(result, shown, folder)
    info = VideoInfo(path.stem, str(path), 0, 0, None, None)
    return Opened(Result(path, TrackTable.empty(POSETRACK15), frames_of_video(path), info), path)


_TRACKS = {".parquet", ".jsonl", ".csv", ".json", ".xml", ".slp", ".nwb"}


def _is_result(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in TABLES.values())


def _find_video(path: Path, info: VideoInfo) -> Path | None:
    """Where the run read its video, or a video of its name beside the result."""
    named = Path(info.path)
    places = [named, path.parent / named.name, path / named.name] if named.name else []
    return next((place for place in places if exists(place) and place != path), None)
