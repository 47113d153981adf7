from __future__ import annotations

import numpy as np
import pytest

from dettrack.config import SewConfig
from dettrack.sew import gap_frames, make_linker
from dettrack.sew.baselines import KeyframeLinker
from dettrack.sew.sewer import Sewer
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Tracklets

J = len(POSETRACK15)
POSE = np.random.default_rng(5).uniform(0, 1, (J, 2)) * [50, 150]
BASELINES = ["oks-gbm", "oks-gbm-greedy", "oks-velocity"]


def poses(key, corners, scores=None):
    """One-frame tracklets of people whose boxes' upper left corners are given."""
    corners = np.array(corners, float).reshape(-1, 2)
    xy = POSE + corners[:, None, None]
    boxes = Boxes(np.concatenate([corners, corners + np.array([50, 150])], 1), np.ones(len(corners)))
    joint_scores = np.full(xy.shape[:3], 0.9)
    if scores is not None:
        boxes = Boxes(boxes.xyxy, np.array(scores))
    return Tracklets(key, np.array([key]), boxes, xy, joint_scores)


def linker(name, **settings):
    return make_linker(SewConfig(linking=name, **settings), POSETRACK15, 1)


def test_the_linking_is_chosen_by_name():
    assert isinstance(make_linker(SewConfig(linking="tubes"), POSETRACK15, 9), Sewer)
    assert isinstance(linker("tubes"), KeyframeLinker), "at |C| = 1 tubes never overlap"
    assert all(isinstance(linker(name), KeyframeLinker) for name in BASELINES)
    assert gap_frames(SewConfig(linking="oks-velocity", memory=9)) == 9
    assert gap_frames(SewConfig(linking="oks-gbm")) == gap_frames(SewConfig()) == 0


@pytest.mark.parametrize("name", BASELINES)
def test_walkers_keep_their_ids_in_any_order(name):
    link = linker(name)
    start = np.array([[0.0, 0], [200, 0], [400, 20]])
    assert link.add(poses(0, start)).tolist() == [0, 1, 2]
    for key in range(1, 15):
        order = np.random.default_rng(key).permutation(3)
        assert link.add(poses(key, (start + 3.0 * key)[order])).tolist() == order.tolist()
        assert (link.last_similarity > 0.7).all()


@pytest.mark.parametrize("name", BASELINES)
def test_duplicates_are_dropped_a_shot_cut_ends_tracks_and_ids_are_new(name):
    link = linker(name)
    assert link.add(poses(0, [[0, 0], [1, 0], [300, 0]], [0.5, 0.9, 0.4])).tolist() == [-1, 0, 1]
    assert link.tally.dropped == {"oks_nms": 1}
    link.end_shot()
    assert link.add(poses(1, [[0, 0], [300, 0]])).tolist() == [2, 3]


@pytest.mark.parametrize("name", BASELINES)
def test_only_the_velocity_memory_outlasts_a_missed_keyframe(name):
    link = linker(name, memory=5)
    for key in range(6):
        link.add(poses(key, [[12.0 * key, 0]]))
    assert link.add(poses(6, [])).tolist() == []
    assert link.add(poses(7, [[12.0 * 7, 0]])).tolist() == [0 if name == "oks-velocity" else 1]


def test_a_lost_person_is_expected_where_the_velocity_leads_until_the_memory_ends():
    for missed, same in ((4, True), (5, False)):
        link = linker("oks-velocity", memory=5, min_similarity=0.6)
        for key in range(8):
            link.add(poses(key, [[10.0 * key, 0]]))
        back = 8 + missed
        for key in range(8, back):
            link.add(poses(key, []))
        assert link.add(poses(back, [[10.0 * back, 0]])).tolist() == [0 if same else 1]
        if same:
            assert link.last_similarity[0] > 0.9
    # where the velocity does not lead nobody is found, though it is the place where the person was last seen
    link = linker("oks-velocity", min_similarity=0.6)
    for key in range(8):
        link.add(poses(key, [[10.0 * key, 0]]))
    for key in range(8, 12):
        link.add(poses(key, []))
    assert link.add(poses(12, [[70.0, 0]])).tolist() == [1]


def test_greedy_and_hungarian_differ_where_the_best_pair_blocks_the_rest():
    """Person 0 moves to where person 1 was, person 1 further on: greedy joins the first pair only."""
    start, moved = [[0, 0], [14, 0]], [[13, 0], [26, 0]]
    got = {}
    for name in ("oks-gbm", "oks-gbm-greedy"):
        link = linker(name, min_similarity=0.15, nms_similarity=1.0)
        link.add(poses(0, start))
        got[name] = link.add(poses(1, moved)).tolist()
    assert got["oks-gbm"] == [0, 1]
    assert got["oks-gbm-greedy"][0] == 1
