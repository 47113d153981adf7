"""Which part of a picture becomes the crop: drawn once for a tube, so that motion stays motion.

Athletes on their heads and hands teach little about people who walk; turned upright they do (`upright`). And the
camera's edge cuts through many people whom a detector finds (`truncate`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dettrack.geometry import crop_affines, rotation
from dettrack.skeleton import JointSet
from dettrack.training.labels.people import upright_angle
from dettrack.training.pose.augment import AugmentConfig

__all__ = ["Framing", "draw_framing"]

_LOWER = ("hip", "knee", "ankle")
_HALF_BODY_JOINTS = 8  # HRNet cuts halves of people of whom more are known
_HALF_BODY_SIZE = 1.5  # of the half's extent
_PAD = 0.06  # of a pose's extent: from joints to a person's box, as labels are made
_LEAST_TURN = np.deg2rad(20.0)  # people who lean less keep their labelled box
# Sides that a picture's edge may take away, as (axis, side), and how often each is drawn.
_SIDES = ((1, 1), (0, -1), (0, 1), (1, -1))
_SIDE_SHARES = (0.5, 0.2, 0.2, 0.1)


@dataclass(frozen=True)
class Framing:
    """How a crop is cut.

    Attributes:
        turn: `(2, 2)` rotation from image pixels to a picture that is turned first.
        affine: From the turned picture's pixels to crop pixels.
        mirrored: Whether that mirrors.
        edge: The turned picture ends here: axis (0: x, 1: y), side (1: what is larger is gone, -1: what is smaller)
            and place in pixels; None where it does not.
    """

    turn: Float[np.ndarray, "2 2"]
    affine: Float[np.ndarray, "2 3"]
    mirrored: bool
    edge: tuple[int, int, float] | None = None

    def map(self, motion: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "2 3"]:
        """From image pixels to the pixels of a crop that `motion` moves."""
        affine = (motion @ np.vstack([self.affine, [0, 0, 1]]))[:2]
        return np.column_stack([affine[:, :2] @ self.turn, affine[:, 2]])

    def beyond(self, xy: Float[np.ndarray, "*n 2"]) -> Bool[np.ndarray, "*n"]:
        """Which places of the image (in its pixels) lie beyond the edge; NaN does not."""
        if self.edge is None:
            return np.zeros(xy.shape[:-1], bool)
        axis, side, place = self.edge
        return side * (xy @ self.turn.T)[..., axis] > side * place


def draw_framing(
    xy: Float[np.ndarray, "joints 2"],
    known: Bool[np.ndarray, " joints"],
    joints: JointSet,
    box: Float[np.ndarray, " 4"],
    size: tuple[int, int],
    enlarge: float,
    config: AugmentConfig,
    rng: np.random.Generator,
) -> Framing:
    """A crop around a person, by chance.

    Args:
        xy: Joints in pixels.
        known: Which of them are.
        joints: What they are.
        box: Corners in pixels, not enlarged.
        size: Height and width of the crop.
        enlarge: Factor on the box.
        config: Strength of everything.
        rng: Source of chance.

    Returns:
        The crop.
    """
    angle = 0.0
    if rng.random() < config.upright:
        angle = upright_angle(np.where(known[:, None], xy, np.nan), joints)
    turn = np.eye(2)
    if abs(angle) > _LEAST_TURN:
        turn = rotation(angle)
        xy = xy @ turn.T
        box = _around(xy[known], _PAD)
    if rng.random() < config.half_body:
        if config.rule == "hrnet":
            box = _hrnet_half_body(xy, known, joints, box, enlarge, rng)
        else:
            box = _half_body(xy, known, joints, box, rng)
    edge = None
    if rng.random() < config.truncate:
        box, edge = _truncated(xy[known], box, rng)
    box = box + rng.uniform(-config.shift, config.shift, 4) * np.tile(box[2:] - box[:2], 2)
    affine, mirrored = _affine(box, size, enlarge, config, rng)
    return Framing(turn, affine, mirrored, edge)


def _around(xy: Float[np.ndarray, "n 2"], pad: float) -> Float[np.ndarray, " 4"]:
    low, high = xy.min(0), xy.max(0)
    pad = pad * (high - low).max() + 1
    return np.concatenate([low - pad, high + pad])


def _half_body(
    xy: Float[np.ndarray, "joints 2"],
    known: Bool[np.ndarray, " joints"],
    joints: JointSet,
    box: Float[np.ndarray, " 4"],
    rng: np.random.Generator,
) -> Float[np.ndarray, " 4"]:
    """A box around the upper or the lower body; `box` itself where fewer than three joints of it are known."""
    lower = np.array([joint.rpartition("_")[2] in _LOWER for joint in joints.joints])
    side = lower if rng.random() < 0.4 else ~lower
    chosen = xy[known & side]
    return _around(chosen, 0.2) if len(chosen) >= 3 else box


def _hrnet_half_body(
    xy: Float[np.ndarray, "joints 2"],
    known: Bool[np.ndarray, " joints"],
    joints: JointSet,
    box: Float[np.ndarray, " 4"],
    enlarge: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, " 4"]:
    """See `AugmentConfig.rule`; `box` itself where too little is known."""
    if known.sum() <= _HALF_BODY_JOINTS:
        return box
    is_lower = np.array([joint.rpartition("_")[2] in _LOWER for joint in joints.joints])
    upper, lower = xy[known & ~is_lower], xy[known & is_lower]
    wants_upper = rng.normal() < 0.5
    chosen = upper if (wants_upper and len(upper) > 2) or len(lower) <= 2 else lower
    if len(chosen) < 2:
        return box
    reach = _HALF_BODY_SIZE / enlarge * (chosen.max(0) - chosen.min(0)) / 2  # `enlarge` is still to come
    return np.concatenate([chosen.mean(0) - reach, chosen.mean(0) + reach])


def _truncated(
    xy: Float[np.ndarray, "n 2"], box: Float[np.ndarray, " 4"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, " 4"], tuple[int, int, float] | None]:
    """The box up to a new edge of the picture, and the edge; none where fewer than three joints would stay."""
    axis, side = _SIDES[int(rng.choice(len(_SIDES), p=_SIDE_SHARES))]
    corner = axis + (2 if side > 0 else 0)
    place = float(box[corner] - side * rng.uniform(0.1, 0.5) * (box[2 + axis] - box[axis]))
    if (side * xy[:, axis] <= side * place).sum() < 3:
        return box, None
    box = box.copy()
    box[corner] = place
    return box, (axis, side, place)


def _affine(
    box: Float[np.ndarray, " 4"],
    size: tuple[int, int],
    enlarge: float,
    config: AugmentConfig,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "2 3"], bool]:
    """The map from pixels of the (turned) picture to crop pixels, and whether it mirrors."""
    own = config.rule == "own"
    spread, limit = (0.5, 1.0) if own else (1.0, 2.0)
    zoom = float(np.clip(1 + config.scale * spread * rng.normal(), 1 - config.scale, 1 + config.scale))
    zoom = zoom if own else 1 / zoom  # HRNet's factor is on the box
    turned = config.rotation * np.clip(spread * rng.normal(), -limit, limit)
    angle = np.deg2rad(turned) * (rng.random() < 0.6)
    mirrored = bool(rng.random() < config.flip)
    turn = zoom * rotation(angle)
    if mirrored:
        turn[0] *= -1
    return crop_affines(box[None], size, enlarge, turn[None])[0], mirrored
