"""What is removed, filled or smoothed at the end (paper 4.1), on rows that arrive frame by frame.

In this order: tracks that are too short go; joints below their threshold become missing; gaps inside a track are
filled where that is asked for; joints are smoothed beside the raw ones (`smooth.py`). Each stage takes whole frames in
order and gives whole frames in order, some frames later; none holds more than a bounded number of frames, whatever
the length of the video. Everything removed is counted.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dettrack.config import FinishConfig
from dettrack.finish.smooth import Smoother
from dettrack.settings import read_joint_thresholds
from dettrack.skeleton import JointSet
from dettrack.structures import Source, TrackTable

__all__ = ["After", "GapFiller", "ShortTracks", "apply_thresholds", "check_after", "interpolate", "read_thresholds"]


def read_thresholds(path: str | Path, joint_set: JointSet) -> Float[np.ndarray, " joints"]:
    """Per-joint score thresholds from a file (see `toml_files.read_joint_thresholds`).

    Joints that the file does not name keep every score (threshold 0).
    """
    thresholds = np.zeros(len(joint_set))
    for joint, value in read_joint_thresholds(Path(path), joint_set.joints).items():
        thresholds[joint_set.index(joint)] = value
    return thresholds


def check_after(config: FinishConfig, joint_set: JointSet) -> None:
    """Raise `InputError` for settings that a run would stumble over: before an earlier result makes room for it."""
    if config.joint_thresholds:
        read_thresholds(config.joint_thresholds, joint_set)


def apply_thresholds(table: TrackTable, thresholds: Float[np.ndarray, " joints"]) -> tuple[TrackTable, dict[str, int]]:
    """Make joints below their threshold missing (their scores stay), and remove rows that have no joint left.

    Returns:
        The rows that remain, and the numbers of joints and rows removed.
    """
    there = np.isfinite(table.xy).all(-1)
    below = there & (table.joint_scores < thresholds)
    empty = below.any(1) & ~(there & ~below).any(1)
    columns = {name: value for name, value in vars(table).items() if name not in ("xy", "spread", "support")}
    cut = TrackTable(
        **columns,
        xy=np.where(below[..., None], np.nan, table.xy),
        spread=np.where(below, np.nan, table.spread),
        support=np.where(below, 0, table.support),
    )
    return cut[~empty], {"joints_below_threshold": int(below.sum()), "poses_without_joints": int(empty.sum())}


class ShortTracks:
    """Drops tracks with too few frames or detections; holds rows back until their track has enough.

    A frame counts for a track where its pose reaches `min_track_score`: what a detector takes for a person (a tree, the
    gap between two people) moves along as smoothly as anybody, but no pose network is sure of its joints. Nobody waits
    for such a track for longer than `patience`: older rows are dropped, and the track begins where it convinces.

    Args:
        config: `min_track_frames`, `min_track_detections` and `min_track_score`.
        joint_set: Of the tables.
        max_gap: A track that has had no row for more frames than this will not come back.
        patience: Frames that a row waits for its track to have enough; 0 for four times `max_gap`.

    Attributes:
        settled_before: Every row of the frames before this one has been given out.
    """

    def __init__(self, config: FinishConfig, joint_set: JointSet, max_gap: int, patience: int = 0) -> None:
        self.max_gap = max_gap
        self._patience = patience or 4 * max_gap
        self.removed: Counter[str] = Counter()
        self._config = config
        self._joint_set = joint_set
        self._held = TrackTable.empty(joint_set)
        self._seen: dict[int, list[int]] = {}  # track -> convincing frames, detections, last frame
        self.settled_before = 0

    def add(self, table: TrackTable, until: int) -> TrackTable:
        """Take the rows of the next frames, all before frame `until`; return what is settled."""
        detected = table.source == int(Source.DETECTED)
        sure = table.score >= self._config.min_track_score
        rows = zip(table.track_id.tolist(), table.frame.tolist(), detected.tolist(), sure.tolist(), strict=True)
        for track, frame, found, convincing in rows:
            record = self._seen.setdefault(track, [0, 0, 0])
            record[0] += convincing
            record[1] += found
            record[2] = frame
        held = TrackTable.concatenate([self._held, table], self._joint_set)
        ids, place = np.unique(held.track_id, return_inverse=True)
        seen = np.array([self._seen[track] for track in ids.tolist()]).reshape(-1, 3)
        enough = (seen[:, 0] >= self._config.min_track_frames) & (seen[:, 1] >= self._config.min_track_detections)
        over = until - 1 - seen[:, 2] > self.max_gap
        self.removed["short_tracks"] += int((over & ~enough).sum())
        gone = (over & ~enough)[place]
        late = (~over & ~enough)[place] & (held.frame < until - self._patience)
        self.removed["poses_of_short_tracks"] += int(gone.sum())
        if late.any():
            self.removed["poses_of_doubtful_tracks"] += int(late.sum())
        held = held[~gone & ~late]
        waiting = held.frame[np.isin(held.track_id, ids[~enough & ~over])]
        self.settled_before = int(waiting.min(initial=until))
        settled = held.frame < self.settled_before
        self._held = held[~settled]
        needed = set(self._held.track_id.tolist())
        for track, (_, _, last) in list(self._seen.items()):
            if until - 1 - last > self.max_gap and track not in needed:
                del self._seen[track]
        return held[settled]

    def finish(self) -> TrackTable:
        """The rest: every track is over."""
        last = int(self._held.frame.max(initial=0))
        return self.add(TrackTable.empty(self._joint_set), last + self.max_gap + 2)


class GapFiller:
    """Fills gaps inside a track linearly and marks the rows as interpolated.

    Positions, boxes, scores and times run straight from the row before the gap to the row after it; a joint that one
    of the two lacks is missing in the gap. Support is 0 and spread missing: no tube says anything there.

    Args:
        max_gap: Longest gap in frames; longer ones stay.
        joint_set: Of the tables.

    Attributes:
        settled_before: Every row of the frames before this one has been given out.
    """

    def __init__(self, max_gap: int, joint_set: JointSet) -> None:
        self.max_gap = max_gap
        self.added: Counter[str] = Counter()
        self._joint_set = joint_set
        self._held = TrackTable.empty(joint_set)
        self._last = TrackTable.empty(joint_set)  # newest row of each track that may go on
        self.settled_before = 0

    def add(self, table: TrackTable, until: int) -> TrackTable:
        """Take the rows of the next frames, all before frame `until`; return those that no later fill precedes."""
        rows = TrackTable.concatenate([self._last, table], self._joint_set)
        rows = rows[np.lexsort((rows.frame, rows.track_id))]
        filled = interpolate(rows, self.max_gap)
        self.added["interpolated_poses"] += len(filled)
        newest = np.append(rows.track_id[1:] != rows.track_id[:-1], True)[: len(rows)]
        self._last = rows[newest & (rows.frame >= until - 1 - self.max_gap)]
        held = TrackTable.concatenate([self._held, table, filled], self._joint_set).sorted()
        self.settled_before = until - self.max_gap
        settled = held.frame < self.settled_before
        self._held = held[~settled]
        return held[settled]

    def finish(self) -> TrackTable:
        """The rest."""
        return self.add(TrackTable.empty(self._joint_set), int(self._held.frame.max(initial=0)) + self.max_gap + 1)


def interpolate(rows: TrackTable, max_gap: int) -> TrackTable:
    """Rows for the gaps of up to `max_gap` frames in `rows`, which are sorted by track and frame (see `GapFiller`)."""
    gap = np.diff(rows.frame) - 1
    same = rows.track_id[1:] == rows.track_id[:-1]
    before = np.flatnonzero(same & (gap >= 1) & (gap <= max_gap))
    index = np.repeat(before, gap[before])
    step = np.arange(len(index)) - np.repeat(np.cumsum(gap[before]) - gap[before], gap[before]) + 1
    a, b = rows[index], rows[index + 1]
    share = step / (gap[index] + 1)

    def mix(x: Float[np.ndarray, "n ..."], y: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, "n ..."]:
        weight = share.reshape(-1, *(1,) * (x.ndim - 1))
        return (1 - weight) * x + weight * y

    return TrackTable(
        rows.joint_set,
        frame=a.frame + step,
        time_s=mix(a.time_s, b.time_s),
        track_id=a.track_id,
        box=mix(a.box, b.box),
        score=mix(a.score, b.score),
        xy=mix(a.xy, b.xy),
        joint_scores=mix(a.joint_scores, b.joint_scores),
        spread=np.full(a.spread.shape, np.nan),
        support=np.zeros_like(a.support),
        source=np.full(len(a), int(Source.INTERPOLATED)),
    )


class After:
    """All stages in a row.

    Args:
        config: Settings.
        joint_set: Of the tables.
        max_gap: Frames after which a track without a row cannot come back: |C|, or the memory of the linking.
        fps: Frames per second, for smoothing where rows have no time; None counts as 25.
        fill_gaps: Fill gaps up to this length even if the settings ask for less (`linking.gap_frames`).

    Attributes:
        counts: What was removed so far, by reason.
    """

    def __init__(
        self, config: FinishConfig, joint_set: JointSet, *, max_gap: int, fps: float | None = None, fill_gaps: int = 0
    ) -> None:
        self._joint_set = joint_set
        self._thresholds = np.full(len(joint_set), config.min_joint_score)
        if config.joint_thresholds:
            self._thresholds = np.maximum(self._thresholds, read_thresholds(config.joint_thresholds, joint_set))
        self._cut: Counter[str] = Counter()
        self._short = ShortTracks(config, joint_set, max_gap)
        fill = max(config.fill_gaps, fill_gaps)
        self._fill = GapFiller(fill, joint_set) if fill else None
        self._smooth = None if config.smooth == "none" else Smoother(config, joint_set, fps or 25.0)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers by reason; reasons that a run cannot have are left out."""
        return {**self._short.removed, **self._cut}

    @property
    def settled_before(self) -> int:
        """Every row of the frames before this one has been given out."""
        return (self._smooth or self._fill or self._short).settled_before

    def add(self, table: TrackTable, until: int | None = None) -> TrackTable:
        """Take the rows of the next frames.

        Args:
            table: Whole frames, later than all before, sorted by frame.
            until: All frames before this one are complete; without it, those up to the table's last.

        Returns:
            Rows that are final, whole frames in order.
        """
        if until is None:
            if not len(table):
                return table
            until = int(table.frame[-1]) + 1
        return self._rest(self._short.add(table, until), last=False)

    def finish(self) -> TrackTable:
        """All remaining rows."""
        return self._rest(self._short.finish(), last=True)

    def _rest(self, table: TrackTable, last: bool) -> TrackTable:
        """The stages after the first, each as far as the one before it is settled."""
        if self._thresholds.any():
            table, counts = apply_thresholds(table, self._thresholds)
            self._cut.update(counts)
        until = self._short.settled_before
        for stage in (self._fill, self._smooth):
            if stage is None:
                continue
            out = [stage.add(table, until)]
            if last:
                out.append(stage.finish())
            table, until = TrackTable.concatenate(out, self._joint_set), stage.settled_before
        return table
