"""What the corrections of a result say of its tracklets, and the corrections carried over to a new association.

A swap, merge or split is a link between two tracklets that a person made, or one that a person forbade, at the place
where ids that were one become two or the other way round. `dettrack associate --edits` sews the whole video with them.
Everything else that a person did (names, joints, sides, what was deleted or marked) is moved to the tracks of the new
association that lie where the old ones lay; so is a link that sewing could not keep, as across a long gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dettrack.edit import Edit, active, apply_traced
from dettrack.sew.links import Key, Links
from dettrack.structures import TrackletBatch, TrackTable

__all__ = ["carried", "links_of"]

_SEAMS = ("swap", "merge", "split")
_MOSTLY = 0.8  # share of the rows of an edit by which a new track is the one that it is about
_NEAR = 0.15  # mean distance of two poses of one person in one frame, over the root of the box's area


def _nearest(
    poses: Float[np.ndarray, "a joints 2"],
    others: Float[np.ndarray, "b joints 2"],
    area: Float[np.ndarray, " b"],
) -> Int[np.ndarray, " a"]:
    """For each pose the place of the other that is the same person's in the same frame; -1 where there is none."""
    if not len(poses) or not len(others):
        return np.full(len(poses), -1)
    apart = np.hypot(*np.moveaxis(poses[:, None] - others[None], -1, 0))
    known = np.isfinite(apart)
    mean = np.where(known, apart, 0).sum(-1) / np.maximum(known.sum(-1), 1)
    mean = np.where(known.any(-1), mean / np.sqrt(np.maximum(area, 1.0)), np.inf)
    best = mean.argmin(1)
    return np.where(mean[np.arange(len(poses)), best] <= _NEAR, best, -1)


def links_of(table: TrackTable, edits: Sequence[Edit], batches: Iterable[TrackletBatch]) -> Links:
    """The links that people made and forbade.

    Args:
        table: Rows as the run wrote them.
        edits: The edit list.
        batches: The tracklets that will be sewn again.

    Returns:
        For the sewer.
    """
    before = table.track_id
    after = np.full(len(table), -1)
    sewn, places = apply_traced(table, [edit for edit in active(edits) if edit.op in _SEAMS])
    after[places] = sewn.track_id
    area = (table.box[:, 2] - table.box[:, 0]) * (table.box[:, 3] - table.box[:, 1])
    seen: list[tuple[Key, int, int]] = []  # tracklet, id that the run gave it, id that it has now
    for batch in batches:
        for tracklets in batch.tracklets:
            first, last = np.searchsorted(table.frame, [tracklets.keyframe, tracklets.keyframe + 1])
            poses = tracklets.xy[:, tracklets.keyframe - int(tracklets.frames[0])]
            near = _nearest(poses, table.xy[first:last], area[first:last])
            for i, row in enumerate(near.tolist()):
                if row >= 0 and after[first + row] >= 0:
                    seen.append(((tracklets.keyframe, i), int(before[first + row]), int(after[first + row])))
    links = Links()
    _seams(seen, 1, 2, links.apart)
    _seams(seen, 2, 1, links.same)
    return links


def _seams(seen: list[tuple[Key, int, int]], together: int, other: int, into: dict[Key, tuple[Key, ...]]) -> None:
    """Where tracklets with one id of the one kind change their id of the other kind from a keyframe to the next."""
    by_id: dict[int, dict[int, list[tuple[Key, int]]]] = defaultdict(lambda: defaultdict(list))
    for entry in seen:
        key, ids = entry[0], (0, entry[1], entry[2])
        by_id[ids[together]][key[0]].append((key, ids[other]))
    for keyframes in by_id.values():
        ordered = sorted(keyframes)
        for earlier, later in pairwise(ordered):
            past = keyframes[earlier]
            for key, identity in keyframes[later]:
                changed = tuple(k for k, was in past if was != identity)
                if len(changed) == len(past):
                    into[key] = changed


def carried(table: TrackTable, edits: Sequence[Edit], new: TrackTable, reach: int = 0) -> list[dict[str, Any]]:
    """The edits that the new association does not have in itself, in terms of its tracks.

    Args:
        table: Rows as the run wrote them.
        edits: Its edit list.
        new: Rows of the new association.
        reach: Frames by which a tube extends beyond its keyframe: so far may a change of id lie from where it was made.

    Returns:
        Lines for the new edit list, with the time and the name of who made them, without `id`.
    """
    place = _places(table, new)
    counting = active(edits)
    out: list[dict[str, Any]] = []
    for number, edit in enumerate(counting):
        if edit.op in _SEAMS:
            continue
        line = {key: value for key, value in edit.as_json().items() if key != "id"}
        if edit.track is None:
            out.append(line)
            continue
        then, rows = apply_traced(table, counting[:number])
        mine = rows[(then.track_id == edit.track) & _within(table, rows, edit)]
        places = place[mine]
        found, counts = np.unique(new.track_id[places[places >= 0]], return_counts=True)
        if len(found) and (edit.op == "rename" or counts.max() >= _MOSTLY * counts.sum()):
            found = found[counts.argmax() :][:1]
        for track in found.tolist():
            span = {} if edit.frame is not None or edit.op == "rename" else _span(new, track, places)
            kept = {key: value for key, value in line.items() if key not in ("from", "to")}
            out.append({**kept, "track": track, **span})
    sewn, rows = apply_traced(table, [edit for edit in counting if edit.op in _SEAMS])
    latest = max((edit for edit in counting if edit.op in _SEAMS), key=lambda edit: edit.id, default=None)
    about = {} if latest is None else {"v": 1, "time": latest.time, "by": latest.by}
    # Last: until then the tracks have the ids of the new association.
    return out + [{**about, **line} for line in _left(table, rows, sewn.track_id, place, new, reach)]


def _places(table: TrackTable, new: TrackTable) -> Int[np.ndarray, " rows"]:
    """For each row the one of the new association with the same person in the same frame; -1 for none."""
    out = np.full(len(table), -1)
    area = (new.box[:, 2] - new.box[:, 0]) * (new.box[:, 3] - new.box[:, 1])
    for frame in np.unique(table.frame).tolist():
        old = slice(*np.searchsorted(table.frame, [frame, frame + 1]))
        fresh = slice(*np.searchsorted(new.frame, [frame, frame + 1]))
        near = _nearest(table.xy[old], new.xy[fresh], area[fresh])
        out[old] = np.where(near >= 0, near + fresh.start, -1)
    return out


def _within(table: TrackTable, rows: Int[np.ndarray, " n"], edit: Edit) -> np.ndarray:
    """Which of some rows lie in the frame or the time of an edit."""
    if edit.frame is not None:
        return table.frame[rows] == edit.frame
    clock = np.where(np.isnan(table.time_s), table.frame.astype(float), table.time_s)[rows]
    after = -np.inf if edit.start_s is None else edit.start_s - 1e-6
    return (clock >= after) & (clock < (np.inf if edit.end_s is None else edit.end_s - 1e-6))


def _span(new: TrackTable, track: int, places: Int[np.ndarray, " n"]) -> dict[str, float]:
    """`from` and `to` that cover these rows of a new track; open where they reach its end."""
    clock = np.where(np.isnan(new.time_s), new.frame.astype(float), new.time_s)
    mine = np.sort(clock[new.track_id == track])
    covered = clock[places[(places >= 0) & (new.track_id[places] == track)]]
    later = mine[mine > covered.max()]
    span = {} if covered.min() <= mine[0] else {"from": float(covered.min())}
    return span if not len(later) else {**span, "to": float(later[0])}


def _left(
    table: TrackTable,
    rows: Int[np.ndarray, " n"],
    ids: Int[np.ndarray, " n"],
    place: Int[np.ndarray, " rows"],
    new: TrackTable,
    reach: int,
) -> list[dict[str, Any]]:
    """Merges and splits for the links that the new association did not keep."""
    out: list[dict[str, Any]] = []
    known = place[rows] >= 0
    rows, ids = rows[known], ids[known]
    clock = np.where(np.isnan(table.time_s), table.frame.astype(float), table.time_s)
    fresh, old = new.track_id[place[rows]], table.track_id[rows]
    next_id = int(new.track_id.max(initial=-1)) + 1
    joined: dict[int, int] = {}  # a track of the new association -> the one that it has become part of
    for before, after, b in _changes(table.frame[rows], ids, old, reach):
        first, second = joined.get(int(fresh[before]), int(fresh[before])), int(fresh[after])
        if first != joined.get(second, second):
            out.append({"op": "merge", "track": first, "other": second, "from": float(clock[rows[b]])})
            joined[second] = first
    for before, after, b in _changes(table.frame[rows], old, ids, reach):
        if fresh[before] == fresh[after]:
            pair = {"track": int(fresh[before]), "other": next_id}
            out.append({"op": "split", **pair, "from": float(clock[rows[b]])})
            next_id += 1
    return out


def _changes(
    frame: Int[np.ndarray, " n"], same: Int[np.ndarray, " n"], other: Int[np.ndarray, " n"], reach: int
) -> Iterator[tuple[int, int, int]]:
    """Where `other` changes within rows of one `same`: a row well before, one well after, and the first one after.

    The tubes on both sides of a link overlap: which frame in them changes sides is not for the link to say.
    """
    for identity in np.unique(same).tolist():
        mine = np.flatnonzero(same == identity)
        mine = mine[np.argsort(frame[mine], kind="stable")]
        for b in np.flatnonzero(np.diff(other[mine])) + 1:
            before = mine[:b][frame[mine[:b]] <= frame[mine[b - 1]] - reach]
            after = mine[b:][frame[mine[b:]] >= frame[mine[b]] + reach]
            yield (
                int(before[-1] if len(before) else mine[0]),
                int(after[0] if len(after) else mine[-1]),
                int(mine[b]),
            )
