"""The frames of a result: their indices and times, also of those without people, from whichever file tells them."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.files import parsing
from dettrack.formats import FORMATS, FRAMES
from dettrack.formats.frames import read_frames
from dettrack.formats.tracklets import TrackletFile
from dettrack.structures import FrameTimes, TrackTable

__all__ = ["clock", "frames_of_result", "frames_of_video"]

_FPS_OF_IMAGES = 25.0
_LINE = re.compile(rb'\{"frame_index":(\d+),"time_s":([-+.\deE]+|null)')


def frames_of_result(folder: Path, table: TrackTable) -> FrameTimes:
    """The frames of a run, from its list of frames, else its tracklets, else its lines, else its rows.

    Args:
        folder: Result folder.
        table: Its rows: of a result that has nothing but a table, only frames with people are known.

    Returns:
        Consecutive frames.

    Raises:
        InputError: A file cannot be read.
    """
    if (folder / FRAMES).is_file():
        return read_frames(folder / FRAMES)
    if (folder / "tracklets.parquet").is_file():
        batches = list(TrackletFile.open(folder / "tracklets.parquet").batches())
        return FrameTimes.concatenate([batch.frames for batch in batches]) if batches else FrameTimes.of(())
    if (folder / FORMATS["jsonl"]).is_file():
        return _frames_of_lines(folder / FORMATS["jsonl"])
    return _frames_of_rows(table)


def _frames_of_lines(path: Path) -> FrameTimes:
    rows: list[tuple[int, float, int, str]] = []
    with path.open("rb") as file, parsing(f"{path}", "a frame of a dettrack jsonl file"):
        for line in file:
            found = _LINE.match(line)
            if found is None:
                raise InputError(f"{path}: line {len(rows) + 1} does not begin with a frame index and a time")
            time_s = float("nan") if found[2] == b"null" else float(found[2])
            rows.append((int(found[1]), time_s, 0, ""))
    return FrameTimes.of(rows)


def _frames_of_rows(table: TrackTable) -> FrameTimes:
    """All frames between the first and the last row; those without rows get their neighbours' interpolated times."""
    if not len(table):
        return FrameTimes.of(())
    index, first = np.unique(table.frame, return_index=True)
    every = np.arange(index[0], index[-1] + 1)
    times = np.interp(every, index, table.time_s[first])
    return FrameTimes(every, times, np.zeros(len(every), np.int64), ("",) * len(every))


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
