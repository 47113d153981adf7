"""Frames out of a video file, through PyAV.

Reading is sequential and never seeks, not even to a start time: what comes before is decoded and thrown away. A seek
lands where the file's index, or a guess from the bit rate, says; with edit lists, open groups of pictures, variable
frame rates or a damaged index that is some other frame than counting from the start gives, and then a pose belongs to
the wrong frame. Decoding a skipped frame costs about a millisecond; a network costs more for every frame it keeps.

Pixels come out as displayed: colours by the matrix and range that the stream names (ITU-R 601 where it names none),
non-square pixels stretched to square ones (along the axis that grows, so that nothing is lost), then the display
matrix applied. Transparency is dropped. High dynamic range is not tone-mapped; interlaced frames are not
deinterlaced.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from dettrack.errors import InputError
from dettrack.files import plain_name
from dettrack.structures import Frame, VideoInfo
from dettrack.video.losses import Losses, ends_early
from dettrack.video.orientation import UPRIGHT, Orientation
from dettrack.video.sources import MAX_PIXELS, check_pixels

__all__ = ["ContainerFrames"]

# FFmpeg opens plain text of some names as the picture of a terminal, which is never what is meant.
_TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf", "concat", "hls"}
_FALLBACK_FPS = Fraction(25)


class ContainerFrames:
    """Decoded frames of one video file.

    Timestamps are the container's own, in seconds; where one is missing or runs backwards, the previous frame's
    duration is added instead.

    Attributes:
        notes: What went wrong on the way.
        complete: False once reading stopped before the announced end.
    """

    def __init__(
        self, path: Path, container: av.container.InputContainer | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        """Open a file.

        Args:
            path: The file; for messages only where a container is given.
            container: A camera or stream, opened already.
            max_pixels: Larger pictures are not decoded.
        """
        self._path = path
        self.notes: list[str] = []
        self.complete = True
        self._max_pixels = max_pixels
        self._container = _open(path, max_pixels) if container is None else container
        try:
            self._stream = self._pick_stream()
            self._limit_size()
        except BaseException:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        self._losses = Losses(self._stream.codec_context.name)
        self._reformatter = VideoReformatter()
        self._waiting = 0  # bytes of decoded frames since the last collection
        self._fps = _frame_rate(self._stream)
        self._untimed = 0

    def _pick_stream(self) -> av.video.stream.VideoStream:
        # A song's cover, or the pictures of a film's scenes, are video streams, too, as far as the container goes.
        covers = Disposition.attached_pic | Disposition.timed_thumbnails
        streams = [stream for stream in self._container.streams.video if not stream.disposition & covers]
        if not streams:
            kinds = ", ".join(sorted({s.type for s in self._container.streams if s.type != "video"})) or "a picture"
            raise InputError(f"{self._path}: no video in it, only {kinds}; expected a video file")
        # The one that a player would show: cameras put a small preview beside, or before, what they record.
        stream = max(streams, key=lambda one: (bool(one.disposition & Disposition.default), _area(one)))
        if stream.codec_context is None:
            raise InputError(f"{self._path}: its video codec is not one that this build of PyAV can decode")
        if len(streams) > 1:
            others = ", ".join(_about(other) for other in streams if other is not stream)
            self.notes.append(f"{len(streams)} video streams: {_about(stream)} is read, {others} left out")
        return stream

    def _limit_size(self) -> None:
        stream = self._stream
        if _area(stream):  # else the first frame tells
            height, width = _square_size(stream.height, stream.width, stream.sample_aspect_ratio)
            check_pixels(str(self._path), width, height, self._max_pixels)
        stream.codec_context.options = {"max_pixels": str(self._max_pixels)}

    @property
    def _announced_s(self) -> float | None:
        """Length in seconds that the header promises for this stream; None if it does not."""
        stream, container = self._stream, self._container
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is not None and len(container.streams) == 1:  # else the sound may be what is longer
            return container.duration / av.time_base
        return None

    @property
    def _announced_frames(self) -> int | None:
        if self._stream.frames > 0:
            return int(self._stream.frames)
        if self._announced_s is not None and self._fps is not None:
            return max(1, round(self._announced_s * self._fps))
        return None

    def info(self, first: Frame, start_s: float, end_s: float | None) -> VideoInfo:
        """See `RawFrames.info`; as far as the container says."""
        count, fps = self._announced_frames, self._fps
        if fps is not None and (start_s > 0 or end_s is not None):
            stop = math.inf if count is None else count
            stop = stop if end_s is None else min(stop, math.ceil(end_s * fps))
            count = None if math.isinf(stop) else max(1, int(stop) - math.ceil(start_s * fps))
        height, width = first.image.shape[:2]
        return VideoInfo(plain_name(self._path.stem), str(self._path), width, height, fps, count)

    def frames(self, start_s: float, end_s: float | None) -> Iterator[Frame]:
        """See `RawFrames.frames`; times are counted from the first frame, as a player does.

        `Frame.index` counts from the file's first frame and `Frame.time_s` is the container's, whatever the start.
        """
        zero = time_s = 0.0
        index = -1
        for index, (frame, time_s) in enumerate(self._timed()):
            zero = time_s if index == 0 else zero
            # Half a microsecond: container times are fractions, and 0.3 s must not miss the frame at 3/10 s.
            if end_s is not None and time_s - zero >= end_s - 5e-7:
                self._note_losses(to_end=False)
                return
            if time_s - zero >= start_s - 5e-7:
                yield Frame(index, time_s, self._displayed(frame))
        if index < 0:
            raise InputError(
                f"{self._path}: no frame can be decoded; is the file damaged, or its picture of more than "
                f"{self._max_pixels} pixels (--max-pixels)?"
            )
        self._note_end(index + 1, time_s - zero)

    def _timed(self) -> Iterator[tuple[av.VideoFrame, float]]:
        step = 1 / (self._fps or _FALLBACK_FPS)
        time: Fraction | None = None
        for frame in self._decoded():
            base = frame.time_base or self._stream.time_base
            moment = None if frame.pts is None or base is None else frame.pts * base
            if moment is None or (time is not None and moment <= time):
                self._untimed += 1
                moment = Fraction(0) if time is None else time + step
            time = moment
            duration = getattr(frame, "duration", 0)
            step = duration * base if duration and base else 1 / (self._fps or _FALLBACK_FPS)
            yield frame, float(time)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                self.complete = False
                self.notes.append(f"the file cannot be read to its end ({_reason(error)})")
                packet = None
            if packet is None:
                return
            self._losses.packet(packet)
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                # One damaged packet is no reason to lose what follows: decoders find their feet again.
                self._losses.failed(_reason(error))
                continue
            for frame in frames:
                self._losses.frame(frame)
                yield frame

    def _note_losses(self, *, to_end: bool) -> None:
        lost = self._losses.notes(to_end)
        if self._path.is_file():  # a camera has no structure
            lost += self._losses.broken_structure(self._path, self._container.format.name, to_end)
        if lost:
            self.complete = False
            self.notes.extend(lost)

    def _note_end(self, count: int, last_s: float) -> None:
        self._note_losses(to_end=True)
        if self._untimed == count:
            self.notes.append("the file has no timestamps: its frames are taken as evenly spaced")
        elif self._untimed:
            self.notes.append(f"{self._untimed} frames without a usable timestamp were timed by their neighbours")
        step = 1 / (self._fps or _FALLBACK_FPS)
        promised = ends_early(count, self._stream.frames, last_s + float(step), self._announced_s, step)
        if promised:
            self.complete = False
            self.notes.append(f"the video ends early: {count} frames ({last_s:.1f} s) of the announced {promised}")

    def _displayed(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
        height, width = _square_size(frame.height, frame.width, self._stream.sample_aspect_ratio)
        image = self._reformatter.reformat(frame, width=width, height=height, format="rgb24").to_ndarray()
        self._waiting += image.size // 2  # as YUV 4:2:0
        if self._waiting > _COLLECT_AFTER:
            self._waiting = 0
            gc.collect()
        return _orientation(frame).apply(image)

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _open(path: Path, max_pixels: int) -> av.container.InputContainer:
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        # Absolute, or "12:30.mp4" is taken for an address; and a playlist must not reach into the network.
        name, options = str(path.absolute()), {"protocol_whitelist": "file", "max_pixels": str(max_pixels)}
        container = av.open(name, options=options, metadata_errors="replace")
    except av.error.InvalidDataError as error:
        raise InputError(f"{path}: not a video that can be read, or cut off before its index") from error
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: cannot be opened ({_reason(error)})") from error
    if _TEXT_FORMATS & set(container.format.name.split(",")):
        container.close()
        raise InputError(f"{path}: a text file, not a video")
    return container


def _area(stream: av.video.stream.VideoStream) -> int:
    return 0 if stream.codec_context is None else stream.width * stream.height


def _about(stream: av.video.stream.VideoStream) -> str:
    return f"number {stream.index}" + (f" of {stream.width}x{stream.height}" if _area(stream) else "")


def _reason(error: OSError | av.FFmpegError) -> str:
    return (getattr(error, "strerror", None) or str(error)).strip().rstrip(".").lower()


def _frame_rate(stream: av.video.stream.VideoStream) -> Fraction | None:
    # Cameras for slow motion take thousands of frames a second; a guess as high as that is a clock's.
    rates = ((stream.average_rate, 100_000), (stream.guessed_rate, 1000))
    # Without any timestamp the average is only a default of the reader; the codec's own rate is in the guess.
    for rate, most in rates if stream.start_time is not None else rates[::-1]:
        if rate and 0 < rate <= most:
            return Fraction(rate)
    return None


# PyAV's frames are part of reference cycles, and beside PyTorch's many objects Python hardly ever searches for old
# cycles: without this the decoded frames of a whole video stay in memory.
_COLLECT_AFTER = 100_000_000


def _square_size(height: int, width: int, aspect: Fraction | None) -> tuple[int, int]:
    """Height and width with square pixels: the shorter-than-square axis grows, as browsers do it."""
    if not aspect or not Fraction(1, 8) <= aspect <= 8:
        return height, width
    return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)


def _orientation(frame: av.VideoFrame) -> Orientation:
    data = cast("bytes | None", frame.side_data.get("DISPLAYMATRIX"))
    if data is None:
        return UPRIGHT
    return Orientation.from_matrix(np.frombuffer(data, np.int32).reshape(3, 3))
