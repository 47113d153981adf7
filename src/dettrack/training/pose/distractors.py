"""Other people laid over a sample: who stands beside or before the box's person is not to be answered for.

Nothing is cut out exactly: a rounded piece of a picture around a person, with soft edges, of about the size of the
person whom the sample is about. That is enough to show a second pair of arms and legs.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.training.labels.people import PeopleSet, read_image

__all__ = ["lay_over"]

_HIDDEN = 0.3  # weight of joints that the other person covers: where they are can be guessed, not seen
_ROUND = 6  # exponent of the piece's outline: 2 is an ellipse, large ones a rectangle
_SOFT = 6.0  # steepness of its edge


def lay_over(
    crops: UInt8[np.ndarray, "clip h w 3"],
    xy: Float[np.ndarray, "clip joints 2"],
    weight: Float[np.ndarray, "clip joints"],
    people: PeopleSet,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "clip h w 3"], Float[np.ndarray, "clip joints"]]:
    """A person of a set over all crops of a tube, mostly beside the tube's own.

    Args:
        crops: The tube.
        xy: Joints in crop pixels; NaN where unknown.
        weight: Their weights in the loss.
        people: Where distractors are taken from.
        rng: Source of chance.

    Returns:
        New crops and weights; unchanged ones where the tube's person has no known joints.

    Raises:
        InputError: The other person's image cannot be read.
    """
    known = xy[np.isfinite(xy).all(-1) & (weight > 0)]
    if len(known) < 3:
        return crops, weight
    row = int(rng.integers(len(people)))
    other = people.boxes[row]
    if not np.isfinite(other).all():
        return crops, weight
    sides = np.maximum(other[2:] - other[:2], 1.0)
    low, high = known.min(0), known.max(0)
    scale = float(rng.uniform(0.7, 1.3)) * max(high - low) / max(sides)
    linear = np.diag([scale * (-1 if rng.random() < 0.5 else 1), scale])
    beside = rng.uniform(0.5, 1.0) * (high[0] - low[0] + scale * sides[0]) / 2 * (-1 if rng.random() < 0.5 else 1)
    middle = (low + high) / 2 + [beside, rng.normal() * 0.12 * (high[1] - low[1])]
    move = np.column_stack([linear, middle - linear @ ((other[:2] + other[2:]) / 2)])
    height, width = crops.shape[1:3]
    piece = cv2.warpAffine(read_image(people.images[people.person_image[row]]), move, (width, height))
    half = 0.53 * scale * sides
    grid = np.stack(np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float)), -1)
    alpha = _outline(grid, middle, half)
    out = crops + alpha[..., None] * (piece.astype(np.float32) - crops)
    covered = np.nan_to_num(_outline(xy, middle, half)) > 0.5
    return np.clip(out + 0.5, 0, 255).astype(np.uint8), weight * np.where(covered, _HIDDEN, 1.0)


def _outline(
    xy: Float[np.ndarray, "*n 2"], middle: Float[np.ndarray, " 2"], half: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, "*n"]:
    """How far places belong to the piece: 1 inside, 0 outside, between the two at its edge."""
    away = ((np.abs(xy - middle) / half) ** _ROUND).sum(-1) ** (1 / _ROUND)
    return np.clip(_SOFT * (1 - away) + 0.5, 0, 1).astype(np.float32)
