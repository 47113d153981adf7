from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.cut.clips import keyframe_indices
from dettrack.errors import UsageError
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.files import read_sequence, sequence_files
from dettrack.lab.simulate import SimulateConfig, simulate, trajectories_of, walkers
from dettrack.skeleton import POSETRACK15

CLEAN = SimulateConfig(noise=0.0, drift=0.0, hidden_noise=0.0, wild=0.0, jump=0.0, mixed=0.0)
J = len(POSETRACK15)


@given(st.integers(1, 30), st.integers(0, 4), st.integers(1, 6), st.integers(0, 5))
@settings(max_examples=30)
def test_without_errors_the_tubes_are_the_truth_of_every_clip(n_frames, reach, step, people):
    clip = 2 * reach + 1
    step = min(step, max(1, clip - 1))
    truth = walkers(people, n_frames)
    steps = list(simulate(truth, SimulateConfig(**{**vars(CLEAN), "clip_length": clip, "step": step})))
    keys = keyframe_indices(0, n_frames, step, clip).tolist()
    assert [s.tracklets[0].keyframe for s in steps] == keys
    assert [index for s in steps for index in s.frames.index.tolist()] == list(range(n_frames))
    assert [s.shot_ended for s in steps] == [False] * (len(steps) - 1) + [True]
    for number, s in enumerate(steps):
        tubes = s.tracklets[0]
        np.testing.assert_allclose(tubes.xy, truth.xy[:, tubes.frames])
        later = [int(t.tracklets[0].frames[0]) for t in steps[number + 1 :]]
        assert s.final_before <= min(later, default=n_frames)


@pytest.mark.parametrize("run", [1, 10])
def test_missed_boxes_come_in_the_share_and_runs_asked_for(run):
    truth = walkers(20, 400)
    steps = list(simulate(truth, SimulateConfig(missed=0.6, run=run), seed=3))
    found = np.zeros((20, 400), bool)
    for s in steps:
        tubes = s.tracklets[0]
        centre = (tubes.boxes.xyxy[:, :2] + tubes.boxes.xyxy[:, 2:]) / 2
        true = (truth.boxes[:, tubes.keyframe, :2] + truth.boxes[:, tubes.keyframe, 2:]) / 2
        who = np.linalg.norm(centre[:, None] - true[None], axis=-1).argmin(1)
        found[who, tubes.keyframe] = True
    assert 1 - found.mean() == pytest.approx(0.6, abs=0.05)
    edges = np.flatnonzero(np.diff(np.pad(~found, ((0, 0), (1, 1))).ravel().astype(int)))
    lengths = np.diff(edges.reshape(-1, 2), axis=1)
    assert (np.median(lengths) >= 10) == (run == 10)


def test_equal_seeds_give_equal_tubes():
    truth = walkers(4, 12)
    config = SimulateConfig(missed=0.3)
    a, b, c = (list(simulate(truth, config, seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(x.tracklets[0].xy, y.tracklets[0].xy) for x, y in zip(a, b, strict=True))
    assert any(not np.array_equal(x.tracklets[0].xy, y.tracklets[0].xy) for x, y in zip(a, c, strict=True))


def meeting():
    """Two people who meet; the second hides the first's left wrist and is absent in the last frame."""
    xy = np.random.default_rng(0).uniform(0, 1, (J, 2)) * [40, 120]
    rows = [(t, i) for t in range(5) for i in (4, 9) if not (i == 9 and t == 4)]
    joints = np.array([xy + np.array([3 * i, 0]) for t, i in rows])
    visible = np.full((len(rows), J), 2.0)
    visible[[i == 4 for _, i in rows], POSETRACK15.index("left_wrist")] = 1
    joints[:, 0] = np.nan  # nobody's nose is known
    people = People.build(
        [t for t, _ in rows],
        joints,
        visible=visible,
        track_id=[i for _, i in rows],
        head_box=np.tile([0.0, 0, 30, 40], (len(rows), 1)),
    )
    return PoseSequence("s", "posetrack18", POSETRACK15, tuple(ImageInfo(f"{t}.jpg") for t in range(5)), people)


def test_trajectories_of_annotations():
    truth = trajectories_of(meeting())
    assert truth.ids.tolist() == [4, 9]
    assert truth.present.tolist() == [[True] * 5, [True] * 4 + [False]]
    np.testing.assert_allclose(truth.head[0], 30)
    assert not truth.visible[0, 0, POSETRACK15.index("left_wrist")]
    assert truth.visible[1, 0, POSETRACK15.index("left_wrist")]
    assert not truth.visible[:, :, 0].any()


def test_a_tube_that_jumps_follows_the_other_person_to_the_end_and_absence_scores_low():
    truth = trajectories_of(meeting())
    config = SimulateConfig(**{**vars(CLEAN), "jump": 1.0, "crossing": 0.1})
    step = next(simulate(truth, config))  # keyframe 0, frames 0 to 4
    tubes = step.tracklets[0]
    know = np.isfinite(truth.xy[0, 0, :, 0])
    np.testing.assert_allclose(tubes.xy[0, 0, know], truth.xy[0, 0, know])
    # with certainty to jump, the tube changes over in every frame while the other is there
    for c, owner in enumerate([0, 1, 0, 1]):
        np.testing.assert_allclose(tubes.xy[0, c, know], truth.xy[owner, c, know])
    assert np.isnan(tubes.xy[:, :, 0]).all()
    absent = tubes.scores[0, 4] if not np.allclose(tubes.xy[0, 4, know], truth.xy[0, 4, know]) else tubes.scores[1, 4]
    assert (absent < 0.1).all()
    assert (tubes.scores[0, 0, know] > 0).all()


def test_hidden_joints_score_low_and_may_be_the_neighbours():
    truth = trajectories_of(meeting())
    wrist = POSETRACK15.index("left_wrist")
    config = SimulateConfig(**{**vars(CLEAN), "mixed": 1.0, "crossing": 0.1})
    tubes = next(simulate(truth, config)).tracklets[0]
    np.testing.assert_allclose(tubes.xy[0, :4, wrist], truth.xy[1, :4, wrist])
    assert tubes.scores[0, :4, wrist].mean() < 0.5 < tubes.scores[1, :4, wrist].mean()


def test_wrong_settings_are_refused():
    with pytest.raises(UsageError, match="missed"):
        SimulateConfig(missed=1.5)
    with pytest.raises(UsageError, match="run"):
        SimulateConfig(run=0)


@pytest.mark.data
def test_the_bonn_trajectories(annotated):
    truth = trajectories_of(read_sequence(sequence_files(annotated / "bonn_trajectories")[0]))
    assert truth.present.sum() == 152
    assert 0.1 < np.nanmedian(truth.head) / np.nanmedian(truth.boxes[..., 3] - truth.boxes[..., 1]) < 0.25
    tubes = next(simulate(truth, SimulateConfig())).tracklets[0]
    assert tubes.xy.shape == (2, 5, J, 2)
