"""Tracks joined across gaps that no tube reaches over, by their motion; rows arrive frame by frame.

Where a detector misses a person for longer than a clip, no two tubes overlap and the track ends (paper 3.2). Here the
last pose of a track that ended is moved on, and the first pose of a track that begins moved back, each with the mean
velocity of its last (first) frames, to meet in the middle of the gap. Tracks that agree there by OKS are one, chosen by
the Hungarian algorithm among all that begin in the same frame, and the frames between them are interpolated.

Whether a beginning track continues an ended one is decided as soon as its velocity is known and no ended track can
still go on by its own tubes: `reach` frames later, or at once where no track has ended. Rows wait no longer than
`gap` + `reach` frames, and not at all while every track goes on. Nothing is joined across a shot cut.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.config import SewConfig
from dettrack.finish.gaps import interpolate
from dettrack.matching import match
from dettrack.oks import object_areas, oks
from dettrack.sew.links import Links
from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable
from dettrack.structures.report import Tally

__all__ = ["Bridge", "bridge_frames"]

# Frames over which the velocity of a track is taken, at its end and at its beginning.
_FRAMES = 5


def bridge_frames(config: SewConfig) -> int:
    """Longest gap that is bridged, in frames; 0 for the baselines, which interpolate gaps themselves or not at all."""
    return config.bridge if config.linking == "tubes" else 0


class Bridge:
    """Joins tracks; a stage (see `stages.Stage`).

    Args:
        config: `bridge` is the longest gap in frames, `min_similarity` the OKS below which two tracks stay two,
            `joint_confidence` what a joint needs to count.
        joint_set: Of the tables.
        reach: A track that has had no row for more frames than this will not come back by itself: |C|.
        links: What people said of single tracklets.

    Attributes:
        settled_before: Every row of the frames before this one has been given out.
    """

    name = "bridge"

    def __init__(self, config: SewConfig, joint_set: JointSet, reach: int, links: Links | None = None) -> None:
        self._counts: Counter[str] = Counter()
        self.settled_before = 0
        self._config = config
        self._gap = bridge_frames(config)
        self._reach = max(reach, _FRAMES)
        self._sigmas = joint_set.sigmas
        self._rows: TrackTable | None = None  # of the newest frames, given out or not, joined where decided
        self._id: dict[int, int] = {}  # id that a track has now, by the one that it comes with
        self._seen: dict[int, int] = {}  # its newest frame
        self._begun: dict[int, int] = {}  # first frame of the tracks whose past is not decided
        self._cuts: list[int] = []  # first frames of shots
        self._forbidden = links.forbidden if links is not None else set()

    @property
    def tally(self) -> Tally:
        """Gaps bridged so far, and poses added in them."""
        return Tally(self._counts)

    def end_shot(self, frame: int) -> None:
        """Frames from `frame` on, which have not been added yet or are of the table added next, are another shot."""
        self._cuts.append(frame)

    def add(self, table: TrackTable, until: int) -> TrackTable:
        """See `stages.Stage.add`; no row that is given back can be preceded by another of its track."""
        for track, frame in zip(table.track_id.tolist(), table.frame.tolist(), strict=True):
            if track not in self._id:
                self._id[track], self._begun[track] = track, frame
            self._seen[track] = frame
        table = replace(table, track_id=np.array([self._id[i] for i in table.track_id.tolist()], np.int64))
        rows = table if self._rows is None else TrackTable.concatenate([self._rows, table])
        # Frame by frame in the order of time, so that a chain of three takes the first one's id.
        for frame in sorted(set(self._begun.values())):
            ids, last = self._past(rows, frame)
            if len(ids) and frame + self._reach >= until:
                continue  # too early to say
            begun = sorted(track for track, first in self._begun.items() if first == frame)
            rows = self._join(rows, ids, last, begun, frame) if len(ids) else rows
            for track in begun:
                del self._begun[track]
        before = self._settled(rows, until)
        out = rows[(rows.frame >= self.settled_before) & (rows.frame < before)].sorted()
        self.settled_before = before
        self._forget(rows, until)
        return out

    def finish(self) -> TrackTable | None:
        """The rest: nothing comes any more."""
        if self._rows is None:
            return None
        last = int(self._rows.frame.max(initial=0))
        return self.add(self._rows[:0], last + self._gap + self._reach + 2)

    def _past(self, rows: TrackTable, frame: int) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Ids and last frames of the tracks that may have ended for those that begin at `frame` to continue."""
        ids, last = _lasts(rows)
        earliest = max((cut for cut in self._cuts if cut <= frame), default=0)
        ended = (last < frame) & (last >= max(earliest, frame - self._gap - 1))
        return ids[ended], last[ended]

    def _join(
        self,
        rows: TrackTable,
        ids: Int[np.ndarray, " n"],
        last: Int[np.ndarray, " n"],
        begun: list[int],
        frame: int,
    ) -> TrackTable:
        """The rows with the tracks that begin at `frame` joined to earlier ones, and what lies between added."""
        new, confidence = np.array(begun), self._config.joint_confidence
        old = _Ends.of(rows, ids, last, -_FRAMES, confidence)
        young = _Ends.of(rows, new, np.full(len(new), frame), _FRAMES, confidence)
        i, j = (grid.ravel() for grid in np.indices((len(ids), len(new))))
        half = (frame - last[i]) / 2
        similar = oks(
            old.after(half, i),
            old.sure[i],
            young.after(-half, j),
            young.sure[j],
            (old.area[i] + young.area[j]) / 2,
            self._sigmas,
            self._config.min_joints,
        )
        good = np.nan_to_num(similar) >= max(self._config.min_similarity, np.finfo(float).tiny)
        for a, b in self._forbidden:
            pair = self._id.get(a, a), self._id.get(b, b)
            good &= ~(np.isin(ids[i], pair) & np.isin(new[j], pair))
        i, j, similar = i[good], j[good], similar[good]
        for k in match(i, j, similar, (len(ids), len(new))).tolist():
            rows = self._continue(rows, int(ids[i[k]]), int(new[j[k]]), frame)
        return rows

    def _continue(self, rows: TrackTable, old: int, new: int, frame: int) -> TrackTable:
        """The rows with track `new`, which begins at `frame`, continuing track `old`."""
        self._id[new] = old
        rows = replace(rows, track_id=np.where(rows.track_id == new, old, rows.track_id))
        mine = rows[rows.track_id == old].sorted()
        at = int(np.searchsorted(mine.frame, frame))
        between = interpolate(mine[at - 1 : at + 1], self._gap)
        self._counts["bridged_gaps"] += 1
        self._counts["bridged_poses"] += len(between)
        return TrackTable.concatenate([rows, between])

    def _settled(self, rows: TrackTable, until: int) -> int:
        """First frame whose rows may still change their id, or to which a bridge may add one."""
        begun = min(self._begun.values(), default=until)
        last = _lasts(rows)[1]
        open_ends = last[last + 1 + self._gap >= begun]
        return max(self.settled_before, min(until, begun, int(open_ends.min(initial=until)) + 1))

    def _forget(self, rows: TrackTable, until: int) -> None:
        """Keep what later decisions need: ends that may be bridged, and the frames before that give their velocity."""
        oldest = until - self._reach - self._gap - 2
        self._rows = rows[rows.frame >= min(self.settled_before, oldest - _FRAMES)]
        for track in [track for track, seen in self._seen.items() if seen < oldest and track not in self._begun]:
            del self._id[track], self._seen[track]
        self._cuts = [cut for cut in self._cuts if cut >= oldest]


@dataclass(frozen=True)
class _Ends:
    """One end of each of several tracks."""

    xy: Float[np.ndarray, "n joints 2"]
    sure: Bool[np.ndarray, "n joints"]
    area: Float[np.ndarray, " n"]
    velocity: Float[np.ndarray, "n 2"]  # mean shift of the joints, in pixels per frame; 0 for a single row

    @staticmethod
    def of(
        rows: TrackTable, ids: Int[np.ndarray, " n"], frame: Int[np.ndarray, " n"], span: int, confidence: float
    ) -> _Ends:
        """The tracks `ids` at their frames `frame`, with the velocity of the `span` frames from there (or to there)."""
        order = np.lexsort((rows.frame, rows.track_id))
        wide = int(rows.frame.max()) + abs(span) + 2
        key = (rows.track_id * wide + rows.frame)[order]  # sorted: by track, then by frame
        at = order[np.searchsorted(key, ids * wide + frame)]
        if span < 0:
            other = order[np.searchsorted(key, ids * wide + np.maximum(frame + span, 0))]
        else:
            other = order[np.searchsorted(key, ids * wide + frame + span, side="right") - 1]
        both = np.isfinite(rows.xy[at]).all(-1) & np.isfinite(rows.xy[other]).all(-1)
        shift = np.where(both[..., None], rows.xy[other] - rows.xy[at], 0.0).sum(1)
        frames = (rows.frame[other] - rows.frame[at]) * np.maximum(both.sum(1), 1)
        return _Ends(
            rows.xy[at],
            np.isfinite(rows.xy[at]).all(-1) & (rows.joint_scores[at] >= confidence),
            object_areas(rows.box[at]),
            shift / np.where(frames == 0, 1, frames)[:, None],
        )

    def after(
        self, frames: Float[np.ndarray, " pairs"], i: Int[np.ndarray, " pairs"]
    ) -> Float[np.ndarray, "pairs j 2"]:
        """Joints of the tracks `i` moved on by so many frames."""
        return self.xy[i] + (frames[:, None] * self.velocity[i])[:, None]


def _lasts(rows: TrackTable) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Each track's id and newest frame."""
    ids, place = np.unique(rows.track_id, return_inverse=True)
    last = np.zeros(len(ids), np.int64)
    np.maximum.at(last, place, rows.frame)
    return ids, last
