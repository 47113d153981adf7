"""Finished poses: the rows of a result, and the segments that they arrive in."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.errors import InputError, MissingExtraError
from dettrack.skeleton import JointSet
from dettrack.structures.frames import FrameTimes
from dettrack.structures.report import Report
from dettrack.structures.shown import grid, paragraph

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["CORNERS", "SOURCES", "Segment", "Source", "TrackTable"]


class Source(IntEnum):
    """Where a pose of a track comes from."""

    DETECTED = 0
    """The detector found the person in this very frame."""
    RECOVERED = 1
    """The person was propagated here from other keyframes (dotted boxes in the paper's figure 6)."""
    INTERPOLATED = 2
    """No hypothesis covers this frame; filled between neighbours on request."""


SOURCES = [source.name.lower() for source in Source]
"""Names of the sources, by value."""
CORNERS = ("box_x1", "box_y1", "box_x2", "box_y2")
"""Columns of a box."""
_SHOWN_ROWS = 10  # in a notebook


@dataclass(frozen=True)
class TrackTable:
    """Poses of tracked people, one row per person and frame, sorted by frame, then by track id.

    Attributes:
        joint_set: Order of the joints.
        frame: `(rows,)` frame index.
        time_s: `(rows,)` timestamp in seconds.
        track_id: `(rows,)` identity, from 0, unique in the video and never used again.
        box: `(rows, 4)` the person's box in this frame, in pixels.
        score: `(rows,)` confidence of the pose, in [0, 1].
        xy: `(rows, joints, 2)` joint positions in pixels; NaN where absent.
        joint_scores: `(rows, joints)` in [0, 1].
        spread: `(rows, joints)` root mean square distance in pixels of all hypotheses from the chosen position;
            NaN where absent.
        support: `(rows, joints)` number of hypotheses that agree with the chosen position.
        source: `(rows,)` values of `Source`.
        xy_smooth: `(rows, joints, 2)` smoothed positions beside the raw ones, or None where nothing was smoothed.
        human: `(rows, joints)` joints that a person placed or removed (see `edit`), or None where nobody did.
        report: What the run counted, and what it dropped and why, where the table is the whole of a run.
    """

    joint_set: JointSet
    frame: Int[np.ndarray, " rows"]
    time_s: Float[np.ndarray, " rows"]
    track_id: Int[np.ndarray, " rows"]
    box: Float[np.ndarray, "rows 4"]
    score: Float[np.ndarray, " rows"]
    xy: Float[np.ndarray, "rows joints 2"]
    joint_scores: Float[np.ndarray, "rows joints"]
    spread: Float[np.ndarray, "rows joints"]
    support: Int[np.ndarray, "rows joints"]
    source: Int[np.ndarray, " rows"]
    xy_smooth: Float[np.ndarray, "rows joints 2"] | None = None
    human: Bool[np.ndarray, "rows joints"] | None = None
    report: Report | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " rows"] | slice) -> TrackTable:
        columns: dict[str, Any] = {name: getattr(self, name) for name in _COLUMNS}
        kept: dict[str, Any] = {name: v if v is None else v[keep] for name, v in columns.items()}
        return TrackTable(self.joint_set, **kept)

    @property
    def shown_xy(self) -> Float[np.ndarray, "rows joints 2"]:
        """Positions for formats that have room for one: smoothed where the rows are smoothed, else as found."""
        return self.xy if self.xy_smooth is None else self.xy_smooth

    @property
    def people(self) -> Int[np.ndarray, " people"]:
        """The track ids, each once, ascending."""
        return np.unique(self.track_id)

    def by_person(self) -> dict[int, TrackTable]:
        """The rows of each track id, in the order of the frames."""
        order = np.lexsort((self.frame, self.track_id))
        ids, starts = np.unique(self.track_id[order], return_index=True)
        parts = np.split(order, starts[1:]) if len(ids) else []
        return {int(track): self[rows] for track, rows in zip(ids, parts, strict=True)}

    def joint(self, name: str, *, smooth: bool = False) -> Float[np.ndarray, "rows 2"]:
        """Positions of one joint, row by row: of one person (see `by_person`), a curve over `time_s`.

        Args:
            name: Such as "left_knee".
            smooth: The smoothed positions, where the run smoothed them.

        Returns:
            x and y in pixels; NaN where the joint is missing.

        Raises:
            InputError: The joint set has no such joint, or nothing was smoothed.
        """
        if smooth and self.xy_smooth is None:
            raise InputError('this run smoothed nothing: track with smooth="savgol" or "one-euro"')
        xy = self.xy_smooth if smooth and self.xy_smooth is not None else self.xy
        return xy[:, self.joint_set.index(name)]

    def to_arrow(self, *, smooth: bool | None = None, human: bool | None = None) -> pa.Table:
        """The table as columns: for Parquet, or any library that reads Arrow. Missing is null.

        Columns: frame_index, time_s, track_id, source, score, box_x1, box_y1, box_x2, box_y2, and for every joint
        `<joint>_x`, `_y`, `_score`, `_spread`, `_support` (and `_x_smooth`, `_y_smooth` after smoothing, `_human` after
        corrections of joints).

        Args:
            smooth: Add the smoothed positions (null where there are none); None adds them where there are any.
            human: Add which joints a person placed or removed; None adds it where there are any.

        Returns:
            One row for each person and frame.
        """
        import pyarrow as pa

        smooth = self.xy_smooth is not None if smooth is None else smooth
        human = self.human is not None if human is None else human

        def real(values: np.ndarray) -> pa.Array:
            return pa.array(values.astype(np.float32), from_pandas=True)  # NaN becomes null

        columns: dict[str, pa.Array] = {
            "frame_index": pa.array(self.frame, pa.int64()),
            "time_s": pa.array(self.time_s, pa.float64()),
            "track_id": pa.array(self.track_id, pa.int64()),
            "source": pa.DictionaryArray.from_arrays(pa.array(self.source, pa.int8()), pa.array(SOURCES)),
            "score": real(self.score),
        }
        columns |= {name: real(self.box[:, i]) for i, name in enumerate(CORNERS)}
        xy_smooth = np.full_like(self.xy, np.nan) if self.xy_smooth is None else self.xy_smooth
        marks = np.zeros(self.xy.shape[:2], bool) if self.human is None else self.human
        for i, joint in enumerate(self.joint_set.joints):
            columns[f"{joint}_x"] = real(self.xy[:, i, 0])
            columns[f"{joint}_y"] = real(self.xy[:, i, 1])
            columns[f"{joint}_score"] = real(self.joint_scores[:, i])
            columns[f"{joint}_spread"] = real(self.spread[:, i])
            columns[f"{joint}_support"] = pa.array(self.support[:, i], pa.int32())
            if smooth:
                columns[f"{joint}_x_smooth"] = real(xy_smooth[:, i, 0])
                columns[f"{joint}_y_smooth"] = real(xy_smooth[:, i, 1])
            if human:
                columns[f"{joint}_human"] = pa.array(marks[:, i], pa.bool_())
        return pa.table(columns)

    def to_pandas(self) -> pd.DataFrame:
        """The table as a DataFrame, one row for each person and frame; missing is NaN.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        if importlib.util.find_spec("pandas") is None:
            raise MissingExtraError("to_pandas()", "pandas")
        return self.to_arrow().to_pandas()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Arrow's PyCapsule interface, which `polars.DataFrame(table)`, `pyarrow.table(table)` and DuckDB read."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        span = f", frames {self.frame.min()} to {self.frame.max()}" if len(self) else ""
        return f"TrackTable({len(self)} rows, {len(self.people)} people{span}, {self.joint_set.name})"

    def _repr_html_(self) -> str:
        rows = self[:_SHOWN_ROWS]
        found = np.isfinite(rows.xy).all(-1).sum(1)
        cells = [
            [
                str(rows.frame[i]),
                f"{rows.time_s[i]:.3f}" if np.isfinite(rows.time_s[i]) else "",
                str(rows.track_id[i]),
                SOURCES[rows.source[i]],
                f"{rows.score[i]:.2f}",
                ", ".join(f"{value:.0f}" for value in rows.box[i]),
                f"{found[i]} of {len(self.joint_set)}",
            ]
            for i in range(len(rows))
        ]
        heads = ("frame", "time (s)", "track", "source", "score", "box", "joints")
        more = f"<p>... {len(self) - len(rows)} more rows</p>" if len(self) > len(rows) else ""
        dropped = self.report.dropped if self.report else {}
        left_out = ", ".join(f"{name} {count}" for name, count in dropped.items())
        return (
            paragraph(repr(self)) + grid(heads, cells) + more + (paragraph(f"dropped: {left_out}") if left_out else "")
        )

    def sorted(self) -> TrackTable:
        """Rows by frame, then by track id."""
        return self[np.lexsort((self.track_id, self.frame))]

    def rows_by_frame(self) -> Iterator[tuple[int, TrackTable]]:
        """Each frame index that has rows, with its rows, in order."""
        starts = np.flatnonzero(np.diff(self.frame, prepend=self.frame[:1] - 1))
        for start, stop in zip(starts, [*starts, len(self)][1:], strict=True):
            yield int(self.frame[start]), self[int(start) : int(stop)]

    @staticmethod
    def empty(joint_set: JointSet) -> TrackTable:
        """A table without rows."""
        j = len(joint_set)
        return TrackTable(
            joint_set,
            frame=np.zeros(0, np.int64),
            time_s=np.zeros(0),
            track_id=np.zeros(0, np.int64),
            box=np.zeros((0, 4)),
            score=np.zeros(0),
            xy=np.zeros((0, j, 2)),
            joint_scores=np.zeros((0, j)),
            spread=np.zeros((0, j)),
            support=np.zeros((0, j), np.int64),
            source=np.zeros(0, np.int64),
        )

    @staticmethod
    def concatenate(tables: Iterable[TrackTable], joint_set: JointSet | None = None) -> TrackTable:
        """All rows of `tables`, in the order given; `xy_smooth` is kept where every table with rows has it.

        Args:
            tables: Tables of one joint set.
            joint_set: That set; needed where there may be no table at all.

        Returns:
            One table.
        """
        tables = list(tables)
        empty = tables[:1] if joint_set is None else [TrackTable.empty(joint_set)]
        parts: Sequence[TrackTable] = [table for table in tables if len(table)] or empty
        columns: dict[str, Any] = {}
        marked = any(part.human is not None for part in parts)
        for name in _COLUMNS:
            values = [getattr(part, name) for part in parts]
            if name == "human" and marked:
                values = [np.zeros(part.xy.shape[:2], bool) if part.human is None else part.human for part in parts]
            columns[name] = None if any(value is None for value in values) else np.concatenate(values)
        return TrackTable(parts[0].joint_set, **columns)


_COLUMNS = tuple(f.name for f in fields(TrackTable) if f.name not in ("joint_set", "report"))


@dataclass(frozen=True)
class CloseLink:
    """A tracklet that was joined to a track although another choice was nearly as good.

    Attributes:
        frame: The tracklet's keyframe.
        box: `(4,)` its box there.
        rival: Id of the other track that the tracklet might have joined, or of the tracklet that might have joined
            its track; below 0 where that belongs to no track.
        similarity: Of the link, in [0, 1].
        margin: By how much the other choice was less similar; negative where the greatest sum demanded it.
    """

    frame: int
    box: Float[np.ndarray, " 4"]
    rival: int
    similarity: float
    margin: float


@dataclass(frozen=True)
class Segment:
    """A run of finished frames.

    Attributes:
        times: The frames; those without people are listed too.
        table: Poses in these frames, sorted by frame and track id.
        close_links: Links in these frames that had a close second.
    """

    times: FrameTimes
    table: TrackTable
    close_links: tuple[CloseLink, ...] = ()

    def __repr__(self) -> str:
        span = f"frames {self.frames[0]} to {self.frames[-1]}" if len(self.frames) else "no frame"
        return f"Segment({span}, {len(self.table)} poses)"

    @property
    def frames(self) -> Int[np.ndarray, " n"]:
        """`(n,)` frame indices, consecutive."""
        return self.times.index

    @property
    def times_s(self) -> Float[np.ndarray, " n"]:
        """`(n,)` timestamps of the frames in seconds."""
        return self.times.time_s

    @property
    def names(self) -> tuple[str, ...]:
        """Image file name of each frame, "" for a video."""
        return self.times.name

    def by_frame(self) -> Iterator[tuple[int, float, TrackTable]]:
        """Every frame of the segment: its index, its timestamp and its poses (maybe none)."""
        edges = np.searchsorted(self.table.frame, [*self.frames, self.frames[-1] + 1])
        for i, (index, time_s) in enumerate(zip(self.frames, self.times_s, strict=True)):
            yield int(index), float(time_s), self.table[int(edges[i]) : int(edges[i + 1])]
