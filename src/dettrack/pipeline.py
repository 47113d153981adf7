"""Video in, finished poses out: cut -> network -> sew -> polish, in one pass over the frames, with flat memory.

The only room that knows all steps. Frames stream through a window of one clip; a keyframe's tubes are cut as soon as
its clip is complete; a frame's poses leave as soon as no later tube covers it and its paths are decided.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dettrack.associate import Report, Segment, associate
from dettrack.config import TrackConfig
from dettrack.cut.clips import iter_clips
from dettrack.cut.estimate import ThriftyEstimator
from dettrack.cut.plan import Look, Refiner, Seen
from dettrack.cut.skipping import detector_turns, gaps_filled
from dettrack.finish.stages import check_after
from dettrack.models.detector import Detector, load_detector
from dettrack.models.detector.filters import filter_boxes, for_frame
from dettrack.models.pose import Estimator, load_estimator
from dettrack.models.pose.small import load_small_estimator
from dettrack.skeleton import JointSet
from dettrack.structures import Boxes, Clip, Frame, FrameStamp, Step, Tracklets, TrackTable
from dettrack.threads import ahead
from dettrack.video import open_video
from dettrack.video.sources import VideoSource

__all__ = ["KEYFRAMES_AT_ONCE", "Pipeline", "earliest_later_frame", "keyframes_at_once", "track", "track_all"]

# Keyframes whose tubes share a pass of the networks: enough to fill a batch, few enough to bound delay and memory.
KEYFRAMES_AT_ONCE = 4


# Pixels that one pass may hold; three passes are on their way at a time. Frames of 1920x1080 at S = 8 come in twos.
_PASS_BYTES = 100 << 20


def keyframes_at_once(frame_bytes: int, step: int) -> int:
    """How many keyframes share a pass: `KEYFRAMES_AT_ONCE`, fewer where frames are large and far apart; at least 1."""
    return max(1, min(KEYFRAMES_AT_ONCE, _PASS_BYTES // (frame_bytes * step)))


def earliest_later_frame(keyframe: int, clip_length: int, step: int) -> int:
    """First frame that a clip after the one at `keyframe` may cover.

    The next regular keyframe's clip starts at `keyframe + step - reach`; the extra keyframe at a shot's end
    (`cut.keyframe_indices`) is at least `keyframe + reach + 1`, so its clip starts at `keyframe + 1` or later.
    """
    return keyframe + min(step - clip_length // 2, 1)


@dataclass(frozen=True)
class _Work:
    """What one pass of the pose network gets, and the step that will come of it (see `Step`)."""

    people: list[tuple[Clip, Boxes | None]]  # None where the detector was left out
    stamps: tuple[FrameStamp, ...]
    final_before: int
    shot_ended: bool


class Pipeline:
    """Detector and network, loaded once, ready to track many videos one after the other.

    Decoding, detection, the pose network, and what follows it overlap in threads, with the results of one after the
    other (see `overlap`).
    """

    def __init__(
        self, config: TrackConfig | None = None, *, detector: Detector | None = None, ahead: int = 1, live: bool = False
    ) -> None:
        """Load the models.

        Args:
            config: All settings; the paper's by default.
            detector: Your own, instead of the one that `config.detect` names.
            ahead: How many steps a stage may be ahead of the next one; 0 does one thing after the other.
            live: Each keyframe goes through at once and by itself, so that poses come as early as they can; the frames
                must be of one shot.

        Raises:
            InputError: A weights file or the file of joint thresholds cannot be used.
            MissingExtraError: A weights file needs an optional dependency.
        """
        self.config, self.ahead, self.live = config or TrackConfig(), 0 if live else ahead, live
        options = self.config.estimate
        if detector is None:
            detector = load_detector(self.config.detect, device=options.device, threads=options.threads)
        self.detector = detector
        self.estimator: Estimator = load_estimator(options, self.config.cut)
        small = load_small_estimator(options, self.config.cut)
        self._thrifty = ThriftyEstimator(self.config, self.estimator, small)
        self._detecting = threading.Lock()
        check_after(self.config.finish, self.joint_set)

    @property
    def joint_set(self) -> JointSet:
        """Joints of the results."""
        return self.estimator.joint_set

    def track(self, frames: Iterable[Frame], report: Report | None = None) -> Iterator[Segment]:
        """Track the people in a stream of frames.

        Args:
            frames: Consecutive frames of one video.
            report: Filled on the way.

        Yields:
            Finished frames, in order, each frame exactly once.
        """
        report = report or Report()
        with ahead(self.tracklets(frames, report), self.ahead) as steps:
            yield from associate(steps, self.joint_set, self.config, report)

    def tracklets(self, frames: Iterable[Frame], report: Report | None = None) -> Iterator[Step]:
        """Cut and estimate only: the tracklets of one video, for `associate` or for saving.

        Args:
            frames: Consecutive frames of one video.
            report: Filled on the way.

        Yields:
            One step for every few keyframes.
        """
        report = report or Report()
        used_before = Counter(self._thrifty.counts)
        refiner = Refiner(
            self.config.cut,
            self.joint_set,
            lambda looks: self._look(looks, report),
            self.config.sew.joint_confidence,
            short=not self.estimator.temporal,
        )
        last: Seen | None = None
        with ahead(self._found(frames, report), self.ahead) as found:
            for work in found:
                grid = self._grid(work.people, last, report)
                made = refiner.add(grid) if self.config.cut.adaptive else [seen.tracklets for seen in grid]
                last = None if work.shot_ended else grid[-1]
                if work.shot_ended:
                    refiner.end_shot()
                yield Step(work.stamps, tuple(made), work.final_before, work.shot_ended)
        report.counts.update(self._thrifty.counts - used_before)
        report.counts.update(refiner.counts)

    def _found(self, frames: Iterable[Frame], report: Report) -> Iterator[_Work]:
        """Keyframes of the grid with their people, a few at a time."""
        cut = self.config.cut
        finest = 1 if cut.adaptive else cut.step
        stamps: list[FrameStamp] = []
        batch: list[Clip] = []
        shot_starts = True

        def work(final_before: int, *, shot_ended: bool = False) -> _Work:
            nonlocal shot_starts
            turns = detector_turns(len(batch), self.config.detect.detect_every, shot_starts=shot_starts)
            searched = iter(self._detect([clip for clip, turn in zip(batch, turns, strict=True) if turn], report))
            people: list[tuple[Clip, Boxes | None]] = [
                next(searched) if turn else (clip, None) for clip, turn in zip(batch, turns, strict=True)
            ]
            made = _Work(people, tuple(stamps), final_before, shot_ended)
            shot_starts = shot_ended
            batch.clear()
            stamps.clear()
            return made

        for clip in iter_clips(_stamped(frames, stamps, report), cut.clip_length, cut.step):
            if batch and (clip.keyframe.shot != batch[-1].keyframe.shot):
                yield work(clip.frames[0].index, shot_ended=True)
            elif batch and len(batch) >= keyframes_at_once(batch[0].keyframe.image.nbytes, cut.step):
                yield work(earliest_later_frame(batch[-1].keyframe.index, cut.clip_length, finest))
            batch.append(clip)
            if self.live:  # without waiting for the next clip, which would tell whether this one ends its shot
                yield work(earliest_later_frame(clip.keyframe.index, cut.clip_length, finest))
        if batch:
            yield work(batch[-1].frames[-1].index + 1, shot_ended=True)

    def _detect(self, batch: Sequence[Clip], report: Report, stage: str = "detect") -> list[tuple[Clip, Boxes]]:
        """Find people on the keyframes."""
        work: list[tuple[Clip, Boxes]] = []
        if not batch:
            return work
        with self._detecting:  # the grid is searched ahead, in another thread
            with report.stage(stage):
                found = self.detector.detect([clip.keyframe for clip in batch])
            for clip, raw in zip(batch, found, strict=True):
                boxes, dropped = filter_boxes(raw, for_frame(self.config.detect, clip.keyframe.image))
                report.dropped.update(dropped)
                report.counts["keyframes"] += 1
                report.counts["boxes"] += len(boxes)
                work.append((clip, boxes))
        return work

    def _estimate(self, people: Sequence[tuple[Clip, Boxes]], report: Report) -> list[Tracklets]:
        with report.stage("estimate"):
            return self._thrifty.estimate(people)

    def _grid(self, people: Sequence[tuple[Clip, Boxes | None]], last: Seen | None, report: Report) -> list[Seen]:
        """Keyframes of the grid, also those that the detector left out."""
        made = iter(self._estimate([(clip, boxes) for clip, boxes in people if boxes is not None], report))
        row = [None if boxes is None else Seen(clip, next(made)) for clip, boxes in people]
        clips = [clip for clip, _ in people]
        if last is None:
            return gaps_filled(row, clips, lambda asked: self._look_between(asked, report))
        return gaps_filled([last, *row], [last.clip, *clips], lambda asked: self._look_between(asked, report))[1:]

    def _look_between(self, asked: Sequence[tuple[Clip, Boxes | None]], report: Report) -> list[Tracklets]:
        """Estimate at boxes moved there from other keyframes, or where there are none, at those of the detector."""
        searched = iter(self._detect([clip for clip, boxes in asked if boxes is None], report, "detect_added"))
        work = [next(searched) if boxes is None else (clip, boxes) for clip, boxes in asked]
        made = []
        for (_, boxes), tracklets in zip(asked, self._estimate(work, report), strict=True):
            if boxes is not None:
                report.counts["keyframes_not_searched"] += 1
                tracklets = replace(tracklets, detected=np.zeros(len(tracklets), bool))
            made.append(tracklets)
        return made

    def _look(self, looks: Sequence[Look], report: Report) -> list[Tracklets]:
        """Detect and estimate on added keyframes, for the people in question."""
        found = self._detect([look.clip for look in looks], report, "detect_added")
        asked = [(clip, boxes[look.about(boxes.xyxy)]) for look, (clip, boxes) in zip(looks, found, strict=True)]
        return self._estimate(asked, report)


def _stamped(frames: Iterable[Frame], stamps: list[FrameStamp], report: Report) -> Iterator[Frame]:
    iterator = iter(frames)
    while True:
        with report.stage("read"):
            frame = next(iterator, None)
        if frame is None:
            return
        stamps.append(FrameStamp(frame.index, frame.time_s, frame.shot, frame.name))
        yield frame


def track(
    source: VideoSource, config: TrackConfig | None = None, *, start_s: float = 0.0, end_s: float | None = None
) -> Iterator[Segment]:
    """Track every person in a video; finished frames arrive while it is read, memory stays flat.

    Args:
        source: Video file, GIF, folder of frames, or a list of image files.
        config: All settings; the paper's by default.
        start_s: Skip frames before this timestamp, in seconds.
        end_s: Stop at this timestamp, in seconds; None reads to the end.

    Yields:
        `Segment`s: consecutive finished frames with the poses in them.

    Raises:
        InputError: The video or a weights file cannot be used.
    """
    config = config or TrackConfig()
    pipeline = Pipeline(config)
    with open_video(source, start_s=start_s, end_s=end_s, shots=config.cut.shots) as video:
        yield from pipeline.track(video)


def track_all(
    source: VideoSource, config: TrackConfig | None = None, *, start_s: float = 0.0, end_s: float | None = None
) -> TrackTable:
    """`track`, gathered into one table (see there)."""
    config = config or TrackConfig()
    pipeline = Pipeline(config)
    with open_video(source, start_s=start_s, end_s=end_s, shots=config.cut.shots) as video:
        tables = [segment.table for segment in pipeline.track(video)]
    return TrackTable.concatenate(tables, pipeline.joint_set)
