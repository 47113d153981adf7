from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.associate import associate
from dettrack.config import SewConfig, TrackConfig
from dettrack.finish.bridge import Bridge, bridge_frames
from dettrack.lab.simulate import SimulateConfig, simulate, walkers
from dettrack.structures import Source, TrackTable
from dettrack.structures.report import Report

BRIDGE = SewConfig(bridge=16, min_similarity=0.3)
REACH = 9


def straight(people=2, frames=40, step=(5.0, 2.0)):
    """People who walk straight on, far from each other, as finished tracks."""
    truth = walkers(people, 1, spacing=300.0)
    apart = 1000.0 * np.arange(people)
    tables = []
    for t in range(frames):
        at = np.array(step) * t
        tables.append(
            TrackTable(
                truth.joint_set,
                frame=np.full(people, t),
                time_s=np.full(people, t / 25),
                track_id=np.arange(people),
                box=truth.boxes[:, 0] + np.tile(at, 2) + apart[:, None],
                score=np.full(people, 0.8),
                xy=truth.xy[:, 0] + at + apart[:, None, None],
                joint_scores=np.full((people, len(truth.joint_set)), 0.8),
                spread=np.zeros((people, len(truth.joint_set))),
                support=np.full((people, len(truth.joint_set)), 9),
                source=np.zeros(people, np.int64),
            )
        )
    return TrackTable.concatenate(tables, truth.joint_set)


def broken(table, first, stop, new=7):
    """Person 0 is missing in the frames first ... stop - 1 and has another id afterwards."""
    gone = (table.track_id == 0) & (table.frame >= first) & (table.frame < stop)
    kept = table[~gone]
    return replace(kept, track_id=np.where((kept.track_id == 0) & (kept.frame >= stop), new, kept.track_id))


def bridged(table, config=BRIDGE, *, frames=40, chunks=(), cut=None):
    """All at once, or in pieces that end before the frames `chunks`."""
    bridge, out, before = Bridge(config, table.joint_set, REACH), [], 0
    if cut is not None:
        bridge.end_shot(cut)
    for until in [*sorted(chunks), frames]:
        piece = table[(table.frame >= before) & (table.frame < until)]
        out.append(bridge.add(piece, until))
        before = until
    return TrackTable.concatenate([*out, bridge.finish()])


def test_a_person_who_walks_on_is_one_track_again_and_the_gap_is_filled_where_it_was():
    whole = straight()
    table = bridged(broken(whole, 15, 27))
    assert set(table.track_id.tolist()) == {0, 1}
    np.testing.assert_allclose(table.xy, whole.sorted().xy, atol=1e-9)
    filled = table.source == Source.INTERPOLATED
    assert table.frame[filled].tolist() == list(range(15, 27))
    assert (table.support[filled] == 0).all()
    np.testing.assert_allclose(table.joint_scores[filled], 0.8)


def test_a_longer_gap_stays_and_so_does_somebody_else_elsewhere():
    table = broken(straight(), 10, 30)
    np.testing.assert_array_equal(bridged(table).track_id, table.sorted().track_id)
    moved = replace(table, xy=np.where((table.track_id == 7)[:, None, None], table.xy + 200, table.xy))
    np.testing.assert_array_equal(bridged(moved, replace(BRIDGE, bridge=30)).track_id, moved.sorted().track_id)


def test_two_gaps_in_a_row_keep_the_first_id():
    table = broken(broken(straight(1), 8, 12, 0), 20, 24, 9)
    table = replace(table, track_id=np.where((table.frame >= 12) & (table.frame < 20), 4, table.track_id))
    joined = bridged(table)
    assert set(joined.track_id.tolist()) == {0}
    assert joined.frame.tolist() == list(range(40))


@pytest.mark.parametrize(("cut", "one"), [(14, True), (15, False), (20, False), (27, False), (28, True)])
def test_nothing_is_joined_across_a_shot_cut(cut, one):
    table = bridged(broken(straight(1), 15, 27), cut=cut)
    assert (len(set(table.track_id.tolist())) == 1) == one


def test_a_gap_that_the_track_leaves_by_itself_is_not_filled():
    gap = straight(1)
    gap = gap[(gap.frame < 10) | (gap.frame >= 15)]
    np.testing.assert_array_equal(bridged(gap).frame, gap.frame)


def test_rows_wait_only_where_a_bridge_may_still_come():
    whole = broken(straight(), 15, 27)
    bridge, waits = Bridge(BRIDGE, whole.joint_set, REACH), []
    for frame in range(60):
        bridge.add(whole[whole.frame == frame], frame + 1)
        waits.append(frame + 1 - bridge.settled_before)
    assert waits[:15] == [0] * 15
    assert max(waits) <= BRIDGE.bridge + REACH + 1
    assert waits[27 + REACH] == 0  # decided
    assert len(bridge._rows) < 2 * 40


@given(
    gaps=st.lists(st.tuples(st.integers(1, 55), st.integers(1, 14)), max_size=4),
    chunks=st.lists(st.integers(1, 59), max_size=6, unique=True),
    people=st.integers(1, 3),
    cut=st.none() | st.integers(1, 59),
)
def test_the_pieces_in_which_rows_arrive_change_nothing_and_no_row_is_lost(gaps, chunks, people, cut):
    table = straight(people, 60)
    for number, (first, length) in enumerate(gaps):
        who = number % people
        gone = (table.track_id % 10 == who) & (table.frame >= first) & (table.frame < first + length)
        table = table[~gone]
        later = (table.track_id % 10 == who) & (table.frame >= first + length)
        table = replace(table, track_id=np.where(later, table.track_id + 10, table.track_id))
    whole = bridged(table, frames=60, cut=cut)
    pieces = bridged(table, frames=60, chunks=chunks, cut=cut)
    for name in ("frame", "track_id", "xy", "joint_scores", "source"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))
    assert (np.diff(whole.frame) >= 0).all()
    rows = list(zip(whole.frame.tolist(), whole.track_id.tolist(), strict=True))
    assert len(set(rows)) == len(rows)
    given_rows = whole[whole.source != Source.INTERPOLATED]
    np.testing.assert_array_equal(given_rows.frame, table.frame)
    np.testing.assert_array_equal(np.sort(given_rows.xy[..., 0], 0), np.sort(table.xy[..., 0], 0))


def test_only_tubes_are_bridged():
    assert bridge_frames(SewConfig(bridge=5)) == 5
    assert bridge_frames(SewConfig(bridge=5, linking="oks-velocity")) == 0


def test_nothing_in_nothing_out():
    assert len(bridged(straight()[:0])) == 0


def test_association_bridges_what_tubes_cannot_and_says_so():
    truth = walkers(2, 60, spacing=400.0)
    perfect = SimulateConfig(noise=0.0, drift=0.0, wild=0.0, hidden_noise=0.0)
    steps = [
        replace(step, tracklets=tuple(t[:0] if 20 <= t.keyframe < 36 else t for t in step.tracklets))
        for step in simulate(truth, perfect)
    ]
    found = {}
    for gap in (0, 16):
        report = Report()
        segments = associate(steps, truth.joint_set, TrackConfig(sew=SewConfig(bridge=gap)), report=report)
        table = TrackTable.concatenate([segment.table for segment in segments], truth.joint_set)
        found[gap] = (len(np.unique(table.track_id)), len(table), report.counts["bridged_gaps"])
    assert found[0] == (4, 2 * (60 - 8), 0)
    assert found[16] == (2, 2 * 60, 2)
