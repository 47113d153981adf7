"""One file per format; the arrays of `structures` know none of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dettrack.errors import DettrackError, UsageError
from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable, VideoInfo

if TYPE_CHECKING:
    from dettrack.measure.scale import Scale

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


def open_writers(
    names: Sequence[str], out_dir: str | Path, info: VideoInfo, joint_set: JointSet, scale: Scale | None = None
) -> list[Writer]:
    """One writer per format name, each with its file in `out_dir`.

    Args:
        names: Keys of `FORMATS`.
        out_dir: Result folder; it is made if need be.
        info: The video.
        joint_set: Joints of the rows that will come.
        scale: Metres, for the formats that have lengths.

    Returns:
        The writers, in the order of the names, each once.

    Raises:
        UsageError: Unknown format.
        OutputError: The folder cannot be written.
    """
    writers: list[Writer] = []
    try:
        for name in dict.fromkeys(names):
            writers.append(_open(name, Path(out_dir), info, joint_set, scale))  # noqa: PERF401, see below
    except DettrackError:
        for writer in writers:  # those that are open already must not stay open
            with suppress(DettrackError):
                writer.close()
        raise
    return writers


def _open(name: str, out_dir: Path, info: VideoInfo, joint_set: JointSet, scale: Scale | None) -> Writer:
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

        return TrcWriter(path, info, scale)
    from dettrack.formats.openpose import OpenPoseWriter

    return OpenPoseWriter(path, info)


def read_tracks(path: str | Path, *, edits: bool = True) -> TrackTable:
    """The tracks of an earlier run, with the corrections that people made (`dettrack correct`).

    Args:
        path: A result folder, or its `tracks.parquet`, `tracks.jsonl` or `tracks.csv`. Of a folder the Parquet file
            is taken first: it is the fastest, and not rounded. Also a file of poses that another program wrote
            (`formats.foreign`).
        edits: Apply the corrections; else the rows are as the run wrote them.

    Returns:
        The rows.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    from dettrack.formats.read import read_rows

    return read_rows(path, edits=edits).table
