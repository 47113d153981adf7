from dataclasses import replace

import numpy as np

from dettrack.ablation.bridge import bridge_gaps
from dettrack.simulate import walkers
from dettrack.structures import Source, TrackTable


def straight(people=2, frames=40):
    """People who walk straight on, far from each other, as finished tracks."""
    truth = walkers(people, 1, spacing=300.0)
    tables = []
    for t in range(frames):
        xy = truth.xy[:, 0] + np.array([5.0 * t, 2.0 * t]) + 1000 * np.arange(people)[:, None, None]
        tables.append(
            TrackTable(
                truth.joint_set,
                frame=np.full(people, t),
                time_s=np.full(people, t / 25),
                track_id=np.arange(people),
                box=truth.boxes[:, 0] + np.tile(np.array([5.0 * t, 2.0 * t]), 2) + 1000 * np.arange(people)[:, None],
                score=np.full(people, 0.8),
                xy=xy,
                joint_scores=np.full(xy.shape[:2], 0.8),
                spread=np.zeros(xy.shape[:2]),
                support=np.full(xy.shape[:2], 9),
                source=np.zeros(people, np.int64),
            )
        )
    return TrackTable.concatenate(tables, truth.joint_set)


def broken(table, first, stop):
    """Person 0 is missing in the frames first ... stop - 1 and has another id afterwards."""
    gone = (table.track_id == 0) & (table.frame >= first) & (table.frame < stop)
    kept = table[~gone]
    return replace(kept, track_id=np.where((kept.track_id == 0) & (kept.frame >= stop), 7, kept.track_id))


def test_a_person_who_walks_on_is_one_track_again_and_the_gap_is_filled_where_it_was():
    whole = straight()
    table = bridge_gaps(broken(whole, 15, 27), 16, floor=0.3, confidence=0.2)
    assert set(table.track_id.tolist()) == {0, 1}
    assert len(table) == len(whole)
    np.testing.assert_allclose(table.xy, whole.sorted().xy, atol=1e-9)
    filled = table.source == Source.INTERPOLATED
    assert sorted(table.frame[filled].tolist()) == list(range(15, 27))


def test_a_longer_gap_stays_and_so_does_somebody_else_elsewhere():
    table = broken(straight(), 10, 30)
    np.testing.assert_array_equal(bridge_gaps(table, 16, 0.3, 0.2).track_id, table.track_id)
    moved = replace(table, xy=np.where((table.track_id == 7)[:, None, None], table.xy + 200, table.xy))
    np.testing.assert_array_equal(bridge_gaps(moved, 30, 0.3, 0.2).sorted().track_id, moved.sorted().track_id)


def test_two_gaps_in_a_row_keep_the_first_id():
    table = broken(straight(1), 8, 12)
    again = (table.frame >= 20) & (table.frame < 24)
    table = table[~again]
    table = replace(table, track_id=np.where(table.frame >= 24, 9, table.track_id))
    joined = bridge_gaps(table, 16, 0.3, 0.2)
    assert set(joined.track_id.tolist()) == {0}
    assert joined.frame.tolist() == list(range(40))


def test_nothing_in_nothing_out():
    empty = straight()[:0]
    assert len(bridge_gaps(empty, 16, 0.3, 0.2)) == 0
