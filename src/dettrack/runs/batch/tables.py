"""The results of a batch together: one Parquet data set of all tracks, and one table of the videos.

    OUT/batch.state/tracks/video=NAME/tracks.parquet   one file a video; NAME with %2F for a slash, and the like
    OUT/batch.state/videos.parquet                     one row a video

Read the folder `tracks` with pandas, Polars, DuckDB or pyarrow: the name of the folder becomes the column `video`. Each
file appears whole, and replaces an earlier one in one step; it is the result's own `tracks.parquet` under a second name
where the file system allows that. All have the same columns: results with other joints stay outside.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dettrack.files import NewFile, output_error
from dettrack.formats import FORMATS
from dettrack.runs.batch.manifest import Row
from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable

__all__ = ["TRACKS", "VIDEOS", "add_tracks", "write_videos"]

TRACKS = "tracks"
VIDEOS = "videos.parquet"

_VIDEO_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("video", "source", "state", "reason", "key", "output", "worker")),
        *((name, pa.int64()) for name in ("bytes", "attempts", "deaths", "frames", "tracks", "poses")),
        *((name, pa.float64()) for name in ("seconds", "video_s")),
        ("complete", pa.bool_()),
        *((name, pa.timestamp("ms", "UTC")) for name in ("since", "ended")),
    ]
)


def add_tracks(folder: Path, video: str, result: Path, joints: JointSet, smooth: bool) -> str:
    """Put the tracks of a result into the data set.

    Args:
        folder: `OUT/batch.state`.
        video: Name of the video.
        result: Its result folder.
        joints: Joints of the results.
        smooth: Whether results have smoothed positions.

    Returns:
        Why it could not be done; "" where it was.
    """
    made = result / FORMATS["parquet"]
    if not made.is_file():
        return ""
    target = folder / TRACKS / f"video={quote(video, safe='')}" / made.name
    wanted = TrackTable.empty(joints).to_arrow(smooth=smooth).schema
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        if pq.read_schema(made).remove_metadata().equals(wanted):
            _second_name(made, part)
        else:  # nobody in the first frames: there are no smoothed positions
            with NewFile(part) as new:
                pq.write_table(_fitted(pq.read_table(made, partitioning=None), wanted), new.part, compression="zstd")
        part.replace(target)
        part.unlink(missing_ok=True)  # of two names of one file, renaming leaves both
    except (OSError, pa.ArrowInvalid) as error:
        return str(output_error(target, error))
    return ""


def _second_name(made: Path, part: Path) -> None:
    try:
        os.link(made, part)
    except OSError:
        shutil.copyfile(made, part)


def _fitted(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted.with_metadata(table.schema.metadata))


def write_videos(folder: Path, rows: Iterable[Row]) -> Path:
    """Write the table of videos.

    Args:
        folder: `OUT/batch.state`.
        rows: Of all videos.

    Returns:
        The file.

    Raises:
        OutputError: It cannot be written; an earlier one stays.
    """
    path = folder / VIDEOS
    listed = [{**asdict(row), "bytes": row.bytes} for row in sorted(rows, key=lambda row: row.video)]
    for row in listed:
        for name in ("since", "ended"):
            row[name] = None if row[name] is None else np.datetime64(round(row[name] * 1000), "ms").item()
    kept = [{name: row[name] for name in _VIDEO_SCHEMA.names} for row in listed]
    with NewFile(path) as new:
        try:
            pq.write_table(pa.Table.from_pylist(kept, _VIDEO_SCHEMA), new.part, compression="zstd")
        except OSError as error:
            raise output_error(path, error) from error
    return path
