"""The video as a browser can show it: the file itself, or a copy made once, with the same frames at the same times."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float
from platformdirs import user_cache_path

from dettrack.errors import DettrackError
from dettrack.structures import FrameTimes
from dettrack.video import VideoWriter, open_video

__all__ = ["BrowserCopy", "plays_in_browsers"]

_CONTAINERS = {"mp4", "mov"}
_CODECS = {"h264", "hevc", "vp9", "av1"}
_PIXELS = {"yuv420p", "yuvj420p"}
_KEYFRAME_EVERY = 24  # frames: a step back decodes at most so many


def plays_in_browsers(path: Path) -> bool:
    """Whether browsers may decode this file; a page whose browser does not asks for the copy."""
    if not path.is_file():
        return False
    try:
        with av.open(str(path.absolute()), metadata_errors="replace") as container:
            if not container.streams.video:
                return False
            codec = container.streams.video[0].codec_context
            kinds = set(container.format.name.split(","))
            return bool(
                kinds & _CONTAINERS and codec is not None and codec.name in _CODECS and codec.pix_fmt in _PIXELS
            )
    except (av.FFmpegError, OSError):
        return False


class BrowserCopy:
    """An H.264 copy of a source's frames in the user's cache; made in a thread when it is first asked for.

    Args:
        source: Video file, folder or pattern of images.
        frames: The frames that are wanted; the copy's first frame is the first of them, at time 0.
        times: Their times in seconds.
        folder: Where copies are kept; None for the user's cache.

    Attributes:
        path: The copy.
    """

    def __init__(
        self, source: Path, frames: FrameTimes, times: Float[np.ndarray, " n"], folder: Path | None = None
    ) -> None:
        self._source, self._times = source, times
        self._first, self._last = int(frames.index[0]), int(frames.index[-1])
        stat = source.stat() if source.exists() else None
        made_from = (str(source.absolute()), stat and stat.st_size, stat and stat.st_mtime_ns, self._first, self._last)
        name = hashlib.sha256(repr((made_from, float(times[-1]))).encode()).hexdigest()[:32]
        self.path = (folder or user_cache_path("dettrack") / "view") / f"{name}.mp4"
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._done, self._error = 0, ""

    def state(self) -> dict[str, object]:
        """`{"state": "ready" | "preparing" | "failed", "done": share, "reason": words}`; starts the work."""
        with self._lock:
            if self.path.is_file():
                return {"state": "ready"}
            if self._error:
                return {"state": "failed", "reason": self._error}
            if self._thread is None:
                self._thread = threading.Thread(target=self._make, name="dettrack browser copy", daemon=True)
                self._thread.start()
            return {"state": "preparing", "done": round(self._done / len(self._times), 3)}

    def _make(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._write()
        except (DettrackError, OSError) as error:
            self._error = str(error)

    def _write(self) -> None:
        wanted = self._last - self._first + 1
        step = float(np.median(np.diff(self._times))) if len(self._times) > 1 else 0.0
        rate = Fraction(1 / step).limit_denominator(1001) if step > 0 else Fraction(25)
        with open_video(self._source, shots=False) as video:
            info = video.info
            with VideoWriter(self.path, (info.height, info.width), rate, keyframe_every=_KEYFRAME_EVERY) as writer:
                for frame in video:
                    if frame.index > self._last:
                        break
                    if frame.index >= self._first:
                        writer.write(frame.image, float(self._times[frame.index - self._first]))
                        self._done = min(wanted, frame.index - self._first + 1)

    def wait(self) -> None:
        """Until the copy is made, or cannot be; raises nothing."""
        self.state()
        with suppress(RuntimeError):
            if self._thread is not None:
                self._thread.join()
