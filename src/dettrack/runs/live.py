"""Live tracking: poses while a camera runs, at most |C| frames late, one line of JSON for each frame.

Frames are counted as the tracker reads them; those that were dropped because it was too slow are counted apart. What
needs to see further ahead than that is left out: see `live_settings`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dettrack.config import TrackConfig
from dettrack.errors import UsageError
from dettrack.formats.jsonl import frame_line
from dettrack.pipeline import Pipeline
from dettrack.runs.watch import WatchedVideo
from dettrack.structures import Frame
from dettrack.video.live import LiveFrames

__all__ = ["LiveReport", "live_settings", "track_live", "waiting_frames"]


@dataclass(frozen=True)
class LiveReport:
    """How a live run went.

    Attributes:
        frames: Frames with poses.
        received: Frames that the source sent.
        dropped: Frames left out because the tracker was too slow.
        latency_frames: Largest number of frames that were read after a frame before its poses came.
        latency_s: Median seconds between a frame's arrival at the tracker and its poses.
        frames_per_second: Frames with poses, per second.
        interrupted: Whether the user ended it.
    """

    frames: int
    received: int
    dropped: int
    latency_frames: int
    latency_s: float
    frames_per_second: float
    interrupted: bool

    def __str__(self) -> str:
        return (
            f"{self.frames} of {self.received} frames, {self.dropped} dropped, {self.frames_per_second:.1f} frames/s; "
            f"poses at most {self.latency_frames} frames late, {self.latency_s:.2f} s in the median"
        )

    def entry(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def live_settings(config: TrackConfig) -> tuple[TrackConfig, list[str]]:
    """Settings with which the poses of a frame come at most |C| frames later, and a line about each change.

    A keyframe's tubes are complete δ frames after it, and the last frame that the next keyframe's tubes change lies
    S - 1 frames before that: S may be at most δ + 1. A path is decided one frame later at most. Tracks are not held
    back until they are long enough, gaps are neither filled nor bridged, and nothing is smoothed. Shot cuts are not
    searched.

    Raises:
        UsageError: A linking that works by hindsight.
    """
    if config.sew.linking != "tubes":
        raise UsageError(f"--live with --linking {config.sew.linking}: live tracking links tubes")
    cut, notes = config.cut, []
    most = cut.clip_length // 2 + 1
    if cut.step > most:
        notes.append(f"a keyframe every {most} frames: every {cut.step} would be late with |C| = {cut.clip_length}")
    if cut.adds_keyframes:
        notes.append("no keyframes are added between those: they would be late")
    if config.finish.smooth != "none" or config.finish.fill_gaps:
        notes.append("nothing is smoothed or filled")
    cut = replace(cut, step=min(cut.step, most), shots=False, adaptive=False)
    at_once = replace(config.finish, min_track_frames=1, min_track_detections=0, min_track_score=0.0)
    after = replace(at_once, fill_gaps=0, smooth="none")
    sew, polish = replace(config.sew, bridge=0), replace(config.polish, max_lag=1)
    return replace(config, cut=cut, sew=sew, polish=polish, finish=after), notes


def waiting_frames(config: TrackConfig) -> int:
    """How many frames may wait: those that arrive while one keyframe is worked on, and one more."""
    return config.cut.step + 1


def track_live(pipeline: Pipeline, frames: LiveFrames, write: Callable[[str], None]) -> LiveReport:
    """Track until the source ends or the user interrupts.

    Args:
        pipeline: With settings from `live_settings`.
        frames: The source.
        write: Receives a line of `tracks.jsonl` for every frame, in order, as it comes.

    Returns:
        How the run went.
    """
    start = time.perf_counter()
    arrived: dict[int, float] = {}
    late, delays, done, interrupted = 0, [], 0, False

    def see(frame: Frame) -> None:
        arrived[frame.index] = time.perf_counter()

    with pipeline.track(WatchedVideo(frames, see), immediate=True) as run:
        try:
            for segment in run:
                for index, time_s, rows in segment.by_frame():
                    write(frame_line(index, time_s, rows))
                    late = max(late, frames.taken - 1 - index)
                    delays.append(time.perf_counter() - arrived.pop(index))
                    done += 1
        except KeyboardInterrupt:
            interrupted = True
    seconds = time.perf_counter() - start
    return LiveReport(
        frames=done,
        received=frames.received,
        dropped=frames.dropped,
        latency_frames=late,
        latency_s=float(np.median(delays)) if delays else 0.0,
        frames_per_second=done / seconds if seconds > 0 else 0.0,
        interrupted=interrupted,
    )
