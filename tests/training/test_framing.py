"""Where crops are cut: people turned upright, pictures that end within them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from training_scenes import JOINTS, body, make_set

from dettrack.training.labels.people import upright_angle
from dettrack.training.pose.augment import NO_AUGMENTATION, AugmentConfig
from dettrack.training.pose.framing import draw_framing
from dettrack.training.pose.tubes import TubeConfig, TubeMaker

SIZE = (128, 96)
KNOWN = np.ones(len(JOINTS), bool)
STANDING = body(60.0, 20.0, 60.0)


def turned(xy: np.ndarray, degrees: float) -> np.ndarray:
    """Clockwise in the picture, about its middle."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (xy - 50) @ turn.T + 50


def box_of(xy: np.ndarray) -> np.ndarray:
    return np.concatenate([xy.min(0), xy.max(0)])


@given(degrees=st.floats(-179, 179))
def test_the_angle_that_turns_a_person_upright(degrees: float) -> None:
    assert np.rad2deg(upright_angle(turned(STANDING, degrees))) == pytest.approx(-degrees, abs=1e-6)
    half = STANDING.copy()
    half[JOINTS.index("left_hip")] = np.nan
    assert upright_angle(half) == 0.0


@given(degrees=st.floats(-179, 179), seed=st.integers(0, 1000))
@settings(max_examples=50)
def test_whoever_leans_is_turned_upright(degrees: float, seed: int) -> None:
    """And fills the crop as if they had stood; who leans by less than 20 degrees stays as they are."""
    assume(abs(abs(degrees) - 20) > 1e-6)  # rounding decides there
    pose = turned(STANDING, degrees)
    config = replace(NO_AUGMENTATION, upright=1.0)
    framing = draw_framing(pose, KNOWN, JOINTS, box_of(pose), SIZE, 1.25, config, np.random.default_rng(seed))
    move = framing.map(np.eye(3))
    crop = pose @ move[:, :2].T + move[:, 2]
    lean = np.rad2deg(abs(upright_angle(crop)))
    if abs(degrees) < 20:
        assert lean == pytest.approx(abs(degrees), abs=1e-6)
        return
    assert lean == pytest.approx(0, abs=1e-6)
    assert ((crop > 0) & (crop < np.array(SIZE[::-1]) - 1)).all()
    assert np.ptp(crop[:, 1]) == pytest.approx(SIZE[0] / 1.25, rel=0.15)
    np.testing.assert_allclose((crop.min(0) + crop.max(0)) / 2, (np.array(SIZE[::-1]) - 1) / 2, atol=1e-6)


@given(seed=st.integers(0, 10_000), upright=st.booleans())
@settings(max_examples=50)
def test_nothing_is_seen_or_taught_beyond_the_pictures_end(seed: int, upright: bool) -> None:
    people = make_set(people=1, frames=1)
    augment = replace(NO_AUGMENTATION, truncate=1.0, upright=float(upright))
    plain = TubeMaker(people, TubeConfig(size=SIZE, augment=NO_AUGMENTATION))(seed, 0)
    tube = TubeMaker(people, TubeConfig(size=SIZE, augment=augment))(seed, 0)
    assert (plain.weight == 1).all()
    taught = tube.weight[0] > 0
    assert 3 <= taught.sum() <= len(JOINTS)
    grey = (tube.crops[0] > 40).any(-1)  # the drawn picture is nowhere dark
    inside = ((tube.xy[0] >= 2) & (tube.xy[0] < np.array(SIZE[::-1]) - 2)).all(-1)
    for (x, y), known in zip(tube.xy[0][inside], taught[inside], strict=True):
        around = grey[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
        assert around.any() if known else not around.all()


def test_a_half_of_somebody_unknown_is_not_cut() -> None:
    """Three joints must stay: whom nobody could recognise is no lesson."""
    known = np.zeros(len(JOINTS), bool)
    known[[JOINTS.index("left_ankle"), JOINTS.index("right_ankle")]] = True
    config = replace(NO_AUGMENTATION, truncate=1.0, half_body=1.0, upright=1.0)
    for seed in range(20):
        framing = draw_framing(
            STANDING, known, JOINTS, box_of(STANDING), SIZE, 1.25, config, np.random.default_rng(seed)
        )
        assert framing.edge is None
        np.testing.assert_array_equal(framing.turn, np.eye(2))


def test_half_bodies() -> None:
    config = replace(NO_AUGMENTATION, half_body=1.0)
    crops = []
    for seed in range(20):
        framing = draw_framing(
            STANDING, KNOWN, JOINTS, box_of(STANDING), SIZE, 1.25, config, np.random.default_rng(seed)
        )
        move = framing.map(np.eye(3))
        crops.append(STANDING @ move[:, :2].T + move[:, 2])
    inside = np.array([((c > 0) & (c < np.array(SIZE[::-1]) - 1)).all(-1) for c in crops])
    upper, lower = inside[:, JOINTS.index("left_wrist")], inside[:, JOINTS.index("left_ankle")]
    assert upper.any()
    assert lower.any()
    assert not (upper & lower).all()


def test_the_defaults_are_the_papers() -> None:
    """Rotation, scale and mirror images (4.2); what is ours has to be asked for."""
    assert (AugmentConfig().truncate, AugmentConfig().upright) == (0.0, 0.0)
