"""Video in, finished poses out: cut, sew and polish in one pass over the frames, with flat memory.

Frames stream through a window of one clip; a keyframe's tubes are cut as soon as its clip is complete; a frame's poses
leave as soon as no later tube covers it and its paths are decided.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, runtime_checkable

from dettrack.associate import associate
from dettrack.config import TrackConfig
from dettrack.cut.clips import KeyframeGroup, group_keyframes
from dettrack.cut.detect import DetectionThread
from dettrack.cut.estimate import TubeEstimation
from dettrack.cut.known import KnownBatches, Span, needed
from dettrack.cut.plan import Planner
from dettrack.finish.stages import check_finish
from dettrack.models.detector import Detector, load_detector
from dettrack.models.pose import Estimator, load_estimators
from dettrack.report import Report
from dettrack.skeleton import JointSet
from dettrack.structures import Frame, Segment, TrackletBatch, TrackTable, VideoInfo
from dettrack.threads import ahead
from dettrack.video import open_video
from dettrack.video.sources import VideoSource

__all__ = ["BatchSink", "Pipeline", "Run", "Video", "track", "track_all"]

_SOME_BATCH = 8  # of a model that does not say how many crops it takes


@runtime_checkable
class Video(Protocol):
    """Frames with what is known of them: `video.VideoReader`, `video.live.LiveFrames`, or anything like them."""

    @property
    def info(self) -> VideoInfo | None:
        """What is known before the frames are read; None: nothing."""
        ...

    @property
    def notes(self) -> list[str]:
        """What went wrong on the way, one line each."""
        ...

    @property
    def complete(self) -> bool:
        """False once reading has stopped before the end of the source."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...


@dataclass(frozen=True)
class _PlainFrames:
    """Frames of which nothing more is known, as a `Video`."""

    frames: Iterable[Frame]
    info: VideoInfo | None = None
    notes: list[str] = field(default_factory=list)
    complete: bool = True

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)


@runtime_checkable
class BatchSink(Protocol):
    """Takes the tracklets of a run before they are sewn, such as `formats.tracklets.TrackletWriter`."""

    def write(self, batch: TrackletBatch) -> None:
        """Take the next batch."""
        ...


class Run:
    """One video being tracked: iterate it for finished segments, once; memory stays flat.

    Also a context manager: `close` stops early.

    Attributes:
        video: The video.
        joint_set: Joints of the results.
        report: Counts, what was dropped and why, and seconds by stage; complete after the last segment, and also after
            a run that broke off.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        video: Video,
        *,
        immediate: bool = False,
        save: BatchSink | None = None,
        known: KnownBatches | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; nothing is read before the first segment is wanted. See `Pipeline.track`.

        Args:
            pipeline: Models and settings.
            video: The video.
            immediate: Poses come as early as they can.
            save: Receives the tracklets too.
            known: Tracklets that an earlier run has found already, which are not searched for again.
            close: Called at the end of the run, in whatever way it ends.
        """
        self.video = video
        self.joint_set = pipeline.joint_set
        self.report = Report()
        self._ended = False
        self._close = close or (lambda: None)
        made = pipeline.tracklets(video, immediate=immediate, known=known)
        self._segments = self._track(pipeline, made, 0 if immediate else pipeline.ahead, save)

    @property
    def notes(self) -> list[str]:
        """What went wrong with the video on the way, one line each; all of them after the last segment."""
        return list(self.video.notes)

    @property
    def complete(self) -> bool:
        """Whether the run has come to its end, and the video could be read to its own."""
        return self._ended and self.video.complete

    def __iter__(self) -> Iterator[Segment]:
        return self._segments

    def gather(self) -> TrackTable:
        """All remaining segments as one table."""
        return TrackTable.concatenate((segment.table for segment in self), self.joint_set)

    def close(self) -> None:
        """Stop; safe to call again."""
        self._segments.close()
        self._close()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _track(
        self, pipeline: Pipeline, made: Iterator[TrackletBatch], depth: int, save: BatchSink | None
    ) -> Generator[Segment, None, None]:
        rate = self.video.info.fps if self.video.info else None
        try:
            with ahead(made, depth) as batches:
                yield from associate(
                    batches if save is None else _saved(batches, save),
                    self.joint_set,
                    pipeline.config,
                    fps=None if rate is None else float(rate),
                    report=self.report,
                )
            self._ended = True
        finally:
            self._close()


class Pipeline:
    """Detector and pose network, loaded once, ready to track many videos one after the other.

    Decoding, detection, the pose network, and what follows them overlap in threads; results are those of one after the
    other.

    Attributes:
        config: All settings.
        detector: Finds people on keyframes.
        estimator: Finds joints in tubes.
        ahead: How many batches a stage may be ahead of the next one; 0 does one thing after the other.
    """

    def __init__(self, config: TrackConfig | None = None, *, detector: Detector | None = None, ahead: int = 1) -> None:
        """Load the models.

        Args:
            config: All settings.
            detector: Your own, instead of the one that `config.detect` names.
            ahead: How many batches a stage may be ahead of the next one; 0 does one thing after the other.

        Raises:
            InputError: A weights file or the file of joint thresholds cannot be used.
            MissingExtraError: A weights file needs an optional dependency.
        """
        self.config, self.ahead = config or TrackConfig(), ahead
        self._batch = 0  # crops in a pass, where memory did not suffice for what the settings say
        options = self.config.estimate
        if detector is None:
            detector = load_detector(self.config.detect, device=options.device, threads=options.threads)
        self.detector = detector
        estimators = load_estimators(options, self.config.cut)
        self.estimator: Estimator = estimators[0]
        self._small = estimators[1]
        check_finish(self.config.finish, self.joint_set)

    @property
    def joint_set(self) -> JointSet:
        """Joints of the results."""
        return self.estimator.joint_set

    def with_config(self, config: TrackConfig) -> Pipeline:
        """This pipeline with other settings; models that they do not concern are shared, not loaded again.

        Args:
            config: All settings.

        Returns:
            A pipeline; it and this one must not track at the same time.

        Raises:
            InputError: As of `Pipeline`.
            MissingExtraError: As of `Pipeline`.
        """
        if config == self.config:
            return self
        mine, options = self.config, config.estimate
        other = copy(self)
        other.config = config
        if (options, config.cut) != (mine.estimate, mine.cut):
            other.estimator, other._small = load_estimators(options, config.cut)
        if (config.detect, options.device, options.threads) != (
            mine.detect,
            mine.estimate.device,
            mine.estimate.threads,
        ):
            other.detector = load_detector(config.detect, device=options.device, threads=options.threads)
        check_finish(config.finish, other.joint_set)
        return other

    def with_half_batch(self) -> Pipeline | None:
        """This pipeline with half as many crops in a pass of the pose network; None where it is one already."""
        now = self._batch or self.config.estimate.batch or getattr(self.estimator, "batch", _SOME_BATCH)
        if now < 2:
            return None
        other = copy(self)
        other._batch = now // 2
        options = replace(self.config.estimate, batch=other._batch)
        other.estimator, other._small = load_estimators(options, self.config.cut)
        return other

    def track(
        self,
        frames: Video | Iterable[Frame],
        *,
        immediate: bool = False,
        save: BatchSink | None = None,
        known: KnownBatches | None = None,
    ) -> Run:
        """Track the people in a video.

        Args:
            frames: Consecutive frames of one video; where it is a `Video`, its rate, notes and completeness are known
                to the run.
            immediate: Poses come as early as they can, keyframe by keyframe, for live sources of one shot.
            save: Receives the tracklets too.
            known: Tracklets that an earlier run has found already, which are not searched for again; receives those
                that are found.

        Returns:
            The run: nothing happens before it is iterated.
        """
        video = frames if isinstance(frames, Video) else _PlainFrames(frames)
        return Run(self, video, immediate=immediate, save=save, known=known)

    def tracklets(
        self,
        frames: Iterable[Frame],
        *,
        immediate: bool = False,
        known: KnownBatches | None = None,
        span: Span | None = None,
    ) -> Generator[TrackletBatch, None, None]:
        """Cut and estimate only: the tracklets of one video, for `associate` or for saving.

        Args:
            frames: Consecutive frames of one video, from its beginning.
            immediate: As in `track`.
            known: As in `track`.
            span: The part of the video whose tracklets are wanted; they are those of the whole run.

        Yields:
            One batch for every few keyframes.

        Raises:
            InputError: At the end, where none of a file of boxes belongs to a frame of this video.
        """
        cut, estimate = self.config.cut, self.config.estimate
        estimation = TubeEstimation(self.estimator, cut.enlarge, self._small, estimate.small_crops_below)
        groups = group_keyframes(frames, cut, immediate=immediate)
        if known is not None or span is not None:
            groups = needed(groups, known, span or Span())
        with DetectionThread(self.detector, self.config.detect, 0 if immediate else self.ahead) as detection:
            planner = self._planner()
            for group in detection.search(groups):
                first = group.clips[0].keyframe.index
                before = span is not None and first < span.first
                if before or (known is not None and first in known):
                    planner = self._planner()  # what came before is not compared with the next group
                    if group.visit:
                        _visit(group, planner, detection, estimation)
                    if known is not None and not before:
                        yield known.find(first)
                elif (batch := _visit(group, planner, detection, estimation)) is not None:
                    if known is not None:
                        known.add(first, batch)
                    yield batch

    def _planner(self) -> Planner:
        short = not self.estimator.temporal
        return Planner(self.config.cut, self.joint_set, self.config.sew.joint_confidence, short=short)


def _visit(
    group: KeyframeGroup, planner: Planner, detection: DetectionThread, estimation: TubeEstimation
) -> TrackletBatch | None:
    """Look at the keyframes of a group, and at those that the planner adds."""
    planner.begin(group)
    while visits := planner.ask():
        people, detected = detection.find(visits)
        seen, estimated = estimation.estimate(people)
        planner.tell(seen, detected + estimated)
    return planner.take()


def _saved(batches: Iterable[TrackletBatch], sink: BatchSink) -> Iterator[TrackletBatch]:
    for batch in batches:
        sink.write(batch)
        yield batch


def track(
    source: VideoSource, config: TrackConfig | None = None, *, start_s: float = 0.0, end_s: float | None = None
) -> Run:
    """Track every person in a video; finished frames arrive while it is read, memory stays flat.

    Args:
        source: Video file, GIF, folder of frames, or a list of image files.
        config: All settings.
        start_s: Skip frames before this timestamp, in seconds.
        end_s: Stop at this timestamp, in seconds; None reads to the end.

    Returns:
        A `Run`: iterate it for `Segment`s, consecutive finished frames with the poses in them; its `notes`,
        `complete` and `report` say how it went.

    Raises:
        InputError: The video or a weights file cannot be used.
    """
    config = config or TrackConfig()
    pipeline = Pipeline(config)
    video = open_video(source, start_s=start_s, end_s=end_s, shots=config.cut.shots)
    return Run(pipeline, video, close=video.close)


def track_all(
    source: VideoSource, config: TrackConfig | None = None, *, start_s: float = 0.0, end_s: float | None = None
) -> TrackTable:
    """`track`, gathered into one table.

    Args:
        source: See `track`.
        config: See `track`.
        start_s: See `track`.
        end_s: See `track`.

    Returns:
        All rows, sorted by frame and track id.

    Warns:
        UserWarning: Not all of the video could be read; the table holds what could.

    Raises:
        InputError: The video or a weights file cannot be used.
    """
    with track(source, config, start_s=start_s, end_s=end_s) as run:
        table = run.gather()
    for note in run.notes:
        warnings.warn(f"{source}: {note}", stacklevel=2)
    if not run.complete and not run.notes:
        warnings.warn(f"{source}: reading stopped before the end of the video", stacklevel=2)
    return table
