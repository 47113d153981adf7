"""Saved tracklets (`tracklets.parquet`): what the networks found, so that linking and merging can be run again.

One row for every `TrackletBatch` of a run: the frames read, and the tracklets of its keyframes as flat float32 lists.
The file's metadata holds the joint set, |C|, S and the settings of the run, so that it can be read alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dettrack.config import CutConfig
from dettrack.errors import InputError
from dettrack.files import parsing
from dettrack.files.toml import without_removed
from dettrack.formats.parquet_file import NewParquet
from dettrack.skeleton import JointSet, joint_set, named_joints
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets

__all__ = ["TrackletFile", "TrackletWriter"]

_VERSION = 1
_EXPECTED = "the tracklets.parquet of a run"
_KEY = b"dettrack.tracklets"
_FLOATS = pa.list_(pa.float32())
_STAMP = pa.struct(
    [("index", pa.int64()), ("time_s", pa.float64()), ("shot", pa.int32()), ("name", pa.string())],
)
_KEYFRAME = pa.struct(
    [
        ("keyframe", pa.int64()),
        ("first_frame", pa.int64()),
        ("n_frames", pa.int32()),
        ("boxes", _FLOATS),
        ("box_scores", _FLOATS),
        ("xy", _FLOATS),
        ("scores", _FLOATS),
        ("detected", pa.list_(pa.bool_())),  # null: all
    ]
)
_SCHEMA = pa.schema(
    [
        ("stamps", pa.list_(_STAMP)),
        ("keyframes", pa.list_(_KEYFRAME)),
        ("final_before", pa.int64()),
        ("shot_ended", pa.bool_()),
    ]
)


class TrackletWriter:
    """Writes the batches of one run while they come; a context manager.

    The file has its name only when it is whole.
    """

    def __init__(self, path: Path, joints: JointSet, cut: CutConfig, about: dict[str, Any] | None = None) -> None:
        """Open the file.

        Args:
            path: File to write.
            joints: Joints of the tracklets.
            cut: Keyframes and tubes of the run.
            about: Anything else to keep beside the tracklets (video, models); must fit JSON.

        Raises:
            OutputError: The file cannot be written.
        """
        header = {
            "version": _VERSION,
            "joint_set": joints.name,
            "joints": joints.joints,
            "cut": asdict(cut),
            "about": about or {},
        }
        self._schema = _SCHEMA.with_metadata({_KEY: json.dumps(header).encode()})
        self._file = NewParquet(path, self._schema)

    def write(self, batch: TrackletBatch) -> None:
        """Append one batch; raises `OutputError` if the disk does not take it."""
        row = {
            "stamps": _rows(batch.frames),
            "keyframes": [_pack(tracklets) for tracklets in batch.tracklets],
            "final_before": batch.final_before,
            "shot_ended": batch.shot_ended,
        }
        self._file.write(pa.Table.from_pylist([row], self._schema))

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._file.close()

    def __enter__(self) -> TrackletWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _rows(frames: FrameTimes) -> list[dict[str, Any]]:
    columns = (frames.index.tolist(), frames.time_s.tolist(), frames.shot.tolist(), frames.name)
    return [dict(zip(("index", "time_s", "shot", "name"), row, strict=True)) for row in zip(*columns, strict=True)]


def _pack(tracklets: Tracklets) -> dict[str, Any]:
    return {
        "keyframe": tracklets.keyframe,
        "first_frame": int(tracklets.frames[0]),
        "n_frames": len(tracklets.frames),
        "boxes": tracklets.boxes.xyxy.ravel().astype(np.float32),
        "box_scores": tracklets.boxes.scores.astype(np.float32),
        "xy": tracklets.xy.ravel().astype(np.float32),
        "scores": tracklets.scores.ravel().astype(np.float32),
        "detected": None if tracklets.detected is None else tracklets.detected.tolist(),
    }


@dataclass(frozen=True)
class TrackletFile:
    """A saved run.

    Attributes:
        path: The file.
        joints: Joints of the tracklets.
        cut: Keyframes and tubes of the run.
        about: What else was kept (see `TrackletWriter`).
    """

    path: Path
    joints: JointSet
    cut: CutConfig
    about: dict[str, Any]

    @staticmethod
    def open(path: Path) -> TrackletFile:
        """Read the header; raises `InputError` if the file is missing or is no tracklet file of this version."""
        if not path.is_file():
            raise InputError(f"cannot read {path}: no such file; expected {_EXPECTED}")
        with parsing(f"{path}", _EXPECTED):
            metadata = pq.read_schema(path).metadata or {}
        if _KEY not in metadata:
            raise InputError(f"{path} holds no tracklets; make it with `dettrack track --save-tracklets`")
        with parsing(f"{path}", _EXPECTED):
            header = json.loads(metadata[_KEY])
            if header["version"] != _VERSION:
                raise InputError(f"{path} has tracklets version {header['version']}: this release reads {_VERSION}")
            cut = CutConfig(**without_removed(CutConfig, header["cut"]))
            joints = header.get("joints")
            known = named_joints(joints, header["joint_set"]) if joints else joint_set(header["joint_set"])
            return TrackletFile(path, known, cut, header["about"])

    def batches(self) -> Iterator[TrackletBatch]:
        """The batches of the run, in order, read one at a time."""
        with parsing(f"{self.path}", _EXPECTED):
            file = pq.ParquetFile(self.path)
        with file:
            rows = file.iter_batches(batch_size=16)
            while True:
                with parsing(f"{self.path}", _EXPECTED):
                    batch = next(rows, None)
                    unpacked = [] if batch is None else [self._unpack(row) for row in batch.to_struct_array()]
                if batch is None:
                    return
                yield from unpacked

    def batch(self, number: int) -> TrackletBatch:
        """One batch of the run, by its number from 0."""
        with pq.ParquetFile(self.path) as file, parsing(f"{self.path}", _EXPECTED):
            return self._unpack(file.read_row_group(number).to_batches()[0].to_struct_array()[0])

    def _unpack(self, row: pa.StructScalar) -> TrackletBatch:
        stamps = [(one["index"], one["time_s"], one["shot"], one["name"]) for one in row["stamps"].as_py()]
        tracklets = []
        for item in row["keyframes"].values if row["keyframes"].values is not None else ():
            floats = {
                name: item[name].values.to_numpy().astype(float) for name in ("boxes", "box_scores", "xy", "scores")
            }
            first, n_frames = item["first_frame"].as_py(), item["n_frames"].as_py()
            boxes = Boxes(floats["boxes"].reshape(-1, 4), floats["box_scores"])
            shape = (len(boxes), n_frames, len(self.joints))
            detected = item["detected"].as_py() if "detected" in item.keys() else None  # noqa: SIM118
            tracklets.append(
                Tracklets(
                    item["keyframe"].as_py(),
                    np.arange(first, first + n_frames),
                    boxes,
                    floats["xy"].reshape(*shape, 2),
                    floats["scores"].reshape(shape),
                    None if detected is None else np.array(detected, bool),
                )
            )
        return TrackletBatch(
            FrameTimes.of(stamps), tuple(tracklets), row["final_before"].as_py(), row["shot_ended"].as_py()
        )
