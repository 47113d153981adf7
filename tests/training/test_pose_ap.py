"""AP on crops: the evaluator's rules, on people whose boxes are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_scenes import make_set

from dettrack.training.pose.ap import crop_ap
from dettrack.training.pose.score import Poses, head_sizes

PEOPLE = make_set(videos=2, frames=3)
SIZES = head_sizes(PEOPLE)


def said(xy: np.ndarray, scores: np.ndarray | None = None) -> Poses:
    return Poses(xy, np.ones(xy.shape[:2]) if scores is None else scores)


@given(st.floats(0, 2 * np.pi), st.floats(0.0, 0.49))
@settings(max_examples=20, deadline=None)
def test_everything_within_half_a_head_is_right(angle: float, distance: float) -> None:
    moved = PEOPLE.xy + distance * SIZES[:, None, None] * np.array([np.cos(angle), np.sin(angle)])
    assert crop_ap(said(moved), PEOPLE, SIZES) == pytest.approx(100)


def test_beyond_it_nothing_is() -> None:
    moved = PEOPLE.xy + np.array([0.0, 30.0])
    assert crop_ap(said(moved), PEOPLE, 0.2 * SIZES) == 0


def test_one_wrong_joint_in_fifteen_costs_its_share_and_a_low_score_does_not_save_it() -> None:
    moved = PEOPLE.xy.copy()
    moved[:, 3] += 50
    scores = np.ones(moved.shape[:2])
    scores[:, 3] = 0.01
    assert crop_ap(said(moved, scores), PEOPLE, SIZES) == pytest.approx(100 * 14 / 15)


def test_an_answer_on_the_other_person_costs() -> None:
    """Both crops answer with the first person: one is right, the other finds nobody of its own."""
    first = PEOPLE.xy.reshape(-1, 2, 15, 2)[:, :1].repeat(2, axis=1).reshape(PEOPLE.xy.shape)
    assert crop_ap(said(first), PEOPLE, SIZES) < 60


def test_unlabelled_joints_and_people_who_were_not_asked_do_not_count() -> None:
    weight = PEOPLE.weight.copy()
    weight[:, 5] = 0
    moved = PEOPLE.xy.copy()
    moved[:, 5] += 70
    moved[0] = np.nan
    assert crop_ap(said(moved), replace(PEOPLE, weight=weight), SIZES) == pytest.approx(100)
