"""`tracks.parquet` and `tracks.csv`: one row per person and frame, one column per value, written in blocks.

Columns: frame_index, time_s, track_id, source, score, box_x1, box_y1, box_x2, box_y2, and for every joint
`<joint>_x`, `_y`, `_score`, `_spread`, `_support` (and `_x_smooth`, `_y_smooth` after smoothing, `_human` after
corrections of joints). Missing is null.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from dettrack.errors import InputError, OutputError
from dettrack.files import parsing
from dettrack.formats.jsonl import SCHEMA
from dettrack.formats.parquet_file import NewParquet
from dettrack.formats.part import PartFile
from dettrack.skeleton import JointSet, named_joints
from dettrack.structures import TrackTable, VideoInfo
from dettrack.structures.tracks import CORNERS, SOURCES

__all__ = ["CsvWriter", "ParquetWriter", "from_arrow", "read_csv", "read_parquet", "video_of"]

_METADATA_KEY = b"dettrack"
_ROWS_PER_GROUP = 16384
_ROWS_PER_CSV_BLOCK = 512


def from_arrow(table: pa.Table, path: Path) -> TrackTable:
    """Inverse of `TrackTable.to_arrow`.

    Args:
        table: Columns.
        path: Where they are from, for the message.

    Returns:
        The track table.

    Raises:
        InputError: The columns are not those of a track table.
    """
    with parsing(f"{path}", "a track table with names of columns"):
        joints = tuple(name.removesuffix("_support") for name in table.column_names if name.endswith("_support"))
    if not joints:
        raise InputError(f"{path}: no track table: it has no columns <joint>_support")
    with parsing(f"{path}", "a track table"):
        return _from_columns(table, named_joints(joints))


def _from_columns(table: pa.Table, joint_set: JointSet) -> TrackTable:
    def column(name: str, dtype: pa.DataType) -> np.ndarray:
        return table.column(name).cast(dtype).to_numpy()  # a null becomes NaN

    def real(name: str) -> np.ndarray:
        return column(name, pa.float64()).astype(float)

    def per_joint(suffix: str) -> np.ndarray:
        return np.stack([real(f"{joint}_{suffix}") for joint in joint_set.joints], 1)

    names = table.column("source").cast(pa.string()).to_pylist()
    smooth = f"{joint_set.joints[0]}_x_smooth" in table.column_names
    human = f"{joint_set.joints[0]}_human" in table.column_names
    return TrackTable(
        joint_set,
        frame=column("frame_index", pa.int64()),
        time_s=real("time_s"),
        track_id=column("track_id", pa.int64()),
        box=np.stack([real(name) for name in CORNERS], 1),
        score=real("score"),
        xy=np.stack([per_joint("x"), per_joint("y")], -1),
        joint_scores=per_joint("score"),
        spread=per_joint("spread"),
        support=per_joint("support").astype(np.int64),
        source=np.array([SOURCES.index(name) for name in names], np.int64),
        xy_smooth=np.stack([per_joint("x_smooth"), per_joint("y_smooth")], -1) if smooth else None,
        human=per_joint("human").astype(bool) if human else None,
    )


class _Block:
    """Rows of whole frames, gathered until they are worth a write."""

    def __init__(self, joint_set: JointSet, rows_per_block: int) -> None:
        self.joint_set = joint_set
        self._limit = rows_per_block
        self._tables: list[TrackTable] = []
        self._count = 0
        self._optional: tuple[bool, bool] | None = None

    def add(self, rows: TrackTable) -> bool:
        """Add a frame; says whether the block is full."""
        if len(rows):
            self._tables.append(rows)
            self._count += len(rows)
        return self._count >= self._limit

    def take(self) -> pa.Table:
        """The gathered rows; the first call settles whether there are smoothed columns, and marks of people."""
        if self._optional is None:
            smooth = any(table.xy_smooth is not None for table in self._tables)
            self._optional = smooth, any(table.human is not None for table in self._tables)
        table = TrackTable.concatenate(self._tables, self.joint_set).to_arrow(
            smooth=self._optional[0], human=self._optional[1]
        )
        self._tables, self._count = [], 0
        return table


class ParquetWriter:
    """Writes `tracks.parquet`, a row group at a time."""

    def __init__(self, path: Path, joint_set: JointSet, info: VideoInfo) -> None:
        """Open the file.

        Args:
            path: Parquet file.
            joint_set: Joints of the rows.
            info: The video, for the file's metadata.

        Raises:
            OutputError: The folder cannot be written.
        """
        self._file = NewParquet(path)
        self._block = _Block(joint_set, _ROWS_PER_GROUP)
        about: dict[str, Any] = {
            "schema": SCHEMA,
            "joint_set": joint_set.name,
            "joints": list(joint_set.joints),
            "video": {
                "name": info.name,
                "width": info.width,
                "height": info.height,
                "fps": None if info.fps is None else str(info.fps),
            },
        }
        self._metadata = {_METADATA_KEY: json.dumps(about).encode()}

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        if self._block.add(rows):
            self._flush()

    def _flush(self) -> None:
        self._file.write(self._block.take().replace_schema_metadata(self._metadata))

    def close(self) -> None:
        """See `formats.Writer.close`."""
        if not self._file.done:
            self._flush()
            self._file.close()


class CsvWriter:
    """Writes `tracks.csv`; a missing value is an empty cell."""

    def __init__(self, path: Path, joint_set: JointSet) -> None:
        """Open the file.

        Args:
            path: CSV file.
            joint_set: Joints of the rows.

        Raises:
            OutputError: The folder cannot be written.
        """
        self._file = PartFile(path)
        self._block = _Block(joint_set, _ROWS_PER_CSV_BLOCK)
        self._header = True
        self._done = False

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        if self._block.add(rows):
            self._flush()

    def _flush(self) -> None:
        table = self._block.take()
        table = table.set_column(3, "source", table.column("source").cast(pa.string()))
        buffer = pa.BufferOutputStream()
        pa_csv.write_csv(table, buffer, pa_csv.WriteOptions(include_header=self._header, quoting_style="none"))
        self._file.write(buffer.getvalue().to_pybytes())
        self._header = False

    def close(self) -> None:
        """See `formats.Writer.close`."""
        if self._done:
            return
        self._done = True
        try:
            self._flush()
        except OutputError:
            if self._header:  # not even the first block fitted
                self._file.discard()
            raise
        finally:
            self._file.close()


def read_parquet(path: Path) -> TrackTable:
    """All rows of a `tracks.parquet`.

    Raises:
        InputError: No such file, no Parquet, or no track table.
    """
    with parsing(f"{path}", "a Parquet file"):
        table = pq.ParquetFile(path).read()
    with parsing(f"{path}", "the metadata of a track table"):
        about = json.loads((table.schema.metadata or {}).get(_METADATA_KEY, b"{}"))
        if (schema := about.get("schema", SCHEMA)) > SCHEMA:
            raise InputError(f"{path}: schema {schema} is newer than this dettrack ({SCHEMA}): update dettrack")
    return from_arrow(table, path)


def video_of(path: Path) -> dict[str, Any]:
    """What the metadata of a `tracks.parquet` say of its video (name, width, height, fps); empty where nothing."""
    with parsing(f"{path}", "the metadata of a track table"):
        about = json.loads((pq.read_schema(path).metadata or {}).get(_METADATA_KEY, b"{}"))
        return dict(about.get("video", {}))


def read_csv(path: Path) -> TrackTable:
    """All rows of a `tracks.csv`.

    Raises:
        InputError: No such file, no CSV, or no track table.
    """
    with parsing(f"{path}", "a CSV file"):
        table = pa_csv.read_csv(path)
    return from_arrow(table, path)
