"""Textured grids as flat arrays, so that a whole person is lit and refined in a few array operations.

A part is a closed grid of vertices: rings along it, columns around it, the first column repeated as the last. All
parts of one object lie one after the other in its vertex array; their textures likewise in one array of texels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

__all__ = ["Part", "Surface", "build_surface", "from_grids"]

Grid = Float[np.ndarray, "_rings _columns 3"]
Texture = UInt8[np.ndarray, "_rows _columns 3"]


@dataclass(frozen=True)
class Part:
    """One grid: its name, where its vertices start, and its shape."""

    name: str
    start: int
    rings: int
    columns: int


@dataclass(frozen=True)
class Surface:
    """All that does not move of an object made of parts.

    Attributes:
        parts: The grids.
        texels: Colours of all textures, sRGB.
        texel_start: Where each part's texture starts.
        texel_shape: Rows (along the rings) and columns of each part's texture.
        ring_after: The vertex one ring further, or itself on the last ring.
        column_after: The vertex one column further, or itself on the last column.
        around: For normals: vertices one ring before and after, one column before and after (past the seam).
        by_column: Vertices sorted by part, column, ring.
        ring_starts: Position of each ring's first vertex.
        column_starts: Position of each column's first vertex in `by_column`.
    """

    parts: tuple[Part, ...]
    texels: UInt8[np.ndarray, "texels 3"]
    texel_start: Int[np.ndarray, " parts"]
    texel_shape: Int[np.ndarray, "parts 2"]
    ring_after: Int[np.ndarray, " vertices"]
    column_after: Int[np.ndarray, " vertices"]
    around: Int[np.ndarray, "4 vertices"]
    by_column: Int[np.ndarray, " vertices"]
    ring_starts: Int[np.ndarray, " rings"]
    column_starts: Int[np.ndarray, " columns"]

    def normals(self, vertices: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "vertices 3"]:
        """Unit vectors out of the surface at each vertex; zero where a cap closes to a point."""
        a, b, c, d = vertices[self.around]
        (ax, ay, az), (bx, by, bz) = (b - a).T, (d - c).T
        normal = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)
        length = np.sqrt((normal * normal).sum(1, keepdims=True))
        return (normal / np.maximum(length, 1e-12)).astype(np.float32)


def build_surface(parts: Sequence[Part], textures: Sequence[Texture]) -> Surface:
    """Index tables and joined textures of an object.

    Args:
        parts: Grids of vertices.
        textures: One for each part.

    Returns:
        The surface.
    """
    ring_after, column_after, around, by_column = [], [], [], []
    ring_starts, column_starts = [], []
    for part in parts:
        rings, columns = part.rings, part.columns
        index = part.start + np.arange(rings * columns).reshape(rings, columns)
        ring_after.append(index[np.minimum(np.arange(rings) + 1, rings - 1)].ravel())
        column_after.append(index[:, np.minimum(np.arange(columns) + 1, columns - 1)].ravel())
        wrapped = np.arange(columns)
        before, after = (wrapped - 1) % (columns - 1), (wrapped + 1) % (columns - 1)
        first, last = np.maximum(np.arange(rings) - 1, 0), np.minimum(np.arange(rings) + 1, rings - 1)
        around.append(np.stack([index[first], index[last], index[:, before], index[:, after]]).reshape(4, -1))
        by_column.append(index.T.ravel())
        ring_starts.append(part.start + np.arange(rings) * columns)
        column_starts.append(part.start + np.arange(columns) * rings)
    shapes = np.array([texture.shape[:2] for texture in textures])
    sizes = shapes.prod(1)
    return Surface(
        tuple(parts),
        np.concatenate([texture.reshape(-1, 3) for texture in textures]),
        np.concatenate([[0], np.cumsum(sizes)[:-1]]),
        shapes,
        np.concatenate(ring_after),
        np.concatenate(column_after),
        np.concatenate(around, 1),
        np.concatenate(by_column),
        np.concatenate(ring_starts),
        np.concatenate(column_starts),
    )


def from_grids(grids: Sequence[Grid], textures: Sequence[Texture]) -> tuple[Surface, Float[np.ndarray, "vertices 3"]]:
    """A surface and its vertices from separate grids.

    Args:
        grids: Vertices in rings and columns, metres.
        textures: One for each grid.

    Returns:
        Surface and vertices.
    """
    parts, start = [], 0
    for number, grid in enumerate(grids):
        parts.append(Part(str(number), start, grid.shape[0], grid.shape[1]))
        start += grid.shape[0] * grid.shape[1]
    return build_surface(parts, textures), np.concatenate([grid.reshape(-1, 3) for grid in grids])
