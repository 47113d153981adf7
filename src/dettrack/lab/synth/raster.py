"""Textured grids drawn with a depth buffer in NumPy.

Each grid is refined until its cells are smaller than a pixel; then the nearest point of every pixel is kept, and
only those are lit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dettrack.lab.synth.camera import Camera
from dettrack.lab.synth.surface import Surface

__all__ = ["Drawn", "Light", "draw_surface"]

_STEP = 0.75  # pixels between neighbouring points: about 1/sqrt(2), so that hardly a pixel is missed
_MOST = 1600  # points along one side of a grid; larger grids are close-ups far outside the picture
_NEAR = 0.15  # metres; parts that reach closer to the camera are not drawn
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
    shift: Float[np.ndarray, "height width 2"] | None

    @property
    def mask(self) -> Bool[np.ndarray, "height width"]:
        """Where the object is, were nothing before it."""
        return np.isfinite(self.depth)

    @property
    def place(self) -> tuple[slice, slice]:
        """The rectangle in the picture."""
        height, width = self.depth.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(frozen=True)
class _Refined:
    """One axis of all parts, refined: where the fine lines lie, and how to interpolate there.

    Attributes:
        starts: First fine line of each part, and the end.
        at: Place of each fine line in its part, in coarse lines.
        base: Coarse line before it.
        kernel: Catmull-Rom weights of the four coarse lines around it.
    """

    starts: Int[np.ndarray, " parts_1"]
    at: Float[np.ndarray, " fine"]
    base: Int[np.ndarray, " fine"]
    kernel: Float[np.ndarray, "fine 4"]

    def matrix(self, part: int, coarse: int) -> Float[np.ndarray, "_fine _coarse"]:
        """Interpolation matrix of one part; the lines beyond its ends repeat the last."""
        mine = slice(self.starts[part], self.starts[part + 1])
        base = self.base[mine]
        weights = np.zeros((len(base), coarse + 2), np.float32)
        weights[np.arange(len(base))[:, None], base[:, None] + _FOUR] = self.kernel[mine]
        weights[:, 1] += weights[:, 0]
        weights[:, -2] += weights[:, -1]
        return weights[:, 1:-1]


_FOUR = np.arange(4)


def _refine(lengths: Float[np.ndarray, " lines"], counts: Int[np.ndarray, " parts"]) -> _Refined:
    """Fine lines so that no step is longer than `_STEP` pixels.

    Args:
        lengths: The longest step from each coarse line to the next, pixels; of a part's last line any number.
        counts: Coarse lines of each part.
    """
    last = np.cumsum(counts) - 1
    first = last - counts + 1
    steps = lengths + 1e-6
    steps[last] = 1.0  # keeps the parts apart
    ends = np.concatenate([[0.0], np.cumsum(steps, dtype=np.float64)[:-1]])
    total = ends[last] - ends[first]
    fine = np.clip(np.ceil(total / _STEP).astype(int) + 1, 2, _MOST)
    starts = np.concatenate([[0], np.cumsum(fine)])
    part = np.repeat(np.arange(len(counts)), fine)
    number = np.arange(starts[-1]) - starts[part]
    places = ends[first][part] + total[part] * number / (fine[part] - 1)
    at = np.clip(np.interp(places, ends, np.arange(len(ends))) - first[part], 0, counts[part] - 1)
    base = np.minimum(at.astype(int), counts[part] - 2)
    t = at - base
    square = t * t
    cube = square * t
    kernel = np.stack(
        [
            -0.5 * t + square - 0.5 * cube,
            1 - 2.5 * square + 1.5 * cube,
            0.5 * t + 2 * square - 1.5 * cube,
            0.5 * (cube - square),
        ],
        1,
    )
    return _Refined(starts, at, base, kernel.astype(np.float32))


def draw_surface(
    camera: Camera,
    surface: Surface,
    vertices: Float[np.ndarray, "vertices 3"],
    light: Light,
    before: Float[np.ndarray, "vertices 2"] | None = None,
) -> Drawn | None:
    """Draw one object.

    Args:
        camera: The view; its size bounds what is drawn.
        surface: Parts and textures.
        vertices: In the world, metres.
        light: The scene's light.
        before: Pixels where the vertices were one frame before, for motion blur.

    Returns:
        The object in its rectangle, or None where it is wholly out of view.
    """
    seen = camera.project(vertices).astype(np.float32)
    starts = [part.start for part in surface.parts]
    low, high = np.minimum.reduceat(seen, starts), np.maximum.reduceat(seen, starts)
    height, width = camera.size
    inside = (high[:, :2] > -0.5).all(1) & (low[:, 0] < width) & (low[:, 1] < height) & (low[:, 2] > _NEAR)
    if not inside.any():
        return None
    left, top = (max(int(np.floor(v)) - 1, 0) for v in low[inside, :2].min(0))
    right, bottom = (int(np.ceil(v)) + 2 for v in high[inside, :2].max(0))
    right, bottom = min(right, width), min(bottom, height)
    if right <= left or bottom <= top:
        return None
    rings, columns = _axes(surface, seen)
    buffer, base = _splat(surface, seen, inside, (rings, columns), (left, top, right, bottom))
    hit = np.flatnonzero(buffer < _FAR)
    point = buffer[hit] & 0xFFFFFFFF
    depth = np.full(buffer.shape, np.inf, np.float32)
    depth[hit] = (buffer[hit] >> 32) / np.float32(65536)
    place = _locate(surface, point, base, rings, columns)
    colour = np.zeros((len(buffer), 3), np.uint8)
    colour[hit] = _light(place, surface.normals(vertices), surface, light)
    shape, shift = (bottom - top, right - left), None
    if before is not None:
        flat = np.zeros((len(buffer), 2), np.float32)
        flat[hit] = place.sample((seen[:, :2] - before).astype(np.float32))
        shift = flat.reshape(*shape, 2)
    return Drawn(left, top, depth.reshape(shape), colour.reshape(*shape, 3), shift)


def _axes(surface: Surface, seen: Float[np.ndarray, "vertices 3"]) -> tuple[_Refined, _Refined]:
    """The fine rings and columns that a projected surface needs."""
    xy = np.nan_to_num(seen[:, :2])
    ring_steps = np.hypot(*(xy[surface.ring_after] - xy).T)
    column_steps = np.hypot(*(xy[surface.column_after] - xy).T)[surface.by_column]
    parts = surface.parts
    return (
        _refine(np.maximum.reduceat(ring_steps, surface.ring_starts), np.array([p.rings for p in parts])),
        _refine(np.maximum.reduceat(column_steps, surface.column_starts), np.array([p.columns for p in parts])),
    )


def _splat(
    surface: Surface,
    seen: Float[np.ndarray, "vertices 3"],
    inside: Bool[np.ndarray, " parts"],
    axes: tuple[_Refined, _Refined],
    bounds: tuple[int, int, int, int],
) -> tuple[Int[np.ndarray, " pixels"], Int[np.ndarray, " parts_1"]]:
    """The depth buffer: depth (1/65536 m) and number of the nearest point of each pixel of the rectangle.

    Returns:
        The buffer, and the number of each part's first point.
    """
    left, top, right, bottom = bounds
    wide, high = right - left, bottom - top
    buffer = np.full(wide * high, _FAR)
    rings, columns = axes
    base = np.concatenate([[0], np.cumsum(np.diff(rings.starts) * np.diff(columns.starts))])
    for number in np.flatnonzero(inside).tolist():
        part = surface.parts[number]
        grid = seen[part.start : part.start + part.rings * part.columns].reshape(part.rings, part.columns, 3)
        along = rings.matrix(number, part.rings)
        around = columns.matrix(number, part.columns)
        x, y, z = (along @ grid.transpose(2, 0, 1) @ around.T).reshape(3, -1)
        ix, iy = np.rint(x).astype(np.int32) - left, np.rint(y).astype(np.int32) - top
        # Seen as unsigned numbers, negative places are too large as well.
        index = np.flatnonzero((ix.view(np.uint32) < wide) & (iy.view(np.uint32) < high))
        key = ((z[index] * 65536).astype(np.int64) << 32) | (index + base[number])
        np.minimum.at(buffer, iy[index] * wide + ix[index], key)
    return buffer, base


@dataclass(frozen=True)
class _Place:
    """Points of a surface: the part they are on, the vertex before them, and how far on they lie (0 to 1)."""

    part: Int[np.ndarray, " points"]
    corner: Int[np.ndarray, " points"]
    stride: Int[np.ndarray, " points"]
    ring: Float[np.ndarray, " points"]
    column: Float[np.ndarray, " points"]
    along: Float[np.ndarray, "points 1"]
    around: Float[np.ndarray, "points 1"]

    def sample(self, values: Float[np.ndarray, "vertices channels"]) -> Float[np.ndarray, "points channels"]:
        """Bilinear values between the vertices."""
        upper = values[self.corner] * (1 - self.around) + values[self.corner + 1] * self.around
        below = self.corner + self.stride
        lower = values[below] * (1 - self.around) + values[below + 1] * self.around
        return upper * (1 - self.along) + lower * self.along


def _locate(
    surface: Surface, point: Int[np.ndarray, " points"], base: Int[np.ndarray, " parts_1"], rings: _Refined,
    columns: _Refined,
) -> _Place:  # fmt: skip
    """Where numbered points lie on the surface."""
    part = np.searchsorted(base, point, side="right") - 1
    row, column = np.divmod(point - base[part], np.diff(columns.starts)[part])
    row, column = row + rings.starts[part], column + columns.starts[part]
    start, stride = np.array([(p.start, p.columns) for p in surface.parts]).T
    ring_at, column_at, i, j = rings.at[row], columns.at[column], rings.base[row], columns.base[column]
    return _Place(
        part,
        start[part] + i * stride[part] + j,
        stride[part],
        ring_at,
        column_at,
        (ring_at - i)[:, None].astype(np.float32),
        (column_at - j)[:, None].astype(np.float32),
    )


_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)
_DISPLAY = (255 * (np.arange(4097) / 4096.0) ** (1 / 2.2) + 0.5).astype(np.uint8)


def _light(
    place: _Place, normals: Float[np.ndarray, "vertices 3"], surface: Surface, light: Light
) -> UInt8[np.ndarray, "points 3"]:
    normal = place.sample(normals)
    shape = np.array([(p.rings, p.columns) for p in surface.parts])
    scale = (surface.texel_shape - 1) / (shape - 1)
    row = (place.ring * scale[place.part, 0] + 0.5).astype(int)
    column = (place.column * scale[place.part, 1] + 0.5).astype(int)
    texel = surface.texels[surface.texel_start[place.part] + row * surface.texel_shape[place.part, 1] + column]
    up = (0.5 + 0.5 * normal[:, 1])[:, None]
    # A little light wraps around the edge between light and shade, as it does on skin and cloth.
    sun = np.clip((normal @ light.direction.astype(np.float32) + 0.25) / 1.25, 0, 1)[:, None]
    sky, ground, colour = (v.astype(np.float32) for v in (light.sky, light.ground, light.sun))
    linear = _LINEAR[texel] * (ground + (sky - ground) * up + colour * sun)
    return _DISPLAY[np.clip(linear * 4096, 0, 4096).astype(np.int32)]
