"""Textured grids drawn with a depth buffer in NumPy.

Each grid is refined until its cells are smaller than a pixel; then the nearest point of every pixel is kept, and
only those are lit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from dettrack.synth.camera import Camera

__all__ = ["Drawn", "Light", "draw_grids"]

_STEP = 0.72  # pixels between neighbouring points: below 1/sqrt(2), up to shear, no pixel is missed
_MOST = 1200  # points along one side of a grid; larger grids are close-ups far outside the picture
_FAR = np.int64(2**62)


@dataclass(frozen=True)
class Light:
    """The light of a scene; colours are linear, 1 = white under full light.

    Attributes:
        direction: Unit vector towards the sun or lamp.
        sun: Its colour.
        sky: Colour of the light from above.
        ground: Colour of the light from below.
    """

    direction: Float[np.ndarray, "3"]
    sun: Float[np.ndarray, "3"]
    sky: Float[np.ndarray, "3"]
    ground: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Drawn:
    """One object in its own rectangle of the picture.

    Attributes:
        left: First column of the rectangle.
        top: First row.
        depth: Metres; infinite where the object is not.
        colour: RGB 0..255, lit.
        shift: Movement since the frame before, in pixels (x, y); 0 where unknown.
    """

    left: int
    top: int
    depth: Float[np.ndarray, "height width"]
    colour: UInt8[np.ndarray, "height width 3"]
    shift: Float[np.ndarray, "height width 2"]

    @property
    def mask(self) -> Bool[np.ndarray, "height width"]:
        """Where the object is, were nothing before it."""
        return np.isfinite(self.depth)


def _refinement(
    seen: Float[np.ndarray, "rings columns 3"], axis: int
) -> tuple[Float[np.ndarray, "fine coarse"], Float[np.ndarray, " fine"]]:
    """Where to refine a projected grid along one axis, so that no step is longer than `_STEP` pixels.

    Returns:
        Catmull-Rom weights of the coarse values at the fine places, and those places in [0, coarse - 1].
    """
    steps = np.diff(seen[..., :2], axis=axis)
    length = np.sqrt((steps**2).sum(-1)).max(1 - axis)
    ends = np.concatenate([[0], np.cumsum(length + 1e-6)])
    coarse = len(ends)
    fine = int(np.clip(np.ceil(ends[-1] / _STEP) + 1, 2, _MOST))
    at = np.interp(np.linspace(0, ends[-1], fine), ends, np.arange(coarse))
    base = np.minimum(at.astype(int), coarse - 2)
    t = at - base
    kernel = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    weights = np.zeros((fine, coarse + 2), np.float32)
    rows = np.arange(fine)
    for offset, weight in enumerate(kernel):
        weights[rows, base + offset] = weight
    weights[:, 1] += weights[:, 0]
    weights[:, -2] += weights[:, -1]
    return weights[:, 1:-1], at.astype(np.float32)


def _normals(grid: Float[np.ndarray, "rings columns 3"]) -> Float[np.ndarray, "rings columns 3"]:
    along = np.gradient(grid, axis=0)
    wrapped = np.concatenate([grid[:, -2:-1], grid, grid[:, 1:2]], 1)
    around = wrapped[:, 2:] - wrapped[:, :-2]
    normal = np.cross(along, around)
    return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)


def draw_grids(
    camera: Camera,
    grids: Sequence[Float[np.ndarray, "_rings _columns 3"]],
    textures: Sequence[UInt8[np.ndarray, "_rows _columns 3"]],
    light: Light,
    before: Sequence[Float[np.ndarray, "_rings _columns 2"]] | None = None,
) -> Drawn | None:
    """Draw one object made of closed grids.

    Args:
        camera: The view; its size bounds what is drawn.
        grids: Vertices in the world.
        textures: Colour of each grid, sRGB; rows along its rings.
        light: The scene's light.
        before: Pixels where the vertices were one frame before, for motion blur.

    Returns:
        The object in its rectangle, or None where it is wholly out of view.
    """
    height, width = camera.size
    seen = [camera.project(grid).astype(np.float32) for grid in grids]
    usable = [i for i, s in enumerate(seen) if s[..., 2].min() > 0.15]
    if not usable:
        return None
    low = np.min([seen[i][..., :2].min((0, 1)) for i in usable], 0)
    high = np.max([seen[i][..., :2].max((0, 1)) for i in usable], 0)
    left, top = (max(int(np.floor(v)) - 1, 0) for v in low)
    right, bottom = min(int(np.ceil(high[0])) + 2, width), min(int(np.ceil(high[1])) + 2, height)
    if right <= left or bottom <= top:
        return None
    columns = right - left
    buffer = np.full((bottom - top) * columns, _FAR)
    starts, places = [0], []
    for i in usable:
        (along, rings), (around, turns) = _refinement(seen[i], 0), _refinement(seen[i], 1)
        places.append((rings, turns))
        x, y, z = (along @ seen[i][..., k] @ around.T for k in range(3))
        ix, iy = np.rint(x).astype(np.int32) - left, np.rint(y).astype(np.int32) - top
        inside = ((ix >= 0) & (ix < columns) & (iy >= 0) & (iy < bottom - top)).ravel()
        index = np.flatnonzero(inside)
        pixel = (iy * columns + ix).ravel()[index]
        key = ((z.ravel()[index] * 65536).astype(np.int64) << 32) | (index + starts[-1])
        np.minimum.at(buffer, pixel, key)
        starts.append(starts[-1] + x.size)
    hit = np.flatnonzero(buffer < _FAR)
    point = buffer[hit] & 0xFFFFFFFF
    depth = np.full(buffer.shape, np.inf, np.float32)
    depth[hit] = (buffer[hit] >> 32) / 65536
    colour = np.zeros((len(buffer), 3), np.uint8)
    shift = np.zeros((len(buffer), 2), np.float32)
    owner = np.searchsorted(starts, point, side="right") - 1
    for k, i in enumerate(usable):
        mine = np.flatnonzero(owner == k)
        if not mine.size:
            continue
        rings, turns = places[k]
        row, col = np.divmod(point[mine] - starts[k], len(turns))
        place = _Place(rings[row], turns[col], grids[i].shape[:2])
        colour[hit[mine]] = _light(place, grids[i], textures[i], light)
        if before is not None:
            now = seen[i][..., :2]
            shift[hit[mine]] = place.sample((now - before[i]).astype(np.float32))
    shape = (bottom - top, columns)
    return Drawn(left, top, depth.reshape(shape), colour.reshape(*shape, 3), shift.reshape(*shape, 2))


@dataclass(frozen=True)
class _Place:
    """Points of one grid, by ring and column (not whole numbers), and the grid's shape."""

    ring: Float[np.ndarray, " points"]
    column: Float[np.ndarray, " points"]
    shape: tuple[int, int]

    def sample(self, grid: Float[np.ndarray, "rings columns channels"]) -> Float[np.ndarray, "points channels"]:
        """Bilinear values."""
        i = np.minimum(self.ring.astype(int), grid.shape[0] - 2)
        j = np.minimum(self.column.astype(int), grid.shape[1] - 2)
        a, b = (self.ring - i)[:, None].astype(np.float32), (self.column - j)[:, None].astype(np.float32)
        upper = grid[i, j] * (1 - b) + grid[i, j + 1] * b
        lower = grid[i + 1, j] * (1 - b) + grid[i + 1, j + 1] * b
        return upper * (1 - a) + lower * a

    def nearest(self, texture: UInt8[np.ndarray, "texture_rows texture_columns 3"]) -> UInt8[np.ndarray, "points 3"]:
        """Texture values."""
        r = (self.ring * ((texture.shape[0] - 1) / (self.shape[0] - 1)) + 0.5).astype(int)
        c = (self.column * ((texture.shape[1] - 1) / (self.shape[1] - 1)) + 0.5).astype(int)
        return texture[r, c]


_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)
_DISPLAY = (255 * (np.arange(4097) / 4096.0) ** (1 / 2.2) + 0.5).astype(np.uint8)


def _light(
    place: _Place,
    grid: Float[np.ndarray, "rings columns 3"],
    texture: UInt8[np.ndarray, "texture_rows texture_columns 3"],
    light: Light,
) -> UInt8[np.ndarray, "points 3"]:
    normal = place.sample(_normals(grid).astype(np.float32))
    up = (0.5 + 0.5 * normal[:, 1])[:, None]
    toward = (normal @ light.direction.astype(np.float32))[:, None]
    # A little light wraps around the edge between light and shade, as it does on skin and cloth.
    sun = np.clip((toward + 0.25) / 1.25, 0, 1)
    sky, ground, colour = (v.astype(np.float32) for v in (light.sky, light.ground, light.sun))
    energy = ground + (sky - ground) * up + colour * sun
    linear = _LINEAR[place.nearest(texture)] * energy
    return _DISPLAY[np.clip(linear * 4096, 0, 4096).astype(np.int32)]
