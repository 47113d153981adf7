"""Rules of AP, each by a hand-made scene; numbers are worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from posetrack_scenes import FAR, NOSE, WRIST, Person, body, labels_of, moved, scene

from dettrack.evaluation import evaluate


def test_a_prediction_looks_only_at_its_best_person_and_losers_get_no_second_choice() -> None:
    # Both predictions hit person 0 best; the second, worse one also lies within reach of person 1, who stays alone.
    near = Person(1, moved(10))
    gt = [Person(0, body()), near]
    pred = [Person(0, moved(1), 0.5), Person(1, moved(2), 0.9)]
    assert labels_of(gt, pred) == [True, False]


def test_the_share_is_of_the_annotated_joints() -> None:
    # The prediction hits 5 of person 0's 15 joints and all 3 of person 1's: person 1 is the better.
    gt = [Person(0, body()), Person(1, body(joints=(12, 13, 14)))]
    pred = [Person(0, np.where(np.arange(15)[:, None] >= 10, body(), body(3000, 3000)), 0.5)]
    assert labels_of(gt, pred, 13) == [True]
    labels = evaluate([scene(gt)], [scene(pred)]).sequences[0].labels
    assert labels.correct.sum() == 3  # joints 10 and 11 are not annotated in person 1


def test_scores_play_no_part_in_the_assignment() -> None:
    gt = [Person(0, body())]
    worse = np.where(np.arange(15)[:, None] >= 12, body(), body(3000, 3000))
    assert labels_of(gt, [Person(0, worse, 0.99), Person(1, body(), 0.01)]) == [False, True]


def test_the_first_of_equals_wins() -> None:
    assert labels_of([Person(0, body())], [Person(0, body(), 0.1), Person(1, body(), 0.9)]) == [True, False]
    gt = [Person(0, body(joints=(NOSE,))), Person(1, body(joints=(NOSE, WRIST)))]
    assert labels_of(gt, [Person(0, body(), 0.1)], WRIST) == [False]


def test_a_joint_that_is_not_annotated_is_a_false_positive() -> None:
    gt = [Person(0, body(joints=tuple(j for j in range(15) if j != NOSE)))]
    assert labels_of(gt, [Person(0, body(), 0.5)]) == [False]
    assert labels_of(gt, [Person(0, body(), 0.5)], WRIST) == [True]


def test_the_curve_worked_out_by_hand() -> None:
    # Noses by score: right, wrong, right; 4 annotated. Precision 1, 1/2, 2/3 at recall 1/4, 1/4, 1/2.
    gt = scene(*([Person(0, body())] for _ in range(4)))
    pred = scene([Person(0, body(), 0.9)], [Person(0, np.full((15, 2), 5000.0), 0.8)], [Person(0, body(), 0.7)], [])
    result = evaluate([gt], [pred])
    assert result.AP["AP"][NOSE] == pytest.approx(100 * (0.25 * 1 + 0.25 * 2 / 3))
    assert result.AP["precision"][NOSE] == pytest.approx(200 / 3)  # of all predictions, no threshold
    assert result.AP["recall"][NOSE] == pytest.approx(50)


def test_a_missing_score_counts_last_and_the_persons_score_is_not_used() -> None:
    gt = scene([Person(0, body())], [Person(0, body())])
    pred = scene([Person(0, body(), None, score=0.99)], [Person(0, FAR, -5.0)])
    assert evaluate([gt], [pred]).AP["AP"][NOSE] == pytest.approx(25)  # the wrong one, -5, comes first
    labels = evaluate([gt], [pred]).sequences[0].labels
    assert labels.score.min() == -9999


def test_never_predicted_is_zero_and_stays_in_the_mean() -> None:
    only_nose = [Person(0, body(joints=(NOSE,)))]
    predicted = [Person(0, body(joints=(NOSE,)), 0.5)]
    official = evaluate([scene(only_nose)], [scene(predicted)])
    assert official.AP["AP"][WRIST] == official.AP["precision"][WRIST] == official.AP["recall"][WRIST] == 0
    assert official.ap == pytest.approx(100 / 15)
    clean = evaluate([scene(only_nose)], [scene(predicted)], mode="clean")
    assert math.isnan(clean.AP["AP"][WRIST])
    assert clean.ap == 100


def test_predicted_but_never_annotated_has_no_ap() -> None:
    gt = scene([Person(0, body(joints=tuple(j for j in range(15) if j != WRIST)))])
    result = evaluate([gt], [scene([Person(0, body(), 0.5)])])
    assert math.isnan(result.AP["AP"][WRIST])
    assert math.isnan(result.AP["recall"][WRIST])
    assert result.AP["precision"][WRIST] == 0
    assert result.ap == 100  # the mean skips it
    assert math.isnan(result.groups(result.AP["AP"])["Wri"])  # a group does not


def test_clean_groups_skip_a_joint_without_a_figure() -> None:
    gt = scene([Person(0, body(joints=tuple(j for j in range(15) if j != WRIST)))], labeled=[True])
    result = evaluate([gt], [scene([Person(0, body(), 0.5)])], mode="clean")
    assert result.groups(result.AP["AP"])["Wri"] == 100


def test_total_is_a_mean_of_joints_and_head_of_three() -> None:
    result = evaluate([scene([Person(0, body())])], [scene([Person(0, body(joints=(12, 13, 14)), 0.5)])])
    groups = result.groups(result.AP["AP"])
    assert groups["Head"] == 100
    assert groups["Total"] == pytest.approx(20)  # 3 of 15 joints, not 1 of 7 groups
    one = evaluate([scene([Person(0, body())])], [scene([Person(0, body(joints=(NOSE, 8)), 0.5)])])
    assert one.groups(one.AP["AP"])["Head"] == pytest.approx(100 / 3)
    assert one.groups(one.AP["AP"])["Sho"] == pytest.approx(50)


def test_the_area_is_under_the_envelope_of_the_curve() -> None:
    # By score: wrong, right, right, right of 4. Precision rises to 3/4, which holds from recall 0 to 3/4.
    gt = scene(*([Person(0, body())] for _ in range(4)))
    pred = scene([Person(0, FAR, 0.9)], *([Person(0, body(), 0.5 - 0.1 * k)] for k in range(3)))
    assert evaluate([gt], [pred]).AP["AP"][NOSE] == pytest.approx(100 * 0.75 * 0.75)
