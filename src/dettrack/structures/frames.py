"""Frames of a video, with and without their pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int, UInt8

__all__ = ["Clip", "Frame", "FrameTimes", "VideoInfo"]


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

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        named = f", {self.name}" if self.name else ""
        return f"Frame({self.index}, {self.time_s:g} s, {width}x{height}, shot {self.shot}{named})"


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
