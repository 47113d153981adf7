"""Keypoint HOTA: by hand, and where it differs from PoseTrack21's evaluator."""

from __future__ import annotations

import numpy as np
import pytest
from posetrack_scenes import FAR, NOSE, WRIST, Person, body, moved, scene

from dettrack.evaluation import evaluate
from dettrack.evaluation.hota import ALPHAS


def nose_of(gt, pred) -> dict[str, float]:
    return {name: values[NOSE] for name, values in evaluate([gt], [pred], hota=True).HOTA.items()}


def still(n: int, track: int = 0, **kw):
    return scene(*([Person(track, body(), 0.5)] for _ in range(n)), **kw)


def test_perfect_is_one() -> None:
    found = evaluate([still(4)], [still(4, track=7)], hota=True).HOTA
    for name in ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA", "FragA", "FA-HOTA"):
        np.testing.assert_allclose(found[name], 1)


def test_similarity_falls_to_nothing_at_half_a_head() -> None:
    # 7.5 pixels are a quarter of a head: similarity 1 - 0.25 / 0.5001 = 0.5001, so it counts up to alpha = 0.5.
    pred = scene(*([Person(0, moved(7.5), 0.5)] for _ in range(3)))
    found = nose_of(still(3), pred)
    share = (ALPHAS <= 0.5001).mean()
    assert share == pytest.approx(10 / 19)
    assert found["HOTA_TP"] == pytest.approx(3 * share)
    assert found["DetA"] == pytest.approx(share)
    assert found["LocA"] == pytest.approx((10 * (1 - 0.25 / 0.5001) + 9) / 19)


def test_one_identity_for_half_the_time() -> None:
    # Four matches, two with each of two tracks: every match's track pair has 2 of 4 + 2 - 2 = 4 frames.
    pred = scene(*([Person(track, body(), 0.5)] for track in (1, 1, 2, 2)))
    found = nose_of(still(4), pred)
    assert found["DetA"] == 1
    assert found["AssA"] == pytest.approx(0.5)
    assert found["AssRe"] == pytest.approx(0.5)
    assert found["AssPr"] == 1
    assert found["HOTA"] == pytest.approx(np.sqrt(0.5))
    assert found["FragA"] == pytest.approx(0.5)


def test_coming_back_is_a_fragment_of_its_own() -> None:
    # Track 1, then 2, then 1 again: pair (0, 1) has 2 matches in runs of 1 and 1, and 3 + 2 - 2 = 3 frames.
    pred = scene(*([Person(track, body(), 0.5)] for track in (1, 2, 1)))
    found = nose_of(still(3), pred)
    assert found["AssA"] == pytest.approx((2 * 2 / 3 + 1 / 3) / 3)
    assert found["FragA"] == pytest.approx((1 / 3 + 1 / 3 + 1 / 3) / 3)


def test_a_gap_does_not_end_a_run() -> None:
    pred = scene([Person(1, body(), 0.5)], [Person(1, FAR, 0.5)], [Person(1, body(), 0.5)])
    found = nose_of(still(3), pred)
    assert found["FragA"] == found["AssA"] == pytest.approx(2 / (3 + 3 - 2))


def test_frames_without_predictions_count_as_what_they_are() -> None:
    # PoseTrack21's evaluator adds the whole sequence's joints here: 3 misses instead of 1, and DetA 2/5.
    pred = scene([Person(0, body(), 0.5)], [], [Person(0, body(), 0.5)])
    found = nose_of(still(3), pred)
    assert found["HOTA_FN"] == 1
    assert found["DetA"] == pytest.approx(2 / 3)
    theirs = found["HOTA_FN"] - 1 + 3
    assert 2 / (2 + theirs) == pytest.approx(2 / 5)


def test_frames_without_annotated_people_count_as_what_they_are() -> None:
    gt = scene([Person(0, body())], [], [Person(0, body())], labeled=[True, True, True])
    assert nose_of(gt, still(3))["HOTA_FP"] == 1


def test_all_annotated_people_ignored_is_no_reason_to_fail() -> None:
    square = [np.array([[0.0, 0], [50, 0], [50, 50], [0, 50]])]
    gt = scene([Person(0, np.full((15, 2), 25.0))], [Person(0, body())], labeled=[True, True], regions={0: square})
    found = nose_of(gt, still(2))
    assert (found["HOTA_TP"], found["HOTA_FP"], found["HOTA_FN"]) == (1, 1, 0)


def test_frames_count_by_is_labeled_and_the_last_one_counts() -> None:
    gt = scene(*([Person(0, body())] for _ in range(3)), labeled=[True, False, True])
    assert nose_of(gt, still(3))["HOTA_TP"] == 2


def test_joints_need_positive_coordinates() -> None:
    outside = np.where(np.arange(15)[:, None] == NOSE, [[-3.0, 50.0]], body())
    gt = scene(*([Person(0, outside)] for _ in range(2)))
    found = evaluate([gt], [gt], hota=True).HOTA
    assert found["HOTA_TP"][NOSE] == 0
    assert found["HOTA_TP"][WRIST] == 2


def test_several_sequences_are_weighted_by_true_positives() -> None:
    # AssA 1 with 1 match and AssA 0.5 with 4; detections are added.
    halves = scene(*([Person(track, body(), 0.5)] for track in (1, 1, 2, 2)))
    result = evaluate([still(1), still(4)], [still(1), halves], hota=True)
    assert result.HOTA["AssA"][NOSE] == pytest.approx((1 * 1 + 4 * 0.5) / 5)
    assert result.HOTA["DetA"][NOSE] == 1
    assert result.of_sequence(1).HOTA["AssA"][NOSE] == pytest.approx(0.5)


def test_total_is_micro_for_detection() -> None:
    gt = scene([Person(0, body())], labeled=[True])
    pred = scene([Person(0, body(joints=(NOSE,)), 0.5)])
    found = evaluate([gt], [pred], hota=True).HOTA
    assert found["DetA"][15] == pytest.approx(1 / 15)
    assert found["AssA"][15] == pytest.approx(1 / 15)  # the mean of the joints
