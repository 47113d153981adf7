"""Models, loaded once, and the way of a video through them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from copy import copy
from fractions import Fraction
from itertools import chain
from typing import Any

from dettrack.config import TrackConfig
from dettrack.cut.clips import KeyframeGroup, group_keyframes
from dettrack.cut.detect import DetectionThread
from dettrack.cut.estimate import TubeEstimation
from dettrack.cut.known import KnownBatches, Span, needed
from dettrack.cut.plan import Planner
from dettrack.errors import UsageError
from dettrack.finish.stages import check_finish
from dettrack.models.detector import Detector
from dettrack.models.pose import Estimator
from dettrack.pipeline.choose import choose, named, settled
from dettrack.pipeline.run import BatchSink, PlainFrames, Progress, Run, Video
from dettrack.sew.own import linker_maker
from dettrack.skeleton import JointSet
from dettrack.structures import Frame, TrackletBatch, VideoInfo
from dettrack.video.any_source import open_any

__all__ = ["Pipeline"]

_loaded_in: set[int] = set()  # this process, or one that it was forked off


class Pipeline:
    """Detector and pose network, loaded once, ready to track many videos, also several at a time from several threads.

    Decoding, detection, the pose network, and what follows them overlap in threads; results are those of one after the
    other.

    Attributes:
        config: All settings.
        ahead: How many batches a stage may be ahead of the next one; 0 does one thing after the other.
    """

    def __init__(
        self,
        config: TrackConfig | None = None,
        *,
        detector: Any = None,
        model: Any = None,
        linker: Any = None,
        detections: Any = None,
        poses: Any = None,
        preset: str | None = None,
        ahead: int = 1,
        **settings: Any,
    ) -> None:
        """Load the models.

        Args:
            config: All settings; None takes the preset's.
            detector: File or name, as of `DetectConfig.detector`; or your own: a function of a picture that gives
                boxes (`models.given.boxes.as_boxes`), or an object with the protocol `Detector`.
            model: File or name, as of `EstimateConfig.model`; or your own: a function of a picture and boxes that gives
                poses (`models.given.poses.as_poses`), or an object with the protocol `Estimator`.
            linker: Name, as of `SewConfig.linking`; or your own: see `sew.own.linker_maker`.
            detections: Boxes that are known already, in place of a detector (`models.given.boxes.GivenBoxes`).
            poses: Poses that are known already, in place of both networks (`models.given.poses.GivenPoses`); with
                `model`, that one sees the frames between keyframes.
            preset: Name of settings; see `config.PRESETS`.
            ahead: How many batches a stage may be ahead of the next one; 0 does one thing after the other.
            **settings: Single settings by their names, such as `step=4`.

        Raises:
            InputError: A weights file, something given, or the file of joint thresholds cannot be used.
            MissingExtraError: A weights file needs an optional dependency.
            UsageError: A wrong setting, two things in each other's place, or a process that was forked off one with
                a pipeline.
        """
        _refuse_forked()
        config = settled(config, preset, settings)
        config, objects = named(config, detector=detector, model=model, linking=linker)
        chosen = choose(
            config,
            detector=objects.get("detector"),
            model=objects.get("model"),
            detections=detections,
            poses=poses,
        )
        self.config, self.ahead = chosen.config, ahead
        self._detector, self._estimator, self._small = chosen.detector, chosen.estimator, chosen.small
        self._batch = 0  # crops in a pass, where memory did not suffice for what the settings say
        self._own_model = objects.get("model")
        self._own_detector = not (objects.get("detector") is None and detections is None and poses is None)
        self._make_linker: Callable[[], Any] = linker_maker(objects.get("linking"))
        self._detecting, self._estimating = threading.Lock(), threading.Lock()
        check_finish(self.config.finish, self.joint_set)
        if not self._own_detector or self._own_model is None:
            _loaded_in.add(os.getpid())

    def with_config(self, config: TrackConfig) -> Pipeline:
        """This pipeline with other settings; models that they do not concern are shared, not loaded again.

        Args:
            config: All settings.

        Returns:
            A pipeline; both take turns at the networks that they share.

        Raises:
            InputError: As of `Pipeline`.
            MissingExtraError: As of `Pipeline`.
        """
        if config == self.config:
            return self
        mine, options = self.config, config.estimate
        where = (options.device, options.threads) == (mine.estimate.device, mine.estimate.threads)
        keeps_detector = self._own_detector or (config.detect == mine.detect and where)
        other = copy(self)
        other.config = config
        if not keeps_detector or (options, config.cut) != (mine.estimate, mine.cut):
            other._batch = min(self._batch, options.batch or self._batch)  # memory is as short as it was
            loaded = config.with_settings(batch=other._batch) if other._batch else config
            detector = self._detector if keeps_detector else None
            chosen = choose(loaded, detector=detector, model=self._own_model, detections=None, poses=None)
            other.config = chosen.config.with_settings(batch=options.batch)
            other._detector = chosen.detector
            other._estimator, other._small = chosen.estimator, chosen.small
        check_finish(config.finish, other.joint_set)
        return other

    def with_half_batch(self) -> Pipeline | None:
        """This pipeline with half as many crops in a pass of the pose network; None where it is one already."""
        now = self._batch or self.config.estimate.batch or getattr(self.estimator, "batch", 1)
        if now < 2 or self._own_model is not None:
            return None
        other = copy(self)
        other._batch = now // 2
        config = self.config.with_settings(batch=other._batch)
        chosen = choose(config, detector=self._detector, model=None, detections=None, poses=None)
        other._estimator, other._small = chosen.estimator, chosen.small
        return other

    @property
    def detector(self) -> Detector:
        """Finds people on keyframes; another one is given to `Pipeline(detector=...)`."""
        return self._detector

    @property
    def estimator(self) -> Estimator:
        """Finds joints in tubes; another one is given to `Pipeline(model=...)`."""
        return self._estimator

    @property
    def joint_set(self) -> JointSet:
        """Joints of the results."""
        return self.estimator.joint_set

    def __repr__(self) -> str:
        return f"Pipeline(detector: {self.detector.description}; model: {self.estimator.description})"

    def track(
        self,
        source: Any,
        *,
        fps: float | int | Fraction | None = None,
        times: Sequence[float] | None = None,
        bgr: bool = False,
        start_s: float | int = 0.0,
        end_s: float | int | None = None,
        progress: Progress | None = None,
        immediate: bool = False,
        save: BatchSink | None = None,
        known: KnownBatches | None = None,
        notes: Sequence[str] = (),
        close: Callable[[], None] | None = None,
    ) -> Run:
        """Track the people in a video.

        Args:
            source: Path, address, array, or pictures in any form (`video.any_source.open_any`); a `Video` or the
                `Frame`s of one, of which the other arguments about the source are known already.
            fps: Frames per second of images or arrays.
            times: Seconds of each frame of arrays, instead of a rate.
            bgr: Arrays have OpenCV's order of channels.
            start_s: Seconds to start at.
            end_s: Seconds to stop at; None reads to the end.
            progress: Called with the number of finished frames and the number expected (None if unknown); where it is
                a context manager, it is entered for the time of the run.
            immediate: Poses come as early as they can, keyframe by keyframe, for live sources of one shot.
            save: Receives the tracklets too.
            known: Tracklets that an earlier run has found already, which are not searched for again; receives those
                that are found.
            notes: What the run shall say beside the video's own notes.
            close: Called at the end of the run; None closes what is opened here.

        Returns:
            The run: nothing happens before it is iterated, but that the first frame is read.

        Raises:
            InputError: There is no such source, or no frame can be read from it.
            UsageError: What is said of the source contradicts it; a process that was forked off.
        """
        _refuse_forked()
        about = {"fps": fps, "times": times, "bgr": bgr, "start_s": start_s, "end_s": end_s}
        video, opened = _video(source, self.config.cut.shots, about)
        made = self.tracklets(video, immediate=immediate, known=known)
        config, short = _for_length(self.config, video.info)
        depth = 0 if immediate else self.ahead
        return Run(
            video,
            made,
            self.joint_set,
            config,
            linker=self._make_linker(),
            depth=depth,
            progress=progress,
            save=save,
            notes=[*notes, *short],
            close=close or opened,
        )

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
            UsageError: A process that was forked off one with a pipeline.
        """
        _refuse_forked()
        cut, estimate = self.config.cut, self.config.estimate
        estimation = TubeEstimation(
            self.estimator, cut.enlarge, self._small, estimate.small_crops_below, self._estimating
        )
        groups = group_keyframes(frames, cut, immediate=immediate)
        if known is not None or span is not None:
            groups = needed(groups, known, span or Span())
        depth = 0 if immediate else self.ahead
        with DetectionThread(self.detector, self.config.detect, depth, self._detecting) as detection:
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


def _refuse_forked() -> None:
    """The threads of networks do not survive a fork: who calls them in the child waits for ever."""
    if others := _loaded_in - {os.getpid()}:
        raise UsageError(
            f"this process was forked off process {min(others)} after a Pipeline was loaded there, and networks do not "
            "survive that: load it in the new processes only, or start them with 'spawn' or 'forkserver'"
        )


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


def _for_length(config: TrackConfig, info: VideoInfo | None) -> tuple[TrackConfig, list[str]]:
    """Settings that a video of few frames can meet, a photo among them, and a line about the change."""
    frames, wanted = (info.n_frames if info else None), config.finish.min_track_frames
    if frames is None or not 0 < frames < wanted:
        return config, []
    note = (
        f"--min-track-frames {wanted} does not apply: there {'is 1 frame' if frames == 1 else f'are {frames} frames'}"
    )
    return config.with_settings(min_track_frames=frames), [note]


def _video(source: Any, shots: bool, about: dict[str, Any]) -> tuple[Video, Callable[[], None] | None]:
    """The source as a video, and what closes it where it was opened here."""
    if isinstance(source, Video):
        return source, None
    if isinstance(source, Iterator):
        first = next(source, None)
        source = iter(()) if first is None else chain([first], source)
        if isinstance(first, Frame):
            return PlainFrames(source), None
    elif isinstance(source, Sequence) and source and isinstance(source[0], Frame):
        return PlainFrames(source), None
    video = open_any(source, shots=shots, **about)
    return video, video.close
