"""From tracklets with identities to one pose per person and frame, while the video is read (paper 3.3, 4.2).

A frame passes three steps: its hypotheses are collected until no later tube covers it; they become clusters, or
one chosen hypothesis per joint; the path decides between the clusters. Only undecided frames are held in memory.

Rules that the paper leaves open:

* **Radius.** Half the person's head size: from the frame's own hypotheses, else the median of the track's last
  `_HEAD_MEMORY` heads, else from the box height (`hypotheses.py`).
* **Weak hypotheses**, below a score of `_MIN_SCORE`, take part in clustering only where there is no better one.
* **Score** of a joint: of the hypotheses in the chosen cluster, as `PolishConfig.joint_score` says. Of a pose: the
  mean over the joints that it has.
* **Source.** Detected where the person has a tube whose keyframe is this very frame, else recovered.
* **Box.** The detector's, or the nearest keyframe's moved with the pose.
* **Presence.** A recovered pose without any joint of at least `PolishConfig.presence` is no row: every tube says that
  the person is not to be seen. So a track begins and ends where the person is in view.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.config import PolishConfig
from dettrack.polish.hypotheses import (
    HEAD_SIZE_PER_HEIGHT,
    FrameHypotheses,
    HypothesisBuffer,
    head_sizes,
    masked_median,
)
from dettrack.polish.meanshift import cluster
from dettrack.polish.path import OnlinePaths
from dettrack.skeleton import JointSet
from dettrack.structures import FrameTimes, SewnBatch, Source, Tracklets, TrackTable
from dettrack.structures.report import Tally

__all__ = ["Candidates", "Polisher", "make_candidates"]

_HEAD_MEMORY = 15
_MIN_SCORE = 0.05


@dataclass(frozen=True)
class Candidates:
    """What one frame's joints may become; `k` is 1 where nothing is left to choose.

    Attributes:
        centres: `(people, joints, k, 2)` positions in pixels, NaN where there is none.
        sizes: `(people, joints, k)` hypotheses that agree, 0 where there is none.
        scores: `(people, joints, k)` in [0, 1].
        spreads: `(people, joints, k)` root mean square distance of all the joint's hypotheses, in pixels.
    """

    centres: Float[np.ndarray, "people joints k 2"]
    sizes: Int[np.ndarray, "people joints k"]
    scores: Float[np.ndarray, "people joints k"]
    spreads: Float[np.ndarray, "people joints k"]

    def take(self, choice: Int[np.ndarray, "people joints"]) -> Candidates:
        """The chosen one of each joint (`k` = 1)."""
        index = np.maximum(choice, 0)[..., None]
        return Candidates(
            np.take_along_axis(self.centres, index[..., None], 2),
            *(np.take_along_axis(values, index, 2) for values in (self.sizes, self.scores, self.spreads)),
        )


def make_candidates(
    hypotheses: FrameHypotheses, head: Float[np.ndarray, " people"], config: PolishConfig
) -> Candidates:
    """Clusters of a frame's hypotheses, or the chosen hypothesis of "baseline" and "keyframe".

    Args:
        hypotheses: Of one frame.
        head: Head size in pixels.
        config: Settings.

    Returns:
        For "baseline", "keyframe" and "spatial" one candidate per joint, else all clusters.
    """
    people, joints, h = hypotheses.scores.shape
    xy, scores = hypotheses.xy.reshape(-1, h, 2), hypotheses.scores.reshape(-1, h)
    has = np.isfinite(xy[..., 0] + xy[..., 1])
    sure = has & (scores >= _MIN_SCORE)
    has = np.where(sure.max(1, keepdims=True), sure, has)
    radius = np.repeat(config.radius * head, joints)
    if config.merge in ("baseline", "keyframe"):
        own = np.repeat(hypotheses.detected, joints) & (config.merge == "keyframe")
        flat = _best(xy, has, scores, radius, own)
    else:
        flat = _clusters(xy, has, scores, radius, config)
    shape = (people, joints, flat.sizes.shape[-1])
    out = Candidates(
        flat.centres.reshape(*shape, 2),
        flat.sizes.reshape(shape),
        flat.scores.reshape(shape),
        flat.spreads.reshape(shape),
    )
    return out.take(out.sizes.argmax(2)) if config.merge == "spatial" else out


def _spread(
    xy: Float[np.ndarray, "batch h 2"], has: Bool[np.ndarray, "batch h"], centres: Float[np.ndarray, "batch k 2"]
) -> Float[np.ndarray, "batch k"]:
    """Root mean square distance of all hypotheses from each centre: their variance and the mean's distance."""
    count = np.maximum(has.sum(1), 1)[:, None]
    own = np.where(has[..., None], xy, 0.0)
    mean = own.sum(1) / count
    variance = np.square(np.where(has[..., None], xy - mean[:, None], 0.0)).sum((1, 2)) / count[:, 0]
    return np.sqrt(variance[:, None] + np.square(centres - mean[:, None]) @ np.ones(2))


def _best(
    xy: Float[np.ndarray, "batch h 2"],
    has: Bool[np.ndarray, "batch h"],
    scores: Float[np.ndarray, "batch h"],
    radius: Float[np.ndarray, " batch"],
    own: Bool[np.ndarray, " batch"],
) -> Candidates:
    """The hypothesis of the highest score (the nearer keyframe's of equal ones); where `own`, the frame's own."""
    index = np.where(own & has[:, 0], 0, np.where(has, scores, -1.0).argmax(1))[:, None]
    some = has.max(1, keepdims=True)
    centre = np.where(some[..., None], np.take_along_axis(xy, index[..., None], 1), np.nan)
    agree = (np.square(xy - centre) @ np.ones(2) <= (radius**2)[:, None]) & has
    score = np.where(some, np.take_along_axis(scores, index, 1), 0.0)
    spread = _spread(xy, has, centre)
    return Candidates(centre[:, None], agree.sum(1)[:, None, None], score[:, None], spread[:, None])


def _clusters(
    xy: Float[np.ndarray, "batch h 2"],
    has: Bool[np.ndarray, "batch h"],
    scores: Float[np.ndarray, "batch h"],
    radius: Float[np.ndarray, " batch"],
    config: PolishConfig,
) -> Candidates:
    found = cluster(xy, has, scores, radius)
    k = found.sizes.shape[1]
    if config.joint_score == "max":
        member = found.labels[:, :, None] == np.arange(k)
        score = np.where(member, scores[..., None], 0.0).max(1)
    else:
        slots = (np.arange(len(xy))[:, None] * k + found.labels)[has]
        total = np.bincount(slots, scores[has], len(xy) * k).reshape(-1, k)
        among = has.sum(1)[:, None] if config.joint_score == "support" else found.sizes
        score = total / np.maximum(among, 1)
    spread = _spread(xy, has, found.centres)
    return Candidates(found.centres[:, None], found.sizes[:, None], score[:, None], spread[:, None])


@dataclass(frozen=True)
class _Pending:
    """A frame whose candidates wait for the path's decision."""

    hypotheses: FrameHypotheses
    candidates: Candidates


class Polisher:
    """One pose per person and frame, in frame order, as soon as it is decided.

    Attributes:
        settled_before: Every row of the frames before this one has been given out.
    """

    name = "polish"

    def __init__(self, config: PolishConfig, joint_set: JointSet) -> None:
        self.config = config
        self.joint_set = joint_set
        self._dropped: Counter[str] = Counter()
        self._buffer = HypothesisBuffer()
        self._times: list[FrameTimes] = []  # of frames whose rows have not been given out
        self._pending: deque[_Pending] = deque()
        self._paths = OnlinePaths(config.lam, config.temporal_form == "l2-squared", config.max_lag)
        self._last_frame = -1
        self.settled_before = 0
        self._heads = (np.zeros(0, np.int64), np.zeros((0, _HEAD_MEMORY)))  # ids and last head sizes

    @property
    def tally(self) -> Tally:
        """Poses that became no row so far, by reason."""
        return Tally(dropped=self._dropped)

    def add(self, sewn: SewnBatch, until: int) -> TrackTable:
        """See `finish.stages.Stage.add`."""
        self._times.append(sewn.batch.frames)
        for tracklets, ids in zip(sewn.batch.tracklets, sewn.ids, strict=True):
            self.collect(tracklets, ids)
        return self.pop(until)

    def end_shot(self, frame: int) -> None:
        """No track goes on after a shot cut: its paths end by themselves."""

    def collect(self, tracklets: Tracklets, ids: Int[np.ndarray, " n"]) -> None:
        """Add one keyframe's tracklets; `pop` gives the rows that they make.

        Args:
            tracklets: Of one keyframe.
            ids: Their tracks; below 0 for those that are left out.
        """
        self._buffer.add(tracklets, ids)

    def pop(self, final_before: int) -> TrackTable:
        """Rows that are final, whole frames in order.

        Args:
            final_before: First frame that later tubes may still cover.

        Returns:
            Rows by frame, then by track id; `time_s` is NaN where no batch told the frame's time.
        """
        tables = []
        for frame in self._buffer.frames(final_before):
            if frame != self._last_frame + 1:
                self._paths.end()
            self._process(frame)
            tables += self._decided()
        if final_before > self._last_frame + 1:
            self._paths.end()
            tables += self._decided()
        self.settled_before = self._pending[0].hypotheses.frame if self._pending else final_before
        return self._timed(TrackTable.concatenate(tables, self.joint_set))

    def finish(self) -> TrackTable:
        """All remaining rows; the polisher is empty afterwards."""
        frames = self._buffer.frames()
        return self.pop(frames[-1] + 2 if frames else self._last_frame + 2)

    def _timed(self, table: TrackTable) -> TrackTable:
        """The rows with the timestamps of their frames; forgets those of frames that have left."""
        if not self._times:
            return table
        times = FrameTimes.concatenate(self._times)
        self._times = [times[int(np.searchsorted(times.index, self.settled_before)) :]]
        return replace(table, time_s=times.time_of(table.frame))

    def _process(self, frame: int) -> None:
        """Station two: hypotheses into candidates, and into the path where there is something to choose."""
        hypotheses = self._buffer.take(frame)
        head = self._head(hypotheses)
        candidates = make_candidates(hypotheses, head, self.config)
        self._pending.append(_Pending(hypotheses, candidates))
        self._last_frame = frame
        if self._uses_path:
            unit = head if self.config.distance_unit == "head" else np.ones(len(head))
            self._paths.push(hypotheses.ids, self._spatial(candidates), candidates.centres, unit)

    @property
    def _uses_path(self) -> bool:
        return self.config.merge in ("temporal", "spatial-temporal")

    def _spatial(self, candidates: Candidates) -> Float[np.ndarray, "people joints k"]:
        """Spatial term of φ for each cluster, inf where there is none."""
        sizes = candidates.sizes.astype(np.float64)
        total = sizes.sum(2, keepdims=True)
        if self.config.merge == "temporal":
            cost = np.zeros(sizes.shape)
        elif self.config.spatial_form == "ratio":
            cost = 1 - sizes / np.maximum(total, 1)
        else:
            cost = total - sizes
        return np.where(sizes > 0, cost, np.inf)

    def _head(self, hypotheses: FrameHypotheses) -> Float[np.ndarray, " people"]:
        """Head sizes in pixels, with the fallbacks; at least one pixel."""
        old_ids, old = self._heads
        memory = np.full((len(hypotheses.ids), _HEAD_MEMORY), np.nan)
        if len(old_ids):
            row = np.searchsorted(old_ids, hypotheses.ids).clip(max=len(old_ids) - 1)
            known = old_ids[row] == hypotheses.ids
            memory[known] = old[row[known]]
        own = head_sizes(hypotheses, self.joint_set)
        memory[:, hypotheses.frame % _HEAD_MEMORY] = own
        self._heads = (hypotheses.ids, memory)
        unseen = np.flatnonzero(np.isnan(own))
        if len(unseen):
            track = masked_median(memory[unseen], np.isfinite(memory[unseen]))
            box = HEAD_SIZE_PER_HEIGHT * (hypotheses.boxes[unseen, 3] - hypotheses.boxes[unseen, 1])
            own[unseen] = np.where(np.isfinite(track), track, box)
        return np.maximum(own, 1.0)

    def _decided(self) -> list[TrackTable]:
        """Station three: rows of the frames at the front whose choice is made."""
        if not self._uses_path:
            out = [self._rows(pending.hypotheses, pending.candidates) for pending in self._pending]
            self._pending.clear()
            return out
        out = []
        for choice in self._paths.pop():
            pending = self._pending.popleft()
            out.append(self._rows(pending.hypotheses, pending.candidates.take(choice)))
        return out

    def _rows(self, hypotheses: FrameHypotheses, chosen: Candidates) -> TrackTable:
        scores = chosen.scores[..., 0]
        there = np.isfinite(chosen.centres[..., 0, 0])
        scores = np.where(there, scores, 0.0)
        keep = hypotheses.detected | (scores.max(1, initial=0.0) >= self.config.presence)
        self._dropped["absent_poses"] += int((~keep).sum())
        n = len(hypotheses.ids)
        table = TrackTable(
            self.joint_set,
            frame=np.full(n, hypotheses.frame),
            time_s=np.full(n, np.nan),
            track_id=hypotheses.ids,
            box=hypotheses.boxes,
            score=scores.sum(1) / np.maximum(there.sum(1), 1),
            xy=chosen.centres[..., 0, :],
            joint_scores=scores,
            spread=chosen.spreads[..., 0],
            support=chosen.sizes[..., 0],
            source=np.where(hypotheses.detected, int(Source.DETECTED), int(Source.RECOVERED)),
        )
        return table[keep]
