"""A video that tells a driver of each frame as it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dettrack.pipeline import Video
from dettrack.structures import Frame, VideoInfo

__all__ = ["WatchedVideo"]


@dataclass(frozen=True)
class WatchedVideo:
    """The frames of `video`; `see` gets each of them first, in the thread that reads."""

    video: Video
    see: Callable[[Frame], None]

    @property
    def info(self) -> VideoInfo | None:
        """See `pipeline.Video`."""
        return self.video.info

    @property
    def notes(self) -> list[str]:
        """See `pipeline.Video`."""
        return self.video.notes

    @property
    def complete(self) -> bool:
        """See `pipeline.Video`."""
        return self.video.complete

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.video:
            self.see(frame)
            yield frame
