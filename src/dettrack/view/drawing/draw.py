"""Draw one frame's people: skeletons, identities, boxes by where a pose comes from (the paper's figure 6).

Everything is drawn anti-aliased in a few OpenCV calls per person, each with a dark rim so that it shows on any
background. Sizes follow the picture's: what is 2 pixels wide at 720p is 6 at 4K.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.skeleton import JointSet
from dettrack.structures import Source, TrackTable
from dettrack.view.drawing.colours import Colour, pale, text_colour, track_colour

__all__ = ["Style", "box_strokes", "draw_box", "draw_discs", "draw_lines", "draw_people", "draw_text", "line_unit"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BITS = 4  # sub-pixel bits of OpenCV's coordinates
_RIM: Colour = (16, 16, 16)
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_ROUND = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], axis=1)
_FAR = 1e5  # pixels; joints beyond would overflow OpenCV's fixed-point coordinates


@dataclass(frozen=True)
class Style:
    """What is drawn.

    Attributes:
        boxes: Boxes, solid where detected, dotted where recovered, dash-dotted where interpolated.
        ids: Track ids above the boxes.
        skeletons: Limbs and joints; left limbs in the track's colour, right limbs paler.
        min_score: Joints below are not drawn.
        sure_score: Joints below are drawn thin.
    """

    boxes: bool = True
    ids: bool = True
    skeletons: bool = True
    min_score: float = 0.15
    sure_score: float = 0.4


def line_unit(height: int, width: int) -> float:
    """Length, in pixels, of one drawing unit: 1 where the shorter side has 720 pixels.

    Args:
        width: Of the picture in pixels.
        height: Likewise.

    Returns:
        Pixels.
    """
    return min(height, width) / 720


def draw_people(
    canvas: UInt8[np.ndarray, "height width 3"], rows: TrackTable, *, zoom: float = 1.0, style: Style | None = None
) -> None:
    """Draw the rows of one frame onto `canvas`, in place.

    Args:
        canvas: RGB, the frame enlarged by `zoom`.
        rows: People of this frame; NaN joints and boxes are left out.
        zoom: Canvas pixels per frame pixel.
        style: What is drawn; None takes the defaults.
    """
    style = style or Style()
    unit = line_unit(*canvas.shape[:2])
    # Pixel centres are whole numbers: the centre of pixel 0 lies half a pixel from the border, at every zoom.
    xy = np.clip((rows.shown_xy + 0.5) * zoom - 0.5, -_FAR, _FAR)
    # Sides outside the picture stay outside, but are not dotted all the way to where they would be.
    margin = 20 * unit
    corner = np.array(canvas.shape[1::-1] * 2) + margin
    boxes = np.clip((rows.box + 0.5) * zoom - 0.5, -margin, corner)
    people = range(len(rows))
    shown = [person for person in people if np.isfinite(boxes[person]).all()]
    # People smaller than a third of the picture get finer lines, down to half: else the lines are all one sees.
    tall = (rows.box[:, 3] - rows.box[:, 1]) * zoom / (720 / 3 * unit)
    units = unit * np.clip(np.nan_to_num(tall, nan=1.0), 0.5, 1.0)
    if style.boxes:
        for person in shown:
            colour = track_colour(int(rows.track_id[person]))
            draw_box(canvas, boxes[person], Source(int(rows.source[person])), colour, units[person])
    if style.skeletons:
        for person in people:
            colour = track_colour(int(rows.track_id[person]))
            _draw_skeleton(canvas, rows.joint_set, xy[person], rows.joint_scores[person], colour, units[person], style)
    if style.ids:
        for person in shown:
            _draw_label(canvas, int(rows.track_id[person]), boxes[person], unit)


def _draw_skeleton(
    canvas: UInt8[np.ndarray, "height width 3"],
    joint_set: JointSet,
    xy: Float[np.ndarray, "joints 2"],
    scores: Float[np.ndarray, " joints"],
    colour: Colour,
    unit: float,
    style: Style,
) -> None:
    seen = np.isfinite(xy).all(-1) & (scores >= style.min_score)
    sure = scores >= style.sure_score
    right_joint = np.array([joint.startswith("right_") for joint in joint_set.joints])
    limbs = joint_set.limbs[seen[joint_set.limbs].all(-1)]
    right_limb, sure_limb = right_joint[limbs].any(-1), sure[limbs].all(-1)
    draw_lines(canvas, xy[limbs[sure_limb]], _RIM, 5.2 * unit)
    for side, shade in ((~right_limb, colour), (right_limb, pale(colour))):
        draw_lines(canvas, xy[limbs[side & ~sure_limb]], shade, 1.6 * unit)
        draw_lines(canvas, xy[limbs[side & sure_limb]], shade, 3.2 * unit)
    certain = seen & sure
    draw_discs(canvas, xy[certain], _RIM, 4.0 * unit)
    for on_side, shade in ((~right_joint, colour), (right_joint, pale(colour))):
        draw_discs(canvas, xy[certain & on_side], shade, 3.0 * unit)


def draw_box(
    canvas: UInt8[np.ndarray, "height width 3"],
    box: Float[np.ndarray, " 4"],
    source: Source,
    colour: Colour,
    unit: float,
) -> None:
    """Draw a box in the stroke of its source, in place; coordinates in canvas pixels.

    Args:
        canvas: RGB picture.
        box: `x1, y1, x2, y2` in canvas pixels.
        source: Decides the stroke.
        colour: RGB.
        unit: See `line_unit`.
    """
    lines, dots = box_strokes(box, source, unit)
    for shade, rim in ((_RIM, 1.6), (colour, 0.0)):
        draw_lines(canvas, lines, shade, (2.0 + rim) * unit)
        draw_discs(canvas, dots, shade, (2.2 + rim / 2) * unit)


def box_strokes(
    box: Float[np.ndarray, " 4"], source: Source, unit: float
) -> tuple[Float[np.ndarray, "lines 2 2"], Float[np.ndarray, "dots 2"]]:
    """The straight pieces and the dots that a box is drawn with.

    Args:
        box: `x1, y1, x2, y2` in canvas pixels.
        source: `DETECTED` gives the four sides, `RECOVERED` dots, `INTERPOLATED` dashes and dots in turn.
        unit: See `line_unit`.

    Returns:
        Ends of the pieces, and centres of the dots, in canvas pixels.
    """
    x1, y1, x2, y2 = box
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
    sides = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    if source is Source.DETECTED:
        return sides, np.zeros((0, 2))
    period = (9.0 if source is Source.RECOVERED else 24.0) * unit
    starts, forward = [], []
    for start, stop in sides:
        count = max(1, round(float(np.abs(stop - start).sum() / period)))  # whole periods: corners look alike
        forward.append(np.tile((stop - start) / count, (count, 1)))
        starts.append(start + np.arange(count)[:, None] * forward[-1])
    start, step = np.concatenate(starts), np.concatenate(forward)
    if source is Source.RECOVERED:
        return np.zeros((0, 2, 2)), start
    return np.stack([start, start + 0.5 * step], axis=1), start + 0.75 * step


def draw_lines(
    canvas: UInt8[np.ndarray, "height width 3"],
    segments: Float[np.ndarray, "segments 2 2"],
    colour: Colour,
    thickness: float,
) -> None:
    """Draw straight pieces, in place.

    Args:
        canvas: RGB picture.
        segments: Their ends, in canvas pixels.
        colour: RGB.
        thickness: Pixels.
    """
    if len(segments):
        points = np.round(segments * (1 << _BITS)).astype(np.int32)
        cv2.polylines(canvas, list(points), False, colour, max(1, round(thickness)), cv2.LINE_AA, _BITS)


def draw_discs(
    canvas: UInt8[np.ndarray, "height width 3"], centres: Float[np.ndarray, "discs 2"], colour: Colour, radius: float
) -> None:
    """Draw filled circles, in place.

    Args:
        canvas: RGB picture.
        centres: In canvas pixels.
        colour: RGB.
        radius: Pixels.
    """
    # Polygons, because cv2.circle turns small discs into diamonds.
    discs = np.round((centres[:, None] + radius * _ROUND) * (1 << _BITS)).astype(np.int32)
    for disc in discs:
        cv2.fillConvexPoly(canvas, disc, colour, cv2.LINE_AA, _BITS)


def _draw_label(
    canvas: UInt8[np.ndarray, "height width 3"], track_id: int, box: Float[np.ndarray, " 4"], unit: float
) -> None:
    colour = track_colour(track_id)
    scale, thick = 0.6 * unit, max(1, round(1.4 * unit))
    (width, height), _ = cv2.getTextSize(str(track_id), _FONT, scale, thick)
    pad = max(2, round(3 * unit))
    # Above the box; inside the picture where the box sticks out of it.
    left = int(np.clip(round(box[0]), 0, max(0, canvas.shape[1] - width - 2 * pad)))
    bottom = int(np.clip(round(box[1] - pad), height + 2 * pad, canvas.shape[0] - 1))
    top_left, bottom_right = (left, bottom - height - 2 * pad), (left + width + 2 * pad, bottom)
    cv2.rectangle(canvas, top_left, bottom_right, colour, cv2.FILLED)
    cv2.rectangle(canvas, top_left, bottom_right, _RIM, max(1, round(unit)))
    place = (left + pad, bottom - pad)
    cv2.putText(canvas, str(track_id), place, _FONT, scale, text_colour(colour), thick, cv2.LINE_AA)


def draw_text(
    canvas: UInt8[np.ndarray, "height width 3"], text: str, place: tuple[int, int], unit: float, size: float = 0.6
) -> None:
    """Write white text with a dark outline, in place.

    Args:
        canvas: RGB picture.
        text: One line.
        place: Its lower left corner in canvas pixels.
        unit: See `line_unit`.
        size: Height, as a factor of OpenCV's font.
    """
    thick, rim = max(1, round(1.4 * unit)), max(1, round(unit))
    # Not one wider dark text below: in OpenCV 5 bold letters also stand further apart.
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        shifted = (place[0] + dx * rim, place[1] + dy * rim)
        cv2.putText(canvas, text, shifted, _FONT, size * unit, _BLACK, thick, cv2.LINE_AA)
    cv2.putText(canvas, text, place, _FONT, size * unit, _WHITE, thick, cv2.LINE_AA)
