"""A track table as bytes that a page reads by range: rows of one width, where each frame's begin, and a lane per track.

Rows are sorted by frame. With the index, `rows[index[f] : index[f + 1]]` are the people of the f-th frame, so whatever
the length of a video, a page fetches a few kilobytes for the frames that it shows. All numbers are little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, UInt32

from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable

__all__ = ["Lanes", "pack_lanes", "pack_rows", "row_dtype", "row_index"]

SCORE_STEPS = 65535
SPREAD_STEP = 1 / 16
"""Pixels; a spread is kept as a whole number of these, `NO_SPREAD` where it is missing."""
NO_SPREAD = 65535
_LANE_ENTRIES = 200_000  # of all lanes together: what a page draws without a wait


def row_dtype(joints: int, smooth: bool) -> np.dtype:
    """Layout of one row: 36 bytes, then 12 for each joint, then 8 for each joint's smoothed position.

    Args:
        joints: Number of joints.
        smooth: Whether rows have smoothed positions.

    Returns:
        A packed structured type.
    """
    joint = np.dtype([("xy", "<f4", 2), ("score", "<u2"), ("spread", "<u2")])
    parts: list[Any] = [("frame", "<u4"), ("track", "<i4"), ("box", "<f4", 4), ("score", "<f4")]
    parts += [("source", "u1"), ("spare", "u1", 3), ("human", "<u4"), ("joints", joint, joints)]
    return np.dtype([*parts, ("smooth", "<f4", (joints, 2))] if smooth else parts)


def pack_rows(table: TrackTable) -> np.ndarray:
    """The rows as `row_dtype` has them, in the order of the table.

    Args:
        table: Sorted by frame.

    Returns:
        `(rows,)` structured array.
    """
    rows = np.zeros(len(table), row_dtype(len(table.joint_set), table.xy_smooth is not None))
    rows["frame"], rows["track"], rows["box"] = table.frame, table.track_id, table.box
    rows["score"], rows["source"] = table.score, table.source
    rows["joints"]["xy"] = table.xy
    rows["joints"]["score"] = np.round(np.nan_to_num(table.joint_scores).clip(0, 1) * SCORE_STEPS)
    spread = np.round(table.spread / SPREAD_STEP).clip(0, NO_SPREAD - 1)
    rows["joints"]["spread"] = np.where(np.isfinite(spread), np.nan_to_num(spread), NO_SPREAD)
    if table.human is not None:
        bits = 1 << np.arange(len(table.joint_set), dtype=np.uint32)
        rows["human"] = (table.human * bits).sum(1)
    if table.xy_smooth is not None:
        rows["smooth"] = table.xy_smooth
    return rows


def row_index(frames: Int[np.ndarray, " rows"], listed: Int[np.ndarray, " n"]) -> UInt32[np.ndarray, " n_plus_1"]:
    """Where the rows of each frame begin.

    Args:
        frames: Frame index of every row, ascending.
        listed: Frame indices of the video, ascending.

    Returns:
        Row number for each listed frame, and the number of rows behind the last.
    """
    edges = np.append(listed, listed[-1] + 1) if len(listed) else np.zeros(1, np.int64)
    return np.searchsorted(frames, edges).astype("<u4")


@dataclass(frozen=True)
class Lanes:
    """One lane per track: what it was in each bin of frames.

    Attributes:
        bin_frames: Frames in a bin.
        tracks: For each track its id, first and last frame (positions in the list of frames), number of rows, mean
            score, and where its entries begin and end.
        entries: Bin number, sources seen (bit 0 detected, 1 recovered, 2 interpolated, 3 corrected by hand), mean and
            lowest score in 255ths, and the share of the bin's frames that have a row, in 255ths.
    """

    bin_frames: int
    tracks: list[dict[str, Any]]
    entries: np.ndarray


_BY_HAND = 8
_LANE = np.dtype([("bin", "<u4"), ("sources", "u1"), ("score", "u1"), ("lowest", "u1"), ("share", "u1")])


def pack_lanes(table: TrackTable, listed: Int[np.ndarray, " n"], most: int = _LANE_ENTRIES) -> Lanes:
    """Lanes of all tracks, in bins of one frame where that is few enough, else of as many as it takes.

    Args:
        table: Rows.
        listed: Frame indices of the video, ascending.
        most: Entries of all lanes together.

    Returns:
        The lanes, by first frame, then by track id.
    """
    place = np.searchsorted(listed, table.frame)
    size = 1
    while len(table) / size > most:
        size *= 2
    order = np.lexsort((place, table.track_id))
    sources = (1 << table.source).astype(np.uint8)
    if table.human is not None:
        sources |= np.where(table.human.any(1), _BY_HAND, 0).astype(np.uint8)
    track, place, score = table.track_id[order], place[order], np.nan_to_num(table.score[order]).clip(0, 1)
    bins = place // size
    starts = np.flatnonzero((np.diff(track, prepend=-1) != 0) | (np.diff(bins, prepend=-1) != 0))
    entries = np.zeros(len(starts), _LANE)
    if len(starts):
        counts = np.diff([*starts, len(track)])
        entries["bin"] = bins[starts]
        entries["sources"] = np.bitwise_or.reduceat(sources[order], starts)
        entries["score"] = np.round(np.add.reduceat(score, starts) / counts * 255)
        entries["lowest"] = np.round(np.minimum.reduceat(score, starts) * 255)
        entries["share"] = np.round(np.minimum(counts / size, 1) * 255)
    ids, first, count = np.unique(track, return_index=True, return_counts=True)
    total = np.concatenate([[0.0], np.cumsum(score)])
    edges = np.searchsorted(track[starts], np.append(ids, ids[-1] + 1)) if len(ids) else np.zeros(1, np.int64)
    tracks = [
        {
            "id": int(ids[i]),
            "first": int(place[first[i]]),
            "last": int(place[first[i] + count[i] - 1]),
            "rows": int(count[i]),
            "score": round(float((total[first[i] + count[i]] - total[first[i]]) / count[i]), 4),
            "begin": int(edges[i]),
            "end": int(edges[i + 1]),
        }
        for i in range(len(ids))
    ]
    return Lanes(size, sorted(tracks, key=lambda each: (each["first"], each["id"])), entries)


def joint_names(joint_set: JointSet) -> dict[str, Any]:
    """What a page must know of a joint set to draw it.

    Args:
        joint_set: The set.

    Returns:
        Names, limbs as pairs of positions, and each joint's mirror partner.
    """
    return {
        "name": joint_set.name,
        "joints": list(joint_set.joints),
        "limbs": joint_set.limbs.tolist(),
        "mirror": joint_set.flip_permutation.tolist(),
    }
