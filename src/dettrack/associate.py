"""Tracklets in, finished poses out: sew -> polish -> after (paper 3.2, 3.3, 4.1).

Needs neither video nor network, so that a saved run can be linked and merged again in seconds.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from dettrack.config import CutConfig, TrackConfig
from dettrack.errors import UsageError
from dettrack.finish.bridge import Bridge, bridge_frames
from dettrack.finish.stages import After
from dettrack.polish import Polisher
from dettrack.sew.baselines import gap_frames, make_sewer
from dettrack.skeleton import JointSet
from dettrack.structures import FrameStamp, Source, Step, TrackTable

__all__ = ["Report", "Segment", "associate", "narrow", "with_keyframes"]


@dataclass(frozen=True)
class Segment:
    """A run of finished frames.

    Attributes:
        frames: `(n,)` frame indices, consecutive; frames without people are listed too.
        times_s: `(n,)` their timestamps in seconds.
        names: Image file name of each frame, "" for a video.
        table: Poses in these frames, sorted by frame and track id.
    """

    frames: Int[np.ndarray, " n"]
    times_s: Float[np.ndarray, " n"]
    names: tuple[str, ...]
    table: TrackTable

    def by_frame(self) -> Iterator[tuple[int, float, TrackTable]]:
        """Every frame of the segment: its index, its timestamp and its poses (maybe none)."""
        edges = np.searchsorted(self.table.frame, [*self.frames, self.frames[-1] + 1])
        for i, (index, time_s) in enumerate(zip(self.frames, self.times_s, strict=True)):
            yield int(index), float(time_s), self.table[int(edges[i]) : int(edges[i + 1])]


@dataclass
class Report:
    """What a run counted and where its time went; goes into `summary.json`.

    Attributes:
        counts: Frames, keyframes, shots, boxes, tracks and poses by source.
        dropped: How many of what was removed, by reason.
        seconds: Wall time by stage.
    """

    counts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to `seconds[name]`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def associate(
    steps: Iterable[Step], joint_set: JointSet, config: TrackConfig, report: Report | None = None
) -> Generator[Segment, None, None]:
    """Join tracklets into tracks and merge their hypotheses, while they come.

    Args:
        steps: Tracklets of one video in order.
        joint_set: Joints of the tracklets.
        config: Settings; those of `detect` and `estimate` play no part here.
        report: Filled on the way.

    Yields:
        Finished frames, in order, each frame exactly once.
    """
    run = _Run(joint_set, config, report or Report())
    try:
        for step in steps:
            run.add(step)
            yield from run.decided(step)
        yield from run.rest()
    finally:
        run.count()  # also of a run that breaks off


def narrow(steps: Iterable[Step], saved: CutConfig, wanted: CutConfig) -> Iterator[Step]:
    """Steps as a run with a shorter clip or fewer keyframes would have made them from the same tubes.

    Args:
        steps: Steps of a run with the settings `saved`.
        saved: |C| and S of these steps.
        wanted: |C| and S to imitate. (A network that looks at the whole clip would answer a little differently to a
            shorter one; a network without temporal filters answers the same.) Of adaptive keyframes the grid can be
            had alone; which ones a shorter clip or other thresholds would have added is not known.

    Raises:
        UsageError: `wanted` asks for frames or keyframes that were not saved; at once, not with the first step.
    """
    if wanted.clip_length > saved.clip_length or wanted.step % saved.step:
        raise UsageError(
            f"--clip-length {wanted.clip_length} --step {wanted.step} cannot be made from tracklets of clip length "
            f"{saved.clip_length} and step {saved.step}: ask for a clip no longer, and a multiple of the step"
        )
    same = replace(wanted, enlarge=saved.enlarge, shots=saved.shots) == saved
    if not same and (wanted.adaptive or wanted.tube_stride != saved.tube_stride):
        raise UsageError(
            "adaptive keyframes and time strides cannot be made from tracklets that were saved with other settings of "
            f"[cut] ({saved}): keep them as saved, or track again"
        )
    if same or (not saved.adaptive and (wanted.clip_length, wanted.step) == (saved.clip_length, saved.step)):
        return iter(steps)
    return with_keyframes(steps, wanted.step, wanted.clip_length // 2, wanted.clip_length // 2)


def with_keyframes(steps: Iterable[Step], every: int, reach: int, keep: int) -> Iterator[Step]:
    """Steps with the keyframes that a run with a larger S has, their tubes cut short.

    Args:
        steps: Of a run with an S that divides `every`.
        every: S.
        reach: Frames on either side of a keyframe in that run's clips: the last keyframe of a shot stays where more
            follow the one before (`cut.keyframe_indices`).
        keep: Frames of a tube to keep on either side of its keyframe; 0 is what a frame-by-frame tracker sees.
    """
    shot_start = None
    for step in steps:
        kept = []
        for i, tracklets in enumerate(step.tracklets):
            key = tracklets.keyframe
            shot_start = key if shot_start is None else shot_start
            since_regular = (key - shot_start) % every
            last = step.shot_ended and i == len(step.tracklets) - 1
            if since_regular == 0 or (last and since_regular > reach):
                near = np.abs(tracklets.frames - key) <= keep
                xy, scores = tracklets.xy[:, near], tracklets.scores[:, near]
                kept.append(replace(tracklets, frames=tracklets.frames[near], xy=xy, scores=scores))
        shot_start = None if step.shot_ended else shot_start
        yield replace(step, tracklets=tuple(kept))


class _Run:
    """The state of one video between its tracklets and its finished frames."""

    def __init__(self, joint_set: JointSet, config: TrackConfig, report: Report) -> None:
        self.report = report
        self.joint_set = joint_set
        self.sewer = make_sewer(config.sew, joint_set, config.cut.clip_length)
        self.polisher = Polisher(config.polish, joint_set)
        clip = config.cut.clip_length
        self.bridge = Bridge(config.sew, joint_set, clip) if bridge_frames(config.sew) else None
        gap = gap_frames(config.sew)
        self.after = After(config.finish, joint_set, max_gap=max(clip, gap), fill_gaps=gap)
        self.waiting: deque[FrameStamp] = deque()
        self.track_ids: set[int] = set()

    def add(self, step: Step) -> None:
        self.waiting.extend(step.stamps)
        with self.report.stage("sew"):
            for tracklets in step.tracklets:
                self.polisher.add(tracklets, self.sewer.add(tracklets))
            if step.shot_ended:
                self.sewer.end_shot()
                if self.bridge:
                    self.bridge.end_shot(step.final_before)
                self.report.counts["shots"] += 1

    def decided(self, step: Step) -> Iterator[Segment]:
        with self.report.stage("polish"):
            table = self._timed(self.polisher.pop(step.final_before))
        with self.report.stage("after"):
            table = self.after.add(*self._bridged(table))
        yield from self._segment(table, self.after.settled_before)

    def rest(self) -> Iterator[Segment]:
        with self.report.stage("polish"):
            table = self._timed(self.polisher.finish())
        with self.report.stage("after"):
            table, _ = self._bridged(table)
            if self.bridge:
                table = TrackTable.concatenate([table, self.bridge.finish()], self.joint_set)
            table = TrackTable.concatenate([self.after.add(table), self.after.finish()], self.joint_set)
        yield from self._segment(table, None)

    def count(self) -> None:
        self.report.counts["tracks"] = len(self.track_ids)
        if self.bridge:
            self.report.counts.update(self.bridge.counts)
        self.report.dropped.update(self.sewer.dropped)
        self.report.dropped.update(self.polisher.dropped)
        self.report.dropped.update(self.after.counts)

    def _bridged(self, table: TrackTable) -> tuple[TrackTable, int]:
        """Rows whose identity is decided, and the first frame of which more may come."""
        until = self.polisher.decided_before
        return (self.bridge.add(table, until), self.bridge.settled_before) if self.bridge else (table, until)

    def _timed(self, table: TrackTable) -> TrackTable:
        """The rows with the timestamps of their frames, none of which has left yet."""
        if not len(table):
            return table
        return table.at_times(self.waiting[0].index, np.array([stamp.time_s for stamp in self.waiting]))

    def _segment(self, table: TrackTable, final_before: int | None) -> Iterator[Segment]:
        done = []
        while self.waiting and (final_before is None or self.waiting[0].index < final_before):
            done.append(self.waiting.popleft())
        if not done:
            return
        self.report.counts["frames"] += len(done)
        self.track_ids.update(table.track_id.tolist())
        for source in Source:
            self.report.counts[f"poses_{source.name.lower()}"] += int((table.source == source).sum())
        frames, times_s, names = zip(*((stamp.index, stamp.time_s, stamp.name) for stamp in done), strict=True)
        yield Segment(np.array(frames), np.array(times_s), names, table)
