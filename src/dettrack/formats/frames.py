"""`frames.parquet`: every frame of a run with its time, its shot and its image's name, also frames without people.

Tables of rows do not list frames without people; with this file beside them, any format can be written later.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dettrack.files import parsing
from dettrack.formats.parquet_file import NewParquet
from dettrack.structures import FrameTimes

__all__ = ["FrameListWriter", "read_frames"]

_SCHEMA = pa.schema(
    [("frame_index", pa.int64()), ("time_s", pa.float64()), ("shot", pa.int32()), ("name", pa.string())],
    metadata={b"dettrack.frames": b"1"},
)
_FRAMES_PER_GROUP = 16384


class FrameListWriter:
    """Writes `frames.parquet`, in blocks; a file that cannot be finished is removed."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Args:
            path: Parquet file.

        Raises:
            OutputError: The folder cannot be written.
        """
        self._file = NewParquet(path, _SCHEMA)
        self._waiting: list[FrameTimes] = []

    def write(self, times: FrameTimes) -> None:
        """Append consecutive frames.

        Args:
            times: The frames.

        Raises:
            OutputError: The disk is full.
        """
        self._waiting.append(times)
        if sum(map(len, self._waiting)) >= _FRAMES_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        times, self._waiting = FrameTimes.concatenate(self._waiting), []
        time_s = pa.array(times.time_s, pa.float64(), from_pandas=True)  # NaN becomes null
        columns = [pa.array(times.index), time_s, pa.array(times.shot.astype(np.int32)), pa.array(times.name)]
        self._file.write(pa.table(columns, schema=_SCHEMA))

    def close(self) -> None:
        """Finish the file and give it its name; the second time nothing happens.

        Raises:
            OutputError: The disk is full.
        """
        if not self._file.done:
            self._flush()
            self._file.close()


def read_frames(path: Path) -> FrameTimes:
    """The frames of a run.

    Raises:
        InputError: The file cannot be read.
    """
    with parsing(f"{path}", "the frames.parquet of a run"):
        table = pq.read_table(path)
        index, shot = (table.column(name).to_numpy().astype(np.int64) for name in ("frame_index", "shot"))
        time_s = table.column("time_s").to_numpy().astype(float)
        return FrameTimes(index, time_s, shot, tuple(table.column("name").to_pylist()))
