"""A result drawn on its video again, without tracking: some people, a stretch, trails, blurred faces, side by side."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from dettrack.errors import InputError, UsageError
from dettrack.files import NewFile, exists, output_error
from dettrack.formats.coco import image_name
from dettrack.formats.result import Result
from dettrack.measure.motion import body_centre
from dettrack.structures import Frame, TrackTable
from dettrack.video.reader import open_video
from dettrack.video.writer import VideoWriter
from dettrack.view.drawing.blur import FaceBlur
from dettrack.view.drawing.colours import track_colour
from dettrack.view.drawing.draw import Style, draw_lines, line_unit
from dettrack.view.drawing.render import paint, zoom_for

__all__ = ["Replay", "find_video", "render_result", "write_frames"]

_FPS_OF_IMAGES = Fraction(25)


@dataclass(frozen=True)
class Replay:
    """What is drawn.

    Attributes:
        style: Of people.
        trail_s: How long the way of a person stays visible, in seconds; 0 for no trails.
        blur_faces: Make heads of everybody unrecognisable, also of those who are not drawn.
        beside: The bare video to the left of the drawn one.
        legend: Explain the strokes.
        slower: Factor by which the picture is slower than the video.
    """

    style: Style = field(default_factory=Style)
    trail_s: float = 0.0
    blur_faces: bool = False
    beside: bool = False
    legend: bool = True
    slower: float = 1.0


def find_video(result: Result, given: Path | None = None) -> Path:
    """The video of a result.

    Args:
        result: The result.
        given: Where the user says that it is.

    Returns:
        That, the path that the run read, or a file of that name beside the result.

    Raises:
        InputError: There is none of them, or another video has taken its place since.
    """
    named = Path(result.info.path)
    beside = result.path.resolve().parent / named.name
    places = [given] if given is not None else [named, beside]
    found = next((place for place in places if exists(place)), None)
    if found is None:
        raise InputError(f"{result.path}: its video {named} is not there; name it with --video")
    if given is None:
        result.check_video(found)
    return found


def _frames(result: Result, video: Path) -> Iterator[tuple[Frame, TrackTable]]:
    """The frames of a result that are in the video, with everybody in them."""
    if not len(result.times):
        return
    first, last = int(result.times.index[0]), int(result.times.index[-1])
    table, size = result.table, (result.info.height, result.info.width)
    with open_video(video, shots=False) as frames:
        if all(size) and size != (frames.info.height, frames.info.width):
            raise InputError(
                f"{video}: {frames.info.width}x{frames.info.height} pixels, but {result.path} is of a video of "
                f"{size[1]}x{size[0]}; is it the right video?"
            )
        for frame in frames:
            if frame.index > last:
                break
            if frame.index >= first:
                start, stop = np.searchsorted(table.frame, [frame.index, frame.index + 1])
                yield frame, table[int(start) : int(stop)]


def render_result(
    result: Result, video: Path, path: Path, replay: Replay | None = None, everybody: TrackTable | None = None
) -> FaceBlur:
    """Write a video of a result.

    Args:
        result: What is drawn.
        video: Its video.
        path: MP4 file.
        replay: How it is drawn.
        everybody: Rows of all people, for the blurring of those who are not drawn; None: those of `result`.

    Returns:
        What was blurred.

    Raises:
        InputError: The video cannot be read, or has none of the frames.
        UsageError: The slow motion is none.
        OutputError: The video cannot be written.
    """
    replay, blur = replay or Replay(), FaceBlur()
    if not 0.01 <= replay.slower <= 100:
        raise UsageError(f"slow motion of {replay.slower}: expected a factor from 0.01 to 100")
    info, trails = result.info, _Trails(replay.trail_s)
    zoom = zoom_for(info.height, info.width)
    size = round(info.height * zoom), round(info.width * zoom) * (2 if replay.beside else 1)
    rate = (info.fps or _FPS_OF_IMAGES) / Fraction(replay.slower).limit_denominator(1000)
    writer, drawn = VideoWriter(path, size, rate), False
    try:
        for frame, rows in _frames(result, video):
            image = frame.image.copy()
            if replay.blur_faces:
                blur(image, rows if everybody is None else _of_frame(everybody, frame.index))
            frame = replace(frame, image=image)
            canvas = paint(frame, rows, zoom=zoom, style=replay.style, legend=replay.legend)
            trails.draw(canvas, rows, frame, zoom)
            if replay.beside:
                bare = cv2.resize(image, canvas.shape[1::-1], interpolation=cv2.INTER_CUBIC)
                canvas = np.concatenate([bare, canvas], 1)
            writer.write(canvas, frame.time_s * replay.slower)
            drawn = True
        if not drawn:
            raise InputError(f"{video}: none of the frames of {result.path} are in it; is it the right video?")
    except BaseException:
        writer.abort()
        raise
    writer.close()
    return blur


def _of_frame(table: TrackTable, frame: int) -> TrackTable:
    start, stop = np.searchsorted(table.frame, [frame, frame + 1])
    return table[int(start) : int(stop)]


class _Trails:
    """The ways of people over the last seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._points: dict[int, deque[tuple[float, float, float]]] = defaultdict(deque)

    def draw(self, canvas: UInt8[np.ndarray, "height width 3"], rows: TrackTable, frame: Frame, zoom: float) -> None:
        """Add where people are now, and draw where they were.

        Args:
            canvas: Picture, enlarged by `zoom`.
            rows: People of the frame.
            frame: Index and time.
            zoom: Canvas pixels per frame pixel.
        """
        if self._seconds <= 0:
            return
        now = frame.index / float(_FPS_OF_IMAGES) if np.isnan(frame.time_s) else frame.time_s
        for track, (x, y) in zip(rows.track_id.tolist(), body_centre(rows).tolist(), strict=True):
            if np.isfinite(x):
                self._points[track].append((now, x, y))
        for track, points in list(self._points.items()):
            while points and points[0][0] < now - self._seconds:
                points.popleft()
            if not points:
                del self._points[track]
            if len(points) > 1:
                way = (np.array(points)[:, 1:] + 0.5) * zoom - 0.5
                pieces = np.stack([way[:-1], way[1:]], 1)
                draw_lines(canvas, pieces, track_colour(track), 2.0 * line_unit(*canvas.shape[:2]))


def write_frames(
    result: Result, video: Path, out: Path, blur_faces: bool = False, people_only: bool = False
) -> tuple[int, FaceBlur]:
    """Write the images that COCO and PoseTrack files of the result name.

    Args:
        result: Which frames.
        video: Its video.
        out: Folder that the names start from.
        blur_faces: Make heads unrecognisable.
        people_only: Only frames with somebody in them.

    Returns:
        How many images were written, and what was blurred.

    Raises:
        InputError: The video cannot be read, or has none of the frames.
        OutputError: An image cannot be written.
    """
    blur, count = FaceBlur(), 0
    for frame, rows in _frames(result, video):
        if people_only and not len(rows):
            continue
        image = frame.image.copy()
        if blur_faces:
            blur(image, rows)
        name = Path(image_name(result.info, frame.index, frame.name))
        if name.is_absolute() or ".." in name.parts:
            raise InputError(f"{result.path}: the frame is called {name}, which lies outside {out}")
        path = out / name
        good, coded = cv2.imencode(path.suffix or ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        try:
            with NewFile(path, sync=False) as new:
                new.part.write_bytes(coded.tobytes() if good else b"")
        except OSError as error:
            raise output_error(path, error) from error
        count += 1
    if not count:
        raise InputError(f"{video}: none of the frames of {result.path} are in it; is it the right video?")
    return count, blur
