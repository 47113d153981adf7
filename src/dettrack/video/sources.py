"""What a user may give as a video: a file, a folder of frames, a pattern, a list of images."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dettrack.errors import InputError
from dettrack.files import IMAGE_SUFFIXES

__all__ = ["ImageList", "VideoSource", "find_source", "natural_key"]


@dataclass(frozen=True)
class ImageList:
    """Images that make up a video, in the order given.

    Attributes:
        paths: Image files; all must exist.
        name: Name for outputs; "" takes the name of the folder that holds the first image.
        fps: Frames per second where known. Without it the frames' `time_s` is NaN: images have no clock, and an
            invented one would end up in the results.
    """

    paths: tuple[Path, ...]
    name: str = ""
    fps: Fraction | None = None

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
        return self.name or self.paths[0].absolute().parent.name or "images"


VideoSource = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | ImageList


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts `frame_9` before `frame_10`."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part)


def find_source(source: VideoSource) -> Path | ImageList:
    """Settle what `source` is.

    Args:
        source: Video file; folder of images (natural order); pattern of images such as `frames/*.jpg`; single image;
            list of images (order kept); or an `ImageList`.

    Returns:
        The path of a video file, or the images.

    Raises:
        InputError: Nothing is there, or a folder or pattern has no images.
    """
    if isinstance(source, ImageList):
        return source
    if not isinstance(source, str | os.PathLike):
        return ImageList(tuple(map(Path, source)))
    text, path = os.fspath(source), Path(source)
    try:
        if path.is_dir():
            return ImageList(_images_of(path, path.iterdir()), path.absolute().name)
        if path.is_file():
            return ImageList((path,), path.stem) if path.suffix.lower() in IMAGE_SUFFIXES else path
        if path.exists():
            raise InputError(f"{text}: neither a file nor a folder (a pipe or device cannot be read twice)")
    except OSError as error:
        raise InputError(f"{text}: cannot be read ({error.strerror or error})") from error
    if "://" in text:
        raise InputError(f"{text}: addresses are not opened; download the video and give its path")
    if glob.has_magic(text):
        return ImageList(_images_of(path, map(Path, glob.glob(text))))  # noqa: PTH207 (absolute patterns too)
    raise InputError(f"{text}: no such file or folder")


def _images_of(where: Path, found: Iterable[Path]) -> tuple[Path, ...]:
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        others = f", only other files such as {min(files).name}" if files else ""
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        raise InputError(f"{where}: no images there{others}; expected frames ({kinds}) or the path of a video file")
    return tuple(sorted(images, key=lambda path: (natural_key(str(path.parent)), natural_key(path.name))))
