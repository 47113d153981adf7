"""The arrays that flow from a video to finished tracks, one frozen dataclass each.

Conventions, everywhere: pixels are those of the displayed frame (after the container's display matrix), x to the
right and y down, with integer coordinates at pixel centres; boxes are `x1, y1, x2, y2`; images are RGB uint8;
`frame` is the index of a frame in its video, from 0, and `time_s` its timestamp in seconds; scores lie in [0, 1];
NaN means missing, never (0, 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dettrack.report import Tally
from dettrack.skeleton import JointSet

__all__ = [
    "Boxes",
    "Clip",
    "Frame",
    "FrameTimes",
    "Segment",
    "SewnBatch",
    "Source",
    "TrackTable",
    "TrackletBatch",
    "Tracklets",
    "Tubes",
    "VideoInfo",
]


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its frames are read.

    Attributes:
        name: Name for outputs (file stem, folder or sequence name).
        path: Where it was read from, as given by the user.
        width: Displayed width in pixels.
        height: Displayed height in pixels.
        fps: Average frames per second; None where the source has no clock (a list of images without a rate).
        n_frames: Number of frames that the source announces; None if unknown. It may be wrong.
    """

    name: str
    path: str
    width: int
    height: int
    fps: Fraction | None
    n_frames: int | None


@dataclass(frozen=True)
class Frame:
    """One displayed frame.

    Attributes:
        index: Position in the video, from 0.
        time_s: Timestamp in seconds, as the container says (it may not start at 0, nor be evenly spaced).
        image: Pixels, RGB.
        shot: Number of the shot that the frame belongs to, from 0; tubes and tracks stay within one shot.
        name: File name of the image where the source is made of images; else "".
    """

    index: int
    time_s: float
    image: UInt8[np.ndarray, "height width 3"]
    shot: int = 0
    name: str = ""


@dataclass(frozen=True)
class Boxes:
    """People found in one frame.

    Attributes:
        xyxy: `(n, 4)` corners in pixels.
        scores: `(n,)` in [0, 1].
    """

    xyxy: Float[np.ndarray, "n 4"]
    scores: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"] | slice) -> Boxes:
        return Boxes(self.xyxy[keep], self.scores[keep])

    @staticmethod
    def empty() -> Boxes:
        """No box."""
        return Boxes(np.zeros((0, 4)), np.zeros(0))


@dataclass(frozen=True)
class Clip:
    """The frames around a keyframe that exist: up to `|C|`, fewer at the border of a video or shot.

    Attributes:
        frames: `|c|` consecutive frames, `|c| <= |C|`.
        key: Position of the keyframe among them.
    """

    frames: tuple[Frame, ...]
    key: int

    @property
    def keyframe(self) -> Frame:
        """The frame whose boxes the tubes are cut at."""
        return self.frames[self.key]

    @property
    def indices(self) -> Int[np.ndarray, " clip"]:
        """Frame indices."""
        return np.array([frame.index for frame in self.frames])


@dataclass(frozen=True)
class Tubes:
    """Where the people of one keyframe are cut out of its clip (paper 3.1); the crop stands still in the clip.

    Attributes:
        boxes: The keyframe's boxes as detected, not enlarged.
        affines: `(n, 2, 3)` maps from displayed pixels to crop pixels, one per tube.
        size: Height and width of the crop in pixels.
    """

    boxes: Boxes
    affines: Float[np.ndarray, "n 2 3"]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Tracklets:
    """The poses of the people of one keyframe in every frame of its clip.

    Attributes:
        keyframe: Frame index of the keyframe.
        frames: `(clip,)` frame indices, consecutive, containing `keyframe`.
        boxes: The keyframe's boxes as detected, not enlarged.
        xy: `(n, clip, joints, 2)` in displayed pixels, NaN where there is no prediction.
        scores: `(n, clip, joints)` in [0, 1].
        detected: `(n,)` whether the detector found the person in the keyframe itself; None: all were found.
    """

    keyframe: int
    frames: Int[np.ndarray, " clip"]
    boxes: Boxes
    xy: Float[np.ndarray, "n clip joints 2"]
    scores: Float[np.ndarray, "n clip joints"]
    detected: Bool[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        return len(self.xy)

    def __getitem__(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"] | slice) -> Tracklets:
        detected = None if self.detected is None else self.detected[keep]
        return Tracklets(self.keyframe, self.frames, self.boxes[keep], self.xy[keep], self.scores[keep], detected)


@dataclass(frozen=True)
class FrameTimes:
    """Consecutive frames of a video, without their pixels.

    Attributes:
        index: `(n,)` frame indices.
        time_s: `(n,)` timestamps in seconds; NaN where the source has no clock.
        shot: `(n,)` number of the shot that the frame belongs to, from 0.
        name: Image file name of each frame, "" for a video.
    """

    index: Int[np.ndarray, " n"]
    time_s: Float[np.ndarray, " n"]
    shot: Int[np.ndarray, " n"]
    name: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, keep: slice) -> FrameTimes:
        return FrameTimes(self.index[keep], self.time_s[keep], self.shot[keep], self.name[keep])

    def time_of(self, frames: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Timestamps of some of these frames, given by index."""
        return self.time_s[frames - self.index[0]] if len(frames) else np.zeros(0)

    @staticmethod
    def of(rows: Iterable[tuple[int, float, int, str]]) -> FrameTimes:
        """From index, timestamp, shot and name of each frame."""
        index, time_s, shot, name = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), (), ())
        return FrameTimes(np.array(index, np.int64), np.array(time_s, np.float64), np.array(shot, np.int64), name)

    @staticmethod
    def concatenate(parts: Sequence[FrameTimes]) -> FrameTimes:
        """All frames of at least one part, in the order given."""
        index, time_s, shot = (np.concatenate([getattr(part, key) for part in parts]) for key in _TIME_COLUMNS)
        return FrameTimes(index, time_s, shot, tuple(name for part in parts for name in part.name))


_TIME_COLUMNS = ("index", "time_s", "shot")


@dataclass(frozen=True)
class TrackletBatch:
    """What one pass of the networks adds to a run: all that later stages need travels in it.

    Attributes:
        frames: The frames read since the batch before.
        tracklets: One item per keyframe, in order; an item without people is empty.
        final_before: No later tracklet covers a frame before this one.
        shot_ended: The last of `tracklets` is the last of its shot.
        tally: What reading, detection and the networks counted for this batch.
    """

    frames: FrameTimes
    tracklets: tuple[Tracklets, ...]
    final_before: int
    shot_ended: bool
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True)
class SewnBatch:
    """A batch whose tracklets have identities.

    Attributes:
        batch: The tracklets.
        ids: For each keyframe of the batch `(n,)` track ids; below 0 for a tracklet that belongs to no track.
    """

    batch: TrackletBatch
    ids: tuple[Int[np.ndarray, " _"], ...]


class Source(IntEnum):
    """Where a pose of a track comes from."""

    DETECTED = 0
    """The detector found the person in this very frame."""
    RECOVERED = 1
    """The person was propagated here from other keyframes (dotted boxes in the paper's figure 6)."""
    INTERPOLATED = 2
    """No hypothesis covers this frame; filled between neighbours on request."""


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

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " rows"] | slice) -> TrackTable:
        columns: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "joint_set"}
        kept: dict[str, Any] = {name: v if v is None else v[keep] for name, v in columns.items()}
        return TrackTable(self.joint_set, **kept)

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
        for name in (f.name for f in fields(TrackTable) if f.name != "joint_set"):
            values = [getattr(part, name) for part in parts]
            if name == "human" and marked:
                values = [np.zeros(part.xy.shape[:2], bool) if part.human is None else part.human for part in parts]
            columns[name] = None if any(value is None for value in values) else np.concatenate(values)
        return TrackTable(parts[0].joint_set, **columns)


@dataclass(frozen=True)
class Segment:
    """A run of finished frames.

    Attributes:
        times: The frames; those without people are listed too.
        table: Poses in these frames, sorted by frame and track id.
    """

    times: FrameTimes
    table: TrackTable

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
