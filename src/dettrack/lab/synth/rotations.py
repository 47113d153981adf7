"""Unit quaternions `(w, x, y, z)` on whole arrays: product, interpolation, matrices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["about", "blend", "matrices", "multiply", "rotate", "yaw"]

_AXES = {"x": 0, "y": 1, "z": 2}


def multiply(a: Float[np.ndarray, "*#batch 4"], b: Float[np.ndarray, "*#batch 4"]) -> Float[np.ndarray, "*batch 4"]:
    """The rotation `b` followed by `a`.

    Args:
        a: Quaternions, w first.
        b: Quaternions, w first.

    Returns:
        Quaternions.
    """
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def about(axes: str, *angles: Float[np.ndarray, "*#batch"] | float) -> Float[np.ndarray, "*batch 4"]:
    """Rotations about coordinate axes, one angle in radians per letter of `axes`; the last letter acts first."""
    total = None
    for axis, angle in zip(axes, angles, strict=True):
        half = np.asarray(angle, float) / 2
        one = np.zeros((*half.shape, 4))
        one[..., 0] = np.cos(half)
        one[..., 1 + _AXES[axis]] = np.sin(half)
        total = one if total is None else multiply(total, one)
    if total is None:
        raise ValueError("about() needs at least one axis")
    return total


def blend(
    a: Float[np.ndarray, "*batch 4"], b: Float[np.ndarray, "*batch 4"], weight: Float[np.ndarray, "*#batch"] | float
) -> Float[np.ndarray, "*batch 4"]:
    """From `a` (weight 0) to `b` (weight 1) on the shorter way, normalised linear interpolation.

    Args:
        a: Quaternions, w first.
        b: Quaternions, w first.
        weight: Of `b`, 0 to 1.

    Returns:
        Quaternions of length 1.
    """
    weight = np.asarray(weight)[..., None]
    sign = np.where((a * b).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    mixed = (1 - weight) * a + weight * sign * b
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def matrices(q: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrices; `q` is normalised first."""
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def rotate(q: Float[np.ndarray, "*#batch 4"], v: Float[np.ndarray, "*#batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """The vectors `v` turned by `q`.

    Args:
        q: Quaternions of length 1, w first.
        v: Vectors.

    Returns:
        Vectors.
    """
    return np.einsum("...ij,...j->...i", matrices(q), v)


def yaw(q: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch"]:
    """Heading of the forward axis (+x) in the ground plane, radians about +y."""
    forward = rotate(q, np.array([1.0, 0.0, 0.0]))
    return np.asarray(np.arctan2(-forward[..., 2], forward[..., 0]))
