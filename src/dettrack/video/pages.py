"""One image file that holds several pictures as a video: animated WebP, TIFF of several pages.

Animated GIF and PNG are read by FFmpeg like any video.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Shaped

from dettrack.errors import InputError
from dettrack.structures import Frame, VideoInfo
from dettrack.video.images import read_file, to_bytes, used_bits
from dettrack.video.picture_file import PictureHeader, picture_header
from dettrack.video.sources import ImageList, check_pixels

__all__ = ["PageFrames", "holds_pages"]

_MOST_BYTES = 2 << 30  # of an animated WebP, all of whose frames are decoded at once
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH


def holds_pages(images: ImageList) -> bool:
    """Whether the list is one file of several pictures."""
    if len(images.paths) != 1:
        return False
    header = picture_header(read_file(images.paths[0]).tobytes())
    return header is not None and header.animated


class PageFrames:
    """Frames from one image file of several pictures; the counterpart of `images.ImageFrames`.

    Attributes:
        notes: What went wrong on the way.
        complete: False once a picture could not be read.
    """

    def __init__(self, images: ImageList, max_pixels: int) -> None:
        """Read the file, and of a WebP all its frames.

        Args:
            images: A list of one.
            max_pixels: Larger pictures are not decoded.

        Raises:
            InputError: It is cut off, or too large.
        """
        self._images, self._path = images, images.paths[0]
        self._data = read_file(self._path)
        header = picture_header(self._data.tobytes()) or PictureHeader(0, 0)
        check_pixels(str(self._path), header.width, header.height, max_pixels)
        self.notes: list[str] = []
        self.complete = header.whole
        if not header.whole:
            self.notes.append("the file is cut off: frames may be missing at its end")
        self._bits = 0
        self._starts_s: list[float] = []
        self._frames: tuple[np.ndarray, ...] = ()
        if self._path.suffix.lower() == ".webp" or self._data[:4].tobytes() == b"RIFF":
            self._decode_animation(header)
        self._count = len(self._frames) or self._pages()

    def _decode_animation(self, header: PictureHeader) -> None:
        announced = self._data.tobytes().count(b"ANMF")
        if announced * header.pixels * 4 > _MOST_BYTES:
            raise InputError(
                f"{self._path}: {announced} frames of {header.width}x{header.height} pixels in one animated image "
                "are too many; convert it to a video"
            )
        try:
            read, animation = cv2.imdecodeanimation(self._data)
        except cv2.error as error:
            raise InputError(f"{self._path}: not an animation that can be read ({error.err})") from error
        if not read or not len(animation.frames):
            raise InputError(f"{self._path}: not an animation that can be read; is it damaged?")
        self._frames = tuple(animation.frames)
        if len(self._frames) < announced:
            self.complete = False
            self.notes.append(f"{announced - len(self._frames)} of {announced} frames could not be read")
        durations = [max(1, int(duration)) / 1000 for duration in animation.durations]
        self._starts_s = [0.0, *np.cumsum(durations)[:-1].tolist()]

    def _pages(self) -> int:
        count = cv2.imcount(str(self._path), cv2.IMREAD_UNCHANGED)
        if not count:
            raise InputError(f"{self._path}: not an image that can be read; is it damaged?")
        return int(count)

    def info(self, first: Frame, start_s: float, end_s: float | None) -> VideoInfo:
        """See `RawFrames.info`."""
        times = [self._time_s(index) for index in range(self._count)]
        count = sum(not (time < start_s or (end_s is not None and time >= end_s)) for time in times)
        height, width = first.image.shape[:2]
        return VideoInfo(self._images.title, str(self._path), width, height, self._images.fps, count)

    def _time_s(self, index: int) -> float:
        if self._images.fps is not None:
            return float(index / self._images.fps)
        return self._starts_s[index] if self._starts_s else math.nan

    def frames(self, start_s: float, end_s: float | None) -> Iterator[Frame]:
        """See `RawFrames.frames`."""
        if math.isnan(self._time_s(0)) and (start_s > 0 or end_s is not None):
            raise InputError(f"{self._path}: pages have no clock, so a start or end in seconds needs a rate (--fps)")
        lost = 0
        last: np.ndarray | None = None
        for index in range(self._count):
            time_s = self._time_s(index)
            if time_s < start_s:
                continue
            if end_s is not None and time_s >= end_s:
                break
            image = self._page(index)
            if image is None or (last is not None and image.shape != last.shape):
                lost += 1
                if last is None:
                    continue
                image = last
            last = image
            yield Frame(index, time_s, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        if lost:
            self.complete = False
            self.notes.append(f"{lost} of {self._count} pictures could not be used: the one before stands in")

    def _page(self, index: int) -> Shaped[np.ndarray, "height width 3"] | None:
        """BGR with 8 bits."""
        if self._frames:
            return np.ascontiguousarray(self._frames[index][..., :3])
        try:
            read, pages = cv2.imdecodemulti(self._data, _FLAGS, range=(index, index + 1))
        except cv2.error:
            return None
        if not read or not pages or pages[0].dtype not in (np.uint8, np.uint16):
            return None
        image = pages[0]
        if image.dtype == np.uint16:
            if not self._bits:
                self._bits = used_bits([image])
                if self._bits < 16:
                    self.notes.append(f"of the pages' 16 bits {self._bits} are in use: scaled to them")
            image = to_bytes(image, self._bits)
        return np.ascontiguousarray(image)

    def close(self) -> None:
        """Forget the decoded frames."""
        self._frames = ()
