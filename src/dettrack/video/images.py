"""A list of images as a video."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from dettrack.errors import InputError
from dettrack.structures import Frame, VideoInfo
from dettrack.video.sources import ImageList

__all__ = ["ImageFrames", "read_image"]


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read one image as displayed.

    EXIF orientation is applied; grey, palette and CMYK become RGB; 16 bits become 8; transparency is dropped.

    Raises:
        InputError: The file cannot be read, or is no image that OpenCV knows.
    """
    try:
        data = np.fromfile(path, np.uint8)  # not cv2.imread: it says nothing about why, and prints warnings
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise InputError(f"{path}: not an image that can be read ({error.err})") from error
    if image is None:
        raise InputError(f"{path}: not an image that can be read ({data.size} bytes); is it damaged?")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class ImageFrames:
    """Frames from an `ImageList`; the counterpart of `containers.ContainerFrames`.

    Attributes:
        notes: What went wrong on the way.
        complete: False once reading stopped before the end.
    """

    def __init__(self, images: ImageList) -> None:
        self._images = images
        self.notes: list[str] = []
        self.complete = True

    def info(self, first: Frame, start_s: float, end_s: float | None) -> VideoInfo:
        """What is known before reading on; the size is that of the first frame read.

        Args:
            first: The first frame read.
            start_s: As in `frames`.
            end_s: As in `frames`.

        Returns:
            Sizes, rate and number of frames.
        """
        count, fps = len(self._images.paths), self._images.fps
        if fps is not None:
            stop = count if end_s is None else min(count, math.ceil(end_s * fps))
            count = max(1, stop - math.ceil(start_s * fps))
        height, width = first.image.shape[:2]
        return VideoInfo(self._images.title, str(self._images.paths[0].parent), width, height, fps, count)

    def frames(self, start_s: float, end_s: float | None) -> Iterator[Frame]:
        """Frames with `start_s <= time < end_s`; images outside are not opened at all.

        Args:
            start_s: Seconds.
            end_s: Seconds; None reads to the end.

        Yields:
            Frames in order.

        Raises:
            InputError: The first image cannot be read, or times are given and the images have no clock.
        """
        fps = self._images.fps
        if fps is None and (start_s > 0 or end_s is not None):
            raise InputError(f"{self._images.title}: images have no clock, so a start or end in seconds needs a rate")
        read = 0
        for index, path in enumerate(self._images.paths):
            time_s = float(index / fps) if fps else math.nan
            if time_s < start_s:
                continue
            if end_s is not None and time_s >= end_s:
                return
            try:
                image = read_image(path)
            except InputError as error:
                if not read:
                    raise
                self.notes.append(f"reading stopped at frame {index}: {error}")
                self.complete = False
                return
            yield Frame(index, time_s, image, name=path.name)
            read += 1

    def close(self) -> None:
        """Nothing is held open between images."""
