"""Work avoided inside a keyframe: smaller crops for small people, and a time stride in the tubes.

Both are off by default, because the paper has neither; `docs/keyframes.md` says what they cost and save.

* **Smaller crops** (`EstimateConfig.small_crops_below`): a person of sixty pixels gains nothing from a crop of two
  hundred. The networks of this package are fully convolutional, so the same weights take smaller crops; models from
  files of others have one size and keep it.
* **Time stride** (`CutConfig.tube_stride`): a 2D network looks at every n-th frame of a tube, counted from the
  keyframe, and at both ends; positions and scores in between lie on straight lines. Temporal networks need every frame.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int

from dettrack.config import TrackConfig
from dettrack.cut.clips import make_tubes
from dettrack.errors import UsageError
from dettrack.models.pose import Estimator
from dettrack.structures import Boxes, Clip, Tracklets, Tubes

__all__ = ["ThriftyEstimator", "filled", "frames_to_look_at", "small_people"]


def frames_to_look_at(length: int, key: int, stride: int) -> Int[np.ndarray, " places"]:
    """Places in a clip of `length` frames: every `stride`-th from the keyframe at `key` on, and both ends."""
    return np.unique([0, length - 1, *range(key, length, stride), *range(key, -1, -stride)])


def filled(tracklets: Tracklets, clip: Clip) -> Tracklets:
    """Tracklets of some frames of a clip -> of all its frames, by straight lines.

    Args:
        tracklets: Of ascending frames of the clip, its first and last among them. A joint that is NaN in a frame is
            NaN up to the next frames on either side.
        clip: The whole clip.
    """
    wanted, known = clip.indices, tracklets.frames
    if len(known) == len(wanted):
        return tracklets
    right = np.searchsorted(known, wanted).clip(1)
    left = right - 1
    share = (wanted - known[left]) / (known[right] - known[left])

    def between(values: np.ndarray) -> np.ndarray:
        weight = share.reshape(1, -1, *(1,) * (values.ndim - 2))
        # A NaN of one side counts in frames between only, not in the frame where the other side is known.
        lines = values[:, left] * (1 - weight) + values[:, right] * weight
        at_left, at_right = weight == 0, weight == 1
        return np.where(at_left, values[:, left], np.where(at_right, values[:, right], lines))

    return replace(tracklets, frames=wanted, xy=between(tracklets.xy), scores=between(tracklets.scores))


def small_people(boxes: Boxes, size: tuple[int, int], below: float) -> Bool[np.ndarray, " n"]:
    """Who is lower than `below` pixels, wide people counting as high as the crop that holds them."""
    sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    return np.maximum(sides[:, 1], sides[:, 0] * size[0] / size[1]) < below


class ThriftyEstimator:
    """Cuts the tubes of keyframes and estimates them, with no more crops and pixels than the settings ask for.

    Attributes:
        counts: Tubes, and crops by size ("crops_192x160": height x width).
    """

    def __init__(self, config: TrackConfig, estimator: Estimator, small: Estimator | None) -> None:
        """Take the models.

        Args:
            config: Settings.
            estimator: The network.
            small: The same with smaller crops; None where there are none.

        Raises:
            UsageError: A time stride is asked for, and the network needs every frame.
        """
        if config.cut.tube_stride > 1 and estimator.temporal:
            raise UsageError(
                f"--tube-stride {config.cut.tube_stride}: {estimator.description} has temporal filters and needs every "
                "frame of a tube; take --tube-stride 1, or --variant none with a 2D network"
            )
        self._config, self._estimator, self._small = config, estimator, small
        self.counts: Counter[str] = Counter()

    def estimate(self, work: Sequence[tuple[Clip, Boxes]]) -> list[Tracklets]:
        """The tracklets of each item, one for each of its boxes, in their order."""
        stride = self._config.cut.tube_stride
        thin = [_thin(clip, frames_to_look_at(len(clip.frames), clip.key, stride)) for clip, _ in work]
        parts: defaultdict[int, list[tuple[np.ndarray, Tracklets]]] = defaultdict(list)
        for estimator, rows in self._shares(work):
            tubes = [
                (clip, make_tubes(boxes[keep], estimator.size, self._config.cut.enlarge))
                for clip, (_, boxes), keep in zip(thin, work, rows, strict=True)
            ]
            self._count(tubes)
            for item, (keep, made) in enumerate(zip(rows, estimator.estimate(tubes), strict=True)):
                parts[item].append((keep, made))
        return [filled(_joined(parts[item], boxes), clip) for item, (clip, boxes) in enumerate(work)]

    def _shares(self, work: Sequence[tuple[Clip, Boxes]]) -> list[tuple[Estimator, list[np.ndarray]]]:
        """Which boxes of each item each network gets."""
        if self._small is None:
            return [(self._estimator, [np.ones(len(boxes), bool) for _, boxes in work])]
        below, size = self._config.estimate.small_crops_below, self._small.size
        small = [small_people(boxes, size, below) for _, boxes in work]
        return [(self._estimator, [~rows for rows in small]), (self._small, small)]

    def _count(self, tubes: Sequence[tuple[Clip, Tubes]]) -> None:
        for clip, cut in tubes:
            self.counts["tubes"] += len(cut)
            self.counts["crops_{}x{}".format(*cut.size)] += len(cut) * len(clip.frames)


def _thin(clip: Clip, places: Int[np.ndarray, " places"]) -> Clip:
    if len(places) == len(clip.frames):
        return clip
    return Clip(tuple(clip.frames[i] for i in places), int(np.searchsorted(places, clip.key)))


def _joined(parts: Sequence[tuple[np.ndarray, Tracklets]], boxes: Boxes) -> Tracklets:
    """Parts for disjoint rows of the boxes -> one, in the boxes' order."""
    if len(parts) == 1:
        return parts[0][1]
    order = np.argsort(np.concatenate([np.flatnonzero(rows) for rows, _ in parts]))
    xy = np.concatenate([tracklets.xy for _, tracklets in parts])[order]
    scores = np.concatenate([tracklets.scores for _, tracklets in parts])[order]
    return replace(parts[0][1], boxes=boxes, xy=xy, scores=scores)
