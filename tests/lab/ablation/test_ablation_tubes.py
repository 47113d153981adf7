import numpy as np
import pytest

from dettrack.config import PolishConfig, SewConfig
from dettrack.cut.clips import keyframe_indices
from dettrack.lab.ablation.tubes import lose_boxes, unlinked
from dettrack.lab.simulate import SimulateConfig, simulate, walkers
from dettrack.sew.replay import with_keyframes

EXACT = {"noise": 0.0, "drift": 0.0, "hidden_noise": 0.0, "wild": 0.0, "jump": 0.0, "mixed": 0.0}


@pytest.fixture(scope="module")
def walk():
    truth = walkers(4, 60, seed=2, spacing=400.0)
    return truth, list(simulate(truth, SimulateConfig(**EXACT)))


def boxes(steps):
    return sum(len(tracklets) for step in steps for tracklets in step.tracklets)


@pytest.mark.parametrize("run", [1, 5])
def test_the_share_of_boxes_asked_for_is_lost_and_always_the_same(walk, run):
    _, steps = walk
    lost = list(lose_boxes(steps, 0.4, run, seed=3))
    assert 0.25 < 1 - boxes(lost) / boxes(steps) < 0.55
    again = list(lose_boxes(steps, 0.4, run, seed=3))
    assert [len(t) for s in lost for t in s.tracklets] == [len(t) for s in again for t in s.tracklets]
    other = list(lose_boxes(steps, 0.4, run, seed=4))
    assert [len(t) for s in lost for t in s.tracklets] != [len(t) for s in other for t in s.tracklets]
    assert [s.frames for s in lost] == [s.frames for s in steps]


@pytest.mark.parametrize("step", [1, 3, 8])
def test_a_2d_tracker_sees_the_same_keyframes_as_tubes_do_and_nothing_else(walk, step):
    truth, steps = walk
    seen = [t for s in with_keyframes(steps, step, 4, keep=0) for t in s.tracklets]
    assert [t.keyframe for t in seen] == keyframe_indices(0, truth.xy.shape[1], step, 9).tolist()
    assert all(t.frames.tolist() == [t.keyframe] for t in seen)
    assert all(t.xy.shape[1] == 1 for t in seen)


def test_without_linking_each_person_has_one_pose_in_each_frame(walk):
    truth, steps = walk
    table = unlinked(steps, truth.joint_set, SewConfig(), PolishConfig())
    assert len(table) == truth.present.sum()
    for frame, rows in table.rows_by_frame():
        near = np.linalg.norm(rows.xy[:, None] - truth.xy[None, :, frame], axis=-1).max(-1) < 1e-6
        assert (near.sum(1) == 1).all()
        assert (near.sum(0) == 1).all()


def test_without_linking_a_person_who_is_missed_in_a_keyframe_comes_from_the_others(walk):
    truth, steps = walk
    table = unlinked(lose_boxes(steps, 0.5, 1, seed=0), truth.joint_set, SewConfig(), PolishConfig())
    assert len(table) == truth.present.sum()
    assert (table.source == 1).sum() > 0
