"""The skin and clothes of a person: tubes of rings around the bones, bent by linear blend skinning.

Every part is a grid of vertices (rings along it, columns around it, first column = last at the back), so
that it can be refined to any density and textured by its own two coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dettrack.synth.body import BONES, Body

__all__ = ["HEAD_HEIGHTS", "Mesh", "Outfit", "Part", "build_mesh", "hair_line", "pose_mesh"]

_COLUMNS = 17
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
class Part:
    """One grid of the mesh: its name, where its vertices start, and its shape."""

    name: str
    start: int
    rings: int
    columns: int


@dataclass(frozen=True)
class Mesh:
    """A person at rest, ready to be posed.

    Attributes:
        parts: The grids, one after the other in the vertex arrays.
        bones: The two bones that each vertex follows.
        weights: How much it follows each; they sum to 1.
        local: Its place in each bone's axes, metres.
    """

    parts: tuple[Part, ...]
    bones: Int[np.ndarray, "vertices 2"]
    weights: Float[np.ndarray, "vertices 2"]
    local: Float[np.ndarray, "vertices 2 3"]


def pose_mesh(
    mesh: Mesh, joints: Float[np.ndarray, "bones 3"], axes: Float[np.ndarray, "bones 3 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Vertices in the world for one frame's bones."""
    moved = np.einsum("vkij,vkj->vki", axes[mesh.bones], mesh.local) + joints[mesh.bones]
    return (moved * mesh.weights[..., None]).sum(1)


@dataclass(frozen=True)
class _Rings:
    """Rings of one part: two bones, the second one's weight, centre in each bone's axes, half sizes."""

    bones: tuple[int, int]
    weight: Float[np.ndarray, " rings"]
    centre: Float[np.ndarray, "rings 2 3"]
    forward: Float[np.ndarray, " rings"]
    side: Float[np.ndarray, " rings"]
    square: float = 1.0


def _smooth(x: Float[np.ndarray, "..."], low: float, high: float) -> Float[np.ndarray, "..."]:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _profile(at: Float[np.ndarray, " n"], table: Sequence[tuple[float, ...]], column: int) -> Float[np.ndarray, " n"]:
    knots = np.array(table)
    return np.interp(at, knots[:, 0], knots[:, column])


def _trunk(body: Body, outfit: Outfit) -> _Rings:
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
        (0.278, 0.048, 0.096, -0.008),
        (0.290, 0.041, 0.076, -0.010),
        (0.300, 0.036, 0.054, -0.010),
        (0.309, 0.028, 0.036, -0.010),
        (0.312, 0.010, 0.012, -0.008),
    ]  # fmt: skip
    at = np.concatenate([[t[0] for t in table], [-0.015, 0.02, 0.065, 0.115, 0.165, 0.215]])
    at.sort()
    loose = 1 + (outfit.top_loose - 1) * (1 - _smooth(at, 0.25, 0.305))
    shoulders = body.hips + (body.shoulders - body.hips) * _smooth(at, 0.05, 0.2)
    scale = h * (1 - 0.71 * (body.legs - 1))
    shift = _profile(at, table, 3) * h
    centre = np.zeros((len(at), 2, 3))
    centre[:, :, 0] = shift[:, None]
    centre[:, 0, 1] = at * scale
    centre[:, 1, 1] = (at - 0.14) * scale
    return _Rings(
        (_ROOT, _CHEST),
        _smooth(at, 0.04, 0.2),
        centre,
        _profile(at, table, 1) * h * body.girth * loose,
        _profile(at, table, 2) * h * shoulders * (0.5 + 0.5 * body.girth) * loose,
        0.85,
    )


def _neck(body: Body) -> _Rings:
    h = body.height
    at = np.array([-0.022, -0.008, 0.006, 0.02, 0.034, 0.048, 0.06])
    centre = np.zeros((len(at), 2, 3))
    centre[:, 0, 1] = at * h + body.offsets[2, 1]
    centre[:, 1, 1] = at * h * body.head
    centre[:, :, 0] = (at * 0.15 - 0.004)[:, None] * h
    radius = np.array([0.046, 0.040, 0.036, 0.0345, 0.0345, 0.035, 0.034]) * h * (0.6 + 0.4 * body.girth)
    return _Rings((_CHEST, _NECK), _smooth(at, -0.01, 0.05), centre, radius, radius)


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
) -> list[_Rings]:
    """A limb of two bones as two half-overlapping lofts would gap: three bones are needed only near the trunk.

    `table`: station (0 upper joint, 1 middle joint, 2 end), half depth, half width, forward shift.
    """
    a, b = BONES.index(upper), BONES.index(lower)
    stations = np.unique(np.concatenate([np.linspace(*span, 22), [t[0] for t in table if span[0] < t[0] < span[1]]]))
    depth, width, shift = (_profile(stations, table, column) * body.height for column in (1, 2, 3))
    swell = loose + hem * _smooth(stations, span[1] - 0.25, span[1])
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
            weight = _smooth(s, -0.2, 0.22)
        else:
            centre[:, 0, 1] -= along[keep]
            centre[:, 1, 1] -= along[keep] - first
            weight = _smooth(s, 0.82, 1.18)
        rings.append(_Rings(bones, weight, centre, depth[keep], width[keep]))
    return rings


_ARM = [
    (-0.135, 0.004, 0.004, 0.0),
    (-0.12, 0.015, 0.015, 0.0),
    (-0.075, 0.025, 0.024, 0.0),
    (0.02, 0.032, 0.029, 0.0),
    (0.15, 0.0325, 0.029, 0.0),
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


def _limbs(body: Body, outfit: Outfit) -> dict[str, list[_Rings]]:
    parts: dict[str, list[_Rings]] = {}
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


def _hand(body: Body, side: str) -> list[_Rings]:
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
        rings.append(_Rings((bone, bone), np.zeros(len(at)), centre, forward, side_size))
    return rings


def _grid(rings: _Rings, columns: int = _COLUMNS) -> tuple[Float[np.ndarray, "rings columns 2 3"], int]:
    angle = np.linspace(-np.pi, np.pi, columns)
    cos, sin = np.cos(angle), np.sin(angle)
    if rings.square != 1:
        cos, sin = (np.sign(v) * np.abs(v) ** rings.square for v in (cos, sin))
    local = np.repeat(rings.centre[:, None], columns, 1)
    local[..., 0] += (rings.forward[:, None] * cos)[..., None]
    local[..., 2] += (rings.side[:, None] * sin)[..., None]
    return local, columns


def _foot(body: Body, side: str) -> Float[np.ndarray, "rings columns 3"]:
    """A shoe from heel to toe in the ankle's axes, its sole flat on the ground when the shank is upright."""
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
    angle = np.linspace(-np.pi, np.pi, _COLUMNS)
    grid = np.zeros((len(at), _COLUMNS, 3))
    round_ = lambda v, p: np.sign(v) * np.abs(v) ** p  # noqa: E731
    grid[..., 0] = at[:, None]
    grid[..., 1] = top[:, None] * (0.5 + 0.5 * round_(np.cos(angle), 0.6)) - body.sole
    outward = 1.0 if side == "right" else -1.0
    grid[..., 2] = half_width[:, None] * round_(np.sin(angle), 0.75) + outward * 0.006 * h * (at / at[-1])[:, None]
    return grid


_HEAD = np.array(
    [  # height above the neck's joint, half depth, half width, forward shift; fractions of the body height
        (0.040, 0.010, 0.008, 0.030),
        (0.043, 0.026, 0.019, 0.026),
        (0.050, 0.040, 0.029, 0.021),
        (0.060, 0.048, 0.0345, 0.017),
        (0.070, 0.052, 0.038, 0.014),
        (0.080, 0.054, 0.0405, 0.012),
        (0.090, 0.055, 0.042, 0.011),
        (0.100, 0.056, 0.043, 0.010),
        (0.110, 0.057, 0.044, 0.008),
        (0.120, 0.0585, 0.045, 0.006),
        (0.130, 0.059, 0.0455, 0.004),
        (0.140, 0.0585, 0.045, 0.002),
        (0.150, 0.056, 0.043, 0.0),
        (0.160, 0.051, 0.039, -0.002),
        (0.168, 0.043, 0.033, -0.003),
        (0.175, 0.030, 0.023, -0.004),
        (0.1785, 0.016, 0.012, -0.004),
        (0.180, 0.002, 0.002, -0.004),
    ]
)
HEAD_COLUMNS = 33
HEAD_HEIGHTS = _HEAD[:, 0]


def hair_line(height: Float[np.ndarray, "..."], angle: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """How far a place of the head lies inside the hair: > 0 inside; height in body heights, angle 0 = front."""
    turn = np.abs(angle)
    line = 0.150 - 0.062 * _smooth(turn, 0.75, 1.25) - 0.035 * _smooth(turn, 1.65, 2.2)
    return height - line


def _head(body: Body, outfit: Outfit) -> Float[np.ndarray, "rings columns 3"]:
    size = body.height * body.head
    at, depth, width, shift = _HEAD.T
    angle = np.linspace(-np.pi, np.pi, HEAD_COLUMNS)
    swell = 1 + outfit.hair * _smooth(hair_line(at[:, None], angle[None]), -0.002, 0.008)
    ear = 0.13 * np.exp(-(((np.abs(angle) - 1.62) / 0.13) ** 2)) * np.exp(-(((at[:, None] - 0.100) / 0.011) ** 2))
    swell = swell + (0 if outfit.hair_length > 0.3 else 1) * ear
    grid = np.zeros((len(at), HEAD_COLUMNS, 3))
    grid[..., 0] = depth[:, None] * swell * np.cos(angle) + shift[:, None]
    grid[..., 2] = width[:, None] * swell * np.sin(angle)
    grid[..., 1] = at[:, None] + 0.06 * (swell - 1) * _smooth(at[:, None], 0.15, 0.18)
    bump = lambda y, wide, high: (  # noqa: E731
        np.exp(-((angle / wide) ** 2)) * np.exp(-(((at[:, None] - y) / high) ** 2))
    )
    grid[..., 0] += 0.016 * bump(0.097, 0.22, 0.0085) + 0.009 * bump(0.107, 0.18, 0.010)  # nose
    grid[..., 0] -= 0.006 * (bump(0.114, 0.9, 0.006) - bump(0.114, 0.22, 0.006))  # eye sockets
    grid[..., 0] += 0.004 * bump(0.074, 0.35, 0.006) + 0.004 * bump(0.050, 0.4, 0.006)  # lips, chin
    if outfit.cap:
        grid[..., 0] += 0.052 * np.exp(-((angle / 0.55) ** 4)) * np.exp(-(((at[:, None] - 0.150) / 0.006) ** 2))
    return grid * size


def _long_hair(body: Body, outfit: Outfit) -> Float[np.ndarray, "rings columns 3"]:
    size = body.height * body.head
    at = np.linspace(0.155, 0.115 - 0.115 * outfit.hair_length, 8)
    angle = np.linspace(-np.pi, np.pi, _COLUMNS)
    t = np.linspace(0, 1, 8)
    depth = np.interp(t, [0, 0.3, 0.9, 1], [0.030, 0.040, 0.026, 0.004])
    width = np.interp(t, [0, 0.3, 0.9, 1], [0.035, 0.049, 0.040, 0.006])
    grid = np.zeros((8, _COLUMNS, 3))
    grid[..., 0] = depth[:, None] * np.cos(angle) - 0.024 - 0.010 * t[:, None]
    grid[..., 1] = at[:, None]
    grid[..., 2] = width[:, None] * np.sin(angle)
    return grid * size


def _skirt(body: Body, outfit: Outfit) -> list[_Rings]:
    h, thigh = body.height, -body.offsets[4, 1]
    t = np.linspace(0, 1, 10)
    at = 0.055 * h - t * (0.055 * h + outfit.skirt * thigh)
    centre = np.zeros((10, 2, 3))
    centre[:, :, 1] = at[:, None]
    flare = np.interp(t, [0, 0.25, 1], [0.085, 0.104, 0.12 + 0.03 * outfit.skirt]) * h * body.girth
    return [_Rings((_ROOT, _ROOT), np.zeros(10), centre, flare * 0.8, flare)]


def build_mesh(body: Body, outfit: Outfit) -> Mesh:
    """All parts of one person at rest."""
    names: list[str] = []
    grids: list[Float[np.ndarray, "_rings _columns 2 3"]] = []
    bones: list[Int[np.ndarray, "_vertices 2"]] = []
    weights: list[Float[np.ndarray, "_vertices 2"]] = []

    def add(name: str, rings: list[_Rings]) -> None:
        grid = np.concatenate([_grid(r)[0] for r in rings])
        names.append(name)
        grids.append(grid)
        second = np.concatenate([np.repeat(r.weight, _COLUMNS) for r in rings])
        weights.append(np.stack([1 - second, second], 1))
        bones.append(np.concatenate([np.tile(r.bones, (len(r.weight) * _COLUMNS, 1)) for r in rings]))

    def add_rigid(name: str, bone: str, grid: Float[np.ndarray, "rings columns 3"]) -> None:
        names.append(name)
        grids.append(np.repeat(grid[:, :, None], 2, 2))
        count = grid.shape[0] * grid.shape[1]
        weights.append(np.tile([1.0, 0.0], (count, 1)))
        bones.append(np.full((count, 2), BONES.index(bone)))

    add("trunk", [_trunk(body, outfit)])
    add("neck", [_neck(body)])
    for name, rings in _limbs(body, outfit).items():
        add(name, rings)
    for side in ("left", "right"):
        palm, thumb = _hand(body, side)
        add(f"{side}_hand", [palm])
        add(f"{side}_thumb", [thumb])
        add_rigid(f"{side}_foot", f"{side}_ankle", _foot(body, side))
    add_rigid("head", "neck", _head(body, outfit))
    if outfit.hair_length > 0.05 and outfit.hair > 0:
        add_rigid("hair", "neck", _long_hair(body, outfit))
    if outfit.skirt > 0:
        add("skirt", _skirt(body, outfit))
    parts, start = [], 0
    for name, grid in zip(names, grids, strict=True):
        parts.append(Part(name, start, grid.shape[0], grid.shape[1]))
        start += grid.shape[0] * grid.shape[1]
    local = np.concatenate([g.reshape(-1, 2, 3) for g in grids])
    return Mesh(tuple(parts), np.concatenate(bones), np.concatenate(weights), local)
