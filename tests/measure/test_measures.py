"""Angles against drawn figures and Monte Carlo; scales, speeds and steps against known motion."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError, UsageError
from dettrack.measure.angles import angles_of, facing
from dettrack.measure.motion import distance, speeds, steps
from dettrack.measure.scale import parse_metres
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.structures import TrackTable

J = len(POSETRACK15)


def figure(**degrees: float) -> TrackTable:
    """One frame of a person seen from the right side: segment directions from proximal to distal, y upwards."""
    turn = {"trunk": 90.0, "thigh": -90.0, "shank": -90.0, "upper_arm": -90.0, "forearm": -90.0} | degrees

    def to(name: str, length: float) -> np.ndarray:
        angle = math.radians(turn[name])
        return length * np.array([math.cos(angle), math.sin(angle)])

    hip = np.array([200.0, 200.0])
    shoulder = hip + to("trunk", 60)
    knee, elbow = hip + to("thigh", 50), shoulder + to("upper_arm", 35)
    points = {"hip": hip, "shoulder": shoulder, "knee": knee, "elbow": elbow}
    points |= {"ankle": knee + to("shank", 50), "wrist": elbow + to("forearm", 30)}
    xy = np.full((1, J, 2), np.nan)
    for side in ("left", "right"):
        for name, point in points.items():
            xy[0, POSETRACK15.index(f"{side}_{name}")] = point
    xy[0, POSETRACK15.index("nose")] = shoulder + np.array([15, 20])
    xy[0, POSETRACK15.index("head_bottom")] = shoulder + np.array([0, 5])
    xy[0, POSETRACK15.index("head_top")] = shoulder + np.array([0, 40])
    return people(xy * (1, -1) + (0, 480))


def people(xy: np.ndarray, fps: float = 25.0) -> TrackTable:
    n = len(xy)
    return replace(
        TrackTable.empty(POSETRACK15),
        frame=np.arange(n),
        time_s=1 + np.arange(n) / fps,
        track_id=np.zeros(n, np.int64),
        box=np.stack([np.array([0.0, 0.0, 100.0, 160.0])] * n),
        score=np.ones(n),
        xy=xy,
        joint_scores=np.ones((n, J)),
        spread=np.full((n, J), 1.0),
        support=np.full((n, J), 3),
        source=np.zeros(n, np.int64),
    )


def mirrored(rows: TrackTable) -> TrackTable:
    return replace(rows, xy=rows.xy * (-1, 1) + (640, 0))


@pytest.mark.parametrize(
    ("turned", "name", "expected"),
    [
        ({}, "knee_angle_r", 0),
        ({"shank": -150}, "knee_angle_r", 60),
        ({"thigh": -60}, "hip_flexion_l", 30),
        ({"thigh": -110}, "hip_flexion_l", -20),
        ({"trunk": 70, "thigh": -90}, "hip_flexion_r", 20),
        ({"upper_arm": -45}, "arm_flex_r", 45),
        ({"upper_arm": -120}, "arm_flex_r", -30),
        ({"upper_arm": 80}, "arm_flex_r", 170),
        ({"forearm": -10}, "elbow_flex_r", 80),
        ({}, "trunk", 90),
        ({"trunk": 75}, "trunk", 75),
        ({"shank": -100}, "shank_l", 80),
        ({}, "head", 90),
    ],
)
def test_angles_of_drawn_figures(turned: dict[str, float], name: str, expected: float) -> None:
    rows = figure(**turned)
    assert facing(rows) == 1
    for person, sign in ((rows, 1), (mirrored(rows), -1)):
        assert facing(person) == sign
        angles = angles_of(person)
        value = angles.degrees[0, angles.names.index(name)]
        segment = "_flex" not in name and "knee" not in name
        assert value == pytest.approx(180 - expected if segment and sign < 0 else expected, abs=1e-9)


def test_from_the_front_forward_has_no_sign() -> None:
    rows = figure(thigh=-110)
    rows.xy[0, POSETRACK15.index("nose")] = rows.xy[0, POSETRACK15.index("head_bottom")]
    angles = angles_of(rows)
    assert facing(rows) == 0
    assert angles.degrees[0, angles.names.index("hip_flexion_r")] == pytest.approx(20)


def test_a_set_without_a_head_has_no_head_angle() -> None:
    rows = replace(TrackTable.empty(COCO17))
    assert "head" not in angles_of(rows).names
    assert "knee_angle_l" in angles_of(rows).names


def test_error_bars_are_those_of_random_joints() -> None:
    rows = figure(shank=-150, thigh=-70, forearm=-40)
    rows = replace(rows, spread=np.random.default_rng(0).uniform(0.5, 2, rows.spread.shape))
    rng, many = np.random.default_rng(1), 20_000
    noise = rng.normal(0, 1, (many, J, 2)) * rows.spread[0, :, None] / math.sqrt(2)
    shaken = people(rows.xy + noise)
    simulated, sd = angles_of(shaken, 1).degrees.std(0), angles_of(rows, 1).sd[0]
    known = np.isfinite(sd)  # the hips lie over each other: the pelvis has no direction
    assert known.sum() == len(sd) - 2
    np.testing.assert_allclose(sd[known], simulated[known], rtol=0.03)


def test_one_hypothesis_has_no_error_bar_and_a_missing_joint_no_angle() -> None:
    rows = figure()
    rows.support[0, POSETRACK15.index("right_knee")] = 1
    rows.xy[0, POSETRACK15.index("left_knee")] = np.nan
    angles = angles_of(rows)
    knee_r, knee_l = angles.names.index("knee_angle_r"), angles.names.index("knee_angle_l")
    assert np.isfinite(angles.degrees[0, knee_r])
    assert np.isnan(angles.sd[0, knee_r])
    assert np.isnan(angles.degrees[0, knee_l])


def test_known_lengths_and_heights() -> None:
    assert parse_metres("10,20,40,60=2.5").metres_per_px == pytest.approx(0.05)
    rows = figure()
    scale = parse_metres("0=1.8", rows)
    # head top to ankles: 60 + 40 + 100 pixels, 0.961 of the stature
    assert scale.metres_per_px == pytest.approx(1.8 / (200 / 0.961))
    with pytest.raises(InputError, match="no track 7"):
        parse_metres("7=1.8", rows)
    for wrong in ("", "1,2=3", "a=b", "1,1,1,1=2", "0,0,9,9=-1", "0,0,9,nan=1", "1,2=3,4;1,2=3,4"):
        with pytest.raises(UsageError):
            parse_metres(wrong, rows)


@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9), st.integers(0, 100))
def test_four_floor_points_give_the_homography(entries: list[float], seed: int) -> None:
    """Any camera that sees a square of floor: known points come back where they are."""
    rng = np.random.default_rng(seed)
    floor = np.array([[0.0, 0], [4, 0], [4, 6], [0, 6]])
    tilt = np.array([[90 + entries[0], entries[1], 320], [entries[2], -40, 400], [0.0, -0.08, 1]])

    def picture(points: np.ndarray) -> np.ndarray:
        lifted = np.c_[points, np.ones(len(points))] @ tilt.T
        return lifted[:, :2] / lifted[:, 2:]

    corners = picture(floor)
    text = ";".join(f"{x!r},{y!r}={u},{v}" for (x, y), (u, v) in zip(corners.tolist(), floor.tolist(), strict=True))
    inside = rng.uniform([0, 0], [4, 6], (5, 2))
    np.testing.assert_allclose(parse_metres(text).on_floor(picture(inside)), inside, atol=1e-6)


def test_three_floor_points_on_a_line_are_refused() -> None:
    with pytest.raises(UsageError, match="line"):
        parse_metres("0,0=0,0;10,0=1,0;20,0=2,0;0,10=0,1")


def test_speed_and_distance_of_even_motion() -> None:
    time_s = np.array([0.0, 0.04, 0.12, 0.16, 0.2, 0.24])  # uneven
    xy = np.stack([50 * time_s, np.zeros(6)], 1)
    np.testing.assert_allclose(speeds(xy, time_s), 50)
    xy[3] = np.nan
    fast = speeds(xy, time_s)
    assert np.isnan(fast[3])
    np.testing.assert_allclose(fast[[0, 1, 2, 4, 5]], 50)
    assert distance(xy) == pytest.approx(12)


def test_steps_of_a_walker() -> None:
    """Ankles that swing against each other, 0.55 s a step, at 50 frames a second."""
    fps, step_s, n = 50.0, 0.55, 250
    rows = people(np.repeat(figure().xy, n, 0), fps)
    t = np.arange(n) / fps
    xy = rows.xy + np.stack([60 * t, 0 * t], 1)[:, None]
    for side, phase in (("left", 0.0), ("right", math.pi)):
        xy[:, POSETRACK15.index(f"{side}_ankle"), 0] += 25 * np.cos(math.pi * t / step_s + phase)
    found = steps(replace(rows, xy=xy))
    assert len(found) == 8
    assert [step.side for step in found] == ["right", "left"] * 4
    assert math.isnan(found[0].step_s)
    np.testing.assert_allclose([step.step_s for step in found[1:]], step_s, atol=1 / fps)
    assert steps(rows) == []  # who stands makes no steps
