"""Places, plans and cameras: what is drawn lies where geometry says, and everything follows from the seed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.errors import InputError, UsageError
from dettrack.lab.synth import SceneConfig, draw_scene
from dettrack.lab.synth.backdrop import draw_backdrop, shadow_map
from dettrack.lab.synth.camera import camera_path
from dettrack.lab.synth.plans import SCENARIOS, Stage, plan_people
from dettrack.lab.synth.textures import floor, rough, skyline, smooth_noise, tint, wall
from dettrack.lab.synth.world import draw_world, find_photos

seeds = st.integers(0, 2**32 - 1)
STAGE = Stage(seconds=8.0, distance=6.0, focal=0.9, back=3.0)
CELL, CELLS = 0.04, 500  # of the shadow map: metres, and cells on a side


def cameras(seed, kind="static", size=(90, 160), frames=3):
    rng = np.random.default_rng(seed)
    return camera_path(rng, kind, size, frames, 25.0, np.array([0.0, 1.0, 0.0]), 6.0, 1.5, 0.9)


@settings(max_examples=30)
@given(seeds, st.sampled_from(sorted(SCENARIOS)))
def test_plans_run_forward_in_time_and_come_from_the_seed_alone(seed, scenario):
    plans = plan_people(np.random.default_rng(seed), scenario, STAGE)
    assert plans == plan_people(np.random.default_rng(seed), scenario, STAGE)
    for plan in plans:
        times = [time for time, _, _ in plan.points]
        assert times == sorted(times)
        assert np.isfinite(np.array(plan.points)).all()
        for action in plan.actions:
            assert action.start_s < action.stop_s


@settings(max_examples=30)
@given(seeds)
def test_scenarios_have_the_people_that_they_promise(seed):
    def people(scenario):
        return plan_people(np.random.default_rng(seed), scenario, STAGE)

    assert 2 <= len(people("cross")) <= 4
    assert 6 <= len(people("crowd")) <= 10
    assert len(people("entangled")) in (2, 4)
    assert len(people("apart")) == 4
    assert 2 <= len(people("mixed")) <= 5
    standing = sorted(plan.points[0][1] for plan in people("apart")[:3])
    assert (np.diff(standing) > 0.3 * STAGE.reach(0.5)).all()
    sizes = [STAGE.distance - plan.points[0][2] for plan in people("small-large")]
    assert min(sizes) < 3 < max(sizes), "someone is near, someone far"
    for plan in people("leave-return")[:-1]:
        inside = [abs(x) < STAGE.reach(z) for _, x, z in plan.points]
        assert inside[0]
        assert inside[-1]
        assert not all(inside)
    for plan in people("cross"):
        sides = [np.sign(plan.points[i][1]) for i in (0, -1)]
        assert sides[0] != sides[1], "from one side of the picture to the other"


def test_an_unknown_scenario_is_refused():
    with pytest.raises(UsageError, match="expected one of mixed, apart"):
        plan_people(np.random.default_rng(0), "football", STAGE)


@settings(max_examples=25)
@given(seeds)
def test_textures_are_pictures_that_come_from_the_seed_alone(seed):
    for make in (
        lambda rng: floor(rng, True)[0],
        lambda rng: floor(rng, False)[0],
        lambda rng: wall(rng, 150, 400),
        lambda rng: skyline(rng, np.array([[100.0, 150, 235], [220, 230, 238]]), 240, 320),
    ):
        one, again = (make(np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one, again)
        assert one.dtype == np.uint8
        assert one.ndim == 3
        assert one.std() > 1, "not one flat colour"
        assert not np.array_equal(one, make(np.random.default_rng(seed + 1)))


@given(seeds, st.floats(0.05, 0.5), st.floats(0.0, 0.4), st.floats(0, 0.5))
def test_colours_stay_in_range(seed, low, more, colourful):
    colour = tint(np.random.default_rng(seed), low, low + more, colourful)
    assert ((colour >= 0.03) & (colour <= 0.97)).all()
    grey = tint(np.random.default_rng(seed), low, low + more, 0.0)
    assert np.ptp(grey) == 0
    assert low - 1e-9 <= grey[0] <= low + more + 1e-9


def test_rough_surfaces_have_their_colour_in_the_mean_and_noise_has_its_size():
    rng = np.random.default_rng(1)
    colour = np.array([0.3, 0.5, 0.4])
    flat = rough(rng, colour, 64, 0.0, 0.0)
    np.testing.assert_allclose(flat.reshape(-1, 3).mean(0) / 255, colour, atol=0.005)
    assert flat.std(axis=(0, 1)).max() == 0
    np.testing.assert_allclose(rough(rng, colour, 256, 0.05, 0.05).reshape(-1, 3).mean(0) / 255, colour, atol=0.06)
    noise = smooth_noise(rng, 40, 60, (4, 6))
    assert noise.shape == (40, 60)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.3, "neighbours are alike"


@pytest.mark.parametrize("kind", ["static", "pan", "handheld"])
def test_a_floor_point_falls_into_its_cell_of_the_shadow_map(kind):
    """Projected into the picture and back through the backdrop's own map: the same place, in every frame."""
    world = draw_world(np.random.default_rng(3), 3.0, ())
    path = cameras(3, kind)
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(-2, 2, 40), np.zeros(40), rng.uniform(-2, 2, 40)], 1)
    for camera in path:
        seen = camera.project(points)
        pixels = np.concatenate([seen[:, :2], np.ones((40, 1))], 1)
        cells = pixels @ draw_backdrop(world, camera, path[0]).to_cells.T
        np.testing.assert_allclose(cells[:, :2] / cells[:, 2:], points[:, [0, 2]] / CELL + CELLS / 2, atol=1e-6)


def test_shadows_darken_the_floor_and_nothing_else():
    world, camera = draw_world(np.random.default_rng(4), 3.0, ()), cameras(4)[0]
    backdrop = draw_backdrop(world, camera, camera)
    assert backdrop.floor.any()
    assert not backdrop.floor.all()
    light = np.ones((CELLS, CELLS), np.float64)
    np.testing.assert_array_equal(backdrop.shaded(light), backdrop.image)
    light[:] = 0.5
    dark = backdrop.shaded(light)
    np.testing.assert_array_equal(dark[~backdrop.floor], backdrop.image[~backdrop.floor])
    inside = backdrop.floor & (cv2.erode(backdrop.floor.astype(np.uint8), np.ones((5, 5))) > 0)
    ratio = dark[inside].sum() / backdrop.image[inside].sum()
    assert 0.45 < ratio < 1, "half the light within the map, all of it beyond"


def test_a_shadow_lies_beside_what_throws_it_away_from_the_light():
    scene = draw_scene(2, 0, SceneConfig(size=(90, 160), frames=2, scenario="apart", occluders=0))
    actor = scene.actors[0]
    vertices = actor.vertices(0)
    light = shadow_map(scene.world, [(actor.person.surface, vertices)])
    assert light.shape == (CELLS, CELLS)
    assert 0 < light.min() < 1
    assert light.max() <= 1
    np.testing.assert_allclose(shadow_map(scene.world, []), 1)
    rows, columns = np.nonzero(light < 0.9)
    middle = (np.array([columns.mean(), rows.mean()]) - CELLS / 2) * CELL
    feet = vertices[vertices[:, 1] < 0.1][:, [0, 2]].mean(0)
    away = -scene.world.light.direction[[0, 2]]
    assert (middle - feet) @ away > 0


def test_a_photograph_stays_far_away_while_the_camera_turns():
    photo = np.random.default_rng(0).integers(0, 256, (90, 160, 3)).astype(np.uint8)
    photo = cv2.GaussianBlur(photo, (0, 0), 3)
    world, path = draw_world(np.random.default_rng(5), 3.0, (), photo), cameras(5, "pan", frames=40)
    first, last = (draw_backdrop(world, path[i], path[0]).image for i in (0, 39))
    assert not np.array_equal(first, last)
    shift, response = cv2.phaseCorrelate(first.mean(2), last.mean(2))
    assert response > 0.2, "the same picture, moved"
    turned = path[39].axes @ path[0].axes.T
    expected = -turned[0, 2] * path[0].focal
    assert abs(abs(shift[0]) - abs(expected)) < 2.0


def test_backgrounds_are_found_by_name_or_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_photos(tmp_path / "none")
    with pytest.raises(InputError, match="no picture inside"):
        find_photos(tmp_path)
    for name in ("b.JPG", "a.png", "notes.txt", "sub/c.jpeg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in find_photos(tmp_path)] == ["a.png", "b.JPG", "c.jpeg"]
