"""A Parquet file that grows by row groups and appears when it is whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dettrack.files import NewFile, output_error

__all__ = ["NewParquet"]


class NewParquet:
    """The file under construction; without its end it cannot be read, so what cannot be finished is removed.

    Attributes:
        done: Whether it has its name, or was removed.
    """

    def __init__(self, path: Path, schema: pa.Schema | None = None) -> None:
        """Open the file.

        Args:
            path: The final name.
            schema: Of the tables; None takes the first one's.

        Raises:
            OutputError: The folder cannot be written.
        """
        self.done = False
        self._path, self._new = path, NewFile(path)
        self._writer: pq.ParquetWriter | None = None
        try:
            # Not a Python file: an interrupt must not hit in the middle of a row group.
            self._file = pa.OSFile(os.fsencode(self._new.part), "wb")
            if schema is not None:
                self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")
        except OSError as error:
            raise output_error(path, error) from error

    def write(self, table: pa.Table) -> None:
        """Append a row group; raises `OutputError` if the disk does not take it."""
        try:
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._file, table.schema, compression="zstd")
            self._writer.write_table(table)
            self._file.flush()
        except OSError as error:
            self._discard()
            raise output_error(self._path, error) from error

    def _discard(self) -> None:
        self.done = True
        for file in (self._writer, self._file):
            with suppress(OSError):
                if file is not None:
                    file.close()
        self._new.discard()

    def close(self) -> None:
        """Finish the file and give it its name; nothing happens where it is done.

        Raises:
            OutputError: The disk is full.
        """
        if self.done:
            return
        self.done = True
        try:
            if self._writer is not None:
                self._writer.close()
            self._file.close()
        except OSError as error:
            self._discard()
            raise output_error(self._path, error) from error
        self._new.commit()
