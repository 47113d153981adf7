"""What corrections did to the places of a run that a person should look at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dettrack.edit.apply import active, apply_traced
from dettrack.edit.operations import Edit
from dettrack.structures import TrackTable

__all__ = ["follow_suspects"]

_IDS = re.compile(r"\b(tracks? )(\d+)(?:( and )(\d+))?")


def follow_suspects(
    suspects: Sequence[Mapping[str, Any]], table: TrackTable, edits: Sequence[Edit]
) -> list[dict[str, Any]]:
    """Suspects of a run, as they are after its corrections.

    A suspect is settled where a person confirmed the track in a frame of it, or where its people are no longer what
    they were: their ids no longer go on as they did, their joints were changed, or their rows removed.

    Args:
        suspects: As `formats.read.read_suspects` reads them, with the ids that the run gave.
        table: Rows as the run wrote them.
        edits: Its edit list, undone ones included.

    Returns:
        Copies in the same order, with `track`, `other` and the ids in `reason` as they are now, and `settled`.
    """
    edits = active(edits)
    if not edits:
        return [{**suspect, "settled": False} for suspect in suspects]
    around = [_frames(suspect) for suspect in suspects]
    rows = table[np.isin(table.frame, [frame for frames in around for frame in frames])]
    rows = replace(rows, xy_smooth=None)
    after, places = apply_traced(rows, edits)
    now = np.full(len(rows), -1)  # id after the corrections; -1: the row is gone
    now[places] = after.track_id
    moved = np.zeros(len(rows), bool)
    before = rows.xy[places]
    moved[places] = ~((after.xy == before) | (np.isnan(after.xy) & np.isnan(before))).all((1, 2))
    here = {key: i for i, key in enumerate(zip(rows.frame.tolist(), rows.track_id.tolist(), strict=True))}
    confirmed = [(edit.track, edit.frame) for edit in edits if edit.op == "confirm"]
    return [
        _followed(suspect, frames, here, now, moved, confirmed)
        for suspect, frames in zip(suspects, around, strict=True)
    ]


def _frames(suspect: Mapping[str, Any]) -> list[int]:
    """Those that tell whether it still holds: the one before it, its first, the one to look at, its last."""
    frame = suspect["frame"]
    first, last = suspect.get("from_frame", frame), suspect.get("to_frame", frame)
    return sorted({first - 1, first, frame, last})


def _followed(
    suspect: Mapping[str, Any],
    frames: list[int],
    here: Mapping[tuple[int, int], int],
    now: np.ndarray,
    moved: np.ndarray,
    confirmed: Sequence[tuple[int | None, int | None]],
) -> dict[str, Any]:
    tracks = [track for track in (suspect.get("track"), suspect.get("other")) if track is not None]
    ids: dict[int, int] = {}
    settled = False
    for track in tracks:
        found = [(frame, here[frame, track]) for frame in frames if (frame, track) in here]
        present = [int(now[i]) for _, i in found]
        settled |= len(set(present)) > 1 or -1 in present or any(moved[i] for _, i in found)
        at = here.get((suspect["frame"], track))
        ids[track] = int(now[at]) if at is not None and now[at] >= 0 else max([*present, -1])
        ids[track] = track if ids[track] < 0 else ids[track]
    settled |= len(set(ids.values())) < len(tracks)
    settled |= any(track in ids.values() and frames[0] <= (frame or 0) <= frames[-1] for track, frame in confirmed)
    known = {key: ids[suspect[key]] for key in ("track", "other") if suspect.get(key) is not None}

    def renumbered(words: re.Match[str]) -> str:
        start, one, between, two = words.groups()
        second = "" if two is None else f"{between}{ids.get(int(two), int(two))}"
        return f"{start}{ids.get(int(one), int(one))}{second}"

    return {**suspect, **known, "reason": _IDS.sub(renumbered, str(suspect["reason"])), "settled": settled}
