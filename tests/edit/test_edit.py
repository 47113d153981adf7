"""Edits: what each does, that undo takes it back, and that a list survives killed writers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.edit import EDITS, OPERATIONS, Edit, active, append, apply, names, parse, read
from dettrack.errors import DettrackError, InputError
from dettrack.skeleton import POSETRACK15
from dettrack.structures import TrackTable

J = len(POSETRACK15)


def people(seed: int, *, tracks: int = 4, frames: int = 12, smooth: bool = False, clock: bool = True) -> TrackTable:
    """Tracks with gaps, 25 frames a second from 3 s on."""
    rng = np.random.default_rng(seed)
    frame, track = (grid.ravel() for grid in np.meshgrid(np.arange(frames), 3 * np.arange(tracks) + 1, indexing="ij"))
    there = rng.random(len(frame)) < 0.7
    there[track == 1] = True
    frame, track = frame[there], track[there]
    n = len(frame)
    xy = np.where(rng.random((n, J, 1)) < 0.2, np.nan, rng.uniform(0, 500, (n, J, 2)))
    corner = rng.uniform(0, 300, (n, 2))
    missing = np.isnan(xy[..., 0])
    return TrackTable(
        POSETRACK15,
        frame=frame,
        time_s=3.0 + frame / 25 if clock else np.full(n, np.nan),
        track_id=track,
        box=np.concatenate([corner, corner + 80], 1),
        score=rng.random(n),
        xy=xy,
        joint_scores=np.where(missing, 0, rng.random((n, J))),
        spread=np.where(missing, np.nan, 1.0),
        support=np.where(missing, 0, 3),
        source=rng.integers(0, 3, n),
        xy_smooth=xy + 0.5 if smooth else None,
    )


def numbered(*operations: dict[str, Any]) -> list[Edit]:
    return [parse({"id": number, **operation}) for number, operation in enumerate(operations, 1)]


def assert_same(a: TrackTable, b: TrackTable) -> None:
    """Equal in every column; nobody's mark is the same as no column of marks."""
    for name in (f.name for f in fields(TrackTable) if f.name not in ("joint_set", "human")):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    marks = [np.zeros(t.xy.shape[:2], bool) if t.human is None else t.human for t in (a, b)]
    np.testing.assert_array_equal(*marks)


spans = st.tuples(st.none() | st.floats(3, 3.5), st.none() | st.floats(3, 3.5)).map(
    lambda span: {"from": span[0], "to": span[1]} if None in span or span[0] < span[1] else {"from": span[0]}
)
ids = st.sampled_from([1, 4, 7, 10])


def with_span(**operands: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.fixed_dictionaries(operands), spans).map(lambda parts: parts[0] | parts[1])


pairs = st.permutations([1, 4, 7, 10]).map(lambda order: {"track": order[0], "other": order[1]})
operations = st.one_of(
    st.tuples(st.sampled_from(["swap", "merge"]), pairs, spans).map(lambda p: {"op": p[0]} | p[1] | p[2]),
    st.tuples(ids, st.floats(3, 3.5), st.integers(20, 10**6)).map(
        lambda p: {"op": "split", "track": p[0], "from": p[1], "other": p[2]}
    ),
    with_span(op=st.just("delete"), track=ids),
    with_span(op=st.just("flip_sides"), track=ids),
    with_span(op=st.just("drop_joint"), track=ids, joint=st.sampled_from(POSETRACK15.joints)),
    with_span(op=st.just("mark_bad"), track=ids),
    st.fixed_dictionaries(
        {
            "op": st.just("move_joint"),
            "track": ids,
            "frame": st.integers(0, 11),
            "joint": st.sampled_from(POSETRACK15.joints),
            "xy": st.tuples(st.floats(-50, 600), st.floats(-50, 600)),
        }
    ),
)
lists = st.lists(operations, max_size=5)


@given(st.integers(0, 50), st.booleans(), lists, pairs, spans)
def test_a_swap_twice_is_nothing(seed: int, smooth: bool, before: list, pair: dict, span: dict) -> None:
    table = people(seed, smooth=smooth)
    swap = {"op": "swap"} | pair | span
    assert_same(apply(table, numbered(*before)), apply(table, numbered(*before, swap, swap)))


@given(st.integers(0, 50), lists, ids, spans)
def test_sides_flipped_twice_are_nothing(seed: int, before: list, track: int, span: dict) -> None:
    table = people(seed)
    flip = {"op": "flip_sides", "track": track} | span
    assert_same(apply(table, numbered(*before)), apply(table, numbered(*before, flip, flip)))


@given(st.integers(0, 50), st.booleans(), lists, operations)
def test_undo_is_nothing_and_undone_undo_is_the_edit(seed: int, smooth: bool, before: list, operation: dict) -> None:
    table, n = people(seed, smooth=smooth), len(before) + 1
    undone = numbered(*before, operation, {"op": "undo", "undoes": n})
    assert_same(apply(table, numbered(*before)), apply(table, undone))
    again = numbered(*before, operation, {"op": "undo", "undoes": n}, {"op": "undo", "undoes": n + 1})
    assert_same(apply(table, numbered(*before, operation)), apply(table, again))


@given(st.integers(0, 50), st.floats(3, 3.5))
def test_a_split_merged_again_is_nothing(seed: int, time_s: float) -> None:
    table = people(seed)
    split = {"op": "split", "track": 1, "from": time_s, "other": 99}
    assert_same(table, apply(table, numbered(split, {"op": "merge", "track": 1, "other": 99})))


@given(st.integers(0, 50), st.booleans(), lists)
def test_rows_stay_sorted_one_a_person_and_frame_and_the_original_stays(seed: int, clock: bool, edits: list) -> None:
    table, copy = people(seed, clock=clock), people(seed, clock=clock)
    out = apply(table, numbered(*edits))
    assert_same(table, copy)
    key = list(zip(out.frame.tolist(), out.track_id.tolist(), strict=True))
    assert key == sorted(set(key))
    assert set(out.track_id.tolist()) <= {1, 4, 7, 10} | {e["other"] for e in edits if "other" in e}


def test_each_operation_does_what_it_says() -> None:
    table = people(0, smooth=True)
    time_s = 3.0 + 6 / 25

    def rows(out: TrackTable, track: int) -> TrackTable:
        return out[out.track_id == track]

    swapped = apply(table, numbered({"op": "swap", "track": 1, "other": 4, "from": time_s}))
    late = table[table.frame >= 6]
    np.testing.assert_array_equal(rows(swapped[swapped.frame >= 6], 1).xy, rows(late, 4).xy)
    np.testing.assert_array_equal(rows(swapped[swapped.frame < 6], 1).xy, rows(table[table.frame < 6], 1).xy)

    merged = apply(table, numbered({"op": "merge", "track": 4, "other": 7}))
    own = set(rows(table, 4).frame.tolist())
    expected = sorted(own | set(rows(table, 7).frame.tolist()))
    assert rows(merged, 4).frame.tolist() == expected
    at = np.isin(rows(merged, 4).frame, list(own))
    np.testing.assert_array_equal(rows(merged, 4).xy[at], rows(table, 4).xy)  # a person has one pose in a frame

    moved = apply(
        table, numbered({"op": "move_joint", "track": 1, "frame": 5, "joint": "left_knee", "xy": [7.5, 8.25]})
    )
    knee, row = POSETRACK15.index("left_knee"), np.flatnonzero((moved.track_id == 1) & (moved.frame == 5))[0]
    assert moved.xy[row, knee].tolist() == [7.5, 8.25]
    assert moved.xy_smooth is not None
    assert moved.xy_smooth[row, knee].tolist() == [7.5, 8.25]
    assert moved.joint_scores[row, knee] == 1
    assert moved.human is not None
    assert np.argwhere(moved.human).tolist() == [[row, knee]]

    bad = apply(table, numbered({"op": "mark_bad", "from": 3.0, "to": time_s}))
    assert np.isnan(bad.xy[bad.frame < 6]).all()
    np.testing.assert_array_equal(bad.xy[bad.frame >= 6], table.xy[table.frame >= 6])
    assert len(bad) == len(table)

    flipped = apply(table, numbered({"op": "flip_sides", "track": 1}))
    left, right = POSETRACK15.index("left_wrist"), POSETRACK15.index("right_wrist")
    np.testing.assert_array_equal(rows(flipped, 1).xy[:, left], rows(table, 1).xy[:, right])


def test_a_bound_meets_a_frame_whose_time_was_rounded() -> None:
    table = people(0)
    third = 3.2 + 1 / 300
    table.time_s[table.frame == 5] = third
    for bound in (round(third, 6), third):
        out = apply(table, numbered({"op": "delete", "track": 1, "from": bound}))
        assert out[out.track_id == 1].frame.max() == 4


def test_smoothing_is_done_again_where_people_changed() -> None:
    table, asked = people(0, smooth=True), []

    def smooth(rows: TrackTable, tracks: np.ndarray) -> TrackTable:
        asked.append(tracks.tolist())
        return rows

    apply(table, numbered({"op": "swap", "track": 1, "other": 4}, {"op": "delete", "track": 7}), smooth)
    assert asked == [[1, 4]]


def test_names_follow_merges() -> None:
    rename = {"op": "rename", "track": 4, "name": "Ann"}
    assert names(numbered(rename)) == {4: "Ann"}
    assert names(numbered(rename, {"op": "merge", "track": 1, "other": 4})) == {1: "Ann"}
    assert names(numbered(rename, {"op": "rename", "track": 4, "name": ""})) == {}
    table = people(0)
    assert apply(table, numbered(rename)) is table


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"op": "swop"}, "expected one of swap"),
        ({"op": "swap", "track": 1}, "needs other"),
        ({"op": "swap", "track": 1, "other": 1}, "itself"),
        ({"op": "swap", "track": 1, "other": 2, "from": 4, "to": 3}, "after the start"),
        ({"op": "swap", "track": -1, "other": 2}, "whole number"),
        ({"op": "swap", "track": True, "other": 2}, "whole number"),
        ({"op": "delete", "track": 1, "from": float("nan")}, "seconds"),
        ({"op": "delete", "track": 1, "frame": 3}, "does not take frame"),
        ({"op": "move_joint", "track": 1, "frame": 1, "joint": "nose", "xy": [1]}, "two numbers"),
        ({"op": "move_joint", "track": 1, "frame": 1, "joint": "nose", "xy": [1, float("inf")]}, "two numbers"),
        ({"op": "rename", "track": 1, "name": "a\nb"}, "one line"),
        ({"op": "mark_bad"}, "mark everything"),
        ({"op": "swap", "track": 1, "other": 2, "v": 2}, "update dettrack"),
    ],
)
def test_wrong_operations_are_refused(operation: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(operation)


@given(st.dictionaries(st.sampled_from([*"ab", "op", "track", "other", "from", "v", "xy", "name"]), st.none() | lists))
def test_no_object_gives_a_traceback(line: dict[str, Any]) -> None:
    for op in (None, *OPERATIONS):
        with pytest.raises(DettrackError):
            parse(line | ({} if op is None else {"op": op, "id": []}))


def test_the_list_is_kept_and_read(tmp_path: Path) -> None:
    table = people(0)
    assert read(tmp_path) == []
    first = append(tmp_path, {"op": "split", "track": 1, "from": 3.2}, table, by="Ann")
    assert (first.id, first.other, first.by) == (1, 11, "Ann")
    second = append(tmp_path, {"op": "split", "track": 4, "from": 3.2}, apply(table, read(tmp_path)))
    assert second.other == 12
    append(tmp_path, {"op": "undo", "undoes": 1})
    assert [edit.id for edit in active(read(tmp_path))] == [2]
    third = append(tmp_path, {"op": "split", "track": 1, "from": 3.2}, apply(table, read(tmp_path)))
    assert third.other == 13  # also an id that an undone split had is not used again
    lines = (tmp_path / EDITS).read_text().splitlines()
    assert [json.loads(line)["op"] for line in lines] == ["split", "split", "undo", "split"]
    assert json.loads(lines[0]) == {"v": 1, "id": 1, "time": first.time, "by": "Ann", "op": "split", "track": 1} | {
        "other": 11,
        "from": 3.2,
    }


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"op": "swap", "track": 1, "other": 2}, "no track 2"),
        ({"op": "delete", "track": 1, "from": 90}, "it lasts from 3.000 to 3.440 s"),
        ({"op": "split", "track": 1, "from": 3.2, "other": 4}, "never used"),
        ({"op": "move_joint", "track": 1, "frame": 99, "joint": "nose", "xy": [1, 2]}, "no row in frame 99"),
        ({"op": "drop_joint", "track": 1, "joint": "tail"}, "unknown joint"),
        ({"op": "mark_bad", "from": 90}, "nobody"),
        ({"op": "undo", "undoes": 7}, "no such edit"),
    ],
)
def test_edits_that_would_do_nothing_are_refused(tmp_path: Path, operation: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        append(tmp_path, operation, people(0))
    assert read(tmp_path) == []


def test_a_killed_writer_leaves_a_list_that_can_be_read_and_written(tmp_path: Path) -> None:
    append(tmp_path, {"op": "delete", "track": 1})
    whole = (tmp_path / EDITS).read_bytes()
    for torn in (b'{"v":1,"id":2,"op":"dele', whole.replace(b'"id":1', b'"id":2').rstrip(b"\n")):
        (tmp_path / EDITS).write_bytes(whole + torn)
        known = len(read(tmp_path))
        assert append(tmp_path, {"op": "delete", "track": 4}).id == known + 1
        assert [edit.id for edit in read(tmp_path)] == list(range(1, known + 2))


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / EDITS).write_text('{"op":"delete","track":1,"id":1}\nnonsense\n')
    with pytest.raises(InputError, match=r"edits.jsonl: line 2"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"edits.jsonl: line 2"):
        append(tmp_path, {"op": "delete", "track": 4})
    with pytest.raises(InputError, match="no result folder"):
        append(tmp_path / "nowhere", {"op": "delete", "track": 4})


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda track: append(tmp_path, {"op": "delete", "track": track}), range(40)))
    edits = read(tmp_path)
    assert [edit.id for edit in edits] == list(range(1, 41))
    assert {edit.track for edit in edits} == set(range(40))
