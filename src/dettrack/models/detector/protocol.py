"""What every person detector offers, whatever is behind it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, runtime_checkable

from dettrack.structures import Boxes, Frame

__all__ = ["Detector", "PerSequence", "PerVideo", "on_images", "on_video"]


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
def on_video(detector: Detector) -> Iterator[Detector]:
    """A block in which the detector sees one video; one that breaks off is not judged.

    Yields:
        The detector; of one that must know where a video begins and ends a copy, for videos at the same time.
    """
    if isinstance(detector, PerVideo):
        detector = copy.copy(detector)
        detector.begin()
    yield detector
    if isinstance(detector, PerVideo):
        detector.end()


@runtime_checkable
class PerSequence(Protocol):
    """What a detector offers beside `Detector` if it must know which images of a data set it sees."""

    @property
    def tells_sequences(self) -> bool:
        """Whether it can tell the images of several sequences apart."""
        ...

    @property
    def unmet(self) -> int:
        """Boxes that it has and that belong to no image seen so far."""
        ...

    def sequence(self, images: Sequence[tuple[str, int]]) -> AbstractContextManager[None]:
        """The next frames are these images, by file name and id, until the block ends."""
        ...


def on_images(detector: Detector, images: Sequence[tuple[str, int]]) -> AbstractContextManager[None]:
    """A block in which the detector sees the images of one sequence of a data set.

    Args:
        detector: Any.
        images: File name and id of each frame of the sequence.

    Returns:
        The block; it raises `InputError` at once where the detector knows boxes, but of none of the images.
    """
    return detector.sequence(images) if isinstance(detector, PerSequence) else nullcontext()
