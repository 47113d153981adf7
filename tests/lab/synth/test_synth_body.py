"""Bones keep their lengths, feet stay on the ground, recordings are read and performed as documented."""

from __future__ import annotations

import json
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.lab.synth.body import BONES, PARENTS, Body, Motion, draw_body, skeleton
from dettrack.lab.synth.mocap import load_recordings, perform
from dettrack.lab.synth.motion import Action, Style, follow, soles, walk_path
from dettrack.lab.synth.poses import ACTIONS, POSES
from dettrack.lab.synth.rotations import about, blend, matrices, multiply, rotate, yaw
from dettrack.skeleton import POSETRACK15

FPS = 25.0
seeds = st.integers(0, 2**32 - 1)


def random_turns(rng: np.random.Generator, frames: int) -> np.ndarray:
    turns = rng.standard_normal((frames, len(BONES), 4))
    return turns / np.linalg.norm(turns, axis=-1, keepdims=True)


@given(seeds)
def test_bone_lengths_never_change(seed):
    rng = np.random.default_rng(seed)
    body = draw_body(rng)
    bones = skeleton(body, Motion(rng.standard_normal((5, 3)), random_turns(rng, 5)))
    for bone, parent in enumerate(PARENTS):
        if parent >= 0:
            length = np.linalg.norm(bones.joints[:, bone] - bones.joints[:, parent], axis=1)
            np.testing.assert_allclose(length, np.linalg.norm(body.offsets[bone]), atol=1e-9)
    wrist, elbow = (bones.landmarks[:, POSETRACK15.index(f"left_{j}")] for j in ("wrist", "elbow"))
    np.testing.assert_allclose(np.linalg.norm(wrist - elbow, axis=1), body.forearm, atol=1e-9)


@given(seeds)
def test_quaternions_agree_with_matrices(seed):
    rng = np.random.default_rng(seed)
    a, b, v = rng.standard_normal((3, 4)), rng.standard_normal((3, 4)), rng.standard_normal((3, 3))
    a, b = (q / np.linalg.norm(q, axis=-1, keepdims=True) for q in (a, b))
    np.testing.assert_allclose(matrices(multiply(a, b)), matrices(a) @ matrices(b), atol=1e-12)
    np.testing.assert_allclose(rotate(multiply(a, b), v), rotate(a, rotate(b, v)), atol=1e-12)
    np.testing.assert_allclose(matrices(blend(a, b, 1.0)), matrices(b), atol=1e-12)
    np.testing.assert_allclose(matrices(blend(a, -a, 0.5)), matrices(a), atol=1e-12)


def test_signs_of_the_rotations():
    """+z bends hip and elbow forward, +y turns left, an upright person is as tall as the body says."""
    body = Body(height=1.8)
    turns = np.zeros((1, len(BONES), 4))
    turns[..., 0] = 1
    turns[0, BONES.index("right_hip")] = about("z", np.pi / 2)
    turns[0, BONES.index("left_elbow")] = about("z", np.pi / 2)
    bones = skeleton(body, Motion(np.array([[0.0, body.leg_length + body.sole, 0.0]]), turns))
    mark = lambda joint: bones.landmarks[0, POSETRACK15.index(joint)]  # noqa: E731
    assert mark("right_knee")[0] > 0.4
    assert mark("left_wrist")[0] > 0.2
    assert mark("right_shoulder")[2] > 0 > mark("left_shoulder")[2]
    assert mark("nose")[0] > mark("head_top")[0]
    assert mark("head_top")[1] == pytest.approx(1.8, abs=0.06)
    assert yaw(about("y", 0.7)) == pytest.approx(0.7)
    assert rotate(about("y", np.pi / 2), np.array([1.0, 0, 0])) == pytest.approx([0, 0, -1])


@given(st.floats(0.5, 3.0), seeds)
def test_walkers_follow_the_path_with_a_foot_on_the_ground(speed, seed):
    body = draw_body(np.random.default_rng(seed))
    time = np.arange(60) / FPS
    path = np.stack([speed * time, 0.3 * time], 1)
    motion = follow(body, Style(), path, FPS)
    bones = skeleton(body, motion)
    np.testing.assert_allclose(motion.root[10:-10][:, [0, 2]], path[10:-10], atol=0.05)
    lowest = soles(body, bones.joints, bones.axes)[0].min(1)
    assert (lowest > -1e-6).all()
    assert (lowest < 0.06).all()
    knees = bones.landmarks[:, [POSETRACK15.index("left_knee"), POSETRACK15.index("right_knee")]]
    assert (knees[..., 1] > 0.1).all()


def test_a_walker_swings_the_arm_against_the_leg():
    body, time = Body(), np.arange(75) / FPS
    motion = follow(body, Style(), np.stack([1.3 * time, 0 * time], 1), FPS)
    marks = skeleton(body, motion).landmarks[25:]
    forward = lambda joint: marks[:, POSETRACK15.index(joint), 0] - marks[:, POSETRACK15.index("head_bottom"), 0]  # noqa: E731
    assert np.corrcoef(forward("right_ankle"), forward("right_wrist"))[0, 1] < -0.7
    assert np.corrcoef(forward("right_ankle"), forward("left_ankle"))[0, 1] < -0.7


@pytest.mark.parametrize("name", sorted(ACTIONS))
@pytest.mark.parametrize("mirrored", [False, True])
def test_actions_keep_people_above_the_ground_and_in_place(name, mirrored):
    body = Body()
    motion = follow(body, Style(), np.zeros((75, 2)), FPS, [Action(name, 0.0, 3.0, mirrored)], facing=-np.pi / 2)
    bones = skeleton(body, motion)
    height, place = soles(body, bones.joints, bones.axes)
    assert (height.min(1) > -1e-6).all()
    assert height.min(1).max() <= ACTIONS[name][3] + 1e-6
    assert (bones.landmarks[..., 1] > 0).all()
    lower = place[np.arange(75), height.argmin(1)]
    assert np.abs(lower).max() < 0.5  # jumping jacks spread the feet this far


def test_mirrored_actions_swap_the_sides():
    body, still = Body(), np.zeros((50, 2))
    right, left = (
        skeleton(
            body, follow(body, Style(spread=0.1), still, FPS, [Action("wave", -2.0, 9.0, m)], facing=0.0)
        ).landmarks
        for m in (False, True)
    )
    wrist = lambda marks, side: marks[:, POSETRACK15.index(f"{side}_wrist"), 1]  # noqa: E731
    assert (wrist(right, "right") > wrist(right, "left") + 0.3).all()
    assert (wrist(left, "left") > wrist(left, "right") + 0.3).all()


def test_poses_name_known_joints_and_actions_known_poses():
    assert all(set(pose) <= set(BONES) for pose in POSES.values())
    assert {pose for poses, *_ in ACTIONS.values() for pose in poses} == set(POSES)


def test_walk_path_goes_through_its_points():
    time = np.arange(100) / FPS
    path = walk_path([(0.0, -1.0, 0.0), (1.0, -1.0, 0.0), (3.0, 1.0, 2.0)], time, FPS)
    np.testing.assert_allclose(path[0], [-1, 0], atol=1e-3)
    np.testing.assert_allclose(path[50], [0, 1], atol=0.02)
    np.testing.assert_allclose(path[-1], [1, 2], atol=1e-2)


def deepmimic_row(seconds: float, root: tuple[float, float, float], turn: float, knee: float) -> list[float]:
    rotation = about("y", turn).tolist()
    unit = [1.0, 0.0, 0.0, 0.0]
    side = [*unit, knee, *unit, *unit, 0.5]
    return [seconds, *root, *rotation, *unit, *unit, *side, *side]


@pytest.fixture
def walk_file(tmp_path):
    rows = [deepmimic_row(0.1, (0.2 * k, 0.85, 0.0), 0.1 * k, -0.1 * k) for k in range(6)]
    path = tmp_path / "step.txt"
    path.write_text(json.dumps({"Loop": "wrap", "Frames": rows}))
    return path


def test_recordings_are_read_from_files_folders_and_archives(walk_file, tmp_path):
    archive = tmp_path / "motions.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(walk_file, "motions/step.txt")
    (single,) = load_recordings(walk_file)
    assert single.name == "step"
    assert single.loops
    assert single.seconds == pytest.approx(0.5)
    knee = single.motion.turns[:, BONES.index("right_knee")]
    np.testing.assert_allclose(knee, about("z", -0.1 * np.arange(6)))
    (packed,) = load_recordings(archive)
    np.testing.assert_array_equal(packed.motion.root, single.motion.root)
    assert len(load_recordings(tmp_path)) == 1


def test_a_looping_recording_goes_on_where_it_ended(walk_file):
    (recording,) = load_recordings(walk_file)
    body = Body()
    motion = perform(recording, body, 26, 20.0, (3.0, -2.0), 0.4)
    assert motion.root[0, [0, 2]] == pytest.approx([3, -2])
    assert float(yaw(motion.turns[0, 0])) == pytest.approx(0.4)
    # 10 frames are one lap: each lap turns by 0.5 and covers the same distance.
    assert float(yaw(motion.turns[15, 0]) - yaw(motion.turns[5, 0])) == pytest.approx(0.5)
    steps = np.linalg.norm(np.diff(motion.root[:, [0, 2]], axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "not a DeepMimic motion"),
        ('{"Frames": [[1, 2]]}', "44 numbers"),
        ('{"Loop": "wrap"}', "not a Deep"),
    ],
)
def test_a_wrong_recording_is_named(tmp_path, content, message):
    path = tmp_path / "broken.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        load_recordings(path)


def test_no_recording_at_all(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_recordings(tmp_path / "absent")
    with pytest.raises(InputError, match=r"no \.txt"):
        load_recordings(tmp_path)


@pytest.mark.data
def test_the_published_recordings_stand_on_the_ground(annotated):
    recordings = load_recordings(annotated / "mocap" / "deepmimic_motions.tar.xz")
    assert len(recordings) == 26
    for recording in recordings:
        body = Body(height=1.8)
        motion = perform(recording, body, 80, 30.0, (0.0, 0.0), 0.0)
        bones = skeleton(body, motion)
        lowest = soles(body, bones.joints, bones.axes)[0].min(1)
        assert np.isfinite(bones.joints).all()
        assert abs(float(np.percentile(lowest, 5))) < 1e-6
        # Faster than any person: a wrong unit or a jump between laps would show.
        assert np.linalg.norm(np.diff(motion.root, axis=0), axis=1).max() * 30 < 9, recording.name
