"""One file per format; the arrays of `structures` know none of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from dettrack.errors import DettrackError, InputError, UsageError
from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable, VideoInfo

__all__ = ["FORMATS", "FRAMES", "SUSPECTS", "Writer", "open_writers", "read_tracks"]

FORMATS: dict[str, str] = {
    "jsonl": "tracks.jsonl",
    "parquet": "tracks.parquet",
    "csv": "tracks.csv",
    "posetrack18": "posetrack18.json",
    "coco": "coco.json",
    "mot": "mot.txt",
    "trc": "trc",
    "openpose": "openpose",
}
"""Name of each output format -> its file, or folder, in the result folder."""

FRAMES = "frames.parquet"
"""Every frame of a run with its time, beside its tracks."""

SUSPECTS = "suspects.jsonl"
"""Places of a run that a person should look at, beside its tracks."""


@runtime_checkable
class Writer(Protocol):
    """Takes whole frames in order and writes them as they come; memory does not grow with the video."""

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """Write one frame; called for every frame of the video, also for those without people.

        Args:
            frame_index: Index of the frame.
            time_s: Its timestamp in seconds.
            rows: The people in it; maybe none.
            name: File name of its image, for formats that list images; "" where the source is a video.

        Raises:
            OutputError: The disk is full or the file is gone.
        """
        ...

    def close(self) -> None:
        """Finish the file with the frames so far and give it its name; the second time nothing happens.

        Raises:
            OutputError: The file cannot be finished; nothing half-written bears its name then.
        """
        ...


def open_writers(names: Sequence[str], out_dir: str | Path, info: VideoInfo, joint_set: JointSet) -> list[Writer]:
    """One writer per format name, each with its file in `out_dir`.

    Args:
        names: Keys of `FORMATS`.
        out_dir: Result folder; it is made if need be.
        info: The video.
        joint_set: Joints of the rows that will come.

    Returns:
        The writers, in the order of the names, each once.

    Raises:
        UsageError: Unknown format.
        OutputError: The folder cannot be written.
    """
    writers: list[Writer] = []
    try:
        for name in dict.fromkeys(names):
            writers.append(_open(name, Path(out_dir), info, joint_set))  # noqa: PERF401, see below
    except DettrackError:
        for writer in writers:  # those that are open already must not stay open
            with suppress(DettrackError):
                writer.close()
        raise
    return writers


def _open(name: str, out_dir: Path, info: VideoInfo, joint_set: JointSet) -> Writer:
    if name not in FORMATS:
        raise UsageError(f"unknown format {name!r}: expected one of {', '.join(FORMATS)}")
    path = out_dir / FORMATS[name]
    # Imported when first used: `--help` needs the names of the formats only.
    if name == "jsonl":
        from dettrack.formats.jsonl import JsonlWriter

        return JsonlWriter(path)
    if name in ("parquet", "csv"):
        from dettrack.formats.table import CsvWriter, ParquetWriter

        return ParquetWriter(path, joint_set, info) if name == "parquet" else CsvWriter(path, joint_set)
    if name == "posetrack18":
        from dettrack.formats.posetrack.files import PoseTrackWriter

        return PoseTrackWriter(path, info)
    if name == "coco":
        from dettrack.formats.coco import CocoWriter

        return CocoWriter(path, joint_set, info)
    if name == "mot":
        from dettrack.formats.mot import MotWriter

        return MotWriter(path)
    if name == "trc":
        from dettrack.formats.trc import TrcWriter

        return TrcWriter(path, info)
    from dettrack.formats.openpose import OpenPoseWriter

    return OpenPoseWriter(path, info)


def read_tracks(path: str | Path) -> TrackTable:
    """The tracks of an earlier run.

    Args:
        path: A result folder, or its `tracks.parquet`, `tracks.jsonl` or `tracks.csv`. Of a folder the Parquet file
            is taken first: it is the fastest, and not rounded.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        files = [path / FORMATS[name] for name in ("parquet", "jsonl", "csv")]
        found = next((file for file in files if file.is_file()), None)
        if found is None:
            raise InputError(f"{path}: no tracks in it; expected one of {', '.join(file.name for file in files)}")
        path = found
    if not path.is_file():
        raise InputError(f"no such tracks file or result folder: {path}")
    if path.suffix == ".jsonl":
        from dettrack.formats.jsonl import read_jsonl

        return read_jsonl(path)
    if path.suffix in (".parquet", ".csv"):
        from dettrack.formats.table import read_csv, read_parquet

        return read_parquet(path) if path.suffix == ".parquet" else read_csv(path)
    raise InputError(f"{path}: unknown kind of tracks file; expected .parquet, .jsonl or .csv")
