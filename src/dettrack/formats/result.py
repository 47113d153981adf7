"""A result: what a run found in a video, as people left it. How it is read from a folder or file: `formats.read`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int

from dettrack.config import FinishConfig
from dettrack.edit import Edit
from dettrack.errors import InputError
from dettrack.finish.smooth import smooth_tracks
from dettrack.structures import FrameTimes, TrackTable, VideoInfo

__all__ = ["Result", "Smoothing", "finish_settings", "rate_of", "smoothing_again", "video_entry", "video_info"]

Smoothing = Literal["as-run", "one-euro", "savgol", "none"]


@dataclass(frozen=True)
class Result:
    """What a run found, corrected.

    Attributes:
        path: Where it was read from.
        table: Rows after the edits.
        times: All frames of the run, also those without people.
        info: The video.
        names: What people called the tracks, by id.
        edits: The edit list, undone edits included.
        summary: `summary.json`; empty for a lone file.
    """

    path: Path
    table: TrackTable
    times: FrameTimes
    info: VideoInfo
    names: dict[int, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def tracks(self) -> Int[np.ndarray, " tracks"]:
        """Ids, ascending."""
        return np.unique(self.table.track_id)

    def name_of(self, track: int) -> str:
        """What a person is called, or "person 7"."""
        return self.names.get(track, f"person {track}")

    def check_video(self, video: Path) -> None:
        """Raise `InputError` for a video that is not the tracked one, as far as the run noted its content."""
        from dettrack.video.sources import content_hash, content_key

        noted = self.summary.get("content")
        if isinstance(noted, str) and content_hash(content_key(video)) != noted:
            raise InputError(
                f"{self.path}: {video} has changed since it was tracked: track it again, or name the video with --video"
            )

    def of(self, track: int) -> TrackTable:
        """Rows of one person, by frame."""
        return self.table[self.table.track_id == track]

    def frames(self) -> Iterator[tuple[int, float, TrackTable, str]]:
        """Every frame: its index, timestamp, people and image file name."""
        edges = np.searchsorted(self.table.frame, [*self.times.index, np.iinfo(np.int64).max])
        stamps = zip(self.times.index.tolist(), self.times.time_s.tolist(), self.times.name, strict=True)
        for i, (index, time_s, name) in enumerate(stamps):
            yield index, time_s, self.table[int(edges[i]) : int(edges[i + 1])], name

    def select(
        self, start_s: float | None = None, end_s: float | None = None, people: Sequence[int] | None = None
    ) -> Result:
        """A stretch of the video, and some people.

        Args:
            start_s: First timestamp, in seconds; None: from the first frame. Frame indices where there is no clock.
            end_s: First timestamp after it; None: to the last frame.
            people: Track ids; None: everybody.

        Returns:
            The rest is left out.

        Raises:
            InputError: No frame lies in the stretch, or there is no such person.
        """
        clock = np.where(np.isnan(self.times.time_s), self.times.index.astype(float), self.times.time_s)
        after = -math.inf if start_s is None else start_s
        inside = (clock >= after) & (clock < (math.inf if end_s is None else end_s))
        if not inside.any():
            whole = f"{clock.min():.3f} to {clock.max():.3f} s" if len(clock) else "empty"
            raise InputError(f"{self.path}: no frame from {start_s} to {end_s} s; the run is {whole}")
        first, last = int(np.argmax(inside)), len(inside) - int(np.argmax(inside[::-1]))
        times = self.times[first:last]
        keep = (self.table.frame >= times.index[0]) & (self.table.frame <= times.index[-1])
        if people is not None:
            unknown = sorted(set(people) - set(self.tracks.tolist()))
            if unknown:
                known = ", ".join(map(str, self.tracks[:20].tolist())) or "none"
                raise InputError(f"{self.path}: no track {unknown[0]}; there are {known}")
            keep &= np.isin(self.table.track_id, list(people))
        return replace(self, table=self.table[keep], times=times)

    def smoothed(self, kind: Smoothing) -> Result:
        """The same with other smoothing: as the run had it, one that is computed now, or the raw positions alone."""
        if kind == "as-run":
            return self
        if kind == "none":
            return replace(self, table=replace(self.table, xy_smooth=None))
        config = replace(finish_settings(self.summary), smooth=kind)
        return replace(self, table=smooth_tracks(self.table, config, rate_of(self.info)))

    def slowed(self, factor: float) -> Result:
        """The same with true times, for a video that plays `factor` times slower than life (240 frames/s at 30: 8)."""
        fps = None if self.info.fps is None else self.info.fps * Fraction(factor).limit_denominator(10_000)
        return replace(
            self,
            table=replace(self.table, time_s=self.table.time_s / factor),
            times=replace(self.times, time_s=self.times.time_s / factor),
            info=replace(self.info, fps=fps),
        )


def finish_settings(summary: dict[str, Any]) -> FinishConfig:
    """The settings of the run's last stage; those of the smoother count here."""
    given = summary.get("settings", {})
    given = given.get("finish", given.get("after", {}))
    known = {f.name for f in fields(FinishConfig)} & {"smooth", "smooth_window_s"}
    config = FinishConfig(**{key: value for key, value in given.items() if key in known})
    return config if config.smooth != "none" else replace(config, smooth="one-euro")


def smoothing_again(
    summary: dict[str, Any], fps: Fraction | None
) -> Callable[[TrackTable, Int[np.ndarray, " tracks"]], TrackTable]:
    """What `edit.apply` needs to smooth tracks that corrections changed, as their run did.

    Args:
        summary: `summary.json` of the run.
        fps: Frames per second of the video.

    Returns:
        Rows and the ids of the changed tracks -> rows.
    """
    config, rate = finish_settings(summary), None if fps is None else float(fps)
    return lambda rows, tracks: smooth_tracks(rows, config, rate, tracks)


def rate_of(info: VideoInfo) -> float | None:
    """Frames per second as a number; None where the video has no clock."""
    return None if info.fps is None else float(info.fps)


def video_entry(info: VideoInfo) -> dict[str, Any]:
    """A video as `summary.json` holds it."""
    return {**asdict(info), "fps": None if info.fps is None else str(info.fps)}


def video_info(entry: dict[str, Any]) -> VideoInfo:
    """Inverse of `video_entry`."""
    fps = None if entry["fps"] is None else Fraction(entry["fps"])
    info = VideoInfo(**{**{f.name: entry[f.name] for f in fields(VideoInfo)}, "fps": fps})
    if not (isinstance(info.name, str) and isinstance(info.path, str) and (fps is None or fps > 0)):
        raise TypeError(f"a video of name {info.name!r}, path {info.path!r}, {fps} frames/s")
    if not all(isinstance(side, int) and 0 <= side < 1 << 31 for side in (info.width, info.height, info.n_frames or 0)):
        raise TypeError(f"a video of {info.width}x{info.height} pixels, {info.n_frames} frames")
    return info
