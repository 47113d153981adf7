"""The rendered video: the run's own frames with what was found drawn on them.

Drawn while the run goes. Rows become final many frames after their frame was read; until then the frames wait as JPEG,
a tenth of their size.
"""

from __future__ import annotations

import math
import os
from collections import deque
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
from jaxtyping import UInt8

from dettrack.structures import Frame, Source, TrackTable, VideoInfo
from dettrack.video.writer import VideoWriter
from dettrack.view.drawing.blur import FaceBlur
from dettrack.view.drawing.colours import pale, track_colour
from dettrack.view.drawing.draw import Style, draw_box, draw_lines, draw_people, draw_text, line_unit

__all__ = ["RenderWriter", "paint", "zoom_for"]

_MIN_SIDE = 720
_FPS_OF_IMAGES = Fraction(25)
_WAITING_QUALITY = 95  # of the frames that wait, in JPEG's per cent; the video itself loses more
_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
_LEGEND = {Source.DETECTED: "detected", Source.RECOVERED: "recovered", Source.INTERPOLATED: "interpolated"}
_LEGEND_COLOUR = (235, 235, 235)


def zoom_for(height: int, width: int, min_side: int = _MIN_SIDE) -> float:
    """Factor that brings the shorter side to `min_side` pixels; 1 for larger pictures.

    Ids cannot be read on a 240-line video at its own size, so small videos are enlarged; large ones stay as they are.

    Args:
        width: Of the video in pixels.
        height: Likewise.
        min_side: What the shorter side should have.

    Returns:
        At least 1.
    """
    return max(1.0, min_side / min(height, width))


def paint(
    frame: Frame, rows: TrackTable | None, *, zoom: float = 1.0, style: Style | None = None, legend: bool = True
) -> UInt8[np.ndarray, "canvas_height canvas_width 3"]:
    """One frame with its people drawn on it.

    Args:
        frame: The frame; left as it is.
        rows: Its people; None for none.
        zoom: Enlargement of the picture.
        style: What is drawn; None takes the defaults.
        legend: Explain the strokes, and show the frame's number and time.

    Returns:
        RGB.
    """
    height, width = frame.image.shape[:2]
    size = (round(width * zoom), round(height * zoom))
    canvas = cv2.resize(frame.image, size, interpolation=cv2.INTER_CUBIC) if zoom != 1 else frame.image.copy()
    if rows is not None:
        draw_people(canvas, rows, zoom=zoom, style=style)
    if legend:
        _draw_legend(canvas, frame)
    return canvas


def _draw_legend(canvas: UInt8[np.ndarray, "height width 3"], frame: Frame) -> None:
    height, width = canvas.shape[:2]
    unit = line_unit(height, width)
    line, pad = round(26 * unit), round(8 * unit)
    top, middle, right = height - 5 * line - 2 * pad, pad + round(60 * unit), round(190 * unit)
    panel = canvas[top:, :right]
    panel[:] = panel // 2  # half dark: the picture stays visible below

    def text(row: int, words: str, x: int) -> None:
        draw_text(canvas, words, (x, top + pad + row * line + round(0.7 * line)), unit, 0.5)

    text(0, f"frame {frame.index}" + ("" if math.isnan(frame.time_s) else f", {frame.time_s:.2f} s"), pad)
    for row, (source, name) in enumerate(_LEGEND.items(), start=1):
        y = top + pad + row * line
        box = np.array([pad, y + 0.15 * line, pad + 48 * unit, y + 0.85 * line])
        draw_box(canvas, box, source, _LEGEND_COLOUR, unit)
        text(row, name, middle)
    y, colour = top + pad + 4.5 * line, track_colour(0)
    for x, shade in ((pad, colour), (pad + 27 * unit, pale(colour))):
        draw_lines(canvas, np.array([[[x, y], [x + 20 * unit, y]]]), shade, 3.2 * unit)
    text(4, "left, right", middle)


class RenderWriter:
    """Draws while a run goes: takes frames as they are read, and their rows when these are final (`formats.Writer`).

    Frames and rows may come from two threads, each in the video's order.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: VideoInfo,
        style: Style | None = None,
        blur: FaceBlur | None = None,
    ) -> None:
        """Open the video.

        Args:
            path: MP4 file to write; its folder must exist.
            info: Of the video that the frames come from; images without a rate are shown at 25 a second.
            style: What is drawn; None takes the defaults.
            blur: Makes the heads of everybody unrecognisable; None leaves them.

        Raises:
            OutputError: The video cannot be written.
        """
        self._style, self._blur, self._zoom = style, blur, zoom_for(info.height, info.width)
        size = round(info.height * self._zoom), round(info.width * self._zoom)
        self._video = VideoWriter(path, size, info.fps or _FPS_OF_IMAGES)
        self._waiting: deque[tuple[Frame, UInt8[np.ndarray, " bytes"]]] = deque()

    def add(self, frame: Frame) -> None:
        """Keep a frame until its rows come."""
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _WAITING_QUALITY])[1]
        self._waiting.append((replace(frame, image=_NO_IMAGE), coded))

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`; the frame must have been added, and frames before it without rows are left out.

        Raises:
            OutputError: The video cannot be written on.
        """
        while self._waiting and self._waiting[0][0].index < frame_index:
            self._waiting.popleft()
        if not self._waiting or self._waiting[0][0].index != frame_index:
            raise ValueError(f"rows of frame {frame_index} came before the frame itself")
        frame, coded = self._waiting.popleft()
        bgr = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
        frame = replace(frame, image=cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        if self._blur is not None:
            self._blur(frame.image, rows)
        self._video.write(paint(frame, rows, zoom=self._zoom, style=self._style), frame.time_s)

    def close(self) -> None:
        """Finish the video with the frames so far; the second time nothing happens."""
        self._waiting.clear()
        self._video.close()

    def abort(self) -> None:
        """Remove what was written; an earlier video stays."""
        self._waiting.clear()
        self._video.abort()
