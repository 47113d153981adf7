"""`tracks.jsonl`: one line a frame, readable while it grows, by any language; the layout is in docs/formats.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.files import parsing
from dettrack.formats.part import PartFile
from dettrack.skeleton import JointSet, is_known, joint_set, named_joints
from dettrack.structures import Source, TrackTable

__all__ = ["SCHEMA", "JsonlWriter", "frame_line", "iter_jsonl", "read_jsonl"]

SCHEMA = 1
"""Version of the track schema, of this file and of the tables; grows when a reader must change."""

PIXEL_DIGITS = 3
SCORE_DIGITS = 4


def _listed(values: Float[np.ndarray, "..."], digits: int) -> list[Any]:
    """Nested lists of rounded numbers; NaN, which JSON does not know, is null."""
    rounded = np.round(values.astype(float), digits)
    out = rounded.astype(object)
    out[~np.isfinite(rounded)] = None
    result: list[Any] = out.tolist()
    return result


def frame_line(frame_index: int, time_s: float, rows: TrackTable) -> str:
    """The line of one frame, with its end of line.

    Args:
        frame_index: Index of the frame.
        time_s: Its timestamp in seconds.
        rows: The people in it; maybe none.

    Returns:
        JSON.
    """
    columns = {
        "track_id": rows.track_id.tolist(),
        "score": _listed(rows.score, SCORE_DIGITS),
        "box": _listed(rows.box, PIXEL_DIGITS),
        "joints": _listed(rows.xy, PIXEL_DIGITS),
        "scores": _listed(rows.joint_scores, SCORE_DIGITS),
        "spread": _listed(rows.spread, PIXEL_DIGITS),
        "support": rows.support.tolist(),
        "source": [Source(value).name.lower() for value in rows.source.tolist()],
    }
    if rows.xy_smooth is not None:
        columns["joints_smooth"] = _listed(rows.xy_smooth, PIXEL_DIGITS)
    if rows.human is not None:
        columns["human"] = rows.human.tolist()
    people = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    line: dict[str, Any] = {
        "frame_index": frame_index,
        "time_s": None if math.isnan(time_s) else round(time_s, 6),  # images without a rate have no clock
        "people": people,
        "joint_set": rows.joint_set.name,
        "schema": SCHEMA,
    }
    if not is_known(rows.joint_set):  # one of the user's: its file may be gone when this is read
        line["joint_names"] = rows.joint_set.joints
    return json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n"


class JsonlWriter:
    """Writes `tracks.jsonl`."""

    def __init__(self, path: Path) -> None:
        self._file = PartFile(path)

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        self._file.write(frame_line(frame_index, time_s, rows))

    def close(self) -> None:
        """See `formats.Writer.close`."""
        self._file.close()


def iter_jsonl(path: Path) -> Iterator[tuple[int, float, TrackTable]]:
    """Frame index, timestamp and people of every frame in the file, one at a time.

    Raises:
        InputError: The file cannot be read, or a line is not a frame; the message names the line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                yield _parse(path, number, text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error


def _parse(path: Path, number: int, text: str) -> tuple[int, float, TrackTable]:
    with parsing(f"{path}: line {number}", "a frame of a dettrack jsonl file"):
        line = json.loads(text)
        schema = line["schema"]
        if schema > SCHEMA:
            raise InputError(f"{path}: schema {schema} is newer than this dettrack ({SCHEMA}): update dettrack")
        joints = (
            named_joints(line["joint_names"], line["joint_set"])
            if "joint_names" in line
            else joint_set(line["joint_set"])
        )
        frame, time_s = int(line["frame_index"]), math.nan if line["time_s"] is None else float(line["time_s"])
        return frame, time_s, _table(joints, frame, time_s, line["people"])


def _table(joints: JointSet, frame: int, time_s: float, people: list[dict[str, Any]]) -> TrackTable:
    n, j = len(people), len(joints)

    def column(key: str, shape: tuple[int, ...], dtype: type = float) -> np.ndarray:
        return np.array([person[key] for person in people], dtype).reshape(n, *shape)

    return TrackTable(
        joints,
        frame=np.full(n, frame),
        time_s=np.full(n, time_s),
        track_id=column("track_id", (), np.int64),
        box=column("box", (4,)),
        score=column("score", ()),
        xy=column("joints", (j, 2)),
        joint_scores=column("scores", (j,)),
        spread=column("spread", (j,)),
        support=column("support", (j,), np.int64),
        source=np.array([Source[person["source"].upper()] for person in people], np.int64),
        xy_smooth=column("joints_smooth", (j, 2)) if people and "joints_smooth" in people[0] else None,
        human=column("human", (j,), bool) if people and "human" in people[0] else None,
    )


def read_jsonl(path: Path) -> TrackTable:
    """All rows of a `tracks.jsonl`.

    Raises:
        InputError: See `iter_jsonl`; also for a file without a line, whose joint set is not known.
    """
    tables = [table for _, _, table in iter_jsonl(path)]
    if not tables:
        raise InputError(f"{path}: empty; a dettrack jsonl file has one line for each frame")
    return TrackTable.concatenate(tables, tables[0].joint_set)
