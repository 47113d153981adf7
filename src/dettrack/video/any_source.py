"""Whatever a Python program has as a video, opened: a path, an address, a camera, arrays, another reader's frames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from dettrack.errors import InputError, UsageError
from dettrack.structures import Frame
from dettrack.video.arrays import ArrayFrames, capture_frames, is_capture
from dettrack.video.containers import ContainerFrames
from dettrack.video.live import connect
from dettrack.video.raw import RawFrames
from dettrack.video.reader import VideoReader, open_video
from dettrack.video.sources import ImageList

__all__ = ["is_address", "is_camera", "open_any"]

_LIVE = ("rtsp", "rtmp", "rtp", "udp", "srt")


def is_address(source: Any) -> bool:
    """Whether this is the address of a video on the network."""
    return isinstance(source, str) and "://" in source


def is_camera(source: Any) -> bool:
    """Whether this is a camera or a stream without an end: it does not wait for the tracker."""
    if is_address(source):
        return source.partition("://")[0].lower() in _LIVE
    return isinstance(source, int) and not isinstance(source, bool)


def open_any(
    source: Any,
    *,
    fps: float | int | Fraction | None = None,
    times: Sequence[float] | None = None,
    bgr: bool = False,
    start_s: float | int = 0.0,
    end_s: float | int | None = None,
    shots: bool = True,
) -> VideoReader:
    """Open a video, wherever it comes from.

    Args:
        source: What `open_video` takes; an address (`https://...`); an array or tensor of pictures with time as its
            first axis; a list, iterator or reader of pictures (see `arrays`); an OpenCV `VideoCapture`.
        fps: Frames per second of images or arrays, which have no clock; None leaves their times unknown.
        times: Seconds of each frame of arrays, instead of a rate.
        bgr: Arrays have OpenCV's order of channels.
        start_s: Seconds to start at.
        end_s: Seconds to stop at; None reads to the end.
        shots: Find shot cuts.

    Returns:
        A reader that already holds the first frame.

    Raises:
        InputError: There is no such source, or no frame can be read from it.
        UsageError: A rate or times are given for a video, which has its own, or contradict each other.
    """
    if isinstance(source, bytes) or is_camera(source):
        raise UsageError(f"{source!r}: expected a path, an address, images or arrays; cameras are tracked by track()")
    if isinstance(source, str | os.PathLike | ImageList) or _are_paths(source):
        if bgr or times is not None:
            raise UsageError("bgr= and times= are for arrays: files have their own order of channels and times")
        return _open_files(source, fps, start_s, end_s, shots)
    if is_capture(source):
        if fps is not None or times is not None:
            raise UsageError("fps= and times= are for arrays: a VideoCapture states its rate")
        raw = capture_frames(source)
    else:
        raw = ArrayFrames(_items(source), fps=fps, times=times, bgr=bgr)
    return _reader(raw, start_s, end_s, shots)


def _are_paths(source: Any) -> bool:
    return isinstance(source, Sequence) and len(source) > 0 and isinstance(source[0], str | os.PathLike)


def _open_files(
    source: Any, fps: float | int | Fraction | None, start_s: float, end_s: float | None, shots: bool
) -> VideoReader:
    if is_address(source):
        if fps is not None:
            raise UsageError(f"{source}: fps= is for images and arrays; a video has its own times")
        return _reader(ContainerFrames(Path(source), connect(source)), start_s, end_s, shots)
    rate = None if fps is None else Fraction(fps).limit_denominator(100_000)
    return open_video(source, start_s=start_s, end_s=end_s, shots=shots, fps=rate)


def _reader(raw: RawFrames, start_s: float, end_s: float | None, shots: bool) -> VideoReader:
    if not start_s >= 0 or (end_s is not None and not end_s > start_s):
        raise UsageError(f"start_s is {start_s} and end_s {end_s}: expected 0 <= start_s < end_s")
    try:
        return VideoReader(raw, start_s, end_s, shots)
    except BaseException:
        raw.close()
        raise


def _items(source: Any) -> Iterable[Any]:
    """Something to iterate over; whatever is none is refused by name."""
    if getattr(source, "ndim", None) == 3:
        raise InputError(
            f"an array of the shape {tuple(source.shape)} is one picture: expected (frames, height, width, 3)"
        )
    if isinstance(source, Frame) or not (hasattr(source, "__iter__") or hasattr(source, "__getitem__")):
        raise InputError(f"a {type(source).__name__} is no video: expected a path, an address, or pictures in order")
    if hasattr(source, "__len__") or hasattr(source, "shape"):
        if len(source) == 0:
            raise InputError("there is no frame: expected at least one picture")
        return source
    items = iter(source)
    first = next(items, None)
    if first is None:
        raise InputError("there is no frame: expected at least one picture")
    if isinstance(first, str | os.PathLike):
        raise InputError(f"paths one by one, such as {first}: give a list of them, list(...)")
    return chain([first], items)
