"""Shapes of trunk, limbs, hands, shoes and skirt at rest, as rings around the bones; the clothes make them thicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dettrack.lab.synth.body import BONES, Body

__all__ = ["COLUMNS", "Outfit", "Rings", "foot", "hand", "limbs", "neck", "skirt", "smooth", "trunk"]

COLUMNS = 17
_CHEST, _ROOT, _NECK = BONES.index("chest"), BONES.index("root"), BONES.index("neck")


@dataclass(frozen=True)
class Outfit:
    """Which clothes, as far as they change the shape.

    Attributes:
        sleeve: Where the sleeve ends: 0 shoulder, 1 elbow, 2 wrist.
        trouser: Where the trouser leg ends: 0 hip, 1 knee, 2 ankle.
        top_loose: Thickness of the top's cloth and air, relative to the body.
        trouser_loose: Likewise of the trousers.
        skirt: Length of a skirt in thigh lengths; 0 for none.
        hair: Thickness of the hair, relative to the head; 0 for a bald head.
        hair_length: How far hair falls behind the head: 0 short, 1 to the shoulders.
        cap: Whether a cap with a peak is worn.
    """

    sleeve: float = 0.55
    trouser: float = 1.95
    top_loose: float = 1.08
    trouser_loose: float = 1.12
    skirt: float = 0.0
    hair: float = 0.08
    hair_length: float = 0.0
    cap: bool = False


@dataclass(frozen=True)
class Rings:
    """Rings of one part: two bones, the second one's weight, centre in each bone's axes, half sizes."""

    bones: tuple[int, int]
    weight: Float[np.ndarray, " rings"]
    centre: Float[np.ndarray, "rings 2 3"]
    forward: Float[np.ndarray, " rings"]
    side: Float[np.ndarray, " rings"]
    square: float = 1.0


def smooth(x: Float[np.ndarray, "..."], low: float, high: float) -> Float[np.ndarray, "..."]:
    """0 below `low`, 1 above `high`, and a smooth step between.

    Args:
        x: Any values.
        low: Where the step begins.
        high: Where it ends.

    Returns:
        From 0 to 1.
    """
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _profile(at: Float[np.ndarray, " n"], table: Sequence[tuple[float, ...]], column: int) -> Float[np.ndarray, " n"]:
    knots = np.array(table)
    return np.interp(at, knots[:, 0], knots[:, column])


def trunk(body: Body, outfit: Outfit) -> Rings:
    """From the crotch to the collar.

    Args:
        body: Sizes of the person.
        outfit: What the person wears.

    Returns:
        Rings from below to above.
    """
    h, table = body.height, [  # height above the hips, half depth, half width, forward shift; fractions of the height
        (-0.062, 0.012, 0.015, 0.0),
        (-0.055, 0.044, 0.050, -0.004),
        (-0.03, 0.066, 0.085, -0.008),
        (0.0, 0.069, 0.098, -0.006),
        (0.04, 0.063, 0.094, 0.0),
        (0.09, 0.056, 0.082, 0.004),
        (0.14, 0.058, 0.085, 0.004),
        (0.19, 0.064, 0.094, 0.004),
        (0.24, 0.064, 0.098, 0.0),
        (0.262, 0.058, 0.103, -0.004),
        (0.278, 0.048, 0.099, -0.008),
        (0.290, 0.041, 0.082, -0.010),
        (0.300, 0.036, 0.054, -0.010),
        (0.309, 0.028, 0.036, -0.010),
        (0.312, 0.010, 0.012, -0.008),
    ]  # fmt: skip
    at = np.concatenate([[t[0] for t in table], [-0.015, 0.02, 0.065, 0.115, 0.165, 0.215]])
    at.sort()
    loose = 1 + (outfit.top_loose - 1) * (1 - smooth(at, 0.25, 0.305))
    shoulders = body.hips + (body.shoulders - body.hips) * smooth(at, 0.05, 0.2)
    scale = h * (1 - 0.71 * (body.legs - 1))
    shift = _profile(at, table, 3) * h
    centre = np.zeros((len(at), 2, 3))
    centre[:, :, 0] = shift[:, None]
    centre[:, 0, 1] = at * scale
    centre[:, 1, 1] = (at - 0.14) * scale
    return Rings(
        (_ROOT, _CHEST),
        smooth(at, 0.04, 0.2),
        centre,
        _profile(at, table, 1) * h * body.girth * loose,
        _profile(at, table, 2) * h * shoulders * (0.5 + 0.5 * body.girth) * loose,
        0.85,
    )


def neck(body: Body) -> Rings:
    """From inside the collar to inside the head."""
    h = body.height
    at = np.array([-0.022, -0.008, 0.006, 0.02, 0.034, 0.048, 0.06])
    centre = np.zeros((len(at), 2, 3))
    centre[:, 0, 1] = at * h + body.offsets[2, 1]
    centre[:, 1, 1] = at * h * body.head
    centre[:, :, 0] = (at * 0.15 - 0.004)[:, None] * h
    radius = np.array([0.046, 0.040, 0.036, 0.0345, 0.0345, 0.035, 0.034]) * h * (0.6 + 0.4 * body.girth)
    return Rings((_CHEST, _NECK), smooth(at, -0.01, 0.05), centre, radius, radius)


def _limb(
    body: Body,
    upper: str,
    lower: str,
    parent: int,
    lengths: tuple[float, float],
    table: list[tuple[float, float, float, float]],
    span: tuple[float, float],
    loose: float,
    hem: float = 0.0,
) -> list[Rings]:
    """Rings along two bones, which follow the trunk near it.

    Args:
        body: Whose limb.
        upper: Bone of the upper joint.
        lower: Bone of the middle joint.
        parent: Bone that the upper joint hangs on.
        lengths: Of both bones, metres.
        table: Station (0 upper joint, 1 middle joint, 2 end), half depth, half width, forward shift.
        span: First and last station.
        loose: Thickness of the clothes, relative to the limb.
        hem: How much wider they end.
    """
    a, b = BONES.index(upper), BONES.index(lower)
    stations = np.unique(np.concatenate([np.linspace(*span, 22), [t[0] for t in table if span[0] < t[0] < span[1]]]))
    depth, width, shift = (_profile(stations, table, column) * body.height for column in (1, 2, 3))
    # Cloth lies on the shoulder and the hip, and hangs away from the limb below.
    swell = 1 + (loose - 1) * smooth(stations, -0.1, 0.4) + hem * smooth(stations, span[1] - 0.25, span[1])
    depth, width = depth * body.girth * swell, width * body.girth * swell
    first, second = lengths
    along = np.minimum(stations, 1) * first + np.maximum(stations - 1, 0) * second
    rings = []
    near = stations <= 0.5
    for keep, bones in ((near, (parent, a)), (~near, (a, b))):
        s = stations[keep]
        centre = np.zeros((len(s), 2, 3))
        centre[:, :, 0] = shift[keep][:, None]
        if bones[0] == parent:
            centre[:, 0] += body.offsets[a]
            centre[:, 0, 1] -= along[keep]
            centre[:, 1, 1] -= along[keep]
            weight = smooth(s, -0.2, 0.22)
        else:
            centre[:, 0, 1] -= along[keep]
            centre[:, 1, 1] -= along[keep] - first
            weight = smooth(s, 0.82, 1.18)
        rings.append(Rings(bones, weight, centre, depth[keep], width[keep]))
    return rings


_ARM = [
    (-0.135, 0.004, 0.004, 0.0),
    (-0.12, 0.013, 0.013, 0.0),
    (-0.075, 0.022, 0.021, 0.0),
    (0.02, 0.029, 0.027, 0.0),
    (0.15, 0.031, 0.028, 0.0),
    (0.45, 0.029, 0.026, 0.002),
    (0.85, 0.024, 0.023, 0.0),
    (1.0, 0.0235, 0.0225, -0.001),
    (1.25, 0.026, 0.024, 0.0),
    (1.6, 0.020, 0.019, 0.0),
    (1.9, 0.016, 0.0145, 0.0),
    (2.0, 0.0165, 0.013, 0.0),
    (2.06, 0.004, 0.004, 0.0),
]
_LEG = [
    (-0.30, 0.010, 0.010, 0.0),
    (-0.24, 0.040, 0.036, -0.006),
    (-0.12, 0.061, 0.052, -0.006),
    (0.0, 0.061, 0.055, -0.004),
    (0.2, 0.055, 0.051, 0.0),
    (0.6, 0.044, 0.040, 0.004),
    (0.9, 0.035, 0.032, 0.004),
    (1.0, 0.035, 0.031, 0.002),
    (1.12, 0.033, 0.030, -0.004),
    (1.32, 0.036, 0.032, -0.010),
    (1.6, 0.028, 0.026, -0.008),
    (1.88, 0.021, 0.019, -0.004),
    (2.0, 0.023, 0.020, -0.004),
    (2.06, 0.005, 0.005, 0.0),
]


def limbs(body: Body, outfit: Outfit) -> dict[str, list[Rings]]:
    """Arms and legs, and over them sleeves and trouser legs.

    Args:
        body: Sizes of the person.
        outfit: What the person wears.

    Returns:
        Rings by the name of the part.
    """
    parts: dict[str, list[Rings]] = {}
    arm = (-body.offsets[7, 1], body.forearm)
    leg = (-body.offsets[4, 1], -body.offsets[5, 1])
    for side in ("left", "right"):
        elbow, knee = (f"{side}_shoulder", f"{side}_elbow"), (f"{side}_hip", f"{side}_knee")
        if outfit.sleeve < 1.9:
            parts[f"{side}_arm"] = _limb(
                body, *elbow, _CHEST, arm, _ARM, (max(-0.135, outfit.sleeve - 0.15), 2.06), 1.0
            )
        if outfit.sleeve > 0.05:
            loose = 1 + 2.0 * (outfit.top_loose - 1)
            parts[f"{side}_sleeve"] = _limb(
                body, *elbow, _CHEST, arm, _ARM, (-0.135, outfit.sleeve), loose, 0.12 if outfit.sleeve < 1.2 else 0.04
            )
        bare = max(-0.3, min(outfit.trouser - 0.15, 1.85))
        parts[f"{side}_leg"] = _limb(body, *knee, _ROOT, leg, _LEG, (bare, 2.06), 1.0)
        if outfit.trouser > 0.05:
            hem = 0.25 * (outfit.trouser_loose - 1) * 4 if outfit.trouser > 1.2 else 0.15
            parts[f"{side}_trouser"] = _limb(
                body, *knee, _ROOT, leg, _LEG, (-0.3, outfit.trouser), outfit.trouser_loose, hem
            )
    return parts


def hand(body: Body, side: str) -> list[Rings]:
    """The palm with its fingers together, and the thumb.

    Args:
        body: Sizes of the person.
        side: "left" or "right".

    Returns:
        Palm and thumb.
    """
    h, bone = body.height, BONES.index(f"{side}_elbow")
    inward = -1.0 if side == "right" else 1.0
    rings = []
    palm = [
        (-0.004, 0.012, 0.010),
        (0.006, 0.017, 0.0125),
        (0.03, 0.023, 0.0125),
        (0.052, 0.023, 0.011),
        (0.075, 0.020, 0.009),
        (0.098, 0.015, 0.007),
        (0.104, 0.004, 0.003),
    ]
    thumb = [(0.012, 0.007, 0.008), (0.03, 0.0075, 0.008), (0.05, 0.006, 0.006), (0.058, 0.002, 0.002)]
    for table, lean in ((palm, 0.0), (thumb, 0.45)):
        at, forward, side_size = np.array(table).T * h
        centre = np.zeros((len(at), 2, 3))
        curl = 0.9 * np.maximum(at - 0.05 * h, 0) ** 1 * inward * 0.5
        centre[:, :, 1] = (-body.forearm - at * (0.85 if lean else 1.0))[:, None]
        centre[:, :, 0] = (lean * at + (0.014 * h if lean else 0.004 * h))[:, None]
        centre[:, :, 2] = (curl + (0.008 * h * inward if lean else 0))[:, None]
        rings.append(Rings((bone, bone), np.zeros(len(at)), centre, forward, side_size))
    return rings


def foot(body: Body, side: str) -> Float[np.ndarray, "rings columns 3"]:
    """A shoe from heel to toe in the ankle's axes, its sole flat on the ground when the shank is upright.

    Args:
        body: Sizes of the person.
        side: "left" or "right".

    Returns:
        The shoe's points, metres.
    """
    h = body.height
    table = [
        (-0.052, 0.012, 0.010, 0.010),
        (-0.049, 0.020, 0.019, 0.022),
        (-0.035, 0.025, 0.023, 0.040),
        (-0.005, 0.027, 0.024, 0.050),
        (0.025, 0.026, 0.025, 0.042),
        (0.060, 0.026, 0.028, 0.032),
        (0.090, 0.024, 0.028, 0.025),
        (0.108, 0.020, 0.022, 0.019),
        (0.116, 0.010, 0.010, 0.012),
    ]  # forward, half height, half width, top above the sole
    at, _, half_width, top = np.array(table).T * h
    angle = np.linspace(-np.pi, np.pi, COLUMNS)
    grid = np.zeros((len(at), COLUMNS, 3))
    round_ = lambda v, p: np.sign(v) * np.abs(v) ** p  # noqa: E731
    grid[..., 0] = at[:, None]
    grid[..., 1] = top[:, None] * (0.5 + 0.5 * round_(np.cos(angle), 0.6)) - body.sole
    outward = 1.0 if side == "right" else -1.0
    grid[..., 2] = half_width[:, None] * round_(np.sin(angle), 0.75) + outward * 0.006 * h * (at / at[-1])[:, None]
    return grid


def skirt(body: Body, outfit: Outfit) -> list[Rings]:
    """A skirt that hangs from the hips.

    Args:
        body: Sizes of the person.
        outfit: What the person wears.

    Returns:
        One set of rings; empty where the person wears none.
    """
    h, thigh = body.height, -body.offsets[4, 1]
    t = np.linspace(0, 1, 10)
    at = 0.055 * h - t * (0.055 * h + outfit.skirt * thigh)
    centre = np.zeros((10, 2, 3))
    centre[:, :, 1] = at[:, None]
    flare = np.interp(t, [0, 0.25, 1], [0.085, 0.104, 0.12 + 0.03 * outfit.skirt]) * h * body.girth
    return [Rings((_ROOT, _ROOT), np.zeros(10), centre, flare * 0.8, flare)]
