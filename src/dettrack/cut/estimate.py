"""The networks on the keyframes' people: boxes into tubes, tubes into tracklets (paper 3.1).

Beyond the paper, and off in it: **smaller crops** (`EstimateConfig.small_crops_below`). A person of sixty pixels gains
nothing from a crop of two hundred. The networks of this package are fully convolutional, so the same weights take
smaller crops; models from files of others have one size and keep it. `docs/keyframes.md` says what it costs and saves.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool

from dettrack.cut.clips import make_tubes
from dettrack.models.pose import Estimator
from dettrack.structures import Boxes, Clip, Tracklets
from dettrack.structures.report import Report, Tally

__all__ = ["TubeEstimation", "small_people"]


def small_people(boxes: Boxes, size: tuple[int, int], below: float) -> Bool[np.ndarray, " n"]:
    """Who is lower than `below` pixels, wide people counting as high as the crop that holds them.

    Args:
        boxes: People.
        size: Height and width of the crop.
        below: Pixels.

    Returns:
        Which of the boxes.
    """
    sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    return np.maximum(sides[:, 1], sides[:, 0] * size[0] / size[1]) < below


@dataclass(frozen=True)
class TubeEstimation:
    """Cuts the tubes of keyframes and estimates them, small people in smaller crops where there are any.

    Attributes:
        estimator: The network.
        enlarge: Factor by which a box grows in both dimensions before the tube is cut.
        small: The same network with smaller crops; None where there is none.
        small_below: People lower than this many pixels go to `small`.
        lock: Held while the networks work, where others use them too.
    """

    estimator: Estimator
    enlarge: float
    small: Estimator | None = None
    small_below: float = 0.0
    lock: AbstractContextManager[Any] = field(default_factory=nullcontext)

    def estimate(self, people: Sequence[tuple[Clip, Boxes]]) -> tuple[list[Tracklets], Tally]:
        """The people of several keyframes in every frame of their clips.

        Args:
            people: Clips with the boxes of their keyframes.

        Returns:
            For each item its tracklets, one for each box, in their order; and the counts of tubes and of crops by size
            ("crops_192x160": height x width), with the time that it took.
        """
        report = Report()
        shares: list[list[tuple[np.ndarray, Tracklets]]] = [[] for _ in people]
        with self.lock, report.timed("estimate"):
            for estimator, rows in self._shares(people):
                tubes = [
                    (clip, make_tubes(boxes[keep], estimator.size, self.enlarge))
                    for (clip, boxes), keep in zip(people, rows, strict=True)
                ]
                for clip, cut in tubes:
                    if len(cut):
                        report.counts["tubes"] += len(cut)
                        report.counts["crops_{}x{}".format(*cut.size)] += len(cut) * len(clip.frames)
                for share, keep, made in zip(shares, rows, estimator.estimate(tubes), strict=True):
                    share.append((keep, made))
        return [_joined(share, boxes) for share, (_, boxes) in zip(shares, people, strict=True)], report.tally()

    def _shares(self, people: Sequence[tuple[Clip, Boxes]]) -> list[tuple[Estimator, list[np.ndarray]]]:
        """Which boxes of each keyframe each network gets."""
        if self.small is None:
            return [(self.estimator, [np.ones(len(boxes), bool) for _, boxes in people])]
        small = [small_people(boxes, self.small.size, self.small_below) for _, boxes in people]
        return [(self.estimator, [~rows for rows in small]), (self.small, small)]


def _joined(shares: Sequence[tuple[Bool[np.ndarray, " n"], Tracklets]], boxes: Boxes) -> Tracklets:
    """The tracklets of disjoint rows of the boxes, in the boxes' order."""
    if len(shares) == 1:
        return shares[0][1]
    order = np.argsort(np.concatenate([np.flatnonzero(rows) for rows, _ in shares]))
    xy = np.concatenate([tracklets.xy for _, tracklets in shares])[order]
    scores = np.concatenate([tracklets.scores for _, tracklets in shares])[order]
    return replace(shares[0][1], boxes=boxes, xy=xy, scores=scores)
