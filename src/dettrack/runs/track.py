"""What a Python program calls: any source to a run, or to a table."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dettrack.config import TrackConfig
from dettrack.pipeline import Pipeline, Run
from dettrack.pipeline.choose import settled
from dettrack.pipeline.run import Progress
from dettrack.runs.live import live_settings, waiting_frames
from dettrack.runs.progress import RunProgress
from dettrack.structures import TrackTable
from dettrack.video.any_source import is_camera
from dettrack.video.live import open_live

__all__ = ["track", "track_all"]


def track(
    source: Any,
    config: TrackConfig | None = None,
    *,
    detector: Any = None,
    model: Any = None,
    linker: Any = None,
    detections: Any = None,
    poses: Any = None,
    preset: str | None = None,
    fps: float | int | Fraction | None = None,
    times: Sequence[float] | None = None,
    bgr: bool = False,
    start_s: float | int = 0.0,
    end_s: float | int | None = None,
    progress: bool | Progress = False,
    **settings: Any,
) -> Run:
    """Track every person in a video; finished frames arrive while it is read, memory stays flat.

    Args:
        source: Path of a video, a folder or list of images; address of a video; number of a camera, or address of a
            stream, which are tracked live; array or tensor of pictures, list or iterator of pictures, frames of other
            readers (`video.any_source.open_any`).
        config: All settings; None takes the preset's.
        detector: File, name, function of a picture, or `Detector`; see `Pipeline`.
        model: File, name, function of a picture and boxes, or `Estimator`.
        linker: Name, function of a keyframe's tracklets, or `Linker`.
        detections: Boxes that are known already, in place of a detector.
        poses: Poses that are known already, in place of both networks.
        preset: Name of settings: balanced, fast, accurate or paper.
        fps: Frames per second of images or arrays, which have no clock.
        times: Seconds of each frame of arrays, instead of a rate.
        bgr: Arrays have OpenCV's order of channels.
        start_s: Skip frames before this time, in seconds.
        end_s: Stop at this time, in seconds; None reads to the end.
        progress: True shows it; or a function of the numbers of finished and expected frames (None if unknown).
        **settings: Single settings by their names, such as `step=4, smooth="savgol"`.

    Returns:
        A `Run`: iterate it for `Segment`s, consecutive finished frames with the poses in them; its `notes`,
        `complete` and `report` say how it went.

    Raises:
        InputError: The video, a weights file or something given cannot be used.
        UsageError: A wrong setting, or arguments that contradict each other.
    """
    config = settled(config, preset, settings)
    live, notes = is_camera(source), list[str]()
    if live:
        config, notes = live_settings(config)
    pipeline = Pipeline(config, detector=detector, model=model, linker=linker, detections=detections, poses=poses)
    tell = RunProgress(_name_of(source)) if progress is True else progress or None
    if live:
        frames = open_live(str(source), waiting_frames(config))
        return pipeline.track(frames, immediate=True, progress=tell, notes=notes, close=frames.close)
    return pipeline.track(source, fps=fps, times=times, bgr=bgr, start_s=start_s, end_s=end_s, progress=tell)


def _name_of(source: Any) -> str:
    return Path(source).name if isinstance(source, str | os.PathLike) else "tracking"


def track_all(source: Any, config: TrackConfig | None = None, **options: Any) -> TrackTable:
    """`track`, gathered into one table; `table.report` says what was counted and dropped.

    Args:
        source: See `track`.
        config: See `track`.
        **options: See `track`.

    Returns:
        All rows, sorted by frame and track id.

    Warns:
        UserWarning: Not all of the video could be read; the table holds what could.

    Raises:
        InputError: See `track`.
        UsageError: See `track`.
    """
    with track(source, config, **options) as run:
        table = run.gather()
    name = source if isinstance(source, str) else getattr(run.video.info, "name", "frames")
    for note in run.notes:
        warnings.warn(f"{name}: {note}", stacklevel=2)
    if not run.complete and not run.notes:
        warnings.warn(f"{name}: reading stopped before the end of the video", stacklevel=2)
    return replace(table, report=run.report)
