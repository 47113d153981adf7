"""Who is whose prediction: joint distances in head sizes, and the official assignment of people (AP).

Tracking measures do not use the assignment of people: they match each joint on its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.errors import InputError
from dettrack.evaluation.prepare import Prepared
from dettrack.evaluation.rules import MATCH_DISTANCE
from dettrack.formats.posetrack import head_box_sizes

__all__ = ["FramePairs", "assign_people", "frame_pairs"]


@dataclass(frozen=True)
class FramePairs:
    """All pairs of a predicted and an annotated person of one frame.

    Attributes:
        gt: Rows of the annotated people in `Prepared.gt`.
        pred: Rows of the predicted people in `Prepared.pred`.
        has_gt: `(g, 15)` annotated joints.
        has_pred: `(p, 15)` predicted joints.
        distance: `(p, g, 15)` in head sizes of the annotated person; infinite where either joint is missing.
    """

    gt: slice
    pred: slice
    has_gt: Bool[np.ndarray, "g 15"]
    has_pred: Bool[np.ndarray, "p 15"]
    distance: Float[np.ndarray, "p g 15"]

    @property
    def match(self) -> Bool[np.ndarray, "p g 15"]:
        """Pairs of joints within the threshold, its border included."""
        return self.distance <= MATCH_DISTANCE


def frame_pairs(data: Prepared) -> Iterator[FramePairs]:
    """The pairs of each frame that counts, in order.

    Raises:
        InputError: An annotated person has no head box, in a frame where there are predictions.
    """
    heads = head_box_sizes(data.gt.head_box)
    has_gt, has_pred = ~np.isnan(data.gt.xy[..., 0]), ~np.isnan(data.pred.xy[..., 0])
    for i, (gt, pred) in enumerate(zip(data.rows(data.gt), data.rows(data.pred), strict=True)):
        if pred.stop > pred.start and np.isnan(heads[gt]).any():
            raise InputError(
                f"{data.name}: an annotated person in frame {data.frames[i]} has no head box, and distances are "
                "measured in head sizes; add bbox_head (PoseTrack17: x1, y1, x2, y2)"
            )
        delta = data.pred.xy[pred][:, None] - data.gt.xy[gt][None]
        # vecdot rounds as the official norm of one pair does, which matters exactly on the threshold.
        with np.errstate(divide="ignore", invalid="ignore"):  # a head box without area matches nothing
            distance = np.sqrt(np.vecdot(delta, delta)) / heads[gt][None, :, None]
        distance[np.isnan(distance)] = np.inf
        yield FramePairs(gt, pred, has_gt[gt], has_pred[pred], distance)


def assign_people(pairs: FramePairs) -> Int[np.ndarray, " p"]:
    """The official assignment of predicted to annotated people: greedy, in one pass, without scores.

    Each prediction competes only for the annotated person whose joints it hits best (the share of that person's joints
    that it has within the threshold; the first of equals). Each annotated person then takes the best of the
    predictions that compete for it. A prediction that loses gets no second choice.

    Returns:
        For each predicted person its annotated person in the frame, -1 for none.
    """
    p, g = pairs.distance.shape[:2]
    assigned = np.full(p, -1)
    if p == 0 or g == 0:
        return assigned
    share = pairs.match.sum(2) / np.maximum(pairs.has_gt.sum(1), 1)
    best = share.argmax(1)
    competing = np.zeros((p, g))
    competing[np.arange(p), best] = share[np.arange(p), best]
    winner = competing.argmax(0)
    taken = np.flatnonzero(competing.max(0) > 0)
    assigned[winner[taken]] = taken
    return assigned
