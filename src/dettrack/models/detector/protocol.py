"""What every person detector offers, whatever is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from dettrack.structures import Boxes, Frame

__all__ = ["Detector"]


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
