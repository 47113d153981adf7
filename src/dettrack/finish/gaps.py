"""Gaps inside a track, filled by straight lines."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dettrack.structures import Source, TrackTable
from dettrack.structures.report import Tally

__all__ = ["GapFiller", "interpolate"]


class GapFiller:
    """Fills gaps inside a track linearly and marks the rows as interpolated.

    Positions, boxes, scores and times run straight from the row before the gap to the row after it; a joint that one
    of the two lacks is missing in the gap. Support is 0 and spread missing: no tube says anything there.

    Args:
        max_gap: Longest gap in frames; longer ones stay.

    Attributes:
        settled_before: Every row of the frames before this one has been given out.
    """

    name = "gaps"
    tally = Tally()

    def __init__(self, max_gap: int) -> None:
        self.max_gap = max_gap
        self._held: TrackTable | None = None
        self._last: TrackTable | None = None  # newest row of each track that may go on
        self.settled_before = 0

    def add(self, table: TrackTable, until: int) -> TrackTable:
        """See `stages.Stage.add`; gaps before the rows that are given back are filled."""
        last, held = (table[:0] if rows is None else rows for rows in (self._last, self._held))
        rows = TrackTable.concatenate([last, table])
        rows = rows[np.lexsort((rows.frame, rows.track_id))]
        filled = interpolate(rows, self.max_gap)
        newest = np.append(rows.track_id[1:] != rows.track_id[:-1], True)[: len(rows)]
        self._last = rows[newest & (rows.frame >= until - 1 - self.max_gap)]
        held = TrackTable.concatenate([held, table, filled]).sorted()
        self.settled_before = until - self.max_gap
        settled = held.frame < self.settled_before
        self._held = held[~settled]
        return held[settled]

    def end_shot(self, frame: int) -> None:
        """No track goes on after a shot cut, so that no gap reaches across one."""

    def finish(self) -> TrackTable | None:
        """The rest."""
        if self._held is None:
            return None
        return self.add(self._held[:0], int(self._held.frame.max(initial=0)) + self.max_gap + 1)


def interpolate(rows: TrackTable, max_gap: int) -> TrackTable:
    """Rows for the gaps of up to `max_gap` frames (see `GapFiller`).

    Args:
        rows: Sorted by track, then by frame.
        max_gap: Frames.

    Returns:
        The new rows alone.
    """
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
