"""The detector on keyframes, in a thread of its own (paper 3.1, 4.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from dettrack.config import DetectConfig
from dettrack.cut.clips import KeyframeGroup
from dettrack.cut.plan import Visit
from dettrack.models.detector import Detector
from dettrack.models.detector.filters import filter_boxes, for_frame
from dettrack.models.detector.protocol import on_video
from dettrack.structures import Boxes, Clip
from dettrack.structures.report import Report, Tally

__all__ = ["DetectionThread"]


class DetectionThread:
    """Finds people on keyframes; a context manager.

    One thread reads the keyframes of the grid and searches them ahead, and searches added keyframes as they are
    requested: the detector is never used in two threads at a time.
    """

    def __init__(
        self,
        detector: Detector,
        config: DetectConfig,
        ahead: int = 1,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """Start the thread.

        Args:
            detector: Used by this thread from now on.
            config: Which of its boxes become tubes.
            ahead: How many groups of keyframes may be read and searched while the caller works on one.
            lock: Held while the detector works, where others use it too.
        """
        self._detector, self._config, self._ahead = detector, config, ahead
        self._lock = lock or nullcontext()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dettrack detect")
        self._searched: dict[int, tuple[list[Boxes], Tally]] = {}  # by the first keyframe of a group
        self._partial = False  # whether a group was not searched

    def search(self, groups: Iterator[KeyframeGroup]) -> Iterator[KeyframeGroup]:
        """The groups, read in the thread, each once the detector has searched it where it is to be visited."""
        waiting: deque[Future[KeyframeGroup | None]] = deque()
        while True:
            if not waiting:
                waiting.append(self._thread.submit(self._search_next, groups))
            group = waiting.popleft().result()
            if group is None:
                return
            while len(waiting) < self._ahead:
                waiting.append(self._thread.submit(self._search_next, groups))
            yield group

    def find(self, visits: Sequence[Visit]) -> tuple[list[tuple[Clip, Boxes]], Tally]:
        """The people for whom keyframes are visited.

        Args:
            visits: All to one group of `search`, or all to added keyframes.

        Returns:
            For each visit its clip and the boxes of its requested people; and what was counted.
        """
        first = visits[0].clip.keyframe.index
        clips = [visit.clip for visit in visits]
        if first in self._searched:
            found, tally = self._searched.pop(first)
        else:
            found, tally = self._thread.submit(self._detect, clips, "detect_added").result()
        people = []
        for visit, boxes in zip(visits, found, strict=True):
            kept = boxes if visit.requested is None else boxes[visit.requested.among(boxes.xyxy)]
            people.append((visit.clip, kept))
        return people, tally

    def _search_next(self, groups: Iterator[KeyframeGroup]) -> KeyframeGroup | None:
        group = next(groups, None)
        if group is None:
            return None
        if not group.visit:
            self._partial = True
        else:
            self._searched[group.clips[0].keyframe.index] = self._detect(group.clips, "detect")
        return group

    def _detect(self, clips: Sequence[Clip], stage: str) -> tuple[list[Boxes], Tally]:
        report = Report()
        with self._lock, report.timed(stage):
            found = self._detector.detect([clip.keyframe for clip in clips])
        kept = []
        for clip, raw in zip(clips, found, strict=True):
            boxes, dropped = filter_boxes(raw, for_frame(self._config, clip.keyframe.image))
            report.dropped.update(dropped)
            kept.append(boxes)
        report.counts.update(keyframes=len(clips), boxes=sum(map(len, kept)))
        return kept, report.tally()

    def __enter__(self) -> DetectionThread:
        self._video = on_video(self._detector)
        self._detector = self._video.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
        if not self._partial:  # of a part of a video a detector cannot say whether it knows the video
            self._video.__exit__(kind, error, trace)
