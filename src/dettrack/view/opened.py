"""What a viewer shows: a result with its video, edits and suspects, or a video alone, as bytes ready to be served."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dettrack import edit
from dettrack.edit import Edit
from dettrack.errors import InputError
from dettrack.formats import SUSPECTS, read_tracks
from dettrack.formats.result import smoothing_again
from dettrack.skeleton import POSETRACK15
from dettrack.structures import FrameTimes, TrackTable
from dettrack.view.frames import clock, frames_of_result, frames_of_video
from dettrack.view.hypotheses import Hypotheses
from dettrack.view.media import BrowserCopy, plays_in_browsers
from dettrack.view.packing import joint_names, pack_lanes, pack_rows, row_index

__all__ = ["Opened", "Packed", "open_result"]

_SUMMARY, TRACKLETS = "summary.json", "tracklets.parquet"


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
        name: Title.
        folder: Result folder; None where only a video was given.
        source: The video; None where it was not found.
        frames: Its frames.
        about: The summary's entry of the video, and the summary itself under `summary`.
        table: The tracks as the run wrote them, sorted; None where only a video was given.

    Attributes:
        times: Seconds of the frames, as the viewer plays them.
        version: Number of the current `packed`; grows with every edit.
    """

    def __init__(
        self,
        name: str,
        folder: Path | None,
        source: Path | None,
        frames: FrameTimes,
        about: dict[str, Any],
        table: TrackTable | None = None,
    ) -> None:
        self.name, self.folder, self.source, self.frames, self._about = name, folder, source, frames, about
        self.times = clock(frames)
        self.plays = source is not None and plays_in_browsers(source)
        self.copy = BrowserCopy(source, frames, self.times) if source is not None and len(frames) else None
        self.version = 0
        self._lock = threading.Lock()
        self._smooth = smoothing_again(about.get("summary", {}), self.fps)
        self._hypotheses: Hypotheses | None = None
        self._original = TrackTable.empty(POSETRACK15) if table is None else table
        self.packed = self._pack()

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, where known before the video is open."""
        width, height = self._about.get("width"), self._about.get("height")
        return (int(width), int(height)) if width and height else None

    @property
    def summary(self) -> dict[str, Any]:
        """What the run wrote about itself; empty without a result."""
        return dict(self._about.get("summary", {}))

    @property
    def fps(self) -> Fraction | None:
        """Average frames per second; None for images."""
        rate = self._about.get("fps")
        return Fraction(rate) if rate else None

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
        table = edit.apply(self._original, edits, self._smooth)
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
        summary = self.summary
        return {
            "name": self.name,
            "folder": None if self.folder is None else str(self.folder),
            "source": None if self.source is None else self.source.name,
            "video": "file" if self.plays else "copy" if self.copy is not None else "none",
            "size": self.size,
            "frames": len(index),
            "first_frame": int(index[0]) if len(index) else 0,
            "cuts": (np.flatnonzero(np.diff(shots)) + 1).tolist() if len(shots) else [],
            "timed": bool(np.isfinite(self.frames.time_s).all()),
            "version": self.version,
            **self.packed.lanes,
            "edits": [each.as_json() for each in self.packed.edits],
            "hypotheses": self.folder is not None and (self.folder / TRACKLETS).is_file(),
            "suspects": _suspects(self.folder),
            "notes": summary.get("notes", []),
            "complete": summary.get("complete", True),
            "detector": summary.get("detector", ""),
            "model": summary.get("model", ""),
        }


def open_result(path: Path, video: Path | None = None) -> Opened:
    """Open a result folder, or a video: with its result where that stands beside it, else alone.

    Args:
        path: Result folder or video.
        video: The video of a result whose own path does not lead to it any more.

    Returns:
        What the viewer shows.

    Raises:
        InputError: Neither.
    """
    if not path.exists():
        raise InputError(f"{path}: no such result folder or video")
    beside = path.with_name(f"{path.stem}.dettrack")
    if not _is_result(path) and _is_result(beside):
        path, video = beside, video or path
    if _is_result(path):
        return _open_folder(path, video)
    if path.suffix == ".dettrack":
        raise InputError(f"{path}: no tracks in it; expected a result folder of `dettrack track`")
    return Opened(path.stem, None, path, frames_of_video(path), {})


def _is_result(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in ("tracks.parquet", "tracks.jsonl", "tracks.csv"))


def _open_folder(folder: Path, video: Path | None) -> Opened:
    try:
        summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
        about = summary["video"] if isinstance(summary, dict) and isinstance(summary.get("video"), dict) else {}
    except (OSError, ValueError, KeyError):
        summary, about = {}, {}
    table = read_tracks(folder, edits=False).sorted()
    source = video or _find_video(folder, about)
    if video is not None and not video.exists():
        raise InputError(f"--video {video}: no such file or folder")
    name, frames = str(about.get("name") or folder.stem), frames_of_result(folder, table)
    return Opened(name, folder, source, frames, {**about, "summary": summary}, table)


def _find_video(folder: Path, about: dict[str, Any]) -> Path | None:
    """Where the run read its video, or a video of its name beside the result."""
    named = Path(str(about.get("path") or ""))
    places = [named, folder.parent / named.name, folder / named.name] if named.name else []
    return next((place for place in places if place.exists()), None)


def _suspects(folder: Path | None) -> list[dict[str, Any]]:
    if folder is None or not (folder / SUSPECTS).is_file():
        return []
    found = []
    for line in (folder / SUSPECTS).read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and {"rank", "frame", "reason"} <= entry.keys():
            found.append(entry)
    return found
