"""From pixels to metres: a known length, the height of a person, or four points of the floor.

A single factor is right in one plane parallel to the picture: that in which the known length lies. Four points of the
floor give a homography, which is right on the floor alone: of positions of feet, and not of joints above it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError, UsageError
from dettrack.structures import TrackTable

__all__ = ["Scale", "floor_scale", "height_scale", "length_scale", "parse_metres", "standing_height_px"]

_STATURE = 1 / 0.961
"""Stature over the height of the head above the ankle joint, which lies at 0.039 of the stature (Drillis and Contini,
in Winter, Biomechanics and Motor Control of Human Movement, fig. 4.1)."""


@dataclass(frozen=True)
class Scale:
    """How lengths in the picture become metres.

    Attributes:
        metres_per_px: One factor, in the plane of the known length; None where a homography is given.
        floor: `(3, 3)` homography from displayed pixels to metres on the floor; None where a factor is given.
        about: Where it comes from, in words.
    """

    metres_per_px: float | None
    floor: Float[np.ndarray, "3 3"] | None = None
    about: str = ""

    def on_floor(self, xy: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Points of the floor, in metres; with one factor: points of the plane, y still downwards."""
        if self.floor is None:
            return xy * (np.nan if self.metres_per_px is None else self.metres_per_px)
        lifted = np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], -1) @ self.floor.T
        # Points on the far side of the horizon have no place on the floor.
        w = np.where(lifted[..., 2:] > 0, lifted[..., 2:], np.nan)
        return lifted[..., :2] / w


def length_scale(start: tuple[float, float], end: tuple[float, float], metres: float) -> Scale:
    """By two points whose distance is known.

    Args:
        start: In displayed pixels.
        end: Likewise.
        metres: Their distance.

    Returns:
        One factor.

    Raises:
        UsageError: The points coincide, or the length is not positive.
    """
    pixels = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    if not pixels > 0 or not metres > 0:
        raise UsageError(f"a length of {metres} m over {pixels:.1f} pixels: both must be positive")
    return Scale(metres / pixels, about=f"{metres} m between ({start[0]}, {start[1]}) and ({end[0]}, {end[1]})")


def standing_height_px(rows: TrackTable) -> float:
    """Height of one person in pixels: the 90th percentile of the distance of head top and ankles, and what is below.

    Raises:
        InputError: The rows have no head top or no ankles.
    """
    joints = rows.joint_set.joints
    if not {"head_top", "left_ankle", "right_ankle"} <= set(joints):
        raise InputError(
            f"the height of a person needs the joints head_top and ankles; {rows.joint_set.name} lacks one"
        )
    xy = rows.shown_xy
    ankles = (xy[:, joints.index("left_ankle")] + xy[:, joints.index("right_ankle")]) / 2
    tall = np.hypot(*(ankles - xy[:, joints.index("head_top")]).T)
    tall = tall[np.isfinite(tall)]
    if not len(tall):
        raise InputError("the height of a person needs a frame in which head top and both ankles are seen")
    return _STATURE * float(np.percentile(tall, 90))


def height_scale(rows: TrackTable, metres: float) -> Scale:
    """By how tall a person is.

    Args:
        rows: Rows of that person, some of them standing upright, at the distance from the camera that matters.
        metres: Stature.

    Returns:
        One factor.

    Raises:
        UsageError: The height is not positive.
        InputError: See `standing_height_px`.
    """
    if not metres > 0:
        raise UsageError(f"a person of {metres} m: the height must be positive")
    track = int(rows.track_id[0]) if len(rows) else -1
    return Scale(metres / standing_height_px(rows), about=f"person {track} is {metres} m tall")


def floor_scale(pixels: Float[np.ndarray, "4 2"], metres: Float[np.ndarray, "4 2"]) -> Scale:
    """By four points of the floor whose places are known.

    Args:
        pixels: In displayed pixels.
        metres: The same points on the floor, in metres; any origin and axes.

    Returns:
        A homography.

    Raises:
        UsageError: Three of the points lie on a line.
    """
    rows = []
    for (x, y), (u, v) in zip(pixels, metres, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    system, target = np.array(rows, float), np.asarray(metres, float).ravel()
    size = np.linalg.norm(system, axis=0)
    if (size == 0).any() or np.linalg.cond(system / size) > 1e9:
        raise UsageError("four floor points: three of them lie on a line; choose the corners of an area")
    matrix = np.append(np.linalg.solve(system / size, target) / size, 1.0).reshape(3, 3)
    # Signed so that the floor in front of the camera is positive.
    w = np.c_[pixels, np.ones(4)] @ matrix[2]
    if not (np.sign(w) == np.sign(w[0])).all():
        raise UsageError("four floor points: their order in the picture and on the floor does not fit")
    return Scale(None, matrix * np.sign(w[0]), about="four points of the floor")


def parse_metres(text: str, table: TrackTable | None = None) -> Scale:
    """A scale as the command line takes it.

    Args:
        text: `X1,Y1,X2,Y2=METRES` (two points and their distance), `ID=METRES` (height of a person), or four
            `X,Y=U,V` separated by semicolons (pixels = metres on the floor).
        table: Rows of all people, for a height.

    Returns:
        The scale.

    Raises:
        UsageError: The text is none of these.
        InputError: There is no such person, or too little of it is seen.
    """
    try:
        pairs = [tuple([float(n) for n in side.split(",")] for side in part.split("=")) for part in text.split(";")]
        shapes = [tuple(map(len, pair)) for pair in pairs]
    except ValueError:
        shapes = []
    if shapes and not all(np.isfinite(n) for pair in pairs for side in pair for n in side):
        shapes = []
    if shapes == [(4, 1)]:
        (x1, y1, x2, y2), (metres,) = pairs[0]
        return length_scale((x1, y1), (x2, y2), metres)
    if shapes == [(1, 1)] and table is not None:
        track, metres = int(pairs[0][0][0]), pairs[0][1][0]
        rows = table[table.track_id == track]
        if not len(rows):
            raise InputError(f"--metres {text}: there is no track {track}")
        return height_scale(rows, metres)
    if shapes == [(2, 2)] * 4:
        return floor_scale(np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs]))
    raise UsageError(
        f"--metres {text!r}: expected X1,Y1,X2,Y2=METRES for a known length, ID=METRES for the height of a person, or "
        "four X,Y=U,V separated by ; for points of the floor"
    )
