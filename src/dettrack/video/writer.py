"""Video out: H.264 in MP4, in the pixel format that every browser plays.

The file has its name only when it is whole (`files.NewFile`). Frames keep their times where they are given (a variable
frame rate stays one); otherwise they follow each other at the constant rate. Odd sizes, which yuv420p cannot have, get
one more row or column that repeats the last.
"""

from __future__ import annotations

import math
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from jaxtyping import UInt8

from dettrack.errors import OutputError
from dettrack.files import NewFile, output_error

__all__ = ["VideoWriter", "choose_encoder"]

# In order of preference; all play in browsers from an MP4. A build without x264 usually has one of the others.
_ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libopenh264": {},
    "libvpx-vp9": {"crf": "30", "b:v": "0", "deadline": "realtime", "cpu-used": "6"},
}
_CLOCK = 90_000  # ticks a second, as usual for video: the common frame rates are whole numbers of ticks
_BT709 = 1  # number of ITU-R 709 in the standard's tables of matrices, primaries and transfer curves


def choose_encoder() -> str:
    """The first encoder of this PyAV build whose videos browsers play; to be called before a long run.

    Raises:
        OutputError: There is none.
    """
    for name in _ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except av.codec.codec.UnknownCodecError:
            continue
        return name
    raise OutputError(
        f"this build of PyAV has no encoder for videos that browsers play ({', '.join(_ENCODERS)}): "
        "install PyAV's own wheel (pip install --force-reinstall av), or run without --render"
    )


class VideoWriter:
    """Writes frames to an MP4 file; a context manager. Leaving it through an error removes what was written.

    Args:
        path: File to write; the folder must exist. An existing file is replaced when the new one is whole.
        size: Height and width of the frames in pixels.
        fps: Frames per second, for frames that are written without a time.
        keyframe_every: Frames from one keyframe of the file to the next, at most: how far a seek has to decode. None
            leaves it to the encoder.

    Raises:
        OutputError: The file cannot be written, or no encoder is there.
    """

    def __init__(
        self, path: str | os.PathLike[str], size: tuple[int, int], fps: Fraction, *, keyframe_every: int | None = None
    ) -> None:
        self.path = Path(path)
        self._keyframe_every = keyframe_every
        self._size = size
        self._rate = Fraction(fps)
        self._done = False
        self._last = -1
        self._zero: float | None = None
        self._reformatter = VideoReformatter()
        encoder = choose_encoder()
        if not self.path.parent.is_dir():
            raise OutputError(f"cannot write {self.path}: its folder does not exist")
        self._new = NewFile(self.path.absolute())
        try:
            self._container = av.open(
                str(self._new.part), "w", format="mp4", options={"movflags": "+faststart"}, metadata_errors="replace"
            )
            self._stream = self._add_stream(encoder)
        except (av.FFmpegError, OSError) as error:
            self._new.discard()
            raise output_error(self.path, error) from error

    def _add_stream(self, encoder: str) -> av.video.stream.VideoStream:
        rate = self._rate.limit_denominator(1001)
        stream = cast(av.video.stream.VideoStream, self._container.add_stream(encoder, rate=rate))
        stream.height, stream.width = (side + side % 2 for side in self._size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _CLOCK)
        spacing = {"g": str(self._keyframe_every)} if self._keyframe_every else {}
        stream.options = {**_ENCODERS[encoder], **spacing}
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = int(ColorRange.MPEG)
        return stream

    def write(self, image: UInt8[np.ndarray, "height width 3"], time_s: float | None = None) -> None:
        """Append one frame.

        Args:
            image: RGB, of the writer's size.
            time_s: When it is shown, in seconds after the time of the first frame written. Without it (or NaN) the
                frame follows the last one at the constant rate. Times must not run backwards: a frame that would
                be shown before the last one's is shown right after it.

        Raises:
            OutputError: The file cannot be written on, for example because the disk is full.
        """
        height, width = self._size
        if image.shape[:2] != (height, width):
            raise ValueError(f"frame of {image.shape[1]}x{image.shape[0]} in a video of {width}x{height}")
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = self._reformatter.reformat(frame, format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.pts, frame.time_base = self._next_tick(time_s), Fraction(1, _CLOCK)
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise output_error(self.path, error) from error

    def _next_tick(self, time_s: float | None) -> int:
        step = max(1, round(_CLOCK / self._rate))
        if time_s is None or not math.isfinite(time_s):
            tick = 0 if self._last < 0 else self._last + step
        else:
            self._zero = time_s if self._zero is None else self._zero
            tick = round((time_s - self._zero) * _CLOCK)
        self._last = max(tick, self._last + 1)
        return self._last

    def close(self) -> None:
        """Finish the file and give it its name; without any frame there is none. The second time nothing happens."""
        if self._done:
            return
        self._done = True
        try:
            if self._last >= 0:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise output_error(self.path, error) from error
        if self._last < 0:
            self._new.discard()
        else:
            self._new.commit()

    def abort(self) -> None:
        """Remove what was written; an earlier file of this name stays."""
        self._done = True
        try:
            self._container.close()
        except (av.FFmpegError, OSError):
            pass  # already failing: what counts is that the file goes
        finally:
            self._new.discard()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
