"""A colour for every track id, the same in every picture, told apart by colour-blind people too."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["PALETTE", "Colour", "pale", "text_colour", "track_colour"]

Colour = tuple[int, int, int]

# The seven colours of Okabe and Ito (2008) that show on video, and lighter or darker versions of five of them. The
# order keeps consecutive ids far apart: CIELAB distance at least 18, also as people with red or green blindness see
# them (the test computes it).
PALETTE: tuple[Colour, ...] = (
    (0, 114, 178),  # blue
    (213, 94, 0),  # vermillion
    (234, 174, 128),  # light vermillion
    (240, 228, 66),  # yellow
    (128, 206, 185),  # light green
    (230, 159, 0),  # orange
    (144, 137, 40),  # dark yellow
    (52, 108, 140),  # dark sky blue
    (0, 158, 115),  # green
    (138, 95, 0),  # dark orange
    (204, 121, 167),  # purple
    (86, 180, 233),  # sky blue
)


def track_colour(track_id: int) -> Colour:
    """RGB of a track; it depends on the id alone, and repeats after `len(PALETTE)` ids."""
    return PALETTE[track_id % len(PALETTE)]


def pale(colour: Colour) -> Colour:
    """The lighter shade of a track's colour, for the right side of the body."""
    red, green, blue = (round(value + (255 - value) * 0.6) for value in colour)
    return red, green, blue


def text_colour(background: Colour) -> Colour:
    """Black or white, whichever reads better on `background`."""
    weights: Float[np.ndarray, " 3"] = np.array([0.299, 0.587, 0.114])
    return (0, 0, 0) if float(weights @ np.array(background)) > 128 else (255, 255, 255)
