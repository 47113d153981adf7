from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.config import PolishConfig
from dettrack.polish import Polisher
from dettrack.polish.hypotheses import (
    HEAD_SIZE_PER_LENGTH,
    FrameHypotheses,
    HypothesisBuffer,
    head_sizes,
    masked_median,
)
from dettrack.polish.polisher import make_candidates
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.structures import Boxes, Source, Tracklets, TrackTable

J = len(POSETRACK15)
POSE = np.random.default_rng(5).uniform(0, 1, (J, 2)) * [50, 150]
TOP, BOTTOM = POSETRACK15.index("head_top"), POSETRACK15.index("head_bottom")
POSE[TOP], POSE[BOTTOM] = [25, 0], [25, 20]


def tube(key, frames, people, noise=0.0, seed=0, score=0.9):
    """Tubes of walkers that start at the given x and move 2 px a frame."""
    rng = np.random.default_rng([seed, key])
    frames = np.array(frames)
    shift = np.array(people, float)[:, None] + 2 * frames
    xy = POSE + np.stack([shift, np.zeros_like(shift)], -1)[:, :, None] + rng.normal(0, 1, (*shift.shape, J, 2)) * noise
    start = np.array(people, float) + 2 * key
    corners = np.stack([start, np.zeros(len(people)), start + 50, np.full(len(people), 150)], 1)
    return Tracklets(key, frames, Boxes(corners, np.ones(len(people))), xy, np.full(xy.shape[:-1], score))


def polish(tubes, config=None, joint_set=POSETRACK15, every=True):
    """All rows, popping after each keyframe (or only at the end); `tubes` are pairs of tracklets and ids."""
    polisher = Polisher(config or PolishConfig(), joint_set)
    tables = []
    for number, (tracklets, ids) in enumerate(tubes):
        polisher.collect(tracklets, np.array(ids, int))
        if every:
            later = [t.frames[0] for t, _ in tubes[number + 1 :]]
            tables.append(polisher.pop(int(min(later, default=tracklets.frames[0]))))
    return TrackTable.concatenate([*tables, polisher.finish()], joint_set), polisher


def walk(n, reach=4, keys=None, people=(0.0, 200.0), ids=(3, 11), **kwargs):
    keys = range(n) if keys is None else keys
    return [(tube(k, range(max(0, k - reach), min(n, k + reach + 1)), people, **kwargs), ids) for k in keys]


@pytest.mark.parametrize("merge", ["baseline", "keyframe", "spatial", "temporal", "spatial-temporal"])
def test_agreeing_tubes_give_their_pose_in_every_frame(merge):
    table, polisher = polish(walk(12), PolishConfig(merge=merge))
    assert table.frame.tolist() == np.repeat(np.arange(12), 2).tolist()
    assert table.track_id.tolist() == [3, 11] * 12
    assert (table.source == Source.DETECTED).all()
    assert (table.support == np.array([min(12, f + 5) - max(0, f - 4) for f in table.frame])[:, None]).all()
    for row, frame in enumerate(table.frame):
        start = [0, 200][row % 2] + 2 * frame
        np.testing.assert_allclose(table.xy[row], POSE + np.array([start, 0]), atol=1e-9)
        np.testing.assert_allclose(table.box[row], [start, 0, start + 50, 150], atol=1e-9)
    np.testing.assert_allclose(table.joint_scores, 0.9)
    np.testing.assert_allclose(table.score, 0.9)
    np.testing.assert_allclose(table.spread, 0, atol=1e-9)
    assert not polisher.tally.dropped["absent_poses"]


def test_missed_keyframes_are_recovered_with_the_moved_box_of_the_nearest_one():
    table, _ = polish(walk(9, keys=[0, 8], people=[0.0], ids=[0]))
    assert table.frame.tolist() == list(range(9))
    assert table.source.tolist() == [Source.DETECTED, *[Source.RECOVERED] * 7, Source.DETECTED]
    np.testing.assert_allclose(table.box[:, 0], 2 * table.frame, atol=1e-9)
    assert table.support[4].tolist() == [2] * J
    assert table.support[3].tolist() == [1] * J


def outvoted(merge, **settings):
    """Seven tubes; one of them, the keyframe's own, puts the left wrist 60 px away with the highest score."""
    tubes = walk(7, people=[0.0], ids=[0])
    wrist = POSETRACK15.index("left_wrist")
    tubes[3][0].xy[0, 3, wrist] += 60  # tube 3 begins at frame 0
    tubes[3][0].scores[0, 3, wrist] = 0.99
    table, _ = polish(tubes, PolishConfig(merge=merge, **settings))
    off = table.xy[3, wrist] - (POSE[wrist] + np.array([6, 0]))
    return float(np.hypot(*off)), int(table.support[3, wrist]), float(table.spread[3, wrist])


def test_the_clusters_outvote_one_sure_hypothesis_that_the_baseline_believes():
    far = float(np.hypot(60, 60))
    assert outvoted("baseline")[:2] == (pytest.approx(far), 1)
    assert outvoted("keyframe")[:2] == (pytest.approx(far), 1)
    for merge in ("spatial", "temporal", "spatial-temporal"):
        error, support, spread = outvoted(merge)
        assert (error, support) == (pytest.approx(0, abs=1e-9), 6)
        assert spread == pytest.approx(far / np.sqrt(7))


@pytest.mark.parametrize(
    "settings", [{"spatial_form": "ratio"}, {"temporal_form": "l2-squared"}, {"distance_unit": "head"}]
)
def test_the_other_forms_of_phi_agree_where_the_case_is_clear(settings):
    assert outvoted("spatial-temporal", **settings)[0] == pytest.approx(0, abs=1e-9)


def two_clusters(scores):
    tubes = walk(1, people=[0.0], ids=[0])
    return [
        (Tracklets(0, t.frames, t.boxes, t.xy + 80 * (n == 2), t.scores * s), i)
        for n, s in enumerate(scores)
        for t, i in tubes
    ]


@pytest.mark.parametrize(("joint_score", "expected"), [("mean", 0.45), ("max", 0.54), ("support", 0.3)])
def test_score_of_a_joint(joint_score, expected):
    table, _ = polish(two_clusters([0.4, 0.6, 1.0]), PolishConfig(joint_score=joint_score), every=False)
    np.testing.assert_allclose(table.joint_scores, expected)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["baseline", "temporal", "spatial-temporal"]))
@settings(max_examples=25)
def test_streaming_gives_the_same_rows_as_all_at_once(seed, merge):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 16))
    keys = [k for k in range(n) if rng.random() < 0.6]
    tubes = walk(n, reach=2, keys=keys, noise=12, seed=seed)
    config = PolishConfig(merge=merge, lam=float(rng.random()))
    streamed, whole = polish(tubes, config)[0], polish(tubes, config, every=False)[0]
    for name in ("frame", "track_id", "box", "score", "xy", "joint_scores", "spread", "support", "source"):
        np.testing.assert_array_equal(getattr(streamed, name), getattr(whole, name))
    assert np.array_equal(np.lexsort((whole.track_id, whole.frame)), np.arange(len(whole)))


def test_a_person_whom_no_tube_sees_any_more_is_no_row_and_is_counted():
    tubes = walk(10, keys=[0, 1, 2, 3], people=[0.0], ids=[0])
    for tracklets, _ in tubes:
        tracklets.scores[:, tracklets.frames > 4] = 0.1
    table, polisher = polish(tubes)
    assert table.frame.tolist() == [0, 1, 2, 3, 4]
    assert polisher.tally.dropped["absent_poses"] == 3  # frames 5, 6 and 7 were covered


def test_dropped_tracklets_take_no_part_and_joints_that_a_model_lacks_stay_missing():
    tubes = walk(3, ids=(-1, 4))
    for tracklets, _ in tubes:
        tracklets.xy[..., TOP, :] = np.nan
        tracklets.scores[..., TOP] = 0
    table, _ = polish(tubes)
    assert set(table.track_id.tolist()) == {4}
    assert np.isnan(table.xy[:, TOP]).all()
    assert np.isnan(table.spread[:, TOP]).all()
    assert (table.support[:, TOP] == 0).all()
    assert (table.joint_scores[:, TOP] == 0).all()
    np.testing.assert_allclose(table.score, 0.9)


def test_weak_hypotheses_count_only_where_there_is_nothing_better():
    tubes = two_clusters([0.03, 0.03, 0.5])
    table, _ = polish(tubes, every=False)
    np.testing.assert_allclose(table.xy[0], POSE + 80)
    weak, _ = polish(tubes[:2], PolishConfig(presence=0.0), every=False)
    np.testing.assert_allclose(weak.xy[0], POSE)


def hypotheses(scores=0.9, h=3, frame=0):
    xy = np.repeat(POSE[None, :, None], h, 2) + np.random.default_rng(0).normal(0, 0.01, (1, J, h, 2))
    return FrameHypotheses(
        frame, np.array([0]), xy, np.full((1, J, h), scores), np.array([[0, 0, 50, 150.0]]), np.array([True])
    )


def test_head_size_is_the_evaluators_and_falls_back_to_track_then_box():
    np.testing.assert_allclose(head_sizes(hypotheses(), POSETRACK15), HEAD_SIZE_PER_LENGTH * 20, rtol=0.01)
    assert np.isnan(head_sizes(hypotheses(scores=0.1), POSETRACK15)).all()
    assert np.isnan(head_sizes(hypotheses(), COCO17)).all()
    polisher = Polisher(PolishConfig(), POSETRACK15)
    np.testing.assert_allclose(polisher._head(hypotheses(scores=0.1)), 0.13 * 150)
    np.testing.assert_allclose(polisher._head(hypotheses(frame=1)), HEAD_SIZE_PER_LENGTH * 20, rtol=0.01)
    np.testing.assert_allclose(polisher._head(hypotheses(scores=0.1, frame=2)), HEAD_SIZE_PER_LENGTH * 20, rtol=0.01)


def test_the_radius_is_half_the_head_size():
    """Two hypotheses 8 px apart are one cluster for a head of 17 px (radius 8.6), two for a smaller radius."""
    both = hypotheses(h=2)
    both.xy[:, :, 1, 0] = both.xy[:, :, 0, 0] + 8
    both.xy[:, :, 1, 1] = both.xy[:, :, 0, 1]
    head = np.array([HEAD_SIZE_PER_LENGTH * 20])
    for radius, k in ((0.5, 1), (0.4, 2)):
        assert make_candidates(both, head, PolishConfig(radius=radius)).sizes.shape[2] == k


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_masked_median_is_numpys(seed, h):
    rng = np.random.default_rng(seed)
    values, has = rng.random((4, h)), rng.random((4, h)) < 0.7
    want = [np.median(v[m]) if m.any() else np.nan for v, m in zip(values, has, strict=True)]
    np.testing.assert_allclose(masked_median(values, has), want)


def test_hypothesis_0_is_that_of_the_nearest_keyframe():
    buffer = HypothesisBuffer()
    for tracklets, ids in walk(9, keys=[0, 3, 8]):
        buffer.add(tracklets, np.array(ids))
    assert buffer.frames() == list(range(9))
    frame = buffer.take(4)
    assert frame.ids.tolist() == [3, 11]
    assert frame.xy.shape == (2, J, 3, 2)
    assert frame.detected.tolist() == [False, False]
    assert buffer.take(3).detected.tolist() == [True, True]


def test_memory_is_flat():
    polisher = Polisher(PolishConfig(), POSETRACK15)
    for tracklets, ids in walk(300, noise=3):
        polisher.collect(tracklets, np.array(ids))
        polisher.pop(max(0, tracklets.keyframe - 3))
        assert len(polisher._buffer.frames()) <= 9
        assert len(polisher._pending) <= 64
        assert len(polisher._pending) == len(polisher._paths)
