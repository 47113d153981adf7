"""The frames of a video without a result, and the times that a viewer plays by."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.structures import FrameTimes

__all__ = ["clock", "frames_of_video"]

_FPS_OF_IMAGES = 25.0


def frames_of_video(path: Path) -> FrameTimes:
    """The frames of a video that was not tracked, by the times of its packets: nothing is decoded.

    Raises:
        InputError: It is no video.
    """
    try:
        with av.open(str(path.absolute()), metadata_errors="replace") as container:
            if not container.streams.video:
                raise InputError(f"{path}: no video in it")
            stream = container.streams.video[0]
            pts = sorted(
                {packet.pts for packet in container.demux(stream) if packet.pts is not None and not packet.is_discard}
            )
            base = float(stream.time_base or 1)
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: not a video that can be read") from error
    return FrameTimes.of((i, float(tick * base), 0, "") for i, tick in enumerate(pts))


def clock(times: FrameTimes) -> Float[np.ndarray, " n"]:
    """The times that a viewer plays by: the frames' own, or 25 a second where they have none (images)."""
    if np.isfinite(times.time_s).all():
        return times.time_s
    return np.arange(len(times)) / _FPS_OF_IMAGES
