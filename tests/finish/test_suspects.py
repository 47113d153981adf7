"""Suspects: what is done to good tracks is found where it was done, and good tracks have none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from viewer_results import J, people

from dettrack.finish.suspects import Suspect, SuspectFinder, suspect_lines
from dettrack.skeleton import POSETRACK15
from dettrack.structures import CloseLink, FrameTimes, Segment, TrackTable

N = 60
TIMES = np.arange(N) / 30


def found(table: TrackTable, *links: CloseLink, shots: np.ndarray | None = None, step: int = 7) -> list[Suspect]:
    """Suspects of a table that comes in segments."""
    finder = SuspectFinder(POSETRACK15)
    shot = np.zeros(N, np.int64) if shots is None else shots
    for start in range(0, N, step):
        index = np.arange(start, min(N, start + step))
        times = FrameTimes(index, TIMES[index], shot[index], ("",) * len(index))
        here = tuple(link for link in links if start <= link.frame < start + step)
        finder.add(Segment(times, table[(table.frame >= start) & (table.frame < start + step)], here))
    return finder.finish()


def swapped(table: TrackTable, a: int, b: int, frame: int) -> TrackTable:
    """Two ids exchanged from a frame on."""
    late = table.frame >= frame
    ids = table.track_id.copy()
    ids[late & (table.track_id == a)], ids[late & (table.track_id == b)] = b, a
    return replace(table, track_id=ids).sorted()


def test_good_tracks_have_none() -> None:
    assert found(people(TIMES)) == []


@pytest.mark.parametrize(("a", "b", "frame"), [(0, 1, 20), (0, 2, 33), (1, 2, 7)])
def test_a_swap_is_the_first_suspect(a: int, b: int, frame: int) -> None:
    first, *rest = found(swapped(people(TIMES), a, b, frame))
    assert (first.kind, {first.track, first.other}, first.frame) == ("exchange", {a, b}, frame)
    assert first.time_s == TIMES[frame]
    assert first.severity > 0.9
    assert f"tracks {first.track} and {first.other}" in first.reason
    assert all(each.severity < first.severity for each in rest)


def test_segments_do_not_matter() -> None:
    table = swapped(people(TIMES), 0, 1, 20)
    assert found(table, step=1) == found(table, step=N)


def test_a_cut_is_no_swap() -> None:
    table = swapped(people(TIMES), 0, 1, 20)
    assert found(table, shots=(np.arange(N) >= 20).astype(int)) == []


def test_a_jump_is_found() -> None:
    table = people(TIMES, tracks=1)
    table.xy[30:] += 90
    table.box[30:] += 90
    (suspect,) = found(table)
    assert (suspect.kind, suspect.track, suspect.frame, suspect.other) == ("jump", 0, 30, None)


def test_exchanged_sides_are_found() -> None:
    table = people(TIMES, tracks=1)
    table.xy[25:] = table.xy[25:][:, POSETRACK15.flip_permutation]
    assert [(s.kind, s.frame) for s in found(table)] == [("sides", 25)]


def test_limbs_that_grow_at_once_are_found_and_slow_growth_is_not() -> None:
    table = people(TIMES, tracks=1)
    centre = table.xy.mean(1, keepdims=True)
    slow = replace(table, xy=centre + (table.xy - centre) * np.linspace(1, 1.6, N)[:, None, None])
    assert "limbs" not in {s.kind for s in found(slow)}
    factor = np.where(np.arange(N) < 30, 1, 1.6)[:, None, None]
    sudden = replace(table, xy=centre + (table.xy - centre) * factor)
    limbs = [s for s in found(sudden) if s.kind == "limbs"]
    assert len(limbs) == 1
    assert abs(limbs[0].frame - 30) <= 3
    assert "longer" in limbs[0].reason


def test_a_gap_says_how_long_it_was() -> None:
    table = people(TIMES, tracks=2)
    table = table[(table.track_id == 0) | (table.frame < 10) | (table.frame > 40)]
    (suspect,) = found(table)
    assert (suspect.kind, suspect.track, suspect.from_frame, suspect.to_frame) == ("gap", 1, 9, 41)
    assert "1.1 s" in suspect.reason


def test_a_close_second_names_both_and_takes_the_id_of_the_row() -> None:
    table = replace(people(TIMES, tracks=2), track_id=people(TIMES, tracks=2).track_id + 5)
    box = table.box[(table.frame == 12) & (table.track_id == 6)][0]
    close, closer = (CloseLink(12, box + 1, 5, 0.6, margin) for margin in (0.1, 0.02))
    weak, strong = found(table, close), found(table, closer)
    assert [(s.kind, s.track, s.other, s.frame) for s in weak + strong] == [("link", 6, 5, 12)] * 2
    assert strong[0].severity > weak[0].severity
    assert "0.60 against 0.58" in strong[0].reason
    assert found(table, CloseLink(12, np.array([500.0, 500, 510, 510]), 5, 0.6, 0.01)) == []


def test_missing_joints_and_times_are_no_error() -> None:
    table = swapped(people(TIMES), 0, 1, 20)
    table.xy[::2] = np.nan
    table.time_s[:] = np.nan
    assert found(table)[0].kind == "exchange"
    line = json.loads(suspect_lines(found(table)).splitlines()[0])
    assert (line["rank"], line["v"]) == (1, 1)
    assert len(POSETRACK15) == J
