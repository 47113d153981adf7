"""What an edit list does to the rows of a run.

Edits act one after the other, each on the rows as the ones before it left them; an edit that was undone is passed over.
Ids are never used again: the later part of a split gets an id of its own, and the id of a merged or deleted track stays
unused. Joints that a person placed or removed are marked in `TrackTable.human`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.edit.operations import Edit
from dettrack.errors import InputError
from dettrack.structures import TrackTable

__all__ = ["active", "apply", "apply_traced", "check", "names"]

_NO_ROWS = ("rename", "confirm")  # operations that change no row

_CLOCK_S = 1e-6
"""Timestamps are rounded to a microsecond in some files: a bound meets a frame that is so near."""


def active(edits: Iterable[Edit]) -> list[Edit]:
    """The edits that count, in their order: neither undone, nor an undo themselves; undoing an undo restores."""
    edits = list(edits)
    undone: set[int] = set()
    for edit in reversed(edits):
        if edit.op == "undo" and edit.id not in undone and edit.undoes is not None:
            undone.add(edit.undoes)
    return [edit for edit in edits if edit.op != "undo" and edit.id not in undone]


def names(edits: Iterable[Edit]) -> dict[int, str]:
    """What people called the tracks, by id; a track that was merged away leaves its name to one that has none."""
    out: dict[int, str] = {}
    for edit in active(edits):
        if edit.op == "rename" and edit.track is not None:
            out[edit.track] = edit.name or ""
        whole = edit.start_s is None and edit.end_s is None
        if edit.op == "merge" and whole and edit.track is not None and edit.other in out:
            name = out.pop(edit.other)
            out[edit.track] = out.get(edit.track) or name
        if edit.op == "delete" and whole and edit.track is not None:
            out.pop(edit.track, None)
    return {track: name for track, name in out.items() if name}


def apply(
    table: TrackTable,
    edits: Sequence[Edit],
    smooth: Callable[[TrackTable, Int[np.ndarray, " tracks"]], TrackTable] | None = None,
) -> TrackTable:
    """The rows after the edits.

    Args:
        table: Rows of a run as it wrote them.
        edits: Its list, undone ones included.
        smooth: Fills `xy_smooth` of some tracks, given by id, again; needed where the rows are smoothed, because
            values near a swap mix two people. Without it the smoothed positions go with their rows, and a joint that
            was moved or removed is so in both.

    Returns:
        New rows, sorted by frame and track id; `table` itself where no edit counts.
    """
    edits = active(edits)
    if all(edit.op in _NO_ROWS for edit in edits):
        return table
    work = _Work(table)
    for edit in edits:
        work.do(edit)
    out = work.table()
    if smooth is not None and out.xy_smooth is not None:
        changed = np.array(sorted(work.changed & set(out.track_id.tolist())), np.int64)
        out = smooth(out, changed) if len(changed) else out
    return out


def apply_traced(table: TrackTable, edits: Sequence[Edit]) -> tuple[TrackTable, Int[np.ndarray, " rows"]]:
    """The rows after the edits, without smoothed positions, and where each was.

    Args:
        table: Rows of a run as it wrote them.
        edits: Its list, undone ones included.

    Returns:
        New rows, and for each its place in `table`.
    """
    out = apply(replace(table, score=np.arange(len(table), dtype=float), xy_smooth=None), edits)
    places = out.score.astype(np.int64)
    return replace(out, score=table.score[places]), places


def check(table: TrackTable, edit: Edit) -> None:
    """Refuse an edit that names a joint, track or frame that is not there.

    Args:
        table: Rows after all earlier edits.
        edit: The next one.

    Raises:
        InputError: It would do nothing, or reuse an id.
    """
    if edit.joint is not None:
        table.joint_set.index(edit.joint)
    if edit.op == "split" and edit.other is not None and (table.track_id == edit.other).any():
        raise InputError(f"split into track {edit.other}: that track exists; name an id that was never used")
    tracks = [edit.track] if edit.op in ("split", "rename") else [edit.track, edit.other]
    within = _covered(table, edit)
    for track in tracks:
        if track is None:
            continue
        rows = table.track_id == track
        if not rows.any():
            raise InputError(f"{edit.op}: there is no track {track}; `dettrack show` lists them")
        either = rows if edit.other is None else (table.track_id == edit.track) | (table.track_id == edit.other)
        swapped_alone = edit.op == "swap" and (within & either).any()
        if edit.op != "rename" and not (rows & within).any() and not swapped_alone:
            first, last = float(_clock(table)[rows].min()), float(_clock(table)[rows].max())
            where = f"in frame {edit.frame}" if edit.frame is not None else "in that time"
            raise InputError(f"{edit.op}: track {track} has no row {where}; it lasts from {first:.3f} to {last:.3f} s")
    if edit.op == "mark_bad" and edit.track is None and not within.any():
        raise InputError("mark_bad: nobody is in that time")


def _clock(table: TrackTable) -> Float[np.ndarray, " rows"]:
    """Timestamps; frame indices where the source has no clock."""
    return np.where(np.isnan(table.time_s), table.frame.astype(float), table.time_s)


def _covered(table: TrackTable, edit: Edit) -> Bool[np.ndarray, " rows"]:
    """Rows in the frame, or the time, that an edit is about."""
    if edit.frame is not None:
        return table.frame == edit.frame
    clock = _clock(table)
    covered = np.ones(len(table), bool)
    if edit.start_s is not None:
        covered &= clock >= edit.start_s - _CLOCK_S
    if edit.end_s is not None:
        covered &= clock < edit.end_s - _CLOCK_S
    return covered


class _Work:
    """Columns that edits change, copied once; which rows stay, and which tracks became different ones."""

    def __init__(self, table: TrackTable) -> None:
        human = np.zeros(table.xy.shape[:2], bool) if table.human is None else table.human.copy()
        smooth = None if table.xy_smooth is None else table.xy_smooth.copy()
        self.rows = replace(
            table,
            track_id=table.track_id.copy(),
            xy=table.xy.copy(),
            joint_scores=table.joint_scores.copy(),
            spread=table.spread.copy(),
            support=table.support.copy(),
            human=human,
            xy_smooth=smooth,
        )
        self.human = human
        self.stays = np.ones(len(table), bool)
        self.changed: set[int] = set()

    def table(self) -> TrackTable:
        """The rows that stay, sorted."""
        return self.rows[self.stays].sorted()

    def do(self, edit: Edit) -> None:
        """Apply one edit."""
        rows, within = self.rows, self.stays & _covered(self.rows, edit)
        mine = within if edit.track is None else within & (rows.track_id == edit.track)
        others = within & (rows.track_id == edit.other)
        self.changed.update(track for track in (edit.track, edit.other) if track is not None)
        if edit.op == "swap":
            rows.track_id[mine], rows.track_id[others] = edit.other, edit.track
        elif edit.op == "merge":
            # A person has one pose in a frame: where both tracks have one, that of `track` stays.
            double = others & np.isin(rows.frame, rows.frame[self.stays & (rows.track_id == edit.track)])
            self.stays &= ~double
            rows.track_id[others] = edit.track
        elif edit.op == "split":
            # `check` refuses an id that is taken; in a list that was made otherwise such rows stay what they are.
            taken = rows.frame[self.stays & (rows.track_id == edit.other)]
            rows.track_id[mine & ~np.isin(rows.frame, taken)] = edit.other
        elif edit.op == "delete":
            self.stays &= ~mine
        elif edit.op == "flip_sides":
            self._flip(mine)
        elif edit.op == "mark_bad":
            self.changed.update(rows.track_id[mine].tolist())
            self._remove(mine, slice(None))
        elif edit.op == "drop_joint" and edit.joint in rows.joint_set.joints:
            self._remove(mine, rows.joint_set.index(edit.joint))
        elif edit.op == "move_joint" and edit.joint in rows.joint_set.joints and edit.xy is not None:
            self._place(mine, rows.joint_set.index(edit.joint), edit.xy)

    def _flip(self, which: Bool[np.ndarray, " rows"]) -> None:
        order, rows = self.rows.joint_set.flip_permutation, self.rows
        for column in (rows.xy, rows.joint_scores, rows.spread, rows.support, self.human, rows.xy_smooth):
            if column is not None:
                column[which] = column[which][:, order]

    def _remove(self, which: Bool[np.ndarray, " rows"], joint: int | slice) -> None:
        self._set(which, joint, np.nan, score=0.0, spread=np.nan)

    def _place(self, which: Bool[np.ndarray, " rows"], joint: int, xy: tuple[float, float]) -> None:
        self._set(which, joint, np.array(xy), score=1.0, spread=0.0)

    def _set(
        self, which: Bool[np.ndarray, " rows"], joint: int | slice, xy: object, *, score: float, spread: float
    ) -> None:
        rows = self.rows
        rows.xy[which, joint] = xy
        if rows.xy_smooth is not None:
            rows.xy_smooth[which, joint] = xy
        rows.joint_scores[which, joint] = score
        rows.spread[which, joint] = spread
        rows.support[which, joint] = 0
        self.human[which, joint] = True
