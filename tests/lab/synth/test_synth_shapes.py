"""Bodies and clothes: mirror images of each other, closed, as tall as they say, and moved as one with their bones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.lab.synth.body import BONES, Body, Motion, draw_body, skeleton
from dettrack.lab.synth.figure import Outfit, foot, hand, limbs, neck, skirt, smooth, trunk
from dettrack.lab.synth.head import HEAD_HEIGHTS, hair_line, head, long_hair
from dettrack.lab.synth.mesh import build_mesh, pose_mesh
from dettrack.lab.synth.rotations import about, matrices, multiply

seeds = st.integers(0, 2**32 - 1)
OUTFITS = [Outfit(), Outfit(sleeve=2.0, trouser=1.0), Outfit(skirt=0.6, hair_length=0.8), Outfit(cap=True)]
MIRROR = np.array([1.0, 1.0, -1.0])


def standing(body: Body) -> Motion:
    turns = np.zeros((1, len(BONES), 4))
    turns[..., 0] = 1
    return Motion(np.array([[0.0, body.leg_length + body.sole, 0.0]]), turns)


def posed(body: Body, outfit: Outfit, motion: Motion) -> np.ndarray:
    bones = skeleton(body, motion)
    return pose_mesh(build_mesh(body, outfit), bones.joints[0], bones.axes[0])


@given(st.floats(-3, 3), st.floats(-2, 1.9), st.floats(0.05, 2))
def test_a_smooth_step_stays_between_0_and_1_and_never_falls(x, low, width):
    step = smooth(np.array([x, x + 0.1]), low, low + width)
    assert (step >= 0).all()
    assert (step <= 1).all()
    assert step[0] <= step[1]
    np.testing.assert_array_equal(smooth(np.array([low, low + width]), low, low + width), [0, 1])
    np.testing.assert_allclose(smooth(np.array([low + width / 2]), low, low + width), 0.5)


@pytest.mark.parametrize("height", [1.1, 1.7, 1.98])
def test_shoes_are_mirror_images_and_stand_on_the_ground(height):
    body = Body(height)
    left, right = foot(body, "left"), foot(body, "right")
    np.testing.assert_allclose(left[:, ::-1] * MIRROR, right, atol=1e-12)
    assert right[..., 1].min() == pytest.approx(-body.sole)
    length, width = np.ptp(right[..., 0]), np.ptp(right[..., 2])
    assert 0.13 * height < length < 0.2 * height
    assert 0.25 * length < width < 0.5 * length


def test_hands_are_mirror_images_and_begin_at_the_wrist():
    body = Body()
    for left, right in zip(hand(body, "left"), hand(body, "right"), strict=True):
        np.testing.assert_allclose(left.centre * MIRROR, right.centre, atol=1e-12)
        np.testing.assert_array_equal(left.forward, right.forward)
        assert left.bones == (BONES.index("left_elbow"),) * 2
        assert right.bones == (BONES.index("right_elbow"),) * 2
        assert abs(left.centre[0, 0, 1] + body.forearm) < 0.02 * body.height
        assert (np.diff(left.centre[:, 0, 1]) < 0).all(), "from the wrist to the fingertips"


@pytest.mark.parametrize("outfit", [Outfit(), Outfit(hair=0.0), Outfit(cap=True), Outfit(hair_length=1.0)])
def test_heads_are_symmetric(outfit):
    skull = head(Body(), outfit)
    np.testing.assert_allclose(skull[:, ::-1] * MIRROR, skull, atol=1e-12)
    hair = long_hair(Body(), outfit)
    np.testing.assert_allclose(hair[:, ::-1] * MIRROR, hair, atol=1e-12)


def test_hair_caps_and_sizes_change_the_head():
    body = Body()
    bald, haired, capped = head(body, Outfit(hair=0.0)), head(body, Outfit(hair=0.2)), head(body, Outfit(cap=True))
    middle = bald.shape[1] // 2  # the angle 0 is the front
    peak = np.ptp(capped[..., 0]) - np.ptp(head(body, Outfit())[..., 0])
    assert peak > 0.02 * body.height, "the peak of a cap sticks out"
    assert np.ptp(haired[..., 2]) > np.ptp(bald[..., 2])
    face = HEAD_HEIGHTS < 0.11
    np.testing.assert_array_equal(haired[face, middle], bald[face, middle])
    np.testing.assert_allclose(head(replace(body, head=1.2), Outfit()), 1.2 * head(body, Outfit()))


def test_hair_covers_the_back_of_the_head_and_no_face():
    height, angle = np.array([0.10, 0.10, 0.16]), np.array([0.0, np.pi, 0.0])
    np.testing.assert_array_equal(hair_line(height, angle) > 0, [False, True, True])
    turns = np.linspace(-np.pi, np.pi, 31)
    np.testing.assert_allclose(hair_line(np.full(31, 0.1), turns), hair_line(np.full(31, 0.1), -turns))


def test_longer_hair_falls_further():
    lowest = [long_hair(Body(), Outfit(hair_length=length))[..., 1].min() for length in (0.2, 0.6, 1.0)]
    assert lowest[0] > lowest[1] > lowest[2]


@pytest.mark.parametrize(
    ("outfit", "there", "absent"),
    [
        (Outfit(sleeve=0.0), {"left_arm"}, {"left_sleeve"}),
        (Outfit(sleeve=0.5), {"left_arm", "left_sleeve"}, set()),
        (Outfit(sleeve=2.0), {"left_sleeve"}, {"left_arm"}),
        (Outfit(trouser=0.0), {"right_leg"}, {"right_trouser"}),
        (Outfit(trouser=1.9), {"right_leg", "right_trouser"}, set()),
    ],
)
def test_sleeves_and_trousers_are_there_as_long_as_they_are_worn(outfit, there, absent):
    parts = limbs(Body(), outfit)
    assert there <= set(parts)
    assert not absent & set(parts)
    for name in parts:
        other = name.replace("left", "right") if "left" in name else name.replace("right", "left")
        assert other in parts


def test_longer_sleeves_reach_further_down_and_loose_ones_are_wider():
    def sleeve(outfit):
        rings = limbs(Body(), outfit)["left_sleeve"]
        # in the axes of the upper arm: second bone of the upper half, first of the lower one
        lowest = min([rings[0].centre[:, 1, 1].min(), *(r.centre[:, 0, 1].min() for r in rings[1:] if len(r.weight))])
        return lowest, max(r.forward.max() for r in rings if len(r.weight))

    short, long = sleeve(Outfit(sleeve=0.4)), sleeve(Outfit(sleeve=1.8))
    assert long[0] < short[0] - 0.1
    assert sleeve(Outfit(sleeve=0.4, top_loose=1.4))[1] > short[1]


def test_clothes_make_the_trunk_thicker_and_a_collar_stays():
    tight, loose = trunk(Body(), Outfit(top_loose=1.0)), trunk(Body(), Outfit(top_loose=1.3))
    np.testing.assert_array_equal(tight.centre, loose.centre)
    ratio = loose.forward / tight.forward
    assert ratio.max() == pytest.approx(1.3)
    assert ratio[-1] == pytest.approx(1.0)
    assert trunk(Body(girth=1.3), Outfit()).forward.max() > tight.forward.max()
    assert (np.diff(tight.centre[:, 0, 1]) >= 0).all()
    assert ((tight.weight >= 0) & (tight.weight <= 1)).all()
    assert neck(Body()).weight[0] == 0
    assert neck(Body()).weight[-1] == 1


def test_a_skirt_is_as_long_as_it_says():
    body = Body()
    for length in (0.3, 0.9):
        (rings,) = skirt(body, Outfit(skirt=length))
        assert rings.centre[:, 0, 1].min() == pytest.approx(body.offsets[4, 1] * length)
        assert rings.forward[-1] > rings.forward[0]


@settings(max_examples=20)
@given(
    seeds,
    st.sampled_from([Outfit(), Outfit(sleeve=2.0, trouser=1.0), Outfit(skirt=0.6, hair_length=0.8), Outfit(cap=True)]),
)
def test_a_person_at_rest_is_as_tall_as_the_body_says_and_stands_on_the_ground(seed, outfit):
    body = draw_body(np.random.default_rng(seed))
    vertices = posed(body, outfit, standing(body))
    assert vertices[:, 1].min() == pytest.approx(0, abs=0.02)
    top = skeleton(body, standing(body)).landmarks[0, :, 1].max()
    assert vertices[:, 1].max() == pytest.approx(top, abs=0.04)
    assert top == pytest.approx(body.height, rel=0.12)
    assert np.ptp(vertices[:, 2]) < 0.75 * body.height, "arms hang down"


@settings(max_examples=20)
@given(seeds)
def test_vertices_are_whole_grids_that_follow_their_bones(seed):
    rng = np.random.default_rng(seed)
    mesh = build_mesh(draw_body(rng), Outfit(skirt=0.5, hair_length=0.5))
    start = 0
    for part in mesh.parts:
        assert part.start == start
        start += part.rings * part.columns
    assert start == len(mesh.weights) == len(mesh.bones) == len(mesh.local)
    assert len({part.name for part in mesh.parts}) == len(mesh.parts)
    np.testing.assert_allclose(mesh.weights.sum(1), 1)
    assert ((mesh.bones >= 0) & (mesh.bones < len(BONES))).all()
    for part in mesh.parts:
        grid = mesh.local[part.start : part.start + part.rings * part.columns].reshape(part.rings, part.columns, 2, 3)
        np.testing.assert_allclose(grid[:, 0], grid[:, -1], atol=1e-9, err_msg=f"{part.name} is open at the back")


@settings(max_examples=20)
@given(seeds)
def test_turning_and_moving_the_root_turns_and_moves_all_of_the_person(seed):
    """No vertex stays behind or stretches, whatever the pose."""
    rng = np.random.default_rng(seed)
    body, outfit = draw_body(rng), Outfit(skirt=0.4)
    turns = rng.standard_normal((1, len(BONES), 4))
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    turn, shift = about("yxz", *rng.uniform(-3, 3, 3)), rng.standard_normal(3)
    here = posed(body, outfit, Motion(np.zeros((1, 3)), turns))
    moved_turns = turns.copy()
    moved_turns[:, 0] = multiply(turn, turns[:, 0])
    there = posed(body, outfit, Motion(shift[None], moved_turns))
    np.testing.assert_allclose(there, here @ matrices(turn).T + shift, atol=1e-9)


def test_rigid_parts_keep_their_shape_in_any_pose():
    rng = np.random.default_rng(5)
    body, mesh = Body(), build_mesh(Body(), Outfit())
    turns = rng.standard_normal((1, len(BONES), 4))
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    bones = skeleton(body, Motion(np.zeros((1, 3)), turns))
    vertices = pose_mesh(mesh, bones.joints[0], bones.axes[0])
    for part in mesh.parts:
        if part.name in ("head", "left_foot", "right_foot"):
            mine = slice(part.start, part.start + part.rings * part.columns)
            rest, now = mesh.local[mine, 0], vertices[mine]
            np.testing.assert_allclose(
                np.linalg.norm(now - now[0], axis=1), np.linalg.norm(rest - rest[0], axis=1), atol=1e-9
            )
