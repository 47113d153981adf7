"""What every kind of source offers to `reader.VideoReader`: frames as they are stored, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from dettrack.structures import Frame, VideoInfo

__all__ = ["RawFrames"]


@runtime_checkable
class RawFrames(Protocol):
    """Frames of one source, before shots are found and sizes made equal.

    Attributes:
        notes: What went wrong on the way.
        complete: False once something could not be read, or reading stopped before the end.
    """

    notes: list[str]
    complete: bool

    def info(self, first: Frame, start_s: float, end_s: float | None) -> VideoInfo:
        """What is known before reading on; the size is that of the first frame read.

        Args:
            first: The first frame read.
            start_s: As in `frames`.
            end_s: As in `frames`.

        Returns:
            Sizes, rate and number of frames, as far as they are known.
        """
        ...

    def frames(self, start_s: float, end_s: float | None) -> Iterator[Frame]:
        """Frames with `start_s <= time < end_s`, in order, once.

        Args:
            start_s: Seconds.
            end_s: Seconds; None reads to the end.

        Yields:
            Frames; their indices count from the first one of the source.

        Raises:
            InputError: Nothing can be read, or times are given and the source has no clock.
        """
        ...

    def close(self) -> None:
        """Free what is open."""
        ...
