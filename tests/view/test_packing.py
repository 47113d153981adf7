"""Rows, index and lanes as bytes say what the table says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from viewer_results import people

from dettrack.view.packing import pack_lanes, pack_rows, row_index


def test_rows_are_the_table_to_the_last_step() -> None:
    table = people(np.arange(9) / 30, seed=3)
    table.xy[4, 2] = np.nan
    table.spread[4, 2] = np.nan
    rows = pack_rows(table)
    assert rows.dtype.itemsize == 36 + 12 * len(table.joint_set)
    np.testing.assert_array_equal(rows["track"], table.track_id)
    np.testing.assert_array_equal(rows["joints"]["xy"], table.xy.astype(np.float32))
    np.testing.assert_allclose(rows["joints"]["score"] / 65535, table.joint_scores, atol=1e-5)
    known = np.isfinite(table.spread)
    np.testing.assert_allclose(rows["joints"]["spread"][known] / 16, table.spread[known], atol=1 / 32)
    assert (rows["joints"]["spread"][~known] == 65535).all()


@given(present=st.lists(st.integers(0, 3), min_size=1, max_size=20), first=st.integers(0, 50))
def test_the_index_leads_to_the_rows_of_each_frame(present: list[int], first: int) -> None:
    frames = first + np.repeat(np.arange(len(present)), present)
    index = row_index(frames, first + np.arange(len(present)))
    for place, count in enumerate(present):
        rows = frames[index[place] : index[place + 1]]
        assert len(rows) == count
        assert (rows == first + place).all()


@given(seed=st.integers(0, 100), most=st.sampled_from([4, 16, 1000]))
def test_lanes_are_what_a_loop_over_rows_finds(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    table = people(np.arange(16) / 30, seed=seed)
    table = table[rng.random(len(table)) < 0.6]
    listed = np.arange(16)
    lanes = pack_lanes(table, listed, most)
    assert len(table) / lanes.bin_frames <= most
    for track in lanes.tracks:
        mine = table[table.track_id == track["id"]]
        assert (track["first"], track["last"], track["rows"]) == (mine.frame.min(), mine.frame.max(), len(mine))
        entries = lanes.entries[track["begin"] : track["end"]]
        bins = mine.frame // lanes.bin_frames
        assert entries["bin"].tolist() == sorted(set(bins.tolist()))
        for entry in entries:
            inside = mine[bins == entry["bin"]]
            assert entry["sources"] == np.bitwise_or.reduce(1 << inside.source)
            assert entry["share"] == round(len(inside) / lanes.bin_frames * 255)
    assert sum(track["rows"] for track in lanes.tracks) == len(table)
