"""Points in polygons, exactly: the ignore regions of PoseTrack.

The official evaluator uses a geometry library to decide whether a polygon *contains* a point: strictly inside, the
border not included, and polygons that cross themselves are filled by the even-odd rule. Annotated joints do lie on
borders, so the side of an edge is decided exactly: in floating point where its rounding error cannot matter, else in
rational numbers.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["contains", "in_any"]

# Bound of the rounding error of the orientation determinant, relative to the sum of its two products' magnitudes:
# (3 + 16 eps) eps is proven for this way of computing it; a little more does no harm.
_ERROR = 4 * np.finfo(float).eps


def contains(polygon: Float[np.ndarray, "corners 2"], points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, " n"]:
    """Which points lie strictly inside a polygon.

    Args:
        polygon: Corners in order, open or closed; fewer than three contain nothing.
        points: NaN is nowhere.

    Returns:
        True inside by the even-odd rule, False outside and on any edge.
    """
    if len(polygon) < 3 or len(points) == 0:
        return np.zeros(len(points), bool)
    start, stop = polygon, np.roll(polygon, -1, 0)
    x, y = points[:, :1], points[:, 1:]
    (x1, y1), (x2, y2) = start.T, stop.T
    straddles = (y1 > y) != (y2 > y)
    left, right = (x1 - x) * (y2 - y), (x2 - x) * (y1 - y)
    side = np.sign(left - right)
    doubtful = straddles & (np.abs(left - right) <= _ERROR * (np.abs(left) + np.abs(right)))
    for n, k in zip(*np.nonzero(doubtful), strict=True):
        side[n, k] = _exact_side(start[k], stop[k], points[n])
    crossings = (straddles & (side != 0) & ((side > 0) == (y2 > y1))).sum(1)
    along = (y1 == y) & (y2 == y) & (np.minimum(x1, x2) <= x) & (x <= np.maximum(x1, x2))
    corner = (x1 == x) & (y1 == y)
    border = ((straddles & (side == 0)) | along | corner).any(1)
    return (crossings % 2 == 1) & ~border & ~np.isnan(x[:, 0])


def _exact_side(
    a: Float[np.ndarray, " 2"], b: Float[np.ndarray, " 2"], point: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, ""] | float:
    """Sign of the orientation of a, b, point, without rounding."""
    (ax, ay), (bx, by), (x, y) = ([Fraction(float(value)) for value in corner] for corner in (a, b, point))
    value = (ax - x) * (by - y) - (bx - x) * (ay - y)
    return float((value > 0) - (value < 0))


def in_any(
    polygons: tuple[Float[np.ndarray, "_ 2"], ...], points: Float[np.ndarray, "*batch 2"]
) -> Bool[np.ndarray, "*batch"]:
    """Which points at least one polygon contains.

    Args:
        polygons: `(n, 2)` corners each, in pixels.
        points: In pixels.

    Returns:
        Which points at least one polygon contains.
    """
    flat = points.reshape(-1, 2)
    inside = np.zeros(len(flat), bool)
    for polygon in polygons:
        if len(polygon):
            near = np.flatnonzero(((flat >= polygon.min(0)) & (flat <= polygon.max(0))).all(1))
            inside[near] |= contains(polygon, flat[near])
    return inside.reshape(points.shape[:-1])
