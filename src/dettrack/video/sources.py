"""What a user may give as a video: a file, a folder of frames, a pattern, a list of images."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dettrack.errors import InputError, UsageError
from dettrack.files import IMAGE_SUFFIXES, plain_name
from dettrack.video.picture_file import picture_header

__all__ = [
    "MAX_PIXELS",
    "ImageList",
    "VideoSource",
    "check_fps",
    "check_pixels",
    "content_hash",
    "content_key",
    "find_source",
    "natural_key",
]

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded; a header of a few bytes can ask for any amount of memory."""


_SAMPLED_BYTES = 1 << 20
_MOST_FPS = 1_000_000  # of high-speed cameras


@dataclass(frozen=True)
class ImageList:
    """Images that make up a video, in the order given.

    Attributes:
        paths: Image files; all must exist.
        name: Name for outputs; "" takes the name of the folder that holds the first image.
        fps: Frames per second where known. Without it the frames' `time_s` is NaN: images have no clock, and an
            invented one would end up in the results.
        notes: What a user should know of how the list was made.
    """

    paths: tuple[Path, ...]
    name: str = ""
    fps: Fraction | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", tuple(map(Path, self.paths)))
        if not self.paths:
            raise InputError("the list of images is empty: expected at least one image file")
        if self.fps is not None and self.fps <= 0:
            raise InputError(f"the frame rate of {self.title} is {self.fps}: it must be positive")
        missing = [path for path in self.paths if not path.is_file()]
        if missing:
            raise InputError(f"{missing[0]}: no such image ({len(missing)} of {len(self.paths)} are missing)")

    @property
    def title(self) -> str:
        """Name for outputs, never empty."""
        return plain_name(self.name or self.paths[0].absolute().parent.name or "images")


VideoSource = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | ImageList


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts `frame_9` before `frame_10`."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part)


def find_source(source: VideoSource, fps: float | Fraction | None = None) -> Path | ImageList:
    """Settle what `source` is, and at which rate images follow each other.

    Args:
        source: Video file; folder of images (natural order); pattern of images such as `frames/*.jpg`; single image;
            list of images (order kept, unless it is plainly that of a shell); or an `ImageList` (order kept).
        fps: Frames per second of images that have no rate; None leaves them without times.

    Returns:
        The path of a video file, or the images.

    Raises:
        InputError: Nothing is there, or a folder or pattern has no images.
        UsageError: A rate for a video, which has its own, or one that is not positive.
    """
    found = _find(source)
    if fps is None:
        return found
    if not isinstance(found, ImageList):
        raise UsageError(f"--fps {float(fps):g}: {found} has times of its own; a rate is for images")
    return replace(found, fps=Fraction(check_fps(fps)).limit_denominator(1001))


def check_fps(fps: float | Fraction) -> float | Fraction:
    """The same rate; raises `UsageError` for one that no images have."""
    if not 0 < fps <= _MOST_FPS:
        raise UsageError(f"--fps is {float(fps):g}: expected a number above 0, at most {_MOST_FPS}")
    return fps


def _find(source: VideoSource) -> Path | ImageList:
    if isinstance(source, ImageList):
        return source
    if not isinstance(source, str | os.PathLike):
        return _in_order(tuple(map(Path, source)))
    text, path = os.fspath(source), Path(source)
    try:
        if path.is_dir():
            images = _images_of(path, path.iterdir())
            return ImageList(images, path.absolute().name, notes=_doubles(images))
        if path.is_file():
            is_image = path.suffix.lower() in IMAGE_SUFFIXES and not _is_animated_png(path)
            return ImageList((path,), path.stem) if is_image else path
        if path.exists():
            raise InputError(f"{text}: neither a file nor a folder (a pipe or device cannot be read twice)")
    except OSError as error:
        raise InputError(f"{text}: cannot be read ({error.strerror or error})") from error
    if "://" in text:
        raise InputError(f"{text}: addresses are not opened; download the video and give its path")
    if glob.has_magic(text):
        return ImageList(_images_of(path, map(Path, glob.glob(text))))  # noqa: PTH207 (absolute patterns too)
    raise InputError(f"{text}: no such file or folder")


def _is_animated_png(path: Path) -> bool:
    """FFmpeg reads those."""
    if path.suffix.lower() != ".png":
        return False
    header = picture_header(path.read_bytes())
    return header is not None and header.animated


def check_pixels(name: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture that is too large to be decoded.

    Args:
        name: Of the file.
        width: Pixels.
        height: Pixels.
        max_pixels: The most that a picture may have.

    Raises:
        InputError: It has more, or none.
    """
    if width < 1 or height < 1:
        raise InputError(f"{name}: a picture of {width}x{height} pixels; is it damaged?")
    if width * height > max_pixels:
        raise InputError(
            f"{name}: a picture of {width}x{height} is more than the {max_pixels} pixels that are decoded; "
            "if it is meant, raise --max-pixels"
        )


def _in_order(paths: tuple[Path, ...]) -> ImageList:
    """Images that were listed by name, which puts 10 before 2, are put in the order of their numbers."""
    names = [str(path) for path in paths]
    by_number = sorted(names, key=natural_key)
    if names == by_number or names != sorted(names):
        return ImageList(paths)
    note = "the images were given in the order of a shell, 10 before 2: taken in the order of their numbers"
    return ImageList(tuple(map(Path, by_number)), notes=(note,))


def _images_of(where: Path, found: Iterable[Path]) -> tuple[Path, ...]:
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        others = f", only other files such as {min(files).name}" if files else ""
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        raise InputError(f"{where}: no images there{others}; expected frames ({kinds}) or the path of a video file")
    return tuple(sorted(images, key=lambda path: (natural_key(str(path.parent)), natural_key(path.name))))


def _doubles(images: Sequence[Path]) -> tuple[str, ...]:
    """A note where a picture seems to be there twice, in two formats."""
    first: dict[str, Path] = {}
    twice = [(first[path.stem], path) for path in images if first.setdefault(path.stem, path) != path]
    if not twice:
        return ()
    (one, other), count = twice[0], len(twice)
    return (f"{count} names are there in two formats, as {one.name} and {other.name}: every file is read as a frame",)


def content_key(source: VideoSource) -> list[Any]:
    """What tells a source from another one with the same name, wherever it lies.

    Sizes, and hashes of the first and last megabyte of each file: a day of video is not read twice.

    Raises:
        InputError: It cannot be found or read.
    """
    found = find_source(source)
    if isinstance(found, ImageList):
        return [[path.name, *_sample(path)] for path in found.paths]
    return _sample(found)


def content_hash(key: Sequence[Any]) -> str:
    """A `content_key` as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


def _sample(path: Path) -> list[Any]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(_SAMPLED_BYTES))
            file.seek(max(0, size - _SAMPLED_BYTES))
            digest.update(file.read(_SAMPLED_BYTES))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    return [size, digest.hexdigest()]
