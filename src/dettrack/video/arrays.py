"""Frames that a program has in memory already: arrays, tensors, and the frame objects of other readers.

An item is one picture, or several with a first axis more: NumPy arrays and torch tensors (height, width, channels) or
(channels, height, width); PIL images; frames of PyAV and torchcodec; our own `Frame`. Whole numbers are 0 to 255;
fractions are 0 to 1. Grey becomes RGB, transparency is dropped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import UInt8

from dettrack.errors import InputError, UsageError
from dettrack.structures import Frame, VideoInfo

__all__ = ["ArrayFrames", "capture_frames", "is_capture", "pictures_of"]

_CHANNELS = (1, 3, 4)
_CAPTURE_FPS = 5  # OpenCV's number of the property


class ArrayFrames:
    """Frames from pictures in memory; the counterpart of `images.ImageFrames`.

    Attributes:
        notes: What went wrong on the way.
        complete: False once reading stopped before the end.
    """

    def __init__(
        self,
        items: Iterable[Any],
        *,
        fps: float | int | Fraction | None = None,
        times: Sequence[float] | None = None,
        bgr: bool = False,
        name: str = "frames",
    ) -> None:
        """Take what gives the pictures; it is read once, while frames are wanted.

        Args:
            items: Pictures; see the module.
            fps: Frames per second; None where neither it nor `times` is known: frames then have no time.
            times: Seconds of each frame.
            bgr: Channels are blue, green, red (OpenCV's order).
            name: For outputs.

        Raises:
            UsageError: Both a rate and times are given, or a rate that is none.
        """
        if fps is not None and times is not None:
            raise UsageError("fps and times are both given: expected one of them")
        if fps is not None and not 0 < fps < math.inf:
            raise UsageError(f"fps is {fps}: it must be positive")
        self._items, self._bgr, self._name = items, bgr, name
        self._fps = None if fps is None else Fraction(fps).limit_denominator(100_000)
        self._times = None if times is None else [float(time) for time in times]
        self._count = _number_of(items)
        self.notes: list[str] = []
        self.complete = True

    def info(self, first: Frame, start_s: float, end_s: float | None) -> VideoInfo:
        """See `RawFrames.info`; without a range, as many frames as there are items."""
        height, width = first.image.shape[:2]
        count = self._count if start_s == 0 and end_s is None else None
        return VideoInfo(self._name, self._name, width, height, self._rate(), count)

    def _rate(self) -> Fraction | None:
        if self._times is None or len(self._times) < 2:
            return self._fps
        span = self._times[-1] - self._times[0]
        return Fraction((len(self._times) - 1) / span).limit_denominator(100_000) if span > 0 else None

    def frames(self, start_s: float, end_s: float | None) -> Iterator[Frame]:
        """See `RawFrames.frames`."""
        for index, (image, own_time) in enumerate(pictures_of(self._items, bgr=self._bgr)):
            time_s = self._time(index, own_time)
            if math.isnan(time_s) and (start_s > 0 or end_s is not None):
                raise InputError(f"{self._name}: a start or end in seconds needs fps= or times=")
            if time_s < start_s:
                continue
            if end_s is not None and time_s >= end_s:
                return
            yield Frame(index, time_s, image)

    def _time(self, index: int, own: float) -> float:
        if self._times is not None:
            if index >= len(self._times):
                raise InputError(
                    f"times has {len(self._times)} entries, and frame {index} comes: expected one for each"
                )
            return self._times[index]
        return float(index / self._fps) if self._fps else own

    def close(self) -> None:
        """Nothing is held open."""


def _number_of(items: Any) -> int | None:
    """How many pictures these are; None where only reading them tells: a list may hold batches."""
    if not isinstance(items, Sized):
        return None
    first = items[0] if isinstance(items, Sequence) and items else None
    return None if first is not None and getattr(first, "ndim", 3) == 4 else len(items)


def is_capture(source: Any) -> bool:
    """Whether this is an OpenCV `VideoCapture`, or something used like one."""
    return all(callable(getattr(source, name, None)) for name in ("read", "grab", "retrieve", "get"))


def capture_frames(capture: Any) -> ArrayFrames:
    """The frames that an OpenCV `VideoCapture` still has, in its own colours and at its own rate."""
    rate = float(capture.get(_CAPTURE_FPS))

    def read() -> Iterator[np.ndarray]:
        while True:
            there, image = capture.read()
            if not there:
                return
            yield image

    return ArrayFrames(read(), fps=rate if 0 < rate < 1000 else None, bgr=True, name="capture")


def pictures_of(
    items: Iterable[Any], *, bgr: bool = False
) -> Iterator[tuple[UInt8[np.ndarray, "height width 3"], float]]:
    """Pictures with the time in seconds that their object states, or NaN.

    Args:
        items: See the module; one item may hold several pictures.
        bgr: Channels are blue, green, red.

    Yields:
        RGB pictures.

    Raises:
        InputError: An item is no picture; the message says what was seen.
    """
    number = itertools.count()
    for item in items:
        array, time_s = _array_of(item)
        for picture in array if array.ndim == 4 else [array]:
            yield _rgb(picture, next(number), bgr), time_s


def _array_of(item: Any) -> tuple[np.ndarray, float]:
    """The values of whatever holds a picture, and its time."""
    if isinstance(item, Frame):
        return item.image, item.time_s
    time_s = math.nan
    if hasattr(item, "to_ndarray"):  # PyAV
        stated = getattr(item, "time", None)
        return item.to_ndarray(format="rgb24"), math.nan if stated is None else float(stated)
    if hasattr(item, "pts_seconds"):  # torchcodec
        with suppress(TypeError, ValueError):  # a batch has many
            time_s = float(item.pts_seconds)
        item = item.data
    if hasattr(item, "convert") and hasattr(item, "getbands"):  # PIL
        item = item.convert("RGB")
    if hasattr(item, "detach"):  # torch
        item = item.detach().cpu().numpy()
    elif hasattr(item, "asnumpy"):  # decord, MXNet
        item = item.asnumpy()
    return np.asarray(item), time_s


def _rgb(array: np.ndarray, number: int, bgr: bool) -> UInt8[np.ndarray, "height width 3"]:
    where, shape = f"frame {number}", array.shape
    if array.ndim == 3 and array.shape[-1] not in _CHANNELS and array.shape[0] in _CHANNELS:
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in _CHANNELS or 0 in array.shape:
        raise InputError(f"{where} has the shape {shape} ({array.dtype}): expected a picture (height, width, 3)")
    if array.shape[-1] == 1:
        array = np.repeat(array, 3, -1)
    array = array[..., :3]
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):
            raise InputError(f"{where} has fractions from {low:g} to {high:g}: expected 0 to 1, or uint8 from 0 to 255")
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.integer) or array.min() < 0 or array.max() > 255:
            raise InputError(
                f"{where} is of type {array.dtype}: expected uint8 from 0 to 255, or fractions from 0 to 1"
            )
        array = array.astype(np.uint8)
    return np.ascontiguousarray(array[..., ::-1] if bgr else array)
