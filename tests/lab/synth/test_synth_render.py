"""Drawing against slow, obvious versions; visibility on scenes made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.lab.synth import Renderer, SceneConfig, Visibility
from dettrack.lab.synth.appearance import draw_person
from dettrack.lab.synth.body import skeleton
from dettrack.lab.synth.camera import Camera, camera_path
from dettrack.lab.synth.motion import Action, Style, follow
from dettrack.lab.synth.raster import Light, draw_surface
from dettrack.lab.synth.render import head_box
from dettrack.lab.synth.scene import Actor, Scene
from dettrack.lab.synth.surface import from_grids
from dettrack.lab.synth.things import Thing
from dettrack.lab.synth.world import draw_world
from dettrack.skeleton import POSETRACK15

CAMERA_FACING = -np.pi / 2
LIGHT = Light(np.array([0.0, 1.0, 0.0]), np.full(3, 0.5), np.full(3, 0.4), np.full(3, 0.3))


def still_camera(size: tuple[int, int] = (180, 240), distance: float = 5.0) -> Camera:
    rng, target = np.random.default_rng(0), np.array([0.0, 1.0, 0.0])
    camera = camera_path(rng, "static", size, 1, 25.0, target, distance, 1.0, 0.8)[0]
    return replace(camera, axes=np.diag([1.0, -1.0, -1.0]))


def sphere(centre: tuple[float, float, float], radius: float, grey: int):
    tilt, turn = np.linspace(-np.pi / 2, np.pi / 2, 25), np.linspace(-np.pi, np.pi, 33)
    grid = np.stack(
        [
            np.cos(tilt)[:, None] * np.cos(turn),
            np.repeat(np.sin(tilt)[:, None], 33, 1),
            np.cos(tilt)[:, None] * np.sin(turn),
        ],
        -1,
    )
    return from_grids([grid * radius + np.array(centre)], [np.full((2, 2, 3), grey, np.uint8)])


@given(
    st.floats(-1.0, 1.0), st.floats(0.3, 1.7), st.floats(-2.0, 1.5), st.floats(0.1, 0.8),
)  # fmt: skip
@settings(max_examples=20)
def test_a_sphere_covers_what_rays_hit(x, y, z, radius):
    camera = still_camera()
    surface, vertices = sphere((x, y, z), radius, 200)
    drawn = draw_surface(camera, surface, vertices, LIGHT)
    rows, columns = np.mgrid[: camera.size[0], : camera.size[1]]
    rays = np.stack(
        [(columns - camera.centre[0]) / camera.focal, (rows - camera.centre[1]) / camera.focal, np.ones(rows.shape)], -1
    )
    rays = rays @ camera.axes
    to_centre = np.array([x, y, z]) - camera.position
    a, b = (rays**2).sum(-1), rays @ to_centre
    inside = b**2 - a * (to_centre @ to_centre - radius**2)
    depth = (b - np.sqrt(np.maximum(inside, 0))) / a
    found = np.full(camera.size, np.inf)
    found[drawn.place] = drawn.depth
    hit = np.isfinite(found)
    # Beyond the rim by a pixel at most; no holes within it.
    rim = 2.0 * radius * np.sqrt(a) * (to_centre @ to_centre) ** 0.5 * 1.5 / camera.focal
    assert not (hit & (inside < -rim)).any()
    assert not (~hit & (inside > rim)).any()
    core = inside > 0.3 * radius**2 * a
    np.testing.assert_allclose(found[core], depth[core], atol=0.03)


def test_the_nearer_object_wins_and_hidden_points_do_not_shine_through():
    camera = still_camera()
    near, far = sphere((0, 1, 1), 0.3, 250), sphere((0, 1, -1), 0.3, 20)
    joined, vertices = from_grids(
        [v[1].reshape(25, 33, 3) for v in (far, near)],
        [np.full((2, 2, 3), grey, np.uint8) for grey in (20, 250)],
    )
    drawn = draw_surface(camera, joined, vertices, LIGHT)
    assert drawn.colour[drawn.mask].min() > 100


@given(st.floats(0.3, 4))
def test_an_enlarged_picture_has_everything_at_the_same_place(factor):
    camera = still_camera()
    points = np.random.default_rng(1).uniform([-1, 0, -1], [1, 2, 1], (20, 3))
    whole, fine = camera.project(points), camera.enlarged(factor).project(points)
    np.testing.assert_allclose((fine[:, :2] + 0.5) / factor - 0.5, whole[:, :2], atol=1e-9)
    np.testing.assert_allclose(fine[:, 2], whole[:, 2])
    assert np.isnan(camera.project(camera.position + np.array([0, 0, 1.0]))[:2]).all()


def person_at(x: float, z: float, *, facing: float = CAMERA_FACING, actions: tuple[Action, ...] = (), seed: int = 0):
    person = draw_person(np.random.default_rng(seed))
    style = Style(spread=0.35, sway=(0.0, 0.0, 0.0, 0.0))
    motion = follow(person.body, style, np.tile([x, z], (2, 1)), 25.0, actions, facing)
    return Actor(person, skeleton(person.body, motion))


def handmade(actors: list[Actor], things: tuple[Thing, ...] = (), frames: int = 2) -> Scene:
    camera = still_camera()
    world = draw_world(np.random.default_rng(3), 3.0, things)
    config = SceneConfig(size=camera.size, frames=frames)
    return Scene(0, 0, config, "mixed", tuple(actors), (camera,) * frames, world, 0.0, 0.0, 1.0, (1.0, 0.0, 1.0))


def seen(scene: Scene, person: int) -> dict[str, int]:
    truth = Renderer(scene).frame(0).truth
    return dict(zip(POSETRACK15.joints, truth.visibility[person].tolist(), strict=True))


def test_a_person_alone_facing_the_camera_is_seen_whole():
    states = seen(handmade([person_at(0.0, 0.0)]), 0)
    assert states == dict.fromkeys(POSETRACK15.joints, Visibility.SEEN)


def test_from_behind_the_nose_is_self_hidden():
    states = seen(handmade([person_at(0.0, 0.0, facing=np.pi / 2)]), 0)
    assert states["nose"] == Visibility.SELF_HIDDEN
    assert states["left_ankle"] == states["head_top"] == Visibility.SEEN


def test_from_the_side_the_far_arm_is_self_hidden():
    states = seen(handmade([person_at(0.0, 0.0, facing=0.0)]), 0)  # walks to the right: the right side is near
    assert states["right_shoulder"] == Visibility.SEEN
    assert states["left_shoulder"] == Visibility.SELF_HIDDEN


def test_who_stands_behind_another_is_hidden_by_them():
    scene = handmade([person_at(0.0, 0.6), person_at(0.1, -0.3)])
    truth = Renderer(scene).frame(0).truth
    assert truth.visible[0] == 1.0
    assert truth.visible[1] < 0.5
    assert (truth.visibility[0] == Visibility.SEEN).all()
    hidden = truth.visibility[1] == Visibility.HIDDEN
    assert hidden.sum() >= 5
    assert hidden[POSETRACK15.index("right_hip")] or hidden[POSETRACK15.index("left_hip")]
    # The box of the whole body stays; that of the visible pixels shrinks or is equal.
    assert (truth.boxes[1][2:] - truth.boxes[1][:2] >= truth.visible_boxes[1][2:] - truth.visible_boxes[1][:2]).all()


def test_a_wall_hides_the_legs_and_then_everything():
    def wall(height: float) -> Thing:
        ring = np.array([[-2, 1.0], [2, 1.0], [2, 1.1], [-2, 1.1], [-2, 1.0]])
        grid = np.stack([np.column_stack([ring[:, 0], np.full(5, y), ring[:, 1]]) for y in (0.0, height)])
        return Thing(*from_grids([grid], [np.full((2, 2, 3), 99, np.uint8)]))

    states = seen(handmade([person_at(0.0, 0.0)], (wall(0.7),)), 0)
    assert states["left_ankle"] == states["right_ankle"] == Visibility.HIDDEN
    assert states["nose"] == states["left_shoulder"] == Visibility.SEEN
    truth = Renderer(handmade([person_at(0.0, 0.0)], (wall(2.5),))).frame(0).truth
    assert truth.visible[0] == 0.0
    assert not truth.present[0]
    assert np.isfinite(truth.boxes[0]).all()


def test_who_is_out_of_the_picture_is_absent():
    scene = handmade([person_at(20.0, 0.0), person_at(3.05, 0.0, seed=1)])
    truth = Renderer(scene).frame(0).truth
    assert not truth.present[0]
    assert np.isnan(truth.boxes[0]).all()
    assert (truth.visibility[0] == Visibility.OUTSIDE).all()
    half = truth.visibility[1]
    assert truth.present[1]
    assert (half == Visibility.OUTSIDE).any()
    assert (half == Visibility.SEEN).any()
    outside = (truth.xy[1, :, 0] > scene.config.size[1] - 0.5) == (half == Visibility.OUTSIDE)
    assert outside.all()
    assert truth.boxes[1][2] == pytest.approx(scene.config.size[1] - 0.5, abs=0.4)


def test_joints_lie_in_the_box_and_the_head_box_follows_posetrack():
    truth = Renderer(handmade([person_at(0.0, 0.0)])).frame(0).truth
    low, high = truth.boxes[0][:2], truth.boxes[0][2:]
    assert ((truth.xy[0] > low - 2) & (truth.xy[0] < high + 2)).all()
    top, bottom = (truth.xy[0, POSETRACK15.index(j)] for j in ("head_top", "head_bottom"))
    x1, y1, x2, y2 = truth.head_boxes[0]
    assert 0.6 * np.hypot(x2 - x1, y2 - y1) == pytest.approx(0.6 / 0.7 * np.hypot(*(top - bottom)))
    assert x1 < top[0] < x2
    assert y1 < top[1] < y2


@given(st.floats(0, 6.28), st.floats(5, 80))
def test_head_box_diagonal(angle, length):
    top, bottom = length * np.array([np.cos(angle), np.sin(angle)]), np.zeros(2)
    box = head_box(top, bottom, np.random.default_rng(0).uniform(-length, length, (20, 2)))
    assert np.hypot(*(box[2:] - box[:2])) == pytest.approx(length / 0.7)
