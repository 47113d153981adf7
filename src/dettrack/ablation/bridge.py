"""Tracks joined over gaps by their motion: what "oks-velocity" can do and tubes, which need common frames, cannot.

A track's last pose is moved on, and another track's first pose moved back, with the mean velocity of their last (first)
frames, to meet in the middle; where they agree there by OKS the two are one track, chosen by the Hungarian algorithm,
and the gap is interpolated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from dettrack.after import GapFiller
from dettrack.oks import box_areas, oks
from dettrack.sew import MIN_JOINTS, match
from dettrack.structures import TrackTable

__all__ = ["bridge_gaps"]

# Frames from which a track's velocity at its end is taken.
_FRAMES = 5


def bridge_gaps(table: TrackTable, frames: int, floor: float, confidence: float) -> TrackTable:
    """Join tracks of one shot.

    Args:
        table: Finished tracks.
        frames: Longest gap in frames.
        floor: OKS below which two tracks are not joined.
        confidence: Joints with a lower score do not count.

    Returns:
        The table with joined ids and interpolated rows in the gaps between joined tracks.
    """
    if not len(table):
        return table
    order = np.lexsort((table.frame, table.track_id))
    rows = table[order]
    ids, first, count = np.unique(rows.track_id, return_index=True, return_counts=True)
    last = first + count - 1
    gap = rows.frame[first][None] - rows.frame[last][:, None] - 1
    i, j = np.nonzero((gap >= 0) & (gap <= frames))
    if not len(i):
        return table
    ends = list(zip(first.tolist(), last.tolist(), strict=True))
    leaving = np.array([_velocity(rows, b, max(a, b - _FRAMES)) for a, b in ends])
    coming = np.array([_velocity(rows, min(b, a + _FRAMES), a) for a, b in ends])
    half = (gap[i, j] + 1)[:, None, None] / 2
    a, b = rows.xy[last[i]] + half * leaving[i][:, None], rows.xy[first[j]] - half * coming[j][:, None]
    sure = np.isfinite(rows.xy).all(-1) & (rows.joint_scores >= confidence)
    area = (box_areas(rows.box[last[i]]) + box_areas(rows.box[first[j]])) / 2
    similar = np.nan_to_num(oks(a, sure[last[i]], b, sure[first[j]], area, rows.joint_set.sigmas, MIN_JOINTS))
    good = (similar >= floor) & (similar > 0)
    i, j, similar = i[good], j[good], similar[good]
    chosen = match(i, j, similar, (len(ids), len(ids)))
    root = np.arange(len(ids))
    # In the order of time, so that a chain of three takes the first one's id.
    for k in sorted(chosen.tolist(), key=lambda k: int(rows.frame[first[j[k]]])):
        root[j[k]] = root[i[k]]
    joined = replace(rows, track_id=ids[root[np.searchsorted(ids, rows.track_id)]]).sorted()
    filler = GapFiller(frames, table.joint_set)
    parts = [filler.add(joined, int(joined.frame[-1]) + 1), filler.finish()]
    return TrackTable.concatenate(parts, table.joint_set).sorted()


def _velocity(rows: TrackTable, late: int, early: int) -> Float[np.ndarray, " 2"]:
    """Mean shift of the joints per frame between two rows of a track; 0 where it has one row only."""
    frames = int(rows.frame[late] - rows.frame[early])
    shift = rows.xy[late] - rows.xy[early]
    shift = shift[np.isfinite(shift).all(-1)]
    return shift.mean(0) / frames if frames and len(shift) else np.zeros(2)
