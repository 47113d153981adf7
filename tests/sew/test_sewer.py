from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from dettrack.config import SewConfig
from dettrack.oks import MIN_JOINTS, pairwise_oks
from dettrack.sew.sewer import Sewer
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Tracklets

J = len(POSETRACK15)
POSE = np.random.default_rng(5).uniform(0, 1, (J, 2)) * [50, 150]


def tracklets(key, people, reach=4, first=0, stop=10**6, noise=0.0, seed=0):
    """Tubes at `key` of people given as frame -> (x, y) of their upper left corner, or None where absent."""
    rng = np.random.default_rng([seed, key])
    frames = np.arange(max(first, key - reach), min(stop, key + reach + 1))
    xy = np.full((len(people), len(frames), J, 2), np.nan)
    for n, where in enumerate(people):
        for c, frame in enumerate(frames):
            if where(frame) is not None:
                xy[n, c] = POSE + where(frame) + rng.normal(0, noise, (J, 2))
    scores = np.where(np.isfinite(xy).all(-1), 0.9, 0.0)
    corners = np.array([where(key) for where in people], float).reshape(-1, 2)
    boxes = Boxes(np.concatenate([corners, corners + np.array([50, 150])], 1), np.ones(len(people)))
    return Tracklets(key, frames, boxes, xy, scores)


def walker(x, speed=3.0):
    return lambda frame: (x + speed * frame, 100.0)


def sewer(reach=4, **settings):
    return Sewer(SewConfig(**settings), POSETRACK15, 2 * reach + 1)


def test_walkers_keep_their_ids_and_the_links_are_reported():
    sew = sewer()
    people = [walker(0), walker(300, -2), walker(700)]
    assert sew.add(tracklets(0, people, noise=1)).tolist() == [0, 1, 2]
    assert np.isnan(sew.last_similarity).all()
    for key in range(1, 20):
        order = np.random.default_rng(key).permutation(3)
        assert sew.add(tracklets(key, [people[k] for k in order], noise=1)).tolist() == order.tolist()
        assert (sew.last_similarity > 0.8).all()


def test_a_close_second_is_reported_and_people_apart_have_none():
    sew = sewer(nms_similarity=1.0)
    sew.add(tracklets(0, [walker(0), walker(300)]))
    assert sew.close_links == ()
    sew.add(tracklets(1, [walker(0), walker(300)]))
    assert sew.close_links == ()
    sew.add(tracklets(2, [walker(0), walker(300), walker(4)]))  # somebody new stands where the first one is
    (close,) = sew.close_links
    assert (close.frame, close.rival) == (2, 2)
    assert 0 <= close.margin < 0.15
    assert close.similarity > 0.8


@pytest.mark.parametrize(("missed", "same"), [(1, True), (7, True), (8, False)])
def test_a_track_bridges_missed_keyframes_while_the_tubes_overlap(missed, same):
    sew = sewer()
    sew.add(tracklets(0, [walker(0)]))
    for key in range(1, missed + 1):
        assert sew.add(tracklets(key, [])).tolist() == []
    assert sew.add(tracklets(missed + 1, [walker(0)])).tolist() == [0 if same else 1]


def test_ids_are_never_used_again_and_a_shot_cut_ends_all_tracks():
    sew = sewer()
    assert sew.add(tracklets(0, [walker(0), walker(300)])).tolist() == [0, 1]
    sew.end_shot()
    assert sew.add(tracklets(1, [walker(0), walker(300)])).tolist() == [2, 3]
    assert sew.add(tracklets(30, [walker(0)])).tolist() == [4]


def test_of_two_boxes_on_one_person_the_weaker_is_dropped_and_counted():
    sew = sewer()
    both = tracklets(0, [walker(0), walker(1), walker(300)])
    both = Tracklets(0, both.frames, Boxes(both.boxes.xyxy, np.array([0.5, 0.9, 0.4])), both.xy, both.scores)
    assert sew.add(both).tolist() == [-1, 0, 1]
    assert sew.tally.dropped == {"oks_nms": 1}


def test_people_who_cross_in_one_frame_are_both_kept_with_their_ids():
    sew = sewer()
    people = [walker(0, 20), walker(400, -20)]  # they meet in frame 10
    for key in range(21):
        assert sew.add(tracklets(key, people)).tolist() == [0, 1]
    assert not sew.tally.dropped["oks_nms"]


@pytest.mark.parametrize(("link_to", "joins"), [("all", False), ("last", True)])
def test_a_tube_that_jumps_misleads_only_a_comparison_with_the_last_tracklet(link_to, joins):
    here, there = walker(0, 0), walker(200, 0)
    sew = sewer(link_to=link_to)
    for key in range(4):
        sew.add(tracklets(key, [here]))
    jumping = tracklets(4, [lambda frame: here(frame) if frame < 6 else there(frame)])
    assert sew.add(jumping).tolist() == [0]
    assert (sew.add(tracklets(5, [there])).tolist() == [0]) == joins


def slow_similarity(new, past, ids, confidence, link_to):
    """Mean OKS of every new tracklet with every track, by loops."""
    sums = {}
    for old, old_ids in reversed(list(zip(past, ids, strict=True))):
        fresh = {int(track) for track in old_ids} - {track for _, track in sums} if link_to == "last" else None
        for a, b in itertools.product(range(len(new)), range(len(old))):
            if old_ids[b] < 0 or (fresh is not None and int(old_ids[b]) not in fresh):
                continue
            total, count = sums.setdefault((a, int(old_ids[b])), (0.0, 0))
            for frame in sorted(set(new.frames) & set(old.frames)):
                c, d = frame - new.frames[0], frame - old.frames[0]
                areas = [np.prod(x.boxes.xyxy[k, 2:] - x.boxes.xyxy[k, :2])[None] for x, k in ((new, a), (old, b))]
                has = [
                    (x.scores[k, e] >= confidence) & np.isfinite(x.xy[k, e]).all(-1)
                    for x, k, e in ((new, a, c), (old, b, d))
                ]
                value = pairwise_oks(
                    new.xy[a, c][None],
                    has[0][None],
                    areas[0],
                    old.xy[b, d][None],
                    has[1][None],
                    areas[1],
                    POSETRACK15.sigmas,
                    MIN_JOINTS,
                )[0, 0]
                if np.isfinite(value):
                    total, count = total + value, count + 1
            sums[a, int(old_ids[b])] = (total, count)
    return {pair: total / count for pair, (total, count) in sums.items() if count}


@settings(max_examples=30)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([("all", False), ("all", True), ("last", False)]),
    st.integers(1, 3),
)
def test_links_are_the_hungarian_ones_of_the_slow_similarity(seed, mode, step):
    """With `short`, some keyframes have tubes of three frames, as those have that adaptive keyframes add."""
    link_to, short = mode
    rng = np.random.default_rng(seed)
    sew = sewer(reach=2, link_to=link_to, nms_similarity=1.0)
    people = [walker(x, v) for x, v in zip(rng.uniform(0, 120, 4), rng.uniform(-10, 10, 4), strict=True)]
    past, ids = [], []
    for key in range(0, 5 * step, step):
        seen = [person for person in people if rng.random() < 0.7]
        new = tracklets(key, seen, reach=int(rng.integers(1, 3)) if short else 2, noise=6, seed=seed)
        new.scores[rng.random(new.scores.shape) < 0.3] = 0.05
        live = [k for k, old in enumerate(past) if old.frames[-1] >= new.frames[0]]
        want = slow_similarity(new, [past[k] for k in live], [ids[k] for k in live], 0.2, link_to)
        got = sew.add(new)
        want = {pair: value for pair, value in want.items() if value >= sew.config.min_similarity}
        matched = {(int(n), int(i)): s for n, (i, s) in enumerate(zip(got, sew.last_similarity, strict=True)) if s == s}
        assert all(want[pair] == pytest.approx(value, abs=1e-5) for pair, value in matched.items())
        columns = sorted({track for _, track in want})
        value = np.zeros((len(new), len(columns)))
        for (n, track), similarity in want.items():
            value[n, columns.index(track)] = similarity
        best = value[linear_sum_assignment(value, maximize=True)].sum()
        assert sum(matched.values()) == pytest.approx(best, abs=1e-4)
        past.append(new)
        ids.append(got)


def test_memory_holds_only_keyframes_that_may_overlap():
    sew = sewer()
    for key in range(100):
        sew.add(tracklets(key, [walker(0)]))
    assert len(sew._past) <= 9
