import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Clip, Frame, FrameTimes, Segment, Source, Tracklets, TrackTable


def table_of(frames: list[int], ids: list[int], smooth: bool = False) -> TrackTable:
    n, rng = len(frames), np.random.default_rng(0)
    xy = rng.random((n, 15, 2))
    return TrackTable(
        POSETRACK15,
        frame=np.array(frames, np.int64),
        time_s=np.array(frames, float) / 25,
        track_id=np.array(ids, np.int64),
        box=rng.random((n, 4)),
        score=rng.random(n),
        xy=xy,
        joint_scores=rng.random((n, 15)),
        spread=rng.random((n, 15)),
        support=np.ones((n, 15), np.int64),
        source=np.full(n, int(Source.DETECTED)),
        xy_smooth=xy / 2 if smooth else None,
    )


rows = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), max_size=30, unique=True)


@given(rows)
def test_by_frame_gives_every_row_once_in_order(pairs):
    table = table_of([f for f, _ in pairs], [i for _, i in pairs]).sorted()
    parts = list(table.rows_by_frame())
    assert [frame for frame, _ in parts] == sorted({f for f, _ in pairs})
    assert sum(len(part) for _, part in parts) == len(pairs)
    for frame, part in parts:
        assert (part.frame == frame).all()
        assert part.track_id.tolist() == sorted(i for f, i in pairs if f == frame)


@given(rows, st.integers(0, 30))
def test_concatenate_undoes_a_cut(pairs, place):
    table = table_of([f for f, _ in pairs], [i for _, i in pairs], smooth=True)
    joined = TrackTable.concatenate([table[:place], table[place:]], POSETRACK15)
    np.testing.assert_array_equal(joined.track_id, table.track_id)
    np.testing.assert_array_equal(joined.xy, table.xy)


def test_times_are_found_by_the_frame():
    times = FrameTimes.of([(5, 0.5, 0, "a"), (6, 0.6, 0, "b"), (7, 0.9, 1, "c")])
    np.testing.assert_array_equal(times.time_of(np.array([5, 7, 7])), [0.5, 0.9, 0.9])
    assert len(times.time_of(np.zeros(0, int))) == 0
    both = FrameTimes.concatenate([times[:1], times[1:], FrameTimes.of(())])
    assert both.name == times.name
    np.testing.assert_array_equal(both.shot, [0, 0, 1])


def test_a_segment_gives_every_frame_also_those_without_people():
    times = FrameTimes.of([(4, 0.4, 0, ""), (5, 0.5, 0, ""), (6, 0.6, 0, "")])
    segment = Segment(times, table_of([4, 6, 6], [0, 0, 1]))
    assert [(i, t, rows.track_id.tolist()) for i, t, rows in segment.by_frame()] == [
        (4, 0.4, [0]),
        (5, 0.5, []),
        (6, 0.6, [0, 1]),
    ]


def test_boxes_and_tracklets_are_picked_together():
    boxes = Boxes(np.arange(12.0).reshape(3, 4), np.array([0.1, 0.2, 0.3]))
    assert boxes[np.array([True, False, True])].scores.tolist() == [0.1, 0.3]
    assert len(Boxes.empty()) == 0
    xy = np.arange(3.0 * 2 * 15 * 2).reshape(3, 2, 15, 2)
    tracklets = Tracklets(1, np.array([0, 1]), boxes, xy, np.ones((3, 2, 15)))
    one = tracklets[np.array([2])]
    assert one.boxes.scores.tolist() == [0.3]
    np.testing.assert_array_equal(one.xy[0], xy[2])


def test_shapes_are_checked_in_tests():
    with pytest.raises(Exception, match="xyxy"):
        Boxes(np.zeros((2, 3)), np.zeros(2))


def test_a_clip_knows_its_keyframe():
    pixel = np.zeros((1, 1, 3), np.uint8)
    clip = Clip(tuple(Frame(i, i / 25, pixel) for i in (3, 4, 5)), key=1)
    assert clip.keyframe.index == 4
    assert clip.indices.tolist() == [3, 4, 5]


def test_a_table_is_taken_apart_by_person_and_joint():
    table = table_of([0, 0, 1, 1, 2], [7, 3, 7, 3, 7])
    people = table.by_person()
    assert list(people) == [3, 7]
    assert people[7].frame.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(people[3].xy, table.xy[[1, 3]])
    np.testing.assert_array_equal(people[7].joint("left_knee"), table.xy[[0, 2, 4], POSETRACK15.index("left_knee")])
    assert table_of([0], [7], smooth=True).joint("nose", smooth=True).shape == (1, 2)
    with pytest.raises(InputError, match="nothing: track with smooth"):
        table.joint("nose", smooth=True)
    with pytest.raises(InputError, match="unknown joint 'knee'"):
        table.joint("knee")
    assert TrackTable.empty(POSETRACK15).by_person() == {}


def test_a_table_is_read_by_whatever_reads_arrow():
    table = table_of([0, 0, 1], [7, 3, 7])
    table.xy[1, 0] = np.nan
    columns = pa.table(table)
    assert columns["track_id"].to_pylist() == [7, 3, 7]
    assert columns["nose_x"].to_pylist()[1] is None
    data = table.to_pandas()
    assert data.frame_index.tolist() == [0, 0, 1]
    assert np.isnan(data.nose_x[1])
    assert set(data.source) == {"detected"}
    np.testing.assert_allclose(data.left_knee_y, table.joint("left_knee")[:, 1], rtol=1e-6)


def test_what_is_shown_is_short():
    table = table_of(list(range(30)), [1] * 30)
    assert repr(table) == "TrackTable(30 rows, 1 people, frames 0 to 29, posetrack15)"
    html = table._repr_html_()
    assert "20 more rows" in html
    assert html.count("<tr>") == 11
    assert repr(Frame(3, 0.12, np.zeros((4, 6, 3), np.uint8))) == "Frame(3, 0.12 s, 6x4, shot 0)"
    assert len(repr(Segment(FrameTimes.of([(0, 0.0, 0, "")]), table[:0]))) < 80
