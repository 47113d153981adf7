"""Joint and segment angles in the picture plane, with error bars from the spread of the hypotheses.

Definitions, in degrees; points are joint centres as the network places them, not skin markers:

* Segment angles (Winter, Biomechanics and Motor Control of Human Movement, 4th ed. 2009, ch. 3): the direction of the
  segment from its distal to its proximal end, counter-clockwise from the picture's right-hand horizontal, y upwards,
  in (-180, 180]. A shank that stands upright has 90.
* Knee and elbow: flexion as the angle by which the distal segment leaves the line of the proximal one; 0 is straight,
  in [0, 180]. The picture cannot tell flexion from hyper-extension where a person turns, so it has no sign.
* Ankle (joint sets with feet): dorsiflexion, as the angle between the foot (heel to big toe) and the shank, from 90.
* Hip: the angle of the thigh with the line of the trunk continued downwards (same side's shoulder to hip). Shoulder:
  the angle of the upper arm with the line from shoulder to hip. 0 is standing upright with hanging arms. Forward is
  positive (flexion), backward negative (extension), where the person is seen from the side (`facing`); seen from the
  front or from behind forward has no meaning in the picture, and the angle has no sign.

Names are those of OpenSim's full-body model of Rajagopal et al. (IEEE Trans Biomed Eng 2016), which follows the ISB's
directions (Wu et al., J Biomech 2002 and 2005): flexion is positive. The angles are planar: what happens towards the
camera is not seen, and a segment that points to the camera has no trustworthy direction.

Error bars are one standard deviation, from the spread of each joint's hypotheses (`TrackTable.spread`), taken as equal
in both directions and independent between joints, propagated to first order. They say how precisely the joint was found
and not how near the network's joint is to the anatomical one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable

__all__ = ["ANGLES", "SEGMENTS", "Angle", "Angles", "angles_of", "available", "facing"]


@dataclass(frozen=True)
class Angle:
    """How an angle is measured.

    Attributes:
        name: Name of the column.
        points: A joint angle: the line that comes in, the vertex, the line that goes out; or the ends of two lines that
            are at right angles in the neutral position. A segment angle: distal and proximal end. Each point is the
            middle of its joints.
        straight: What a joint angle is measured from: True the continued incoming line, False the line back.
        signed: Forward is positive where the person is seen from the side.
    """

    name: str
    points: tuple[tuple[str, ...], ...]
    straight: bool = True
    signed: bool = False


def _joint_angles(side: str, letter: str) -> tuple[Angle, ...]:
    def at(*names: str) -> tuple[tuple[str, ...], ...]:
        return tuple((f"{side}_{name}",) for name in names)

    return (
        Angle(f"hip_flexion_{letter}", at("shoulder", "hip", "knee"), signed=True),
        Angle(f"knee_angle_{letter}", at("hip", "knee", "ankle")),
        Angle(f"arm_flex_{letter}", at("hip", "shoulder", "elbow"), straight=False, signed=True),
        Angle(f"elbow_flex_{letter}", at("shoulder", "elbow", "wrist")),
        Angle(f"ankle_angle_{letter}", at("ankle", "knee", "heel", "big_toe")),
    )


def _limb_segments(side: str, letter: str) -> tuple[Angle, ...]:
    limbs = {
        "thigh": ("knee", "hip"),
        "shank": ("ankle", "knee"),
        "upper_arm": ("elbow", "shoulder"),
        "forearm": ("wrist", "elbow"),
    }
    return tuple(
        Angle(f"{name}_{letter}", ((f"{side}_{distal}",), (f"{side}_{proximal}",)))
        for name, (distal, proximal) in limbs.items()
    )


_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")

ANGLES: tuple[Angle, ...] = (*_joint_angles("right", "r"), *_joint_angles("left", "l"))
"""Joint angles."""
SEGMENTS: tuple[Angle, ...] = (
    *_limb_segments("right", "r"),
    *_limb_segments("left", "l"),
    Angle("trunk", (_HIPS, _SHOULDERS)),
    Angle("pelvis", (("right_hip",), ("left_hip",))),
    Angle("shoulders", (("right_shoulder",), ("left_shoulder",))),
    Angle("head", (("head_bottom",), ("head_top",))),
)
"""Segment angles; pelvis and shoulders run from right to left."""


def available(joint_set: JointSet) -> tuple[Angle, ...]:
    """The angles whose joints a joint set has."""
    return tuple(
        angle
        for angle in (*ANGLES, *SEGMENTS)
        if {joint for point in angle.points for joint in point} <= set(joint_set.joints)
    )


@dataclass(frozen=True)
class Angles:
    """Angles of rows.

    Attributes:
        definitions: What was measured, one for each column.
        degrees: `(rows, angles)`; NaN where a joint is missing.
        sd: `(rows, angles)` one standard deviation in degrees; NaN where fewer than two hypotheses agree on a joint.
    """

    definitions: tuple[Angle, ...]
    degrees: Float[np.ndarray, "rows angles"]
    sd: Float[np.ndarray, "rows angles"]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(angle.name for angle in self.definitions)


def facing(rows: TrackTable) -> int:
    """Which way one person is turned in the picture, from where the nose lies beside the neck.

    Returns:
        1 to the right, -1 to the left, 0 from the front, from behind, or turning (the nose is less than a tenth of the
        trunk's length beside the middle of the shoulders, in the median).
    """
    joints = rows.joint_set.joints
    if "nose" not in joints or not {*_HIPS, *_SHOULDERS} <= set(joints):
        return 0
    xy = rows.shown_xy
    at = {name: xy[:, joints.index(name)] for name in ("nose", *_HIPS, *_SHOULDERS)}
    shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
    trunk = np.hypot(*(shoulders - (at["left_hip"] + at["right_hip"]) / 2).T)
    beside = (at["nose"][:, 0] - shoulders[:, 0]) / np.where(trunk > 0, trunk, np.nan)
    beside = beside[np.isfinite(beside)]
    middle = float(np.median(beside)) if len(beside) else 0.0
    return 0 if abs(middle) < 0.1 else int(np.sign(middle))


def angles_of(rows: TrackTable, direction: int | None = None) -> Angles:
    """All angles of one person.

    Args:
        rows: Rows of one person; smoothed positions count where there are some.
        direction: See `facing`; None: as the rows say.

    Returns:
        The angles whose joints the rows' joint set has.
    """
    direction = facing(rows) if direction is None else direction
    definitions = available(rows.joint_set)
    columns = [_measure(rows, angle, direction) for angle in definitions]
    shape = (len(rows), 0)
    degrees = np.stack([column[0] for column in columns], 1) if columns else np.zeros(shape)
    sd = np.stack([column[1] for column in columns], 1) if columns else np.zeros(shape)
    return Angles(definitions, degrees, sd)


def _point(rows: TrackTable, names: tuple[str, ...]) -> tuple[Float[np.ndarray, "rows 2"], Float[np.ndarray, " rows"]]:
    """Position with y upwards, and its variance along either axis."""
    columns = [rows.joint_set.index(name) for name in names]
    xy = rows.shown_xy[:, columns].mean(1) * (1, -1)
    # One hypothesis alone agrees with itself: how precise it is, is not known.
    spread = np.where(rows.support[:, columns] > 1, rows.spread[:, columns], np.nan)
    variance = (spread**2 / 2).sum(1) / len(columns) ** 2
    return xy, variance


def _direction(
    start: Float[np.ndarray, "rows 2"], end: Float[np.ndarray, "rows 2"]
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, "rows 2"]]:
    """Angle of the vector from start to end in radians, and its gradient by the end point."""
    dx, dy = (end - start).T
    square = dx**2 + dy**2
    square = np.where(square > 0, square, np.nan)
    return np.where(np.isnan(square), np.nan, np.arctan2(dy, dx)), np.stack([-dy, dx], 1) / square[:, None]


def _measure(
    rows: TrackTable, angle: Angle, direction: int
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    points = [_point(rows, names) for names in angle.points]
    if len(points) == 2:
        (distal, of_distal), (proximal, of_proximal) = points
        radians, slope = _direction(distal, proximal)
        return np.degrees(radians), np.degrees(np.sqrt((slope**2).sum(1) * (of_distal + of_proximal)))
    if len(points) == 4:
        (a, _), (b, _), (c, _), (d, _) = points
        (first, to_b), (second, to_d) = _direction(a, b), _direction(c, d)
        between = np.abs(180 - (180 - np.degrees(second - first)) % 360)
        ends = ((to_b, (0, 1)), (to_d, (2, 3)))
        variance = sum((slope**2).sum(1) * (points[i][1] + points[j][1]) for slope, (i, j) in ends)
        return 90 - between, np.degrees(np.sqrt(variance))
    (a, of_a), (vertex, of_vertex), (c, of_c) = points
    back, to_a = _direction(vertex, a)
    out, to_c = _direction(vertex, c)
    # The line that comes in, continued beyond the vertex, points opposite to the line back.
    turn = np.degrees(out - back) - (180 if angle.straight else 0)
    turn = 180 - (180 - turn) % 360  # into (-180, 180]
    variance = (to_a**2).sum(1) * of_a + (to_c**2).sum(1) * of_c + ((to_a - to_c) ** 2).sum(1) * of_vertex
    sd = np.degrees(np.sqrt(variance))
    if not angle.signed or not direction:
        return np.abs(turn), sd
    # Seen facing right, a thigh or an arm that swings forward turns counter-clockwise.
    return turn * direction, sd
