"""The head: skull, face in relief, ears, hair and caps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dettrack.lab.synth.body import Body
from dettrack.lab.synth.figure import COLUMNS, Outfit, smooth

__all__ = ["HEAD_HEIGHTS", "hair_line", "head", "long_hair"]

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
    """How far a place of the head lies inside the hair: > 0 inside; height in body heights, angle 0 = front.

    Args:
        height: Above the neck, head sizes.
        angle: Around the head, radians.

    Returns:
        Distance from the edge of the hair.
    """
    turn = np.abs(angle)
    line = 0.150 - 0.062 * smooth(turn, 0.75, 1.25) - 0.035 * smooth(turn, 1.65, 2.2)
    return height - line


def head(body: Body, outfit: Outfit) -> Float[np.ndarray, "rings columns 3"]:
    """Skull and face with short hair or a cap, in the neck's axes, metres.

    Args:
        body: Sizes of the person.
        outfit: What the person wears.

    Returns:
        Points.
    """
    size = body.height * body.head
    at, depth, width, shift = _HEAD.T
    angle = np.linspace(-np.pi, np.pi, HEAD_COLUMNS)
    swell = 1 + outfit.hair * smooth(hair_line(at[:, None], angle[None]), -0.002, 0.008)
    ear = 0.13 * np.exp(-(((np.abs(angle) - 1.62) / 0.13) ** 2)) * np.exp(-(((at[:, None] - 0.100) / 0.011) ** 2))
    swell = swell + (0 if outfit.hair_length > 0.3 else 1) * ear
    grid = np.zeros((len(at), HEAD_COLUMNS, 3))
    grid[..., 0] = depth[:, None] * swell * np.cos(angle) + shift[:, None]
    grid[..., 2] = width[:, None] * swell * np.sin(angle)
    grid[..., 1] = at[:, None] + 0.06 * (swell - 1) * smooth(at[:, None], 0.15, 0.18)
    bump = lambda y, wide, high: (  # noqa: E731
        np.exp(-((angle / wide) ** 2)) * np.exp(-(((at[:, None] - y) / high) ** 2))
    )
    grid[..., 0] += 0.016 * bump(0.097, 0.22, 0.0085) + 0.009 * bump(0.107, 0.18, 0.010)  # nose
    grid[..., 0] -= 0.006 * (bump(0.114, 0.9, 0.006) - bump(0.114, 0.22, 0.006))  # eye sockets
    grid[..., 0] += 0.004 * bump(0.074, 0.35, 0.006) + 0.004 * bump(0.050, 0.4, 0.006)  # lips, chin
    if outfit.cap:
        grid[..., 0] += 0.052 * np.exp(-((angle / 0.55) ** 4)) * np.exp(-(((at[:, None] - 0.150) / 0.006) ** 2))
    return grid * size


def long_hair(body: Body, outfit: Outfit) -> Float[np.ndarray, "rings columns 3"]:
    """Hair that falls behind the head, in the neck's axes, metres.

    Args:
        body: Sizes of the person.
        outfit: What the person wears.

    Returns:
        Points.
    """
    size = body.height * body.head
    at = np.linspace(0.155, 0.115 - 0.115 * outfit.hair_length, 8)
    angle = np.linspace(-np.pi, np.pi, COLUMNS)
    t = np.linspace(0, 1, 8)
    depth = np.interp(t, [0, 0.3, 0.9, 1], [0.030, 0.040, 0.026, 0.004])
    width = np.interp(t, [0, 0.3, 0.9, 1], [0.035, 0.049, 0.040, 0.006])
    grid = np.zeros((8, COLUMNS, 3))
    grid[..., 0] = depth[:, None] * np.cos(angle) - 0.024 - 0.010 * t[:, None]
    grid[..., 1] = at[:, None]
    grid[..., 2] = width[:, None] * np.sin(angle)
    return grid * size
