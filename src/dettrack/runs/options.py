"""What a run writes, and which part of a video it reads; apart from what does it, which takes a second to import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dettrack.errors import UsageError
from dettrack.formats import FORMATS
from dettrack.video.sources import MAX_PIXELS

__all__ = ["RunOptions", "check_formats"]


@dataclass(frozen=True)
class RunOptions:
    """What to write and which part of the video to read.

    Attributes:
        formats: Names of `dettrack.formats.FORMATS`.
        render: Write `render.mp4` too.
        save_tracklets: Write `tracklets.parquet`, from which `dettrack associate` links and merges again.
        start_s: Skip frames before this time, in seconds from the first frame.
        end_s: Stop at this time, in seconds from the first frame; None reads to the end.
        preset: Name of the settings that the run started from, for the summary; "" for the defaults.
        fps: Frames per second of images, which have no clock; None leaves them without times.
        max_pixels: Larger pictures are not decoded.
        blur_faces: Make heads unrecognisable in `render.mp4`.
    """

    formats: tuple[str, ...] = ("jsonl", "parquet")
    render: bool = False
    save_tracklets: bool = True
    start_s: float = 0.0
    end_s: float | None = None
    preset: str = ""
    fps: float | None = None
    max_pixels: int = MAX_PIXELS
    blur_faces: bool = False

    def __post_init__(self) -> None:
        """Raise `UsageError` for what contradicts itself."""
        if self.blur_faces and not self.render:
            raise UsageError("--blur-faces goes with --render: nothing else that a run writes has pictures in it")

    @property
    def deciding(self) -> dict[str, Any]:
        """What of it decides a result."""
        named = {name: value for name, value in asdict(self).items() if name not in ("preset", "max_pixels")}
        if not self.blur_faces:
            del named["blur_faces"]  # as in results of before there was such a thing
        return {**named, "formats": sorted(self.formats)}


def check_formats(names: Sequence[str]) -> None:
    """Raise `UsageError` unless every name is a known format."""
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise UsageError(f"--formats {','.join(unknown) or '(empty)'}: expected some of {', '.join(FORMATS)}")
