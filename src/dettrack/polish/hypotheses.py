"""The hypotheses of a frame: all poses of each person from the tubes that cover it (paper 3.3).

They wait here, frame by frame, until no later tube can add one; then they become padded arrays, people x joints x
hypotheses, on which all of a frame is computed at once. A frame holds at most |C| hypotheses per person at S = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.geometry import boxes_with_joints
from dettrack.skeleton import JointSet
from dettrack.structures import Tracklets

__all__ = [
    "HEAD_SIZE_PER_HEIGHT",
    "HEAD_SIZE_PER_LENGTH",
    "FrameHypotheses",
    "HypothesisBuffer",
    "head_sizes",
    "masked_median",
]

# The evaluator's head size is 0.6 x the diagonal of the annotated head box. In PoseTrack18 the distance head top to
# head bottom is 0.7 of that diagonal, for all 14 people of the sample within rounding: 0.6 / 0.7. (In the Bonn
# trajectories the median of 1150 heads is 0.755; `lab/studies/association.py heads` prints both.)
HEAD_SIZE_PER_LENGTH = 6 / 7
# Head size over box height where no head is seen: between the medians of Bonn (0.141, 984 poses) and of PoseTrack18's
# samples (0.117, 3 poses); `lab/studies/association.py heads` counts them.
HEAD_SIZE_PER_HEIGHT = 0.13
_HEAD_CONFIDENCE = 0.2


@dataclass(frozen=True)
class FrameHypotheses:
    """All hypotheses of one frame; hypothesis 0 of a person is that of the nearest keyframe.

    Attributes:
        frame: Frame index.
        ids: `(people,)` track ids, ascending.
        xy: `(people, joints, h, 2)` pixels, NaN where there is none.
        scores: `(people, joints, h)` in [0, 1], 0 where there is none.
        boxes: `(people, 4)` box of the nearest keyframe, moved with the pose to this frame.
        detected: `(people,)` whether the nearest keyframe is this frame, and the detector found the person there.
    """

    frame: int
    ids: Int[np.ndarray, " people"]
    xy: Float[np.ndarray, "people joints h 2"]
    scores: Float[np.ndarray, "people joints h"]
    boxes: Float[np.ndarray, "people 4"]
    detected: Bool[np.ndarray, " people"]


@dataclass(frozen=True)
class _Part:
    """What one keyframe's tubes say about one frame."""

    ids: Int[np.ndarray, " n"]
    xy: Float[np.ndarray, "n joints 2"]
    scores: Float[np.ndarray, "n joints"]
    boxes: Float[np.ndarray, "n 4"]
    distance: int  # frames from the keyframe
    detected: Bool[np.ndarray, " n"]  # in the keyframe


class HypothesisBuffer:
    """Collects tracklets by frame."""

    def __init__(self) -> None:
        self._parts: dict[int, list[_Part]] = {}

    def add(self, tracklets: Tracklets, ids: Int[np.ndarray, " n"]) -> None:
        """Add one keyframe's tracklets; those with an id below 0 are left out.

        Args:
            tracklets: Of one keyframe.
            ids: Their tracks.
        """
        kept = np.flatnonzero(ids >= 0)
        if not len(kept):
            return
        tracklets, ids = tracklets[kept], ids[kept]
        key = tracklets.keyframe - int(tracklets.frames[0])
        boxes = boxes_with_joints(tracklets.boxes.xyxy, tracklets.xy, tracklets.scores, key)
        detected = np.ones(len(ids), bool) if tracklets.detected is None else tracklets.detected
        for c, frame in enumerate(tracklets.frames.tolist()):
            distance = abs(frame - tracklets.keyframe)
            part = _Part(ids, tracklets.xy[:, c], tracklets.scores[:, c], boxes[:, c], distance, detected)
            self._parts.setdefault(frame, []).append(part)

    def frames(self, before: int | None = None) -> list[int]:
        """Frames with hypotheses, ascending; only those before `before` if given."""
        return sorted(frame for frame in self._parts if before is None or frame < before)

    def take(self, frame: int) -> FrameHypotheses:
        """Remove one frame's hypotheses and return them as padded arrays."""
        parts = self._parts.pop(frame)
        ids = np.concatenate([part.ids for part in parts])
        distance = np.repeat([part.distance for part in parts], [len(part.ids) for part in parts])
        order = np.lexsort((distance, ids))
        ids, distance = ids[order], distance[order]
        people, first, row = np.unique(ids, return_index=True, return_inverse=True)
        place = np.arange(len(ids)) - first[row]
        xy_all = np.concatenate([part.xy for part in parts])[order]
        shape = (len(people), xy_all.shape[1], int(place.max()) + 1)
        xy, scores = np.full((*shape, 2), np.nan), np.zeros(shape)
        xy[row, :, place] = xy_all
        scores[row, :, place] = np.concatenate([part.scores for part in parts])[order]
        boxes = np.concatenate([part.boxes for part in parts])[order[first]]
        detected = np.concatenate([part.detected for part in parts])[order[first]] & (distance[first] == 0)
        return FrameHypotheses(frame, people, xy, scores, boxes.astype(np.float64), detected)


def masked_median(values: Float[np.ndarray, "*n h"], has: Bool[np.ndarray, "*n h"]) -> Float[np.ndarray, "*n"]:
    """Median along the last axis of the values that exist; NaN where none does.

    Args:
        values: Anything where `has` is False.
        has: Which values exist.

    Returns:
        NaN where none does.
    """
    count = has.sum(-1)
    ranked = np.sort(np.where(has, values, np.inf), -1)
    low = np.take_along_axis(ranked, (np.maximum(count - 1, 0) // 2)[..., None], -1)[..., 0]
    high = np.take_along_axis(ranked, (count // 2).clip(max=values.shape[-1] - 1)[..., None], -1)[..., 0]
    return np.where(count > 0, np.where(count % 2 == 1, low, (low + high) / 2), np.nan)


def head_sizes(hypotheses: FrameHypotheses, joint_set: JointSet) -> Float[np.ndarray, " people"]:
    """Head size of each person in pixels, as the evaluator would draw it; NaN where the head is not seen.

    The median over the hypotheses that see head top and head bottom of their distance, times `HEAD_SIZE_PER_LENGTH`.

    Args:
        hypotheses: Of one frame.
        joint_set: Its joints.

    Returns:
        Pixels.
    """
    if not {"head_top", "head_bottom"} <= set(joint_set.joints):
        return np.full(len(hypotheses.ids), np.nan)
    top, bottom = joint_set.index("head_top"), joint_set.index("head_bottom")
    distance = np.linalg.norm(hypotheses.xy[:, top] - hypotheses.xy[:, bottom], axis=-1)
    sure = (hypotheses.scores[:, top] >= _HEAD_CONFIDENCE) & (hypotheses.scores[:, bottom] >= _HEAD_CONFIDENCE)
    return HEAD_SIZE_PER_LENGTH * masked_median(distance, sure & (distance > 0))
