"""What every person detector offers, whatever is behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from dettrack.structures import Boxes, Frame

__all__ = ["Detector", "PerVideo", "on_video"]


@runtime_checkable
class Detector(Protocol):
    """Finds the people in frames.

    Attributes:
        description: One line for `summary.json`: which file, which layout, what runs it.
    """

    @property
    def description(self) -> str:
        """See the class."""
        ...

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """People in each frame.

        Args:
            frames: Frames of any size, in the order of the video.

        Returns:
            One `Boxes` per frame: corners in pixels of that frame, scores in [0, 1], best first, not yet cut off at
            the user's threshold (see `filters.filter_boxes`).
        """
        ...


@runtime_checkable
class PerVideo(Protocol):
    """What a detector offers beside `Detector` if it must know where a video begins and ends."""

    def begin(self) -> None:
        """The next frames are those of another video."""
        ...

    def end(self) -> None:
        """The video is over; raises `InputError` where nothing that it knows was about it."""
        ...


@contextmanager
def on_video(detector: Detector) -> Iterator[None]:
    """A block in which the detector sees one video; one that breaks off is not judged."""
    if isinstance(detector, PerVideo):
        detector.begin()
    yield
    if isinstance(detector, PerVideo):
        detector.end()
