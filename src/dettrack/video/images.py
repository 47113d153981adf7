"""A list of images as a video."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8, UInt16

from dettrack.errors import InputError
from dettrack.files import plain_name
from dettrack.structures import Frame, VideoInfo
from dettrack.video.jpeg import DamagedJpegError, decode_jpeg
from dettrack.video.orientation import Orientation
from dettrack.video.picture_file import PictureHeader, picture_header
from dettrack.video.sources import MAX_PIXELS, ImageList, check_pixels

__all__ = ["ImageFrames", "read_file", "read_image", "to_bytes", "used_bits"]

_TO_RGB = cv2.COLOR_BGR2RGB
_SAMPLES = 7  # images that are looked into, beside the first, for the bits in use


def read_image(path: Path, max_pixels: int = MAX_PIXELS, bits: int = 0) -> UInt8[np.ndarray, "height width 3"]:
    """Read one image as displayed.

    EXIF orientation is applied; grey, palette and CMYK become RGB; 16 bits become 8; transparency is dropped.

    Args:
        path: The file.
        max_pixels: A larger picture is not decoded.
        bits: Of 16 bits, so many are in use; 0 finds out (`used_bits`).

    Returns:
        RGB.

    Raises:
        InputError: The file cannot be read, is cut off or too large, or is no image that we know.
    """
    image, _ = _decode(path, max_pixels)
    return cv2.cvtColor(image if image.dtype == np.uint8 else to_bytes(image, bits or used_bits([image])), _TO_RGB)


def read_file(path: Path) -> UInt8[np.ndarray, " n"]:
    """The bytes of a file; raises `InputError` where it cannot be read."""
    try:
        return np.fromfile(path, np.uint8)  # not cv2.imread: it says nothing about why, and prints warnings
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _decode(path: Path, max_pixels: int) -> tuple[Shaped[np.ndarray, "height width 3"], PictureHeader]:
    """BGR with 8 or 16 bits, of the first picture in the file."""
    data = read_file(path)
    content = data.tobytes()
    header = picture_header(content)
    if header is None or header.pixels < 1:
        raise InputError(f"{path}: not an image that can be read ({data.size} bytes); is it damaged?")
    check_pixels(str(path), header.width, header.height, max_pixels)
    if not header.whole:
        raise InputError(f"{path}: the image is cut off ({data.size} bytes)")
    try:
        if header.jpeg:
            image = decode_jpeg(content)
            if image is not None:
                image = Orientation.from_exif(header.exif_orientation).apply(image)
        else:
            image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except DamagedJpegError as error:
        raise InputError(f"{path}: the image is damaged inside ({error})") from error
    except cv2.error as error:
        raise InputError(f"{path}: not an image that can be read ({error.err})") from error
    if image is None:
        raise InputError(f"{path}: not an image that can be read ({data.size} bytes); is it damaged?")
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: its samples are {image.dtype}; expected 8 or 16 bits")
    return image, header


def used_bits(images: Iterable[Shaped[np.ndarray, "..."]]) -> int:
    """Of images with 16 bits a sample, how many are in use: cameras put 10 or 12 bits into such files."""
    largest = max((int(image.max(initial=0)) for image in images), default=0)
    return next(bits for bits in (8, 10, 12, 14, 16) if largest < 1 << bits)


def to_bytes(image: UInt16[np.ndarray, "..."], bits: int) -> UInt8[np.ndarray, "..."]:
    """The upper 8 of the bits that are in use.

    Args:
        image: 16 bits a sample.
        bits: So many are in use, at least 8; brighter values become white.

    Returns:
        8 bits a sample.
    """
    return np.minimum(image >> (bits - 8), 255).astype(np.uint8)


class ImageFrames:
    """Frames from an `ImageList`; the counterpart of `containers.ContainerFrames`.

    Every image of the list is a frame, so that a frame's index is its place in the list. Where one cannot be read, or
    has another shape than the first, the picture before it stands in, and `notes` names it.

    Attributes:
        notes: What went wrong on the way.
        complete: False once an image could not be used.
        unreadable: Images that could not be used; complete after the last frame.
    """

    def __init__(self, images: ImageList, max_pixels: int = MAX_PIXELS) -> None:
        """Prepare.

        Args:
            images: The list.
            max_pixels: Larger pictures are not decoded.
        """
        self._images, self._max_pixels = images, max_pixels
        self._bits = self._several = 0
        self.notes: list[str] = list(images.notes)
        self.complete = True
        self.unreadable = 0

    def info(self, first: Frame, start_s: float, end_s: float | None) -> VideoInfo:
        """See `RawFrames.info`."""
        count, fps = len(self._images.paths), self._images.fps
        if fps is not None:
            stop = count if end_s is None else min(count, math.ceil(end_s * fps))
            count = max(1, stop - math.ceil(start_s * fps))
        height, width = first.image.shape[:2]
        return VideoInfo(self._images.title, str(self._images.paths[0].parent), width, height, fps, count)

    def frames(self, start_s: float, end_s: float | None) -> Iterator[Frame]:
        """See `RawFrames.frames`; images outside are not opened at all."""
        fps = self._images.fps
        if fps is None and (start_s > 0 or end_s is not None):
            raise InputError(
                f"{self._images.title}: images have no clock, so a start or end in seconds needs a rate (--fps)"
            )
        refused: list[tuple[int, str]] = []
        last: UInt8[np.ndarray, "height width 3"] | None = None
        waiting: list[tuple[int, float, str]] = []  # more than one only before the first that can be read
        for index, path in enumerate(self._images.paths):
            time_s = float(index / fps) if fps else math.nan
            if time_s < start_s:
                continue
            if end_s is not None and time_s >= end_s:
                break
            waiting.append((index, time_s, plain_name(path.name)))
            try:
                last = self._read(path, last)
            except InputError as error:
                refused.append((index, str(error)))
            if last is not None:
                for number, moment, name in waiting:
                    yield Frame(number, moment, last, name=name)
                waiting.clear()
        if refused and last is None:
            raise InputError(refused[0][1])
        if self._several:
            self.notes.append(f"{self._several} files hold several pictures: only the first of each is read")
        if refused:
            self.complete, self.unreadable = False, len(refused)
            where = ", ".join(str(index) for index, _ in refused[:5]) + (" ..." if len(refused) > 5 else "")
            self.notes.append(
                f"{len(refused)} of {len(self._images.paths)} images could not be used, and the picture before stands "
                f"in (frame {where}): {refused[0][1]}"
            )

    def _read(
        self, path: Path, last: UInt8[np.ndarray, "height width 3"] | None
    ) -> UInt8[np.ndarray, "height width 3"]:
        image, header = _decode(path, self._max_pixels)
        self._several += header.animated
        if image.dtype == np.uint16:
            image = to_bytes(image, self._bits_for(image))
        if last is not None and abs(image.shape[1] * last.shape[0] - image.shape[0] * last.shape[1]) > (
            0.01 * image.shape[1] * last.shape[0]
        ):
            (height, width), (h, w) = last.shape[:2], image.shape[:2]
            raise InputError(f"{path}: {w}x{h} pixels, another shape than the {width}x{height} before it")
        return cv2.cvtColor(image, _TO_RGB)

    def _bits_for(self, image: UInt16[np.ndarray, "height width 3"]) -> int:
        """Bits in use, the same for all images: of this one and of a few over the whole list."""
        if not self._bits:
            paths = self._images.paths
            others = [paths[i * (len(paths) - 1) // _SAMPLES] for i in range(1, _SAMPLES + 1)]
            self._bits = used_bits([image, *self._readable(others)])
            if self._bits < 16:
                self.notes.append(f"of the images' 16 bits {self._bits} are in use: scaled to them")
        return self._bits

    def _readable(self, paths: Iterable[Path]) -> Iterator[UInt16[np.ndarray, "height width 3"]]:
        for path in dict.fromkeys(paths):
            with suppress(InputError):
                image, _ = _decode(path, self._max_pixels)
                if image.dtype == np.uint16:
                    yield image

    def close(self) -> None:
        """Nothing is held open between images."""
