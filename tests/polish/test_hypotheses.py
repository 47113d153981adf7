"""Hypotheses by frame, against the same collected one tracklet at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dettrack.geometry import boxes_with_joints
from dettrack.polish.hypotheses import FrameHypotheses, HypothesisBuffer, head_sizes, masked_median
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.structures import Boxes, Tracklets

J = 3
seeds = st.integers(0, 2**32 - 1)


def tracklets(rng, keyframe, people, reach=2, detected=None):
    frames = np.arange(max(keyframe - reach, 0), keyframe + reach + 1)
    corner = rng.uniform(0, 500, (people, 2))
    xy = corner[:, None, None] + rng.uniform(0, 100, (people, len(frames), J, 2))
    xy[rng.random(xy.shape[:3]) < 0.2] = np.nan
    boxes = Boxes(np.concatenate([corner, corner + np.array([40, 100])], 1), np.ones(people))
    return Tracklets(keyframe, frames, boxes, xy, rng.random(xy.shape[:3]), detected)


def filled(rng, keyframes=4):
    """A buffer, and what was put into it."""
    buffer, put = HypothesisBuffer(), []
    for key in range(0, 2 * keyframes, 2):
        people = int(rng.integers(0, 4))
        one = tracklets(rng, key, people, detected=None if rng.random() < 0.5 else rng.random(people) < 0.5)
        ids = rng.permutation(6)[:people] - int(rng.random() < 0.3)
        buffer.add(one, ids)
        put.append((one, ids))
    return buffer, put


def slow(put, frame):
    """For each track the hypotheses of its joints in a frame, the nearest keyframe's first."""
    found = {}
    for one, ids in put:
        for row, track in enumerate(ids.tolist()):
            place = np.flatnonzero(one.frames == frame)
            if track >= 0 and len(place):
                found.setdefault(track, []).append((abs(one.keyframe - frame), one, row, int(place[0])))
    return {track: sorted(parts, key=lambda part: part[0]) for track, parts in sorted(found.items())}


@given(seeds)
def test_every_hypothesis_is_there_once_and_the_nearest_keyframe_comes_first(seed):
    buffer, put = filled(np.random.default_rng(seed))
    frames = buffer.frames()
    assert frames == sorted({f for one, ids in put if (ids >= 0).any() for f in one.frames.tolist()})
    for frame in frames:
        expected, got = slow(put, frame), buffer.take(frame)
        assert got.frame == frame
        assert got.ids.tolist() == list(expected)
        most = max(map(len, expected.values()))
        assert got.xy.shape == (len(expected), J, most, 2)
        for person, parts in enumerate(expected.values()):
            for h, (_, one, row, place) in enumerate(parts):
                np.testing.assert_array_equal(got.xy[person, :, h], one.xy[row, place])
                np.testing.assert_array_equal(got.scores[person, :, h], one.scores[row, place])
            assert np.isnan(got.xy[person, :, len(parts) :]).all(), "padding is missing, not (0, 0)"
            assert (got.scores[person, :, len(parts) :] == 0).all()
            distance, one, row, place = parts[0]
            key = one.keyframe - int(one.frames[0])
            boxes = boxes_with_joints(one.boxes.xyxy, one.xy, one.scores, key)
            np.testing.assert_array_equal(got.boxes[person], boxes[row, place])
            assert got.detected[person] == (distance == 0 and (one.detected is None or one.detected[row]))
    assert buffer.frames() == [], "what was taken is gone"


@given(seeds, st.integers(0, 12))
def test_frames_before_a_frame(seed, before):
    buffer, _ = filled(np.random.default_rng(seed))
    assert buffer.frames(before) == [frame for frame in buffer.frames() if frame < before]


def test_tracklets_without_a_track_leave_nothing():
    buffer = HypothesisBuffer()
    buffer.add(tracklets(np.random.default_rng(0), 4, 2), np.array([-1, -1]))
    buffer.add(tracklets(np.random.default_rng(0), 6, 0), np.zeros(0, np.int64))
    assert buffer.frames() == []


@given(hnp.arrays(np.float64, (3, 5), elements=st.floats(-100, 100)), hnp.arrays(bool, (3, 5)))
def test_a_masked_median_is_the_median_of_what_exists(values, has):
    got = masked_median(values, has)
    for row, there, median in zip(values, has, got, strict=True):
        if there.any():
            assert median == pytest.approx(np.median(row[there]))
        else:
            assert np.isnan(median)


def hypotheses(joint_set, top, bottom, score):
    """One person whose heads, one per hypothesis, have these ends (y) and this score."""
    h = len(top)
    xy = np.full((1, len(joint_set), h, 2), np.nan)
    scores = np.zeros((1, len(joint_set), h))
    if "head_top" in joint_set.joints:
        for name, y in (("head_top", top), ("head_bottom", bottom)):
            xy[0, joint_set.index(name)] = np.stack([np.zeros(h), y], 1)
            scores[0, joint_set.index(name)] = score
    return FrameHypotheses(0, np.array([7]), xy, scores, np.array([[0.0, 0, 40, 100]]), np.array([True]))


def test_a_head_is_the_median_of_the_heads_that_are_seen():
    seen = hypotheses(
        POSETRACK15, np.array([0.0, 0, 0, 0]), np.array([20.0, 30, 40, 500]), np.array([0.9, 0.9, 0.9, 0.1])
    )
    assert head_sizes(seen, POSETRACK15)[0] == pytest.approx(30 * 0.6 / 0.7)


@pytest.mark.parametrize(
    ("top", "bottom", "score"),
    [([0.0], [20.0], [0.1]), ([5.0], [5.0], [0.9]), ([np.nan], [20.0], [0.9])],
    ids=["not sure", "no length", "no top"],
)
def test_a_head_that_is_not_seen_has_no_size(top, bottom, score):
    unseen = hypotheses(POSETRACK15, np.array(top), np.array(bottom), np.array(score))
    assert np.isnan(head_sizes(unseen, POSETRACK15)).all()


def test_a_joint_set_without_a_head_has_no_sizes():
    assert np.isnan(head_sizes(hypotheses(COCO17, np.zeros(2), np.ones(2), np.ones(2)), COCO17)).all()
