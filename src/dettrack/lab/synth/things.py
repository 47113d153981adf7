"""Furniture and pillars that people can be hidden by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.lab.synth.surface import Surface, from_grids
from dettrack.lab.synth.textures import rough, tint

__all__ = ["Thing", "draw_things"]

Image = UInt8[np.ndarray, "_height _width 3"]
_Piece = tuple[Float[np.ndarray, "_rings _columns 3"], Image]


@dataclass(frozen=True)
class Thing:
    """A piece of furniture or a pillar."""

    surface: Surface
    vertices: Float[np.ndarray, "vertices 3"]


def _box(rng: np.random.Generator, centre: Float[np.ndarray, "3"], size: Float[np.ndarray, "3"], turn: float) -> _Piece:
    """An upright box as a tube of square rings with caps."""
    square = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1], [-1, -1]], float)
    ring = np.repeat(square, 2, 0)[1:-1]
    cos, sin = np.cos(turn), np.sin(turn)
    grid = []
    for y, grow in ((0, 1), (0.0, 1), (1, 1), (1, 1), (1, 0.0)):
        flat = ring * size[[0, 2]] / 2 * grow
        place = np.stack([flat[:, 0] * cos + flat[:, 1] * sin, np.full(len(ring), y * size[1]),
                          -flat[:, 0] * sin + flat[:, 1] * cos], 1)  # fmt: skip
        grid.append(place + centre)
    texture = rough(rng, tint(rng, 0.15, 0.85, 0.2), 128, 0.05, 0.06)
    if rng.random() < 0.4:
        texture[:: int(rng.integers(16, 48))] = texture[:: int(rng.integers(16, 48))][:1] // 2
    return np.stack(grid), texture


def _pillar(rng: np.random.Generator, centre: Float[np.ndarray, "3"], radius: float, high: float) -> _Piece:
    angle = np.linspace(-np.pi, np.pi, 13)
    ring = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1) * radius
    levels = np.array([0, 0.02, 0.5, 0.98, 1.0]) * high
    grid = ring[None] * np.array([1, 1, 1, 1, 0.05])[:, None, None] + centre
    grid[..., 1] += levels[:, None]
    return grid, rough(rng, tint(rng, 0.15, 0.85, 0.1), 128, 0.05, 0.05)


def _table(rng: np.random.Generator, centre: Float[np.ndarray, "3"]) -> list[_Piece]:
    high, wide, deep = rng.uniform(0.65, 0.95), rng.uniform(0.8, 1.6), rng.uniform(0.5, 0.8)
    turn = rng.uniform(-0.4, 0.4)
    cos, sin = np.cos(turn), np.sin(turn)
    top = _box(rng, centre + np.array([0, high, 0]), np.array([wide, 0.05, deep]), turn)
    corners = [(x, z) for x in (-0.45 * wide, 0.45 * wide) for z in (-0.42 * deep, 0.42 * deep)]
    places = [centre + np.array([x * cos + z * sin, 0, -x * sin + z * cos]) for x, z in corners]
    return [top, *(_pillar(rng, place, 0.03, high) for place in places)]


def draw_things(rng: np.random.Generator, number: int, reach: float, depth: tuple[float, float]) -> tuple[Thing, ...]:
    """Furniture and pillars between `depth[0]` and `depth[1]` (z, metres), within `reach` of the middle.

    Args:
        rng: Draws everything.
        number: How many.
        reach: Metres to the left and right.
        depth: Nearest and furthest z, metres.

    Returns:
        The things.
    """
    things = []
    for _ in range(number):
        place = np.array([rng.uniform(-reach, reach), 0.0, rng.uniform(*depth)])
        kind = rng.random()
        if kind < 0.35:
            pieces = [_pillar(rng, place, float(rng.uniform(0.06, 0.22)), float(rng.uniform(1.0, 3.2)))]
        elif kind < 0.75:
            size = rng.uniform([0.4, 0.4, 0.3], [1.4, 1.1, 0.7])
            pieces = [_box(rng, place, size, float(rng.uniform(-0.6, 0.6)))]
        else:
            pieces = _table(rng, place)
        things.append(Thing(*from_grids([grid for grid, _ in pieces], [texture for _, texture in pieces])))
    return tuple(things)
