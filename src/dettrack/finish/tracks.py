"""Tracks that are too short, or in which no pose convinces, are dropped (paper 4.1)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from dettrack.config import FinishConfig
from dettrack.structures import Source, TrackTable
from dettrack.structures.report import Tally

__all__ = ["TrackRules"]


class TrackRules:
    """Drops tracks with too few frames or detections; holds rows back until their track has enough.

    A frame counts for a track where its pose reaches `min_track_score`: what a detector takes for a person (a tree, the
    gap between two people) can move as smoothly as a person, but the pose network gives its joints low scores. No row
    waits longer than `patience` for its track to have enough: older ones are dropped, and the track begins later.

    Args:
        config: `min_track_frames`, `min_track_detections` and `min_track_score`.
        max_gap: A track that has had no row for more frames than this will not come back.
        patience: Frames that a row waits for its track to have enough; 0 for four times `max_gap`.

    Attributes:
        settled_before: Every row of the frames before this one has been given out.
    """

    name = "tracks"

    def __init__(self, config: FinishConfig, max_gap: int, patience: int = 0) -> None:
        self.max_gap = max_gap
        self._patience = patience or 4 * max_gap
        self._dropped: Counter[str] = Counter()
        self._config = config
        self._held: TrackTable | None = None
        self._seen: dict[int, list[int]] = {}  # track -> convincing frames, detections, last frame
        self.settled_before = 0

    @property
    def tally(self) -> Tally:
        """Tracks and poses removed so far, by reason."""
        return Tally(dropped=self._dropped)

    def add(self, table: TrackTable, until: int) -> TrackTable:
        """See `stages.Stage.add`; rows come back once their track has enough frames."""
        detected = table.source == int(Source.DETECTED)
        sure = table.score >= self._config.min_track_score
        rows = zip(table.track_id.tolist(), table.frame.tolist(), detected.tolist(), sure.tolist(), strict=True)
        for track, frame, found, convincing in rows:
            record = self._seen.setdefault(track, [0, 0, 0])
            record[0] += convincing
            record[1] += found
            record[2] = frame
        held = table if self._held is None else TrackTable.concatenate([self._held, table])
        ids, place = np.unique(held.track_id, return_inverse=True)
        seen = np.array([self._seen[track] for track in ids.tolist()]).reshape(-1, 3)
        enough = (seen[:, 0] >= self._config.min_track_frames) & (seen[:, 1] >= self._config.min_track_detections)
        over = until - 1 - seen[:, 2] > self.max_gap
        self._dropped["short_tracks"] += int((over & ~enough).sum())
        gone = (over & ~enough)[place]
        late = (~over & ~enough)[place] & (held.frame < until - self._patience)
        self._dropped["poses_of_short_tracks"] += int(gone.sum())
        if late.any():
            self._dropped["poses_of_doubtful_tracks"] += int(late.sum())
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

    def end_shot(self, frame: int) -> None:
        """Tracks end by their last rows, at a shot cut too."""

    def finish(self) -> TrackTable | None:
        """The rest: every track is over."""
        if self._held is None:
            return None
        return self.add(self._held[:0], int(self._held.frame.max(initial=0)) + self.max_gap + 2)
