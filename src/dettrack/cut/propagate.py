"""Boxes that travel along a tube: where the detector's box has gone, by the joints found in the tube (paper 3.2)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from dettrack.structures import Tracklets

__all__ = ["box_at", "moved_boxes"]

_MIN_SHIFT_WEIGHT = 1e-3
# Frames at a tube's end from which the speed beyond it is taken.
_SPEED_FRAMES = 4


def moved_boxes(tracklets: Tracklets) -> Float[np.ndarray, "n clip 4"]:
    """The keyframe's boxes in every frame of the clip, moved by the mean shift of the joints seen in both.

    A joint weighs the lower of its two scores; without any, the box stays. The size is the keyframe's.
    """
    key = tracklets.keyframe - int(tracklets.frames[0])
    shift = tracklets.xy - tracklets.xy[:, key : key + 1]
    weight = np.minimum(tracklets.scores, tracklets.scores[:, key : key + 1])
    weight = np.where(np.isfinite(shift).all(-1), weight, 0.0)
    total = weight.sum(-1)[..., None]
    moved = np.einsum("ncj,ncjd->ncd", weight, np.where(np.isfinite(shift), shift, 0.0))
    moved = np.where(total > _MIN_SHIFT_WEIGHT, moved / np.maximum(total, _MIN_SHIFT_WEIGHT), 0.0)
    return tracklets.boxes.xyxy[:, None] + np.tile(moved, 2)


def box_at(
    tracklets: Tracklets, frames: Int[np.ndarray, " m"], moved: Float[np.ndarray, "n clip 4"] | None = None
) -> Float[np.ndarray, "n m 4"]:
    """The boxes in any frames: those of `moved_boxes` in the clip, beyond it moved on with the speed of its end.

    Args:
        tracklets: Of one keyframe.
        frames: Frame indices.
        moved: `moved_boxes(tracklets)`, where it is known already.
    """
    moved = moved_boxes(tracklets) if moved is None else moved
    first, last = int(tracklets.frames[0]), int(tracklets.frames[-1])
    inside = np.clip(frames, first, last)
    back = min(_SPEED_FRAMES, last - first)
    speeds = ((moved[:, back] - moved[:, 0]) / max(back, 1), (moved[:, -1] - moved[:, -1 - back]) / max(back, 1))
    speed = np.where((frames > last)[None, :, None], speeds[1][:, None], speeds[0][:, None])
    return moved[:, inside - first] + speed * (frames - inside)[None, :, None]
