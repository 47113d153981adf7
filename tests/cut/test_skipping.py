import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.config import CutConfig
from dettrack.cut.clips import make_clip
from dettrack.cut.plan import Seen
from dettrack.cut.skipping import detector_turns, expected_boxes, gaps_filled
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Frame, FrameStamp, Step, Tracklets

JOINTS = len(POSETRACK15)
FIGURE = np.random.default_rng(5).uniform((5, 5), (35, 95), (JOINTS, 2))
PIXEL = np.zeros((1, 1, 3), np.uint8)


def clip_at(key, n=60):
    return make_clip([Frame(i, i / 25, PIXEL) for i in range(n)], key, 9)


def seen_at(key, starts, speed=2.0, score=0.9):
    corner = np.array(starts, float).reshape(-1, 1) + speed * key
    boxes = np.concatenate([corner, 0 * corner, corner + 40, 0 * corner + 100], 1)
    clip = clip_at(key)
    steps = speed * (clip.indices - key)
    xy = corner[:, None, None] * [1, 0] + steps[None, :, None, None] * np.array([1.0, 0]) + FIGURE
    return Seen(clip, Tracklets(key, clip.indices, Boxes(boxes, np.full(len(boxes), score)), xy, np.ones(xy.shape[:3])))


def test_both_sides_moved_on_meet_at_the_true_place():
    boxes = expected_boxes(seen_at(8, [0, 200]), seen_at(24, [200, 0]), 16)
    np.testing.assert_allclose(np.sort(boxes.xyxy[:, 0]), [32, 232], atol=1e-6)
    assert boxes.scores == pytest.approx([0.9, 0.9])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (seen_at(8, [0, 200]), seen_at(24, [0])),
        (seen_at(8, [0]), seen_at(24, [0, 200])),
        (seen_at(8, [0, 200]), seen_at(24, [0, 300])),
        (seen_at(8, [0], score=0.4), seen_at(24, [0])),
    ],
    ids=["one leaves", "one comes", "one is elsewhere", "unsure"],
)
def test_where_the_sides_differ_or_are_unsure_nothing_is_expected(left, right):
    assert expected_boxes(left, right, 16) is None


def test_nobody_on_both_sides_is_nobody_between():
    assert len(expected_boxes(seen_at(8, []), seen_at(24, []), 16)) == 0


@given(st.integers(1, 20), st.integers(1, 4), st.booleans())
def test_the_detector_looks_at_every_nth_keyframe_the_last_and_the_first_of_a_shot(n, every, starts):
    turns = detector_turns(n, every, shot_starts=starts)
    assert turns[-1]
    assert turns[0] or not starts
    assert all(any(turns[i : i + every]) for i in range(n))
    assert every > 1 or all(turns)


@given(st.lists(st.booleans(), max_size=7))
def test_gaps_are_filled_from_known_neighbours_each_keyframe_once(between):
    known = [True, *between, True]
    row = [seen_at(4 * i + 4, [0]) if there else None for i, there in enumerate(known)]
    asked_at = []

    def look(asked):
        asked_at.extend(clip.keyframe.index for clip, _ in asked)
        assert all(len(boxes) == 1 for _, boxes in asked), "everybody walks on, so the sides agree"
        return [seen_at(clip.keyframe.index, [0]).tracklets for clip, _ in asked]

    filled = gaps_filled(row, [clip_at(4 * i + 4) for i in range(len(row))], look)
    assert [seen.key for seen in filled] == [4 * i + 4 for i in range(len(row))]
    assert sorted(asked_at) == [4 * i + 4 for i, there in enumerate(known) if not there]


def test_who_was_detected_is_saved(tmp_path):
    tracklets = seen_at(8, [0, 200]).tracklets
    flagged = Tracklets(
        *(getattr(tracklets, name) for name in ("keyframe", "frames", "boxes", "xy", "scores")), np.array([True, False])
    )
    step = Step((FrameStamp(0, 0.0),), (tracklets, flagged, flagged[np.array([1])]), 9, True)
    with TrackletWriter(tmp_path / "t.parquet", POSETRACK15, CutConfig()) as writer:
        writer.write(step)
    plain, both, one = next(TrackletFile.open(tmp_path / "t.parquet").steps()).tracklets
    assert plain.detected is None
    assert both.detected.tolist() == [True, False]
    assert one.detected.tolist() == [False]
