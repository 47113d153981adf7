"""Keyframes without the detector, where it would say nothing new (`DetectConfig.detect_every`).

Beyond the paper. The boxes of the keyframes on either side, moved along their tubes and on with their speed, meet in
the keyframe between. Where each person of one side has one of the other there, and all were found with confidence,
their tubes are cut at the mean of the two boxes: the detector is not asked. Somebody who comes or goes is on one side
only, so that it is asked. Such people count as recovered in the keyframe, not as detected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from dettrack.cut.plan import Seen
from dettrack.geometry import box_iou
from dettrack.matching import match_matrix
from dettrack.structures import Boxes, Clip, Tracklets

__all__ = ["detector_turns", "expected_boxes", "gaps_filled"]

_SAME = 0.6  # box overlap from which both sides mean the same person in the same place
_SURE = 0.5  # detector score


def detector_turns(keyframes: int, every: int, *, shot_starts: bool) -> list[bool]:
    """Which of the next keyframes the detector looks at: every n-th, the last, and the first of a shot."""
    return [(i % every == every - 1) or i == keyframes - 1 or (shot_starts and i == 0) for i in range(keyframes)]


def expected_boxes(left: Seen, right: Seen, keyframe: int) -> Boxes | None:
    """Where the people of two keyframes are in one between; None where the two do not agree about everybody.

    Args:
        left: The earlier keyframe.
        right: The later one, of the same shot.
        keyframe: Frame index between them.
    """
    sides = (left, right)
    if len(left.tracklets) != len(right.tracklets):
        return None
    if any((side.tracklets.boxes.scores < _SURE).any() for side in sides):
        return None
    a, b = (side.boxes_at(keyframe) for side in sides)
    shared = box_iou(a, b)
    i, j = match_matrix(shared)
    if len(i) < len(a) or (shared[i, j] < _SAME).any():
        return None
    scores = [side.tracklets.boxes.scores[rows] for side, rows in zip(sides, (i, j), strict=True)]
    return Boxes((a[i] + b[j]) / 2, np.minimum(*scores))


def gaps_filled(
    row: Sequence[Seen | None],
    clips: Sequence[Clip],
    look: Callable[[Sequence[tuple[Clip, Boxes | None]]], list[Tracklets]],
) -> list[Seen]:
    """Look at the keyframes that were left out, middle of each gap first.

    Args:
        row: Keyframes in order, None for those left out; the first and last are known.
        clips: Their clips.
        look: Estimates at the given boxes, or where there are none, at those of the detector.
    """
    filled = list(row)
    while None in filled:
        known = [i for i, seen in enumerate(filled) if seen is not None]
        middles = [(a, (a + b) // 2, b) for a, b in pairwise(known) if b - a > 1]
        asked = []
        for a, middle, b in middles:
            left, right = filled[a], filled[b]
            if left is not None and right is not None:
                asked.append((clips[middle], expected_boxes(left, right, clips[middle].keyframe.index)))
        for (_, middle, _), (clip, _), tracklets in zip(middles, asked, look(asked), strict=True):
            filled[middle] = Seen(clip, tracklets)
    return [seen for seen in filled if seen is not None]
