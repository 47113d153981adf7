"""Loses a share of the boxes on purpose, to measure what the tubes recover (paper table 9: weak detectors).

Two ways, both repeatable from the seed: every box by itself, or in runs of N frames per person, as happens behind an
obstacle. For runs, boxes of successive keyframes are joined to persons by overlap; that is good enough to make runs,
and no part of the tracking.

    detector = DroppingDetector(load_detector(config.detect), config.detect, share=0.6, run_length=10)
    Pipeline(config, detector=detector)

Keyframes must come in the order of the video: a fixed step, no adaptive keyframes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.config import DetectConfig
from dettrack.errors import UsageError
from dettrack.geometry import box_iou
from dettrack.matching import match_matrix
from dettrack.models.detector.filters import filter_boxes, for_frame
from dettrack.models.detector.protocol import Detector
from dettrack.structures import Boxes, Frame

__all__ = ["BoxDropper", "DroppingDetector", "OverlapLinker"]

_SAME_PERSON_IOU = 0.3
_REMEMBERED_KEYFRAMES = 16


class OverlapLinker:
    """Numbers the persons of successive keyframes by the overlap of their boxes."""

    def __init__(self) -> None:
        self._shot = 0
        self._next = 0
        self._xyxy = np.zeros((0, 4))
        self._people = np.zeros(0, np.int64)
        self._age = np.zeros(0, np.int64)

    def number(self, frame: Frame, xyxy: Float[np.ndarray, "n 4"]) -> Int[np.ndarray, " n"]:
        """Number of the person in each box; a shot cut starts anew, numbers are not used again.

        Args:
            frame: The keyframe.
            xyxy: Its boxes.

        Returns:
            Numbers of people.
        """
        if frame.shot != self._shot:
            self._shot = frame.shot
            self._forget(np.zeros(len(self._people), bool))
        people = np.full(len(xyxy), -1, np.int64)
        iou = box_iou(self._xyxy, xyxy)
        old, new = match_matrix(iou)
        same = iou[old, new] >= _SAME_PERSON_IOU
        old, new = old[same], new[same]
        people[new] = self._people[old]
        fresh = people < 0
        people[fresh] = self._next + np.arange(fresh.sum())
        self._next += int(fresh.sum())
        self._age += 1
        stay = self._age < _REMEMBERED_KEYFRAMES
        stay[old] = False
        self._forget(stay)
        self._xyxy = np.concatenate([self._xyxy, xyxy])
        self._people = np.concatenate([self._people, people])
        self._age = np.concatenate([self._age, np.zeros(len(xyxy), np.int64)])
        return people

    def _forget(self, stay: Bool[np.ndarray, " known"]) -> None:
        self._xyxy, self._people, self._age = self._xyxy[stay], self._people[stay], self._age[stay]


class _Runs:
    """One person's timeline: dropped runs of exactly `length` frames between kept gaps of random length.

    Gaps are geometric with the mean that makes the wanted share; the timeline starts at a random point of this
    process, so the share holds from the first frame on.
    """

    def __init__(self, start: int, share: float, length: int, rng: np.random.Generator) -> None:
        self._length, self._rng = length, rng
        mean_gap = length * (1 - share) / share
        # At least one kept frame between runs where the share leaves room for it; else runs may touch.
        self._shortest = 1 if mean_gap >= 1 else 0
        self._stop = 1 / (mean_gap + 1 - self._shortest)
        self._dropping = bool(rng.random() < share)
        self._until = start + (int(rng.integers(1, length + 1)) if self._dropping else int(rng.geometric(self._stop)))

    def drops(self, frame: int) -> bool:
        """Whether `frame` falls in a dropped run; frames come in order."""
        while frame >= self._until:
            self._dropping = not self._dropping
            gap = int(self._rng.geometric(self._stop)) - 1 + self._shortest
            self._until += self._length if self._dropping else gap
        return self._dropping


class BoxDropper:
    """Decides which boxes are lost; the same seed and the same boxes lose the same ones."""

    def __init__(self, share: float, run_length: int = 1, seed: int = 0) -> None:
        """Set up.

        Args:
            share: Share of boxes to lose, in [0, 1].
            run_length: Frames in a run of losses of one person; 1 loses each box by itself.
            seed: Seed.

        Raises:
            UsageError: A share or a length that makes no sense.
        """
        if not 0 <= share <= 1 or run_length < 1:
            raise UsageError(
                f"cannot lose {share} of the boxes in runs of {run_length}: expected 0 to 1, and 1 or more"
            )
        self._share, self._run_length, self._seed = share, run_length, seed
        self._linker = OverlapLinker()
        self._runs: dict[int, _Runs] = {}

    def kept(self, frame: Frame, xyxy: Float[np.ndarray, "n 4"]) -> Bool[np.ndarray, " n"]:
        """Which boxes of a keyframe stay; keyframes come in the order of the video.

        Args:
            frame: The keyframe.
            xyxy: Its boxes.

        Returns:
            Which of them.
        """
        if self._run_length == 1 or self._share in (0.0, 1.0):
            rng = np.random.default_rng((self._seed, frame.index))
            return rng.random(len(xyxy)) >= self._share
        people = self._linker.number(frame, xyxy)
        for person in people.tolist():
            if person not in self._runs:
                rng = np.random.default_rng((self._seed, person))
                self._runs[person] = _Runs(frame.index, self._share, self._run_length, rng)
        return np.array([not self._runs[person].drops(frame.index) for person in people.tolist()], bool)


class DroppingDetector:
    """A detector that loses boxes.

    Boxes are filtered before the loss: a person whose best box is lost must not come back by a duplicate of it.

    Attributes:
        counts: Boxes removed so far by reason: the filter's own, and `boxes_dropped_on_purpose`.
        description: Of the detector, and what is lost.
    """

    def __init__(
        self, detector: Detector, config: DetectConfig, share: float, run_length: int = 1, seed: int = 0
    ) -> None:
        """Wrap a detector.

        Args:
            detector: Finds the boxes.
            config: Thresholds of the filter.
            share: Share of boxes to lose, in [0, 1].
            run_length: Frames in a run of losses of one person; 1 loses each box by itself.
            seed: Seed.

        Raises:
            UsageError: A share or a length that makes no sense.
        """
        self._detector, self._config = detector, config
        self._new = partial(BoxDropper, share, run_length, seed)
        self._dropper = self._new()
        self._last = -1
        self.counts: Counter[str] = Counter()
        how = "one by one" if run_length == 1 else f"in runs of {run_length} frames"
        self.description = f"{detector.description}, {share:.0%} of the boxes dropped {how}, seed {seed}"

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`; frames must come in order, and an earlier frame starts a new video."""
        found = []
        for frame, raw in zip(frames, self._detector.detect(frames), strict=True):
            boxes, removed = filter_boxes(raw, for_frame(self._config, frame.image))
            if frame.index <= self._last:
                self._dropper = self._new()
            self._last = frame.index
            keep = self._dropper.kept(frame, boxes.xyxy)
            self.counts.update(removed)
            self.counts["boxes_dropped_on_purpose"] += int((~keep).sum())
            found.append(boxes[keep])
        return found
