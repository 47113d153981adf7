"""What of a video could not be read: signs of it from demuxer, decoder, timestamps and the structure of the file.

No sign is enough alone: demuxers pass over what makes no sense, decoders conceal what is missing or give no frame for
it, a file without an announced length simply ends, and announced lengths are wrong where an edit list hides frames or
a recorder left frames out on purpose.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from dettrack.video.structure import find_break

__all__ = ["Losses", "ends_early"]

# One packet gives one frame, as long as no frame is sent as two fields.
_FRAME_BY_FRAME = {
    *("av1", "gif", "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp9"),
    *("msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2"),
}


class Losses:
    """Counts what was lost while a video is read.

    Attributes:
        end: The last byte that was read, as far as packets say where they lie.
    """

    def __init__(self, codec: str) -> None:
        self._one_by_one = codec in _FRAME_BY_FRAME
        self.end = 0
        self._failed = self._corrupt = self._concealed = 0
        self._reason = ""
        self._frames = self._packets = 0
        self._first: Any = None
        self._before_first: list[Any] = []

    def packet(self, packet: av.Packet) -> None:
        """Count a packet on its way to the decoder."""
        if packet.size == 0:
            return  # the last one, or a frame that the recorder left out
        self.end = max(self.end, (packet.pos or 0) + packet.size)
        self._corrupt += packet.is_corrupt
        if packet.is_discard:
            return
        if packet.pts is None:
            self._one_by_one = False
        elif self._first is None:
            self._before_first.append(packet.pts)
        else:
            self._packets += packet.pts >= self._first

    def failed(self, reason: str) -> None:
        """Count a packet that the decoder refused."""
        self._failed += 1
        self._reason = self._reason or reason

    def frame(self, frame: av.VideoFrame) -> None:
        """Count a decoded frame; what comes before the first may need what was never in the file, and is no loss."""
        self._frames += 1
        self._concealed += frame.is_corrupt
        if frame.interlaced_frame or frame.pts is None:
            self._one_by_one = False
        if self._first is None and frame.pts is not None:
            self._first = frame.pts
            self._packets = sum(pts >= frame.pts for pts in self._before_first)
            self._before_first.clear()

    def notes(self, to_end: bool) -> list[str]:
        """One line for each kind of damage; where there is none, nothing is known to be missing.

        Args:
            to_end: The decoder has given all its frames.

        Returns:
            Lines.
        """
        notes = []
        if self._failed:
            parts = "a damaged part was" if self._failed == 1 else f"{self._failed} damaged parts were"
            notes.append(f"{parts} skipped ({self._reason})")
        if self._corrupt:
            notes.append(f"{_count(self._corrupt, 'packet')} of the file arrived damaged or after a gap")
        if self._concealed:
            notes.append(f"{_count(self._concealed, 'frame')} could be decoded in part only")
        missing = self._packets - self._frames - self._failed
        if to_end and self._one_by_one and missing > 0 and not notes:
            notes.append(f"{_count(missing, 'frame')} could not be decoded")
        return notes

    def broken_structure(self, path: Path, container: str, to_end: bool) -> list[str]:
        """A line where the chain of the file's parts breaks.

        Args:
            path: The file.
            container: FFmpeg's name of its format.
            to_end: The file was read to its end; otherwise breaks behind the last packet do not count.

        Returns:
            One line, or none.
        """
        place = find_break(path, container, None if to_end else self.end)
        return [f"the file is damaged or cut off at {place}: frames may be missing there"] if place else []


def ends_early(count: int, frames: int, end_s: float, length_s: float | None, step: Fraction | float) -> str:
    """Whether frames are missing at the end, and how many were announced.

    Args:
        count: Frames read.
        frames: Frames that the file announces; 0 if it does not.
        end_s: When the last frame ended, in seconds from the first.
        length_s: Seconds that the file announces.
        step: Seconds of a frame.

    Returns:
        What was announced; "" where the end was reached.
    """
    # A frame or two less is common in sound files (encoder delay, a last field); a real cut is larger.
    fewer = frames > 0 and count < frames - max(2, frames // 100)
    if length_s is None:
        return f"{frames} frames" if fewer else ""
    # Frames that an edit list hides, or that were left out on purpose, are announced too: the time is reached then.
    if frames > 0:
        return f"{frames} frames" if fewer and end_s < length_s - 1.5 * float(step) else ""
    return f"{length_s:.1f} s" if end_s < length_s - max(0.5, length_s / 50) else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"
