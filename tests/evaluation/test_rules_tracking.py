"""Rules of CLEAR MOT, each by a hand-made scene; numbers are worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from posetrack_scenes import FAR, NOSE, WRIST, Person, body, counts, labels_of, moved, scene

from dettrack.evaluation import evaluate
from dettrack.evaluation.tracking import COUNTS


def test_the_last_frame_that_counts_is_left_out() -> None:
    gt = scene([Person(0, body())], [Person(0, body())], [Person(0, body())], [])
    pred = scene([Person(0, body(), 0.5)], [Person(0, body(), 0.5)], [Person(0, FAR, 0.5)], [])
    official, clean = counts(gt, pred), counts(gt, pred, mode="clean")
    assert (official["num_objects"], official["num_misses"]) == (2, 0)
    assert (clean["num_objects"], clean["num_misses"], clean["num_false_positives"]) == (3, 1, 1)


def test_a_sequence_with_one_frame_has_no_tracking_but_an_ap() -> None:
    gt, pred = scene([Person(0, body())], []), scene([Person(0, body(), 0.5)], [Person(0, body(), 0.5)])
    result = evaluate([gt], [pred])
    assert result.ap == 100
    assert result.counts.clear.sum() == 0
    assert math.isnan(result.mota)
    assert result.MOT["motp"][15] == 0
    assert "000001_mpii_test_MOT_metrics" not in result.to_json()["per_sequence"]
    assert evaluate([gt], [pred], mode="clean").mota == 100


@pytest.mark.parametrize("people", [1, 5])
def test_an_empty_frame_is_one_miss_and_one_false_positive(people: int) -> None:
    crowd = [Person(k, body(100 + 500 * k)) for k in range(people)]
    gt, pred = scene(crowd, crowd), scene([], crowd)
    found = counts(gt, pred)
    assert [found[k] for k in ("num_objects", "num_misses", "num_false_positives", "num_detections")] == [1, 1, 1, 0]
    clean = counts(gt, pred, mode="clean")
    assert (clean["num_misses"], clean["num_false_positives"]) == (people, 0)


def test_a_dummy_frame_makes_no_switch_and_leaves_the_memory() -> None:
    gt = scene(*([Person(0, body())] for _ in range(4)))
    pred = scene([Person(0, body(), 0.5)], [], [Person(7, body(), 0.5)], [])
    found = counts(gt, pred)
    assert (found["num_switches"], found["num_detections"], found["num_objects"]) == (1, 2, 3)


def test_a_frame_with_people_but_without_the_joint_counts_normally() -> None:
    crowd = [Person(0, body()), Person(1, FAR)]
    noseless = [Person(p.track, np.where(np.arange(15)[:, None] == NOSE, np.nan, p.xy), 0.5) for p in crowd]
    gt, pred = scene(crowd, crowd), scene(noseless, noseless)
    found = counts(gt, pred)
    assert (found["num_objects"], found["num_misses"], found["num_false_positives"]) == (2, 2, 0)


def test_a_match_is_kept_however_long_ago_and_even_if_another_is_nearer() -> None:
    away = [Person(9, FAR, 0.5)]
    gt = scene(*([Person(0, body())] for _ in range(5)))
    pred = scene([Person(3, body(), 0.5)], away, away, [Person(4, body(), 0.5), Person(3, moved(14), 0.5)], away)
    found = counts(gt, pred)
    assert found["num_switches"] == 0
    assert found["sumD"] == pytest.approx(14 / 30)


def test_a_switch_after_any_gap_and_back_again() -> None:
    away = [Person(9, FAR, 0.5)]
    gt = scene(*([Person(0, body())] for _ in range(6)))
    pred = scene([Person(3, body(), 0.5)], away, away, [Person(4, body(), 0.5)], [Person(3, body(), 0.5)], away)
    found = counts(gt, pred)
    assert found["num_switches"] == 2
    assert found["num_detections"] == 3  # a switch is a detection
    assert found["num_misses"] == 2
    assert evaluate([gt], [pred]).MOT["mota"][NOSE] == pytest.approx(100 * (1 - (2 + 2 + 2) / 5))


def test_annotated_people_keep_their_match_in_the_order_of_the_file() -> None:
    # Both people were last matched to prediction 5; it lies within reach of both, and the first of the file has it.
    gt = scene([Person(0, body())], [Person(1, body())], [Person(1, moved(5)), Person(0, body())], [Person(0, body())])
    pred = scene(*([Person(5, body(), 0.5)] for _ in range(4)))
    found = counts(gt, pred)
    assert found["sumD"] == pytest.approx(5 / 30)
    assert (found["num_switches"], found["num_misses"]) == (0, 1)


def test_most_pairs_come_before_least_distance() -> None:
    # Prediction 0 is nearest to person 0 and the only one within reach of person 1.
    gt = scene([Person(0, body()), Person(1, moved(10))], [Person(0, body())])
    pred = scene([Person(0, moved(1), 0.5), Person(1, moved(-14), 0.5)], [Person(0, body(), 0.5)])
    found = counts(gt, pred)
    assert found["num_detections"] == 2
    assert found["sumD"] == pytest.approx((9 + 14) / 30)


def test_then_least_distance() -> None:
    gt = scene([Person(0, body()), Person(1, moved(4))], [Person(0, body())])
    pred = scene([Person(0, moved(5), 0.5), Person(1, moved(1), 0.5)], [Person(0, body(), 0.5)])
    assert counts(gt, pred)["sumD"] == pytest.approx(2 / 30)


def test_the_assignment_of_people_plays_no_part_in_tracking() -> None:
    # The loser of the assignment of people is a false positive for AP, but its nose is the nearest one here.
    gt = scene([Person(0, body())], [Person(0, body())])
    nose_only = body(joints=(NOSE,))
    pred = scene([Person(0, moved(14), 0.5), Person(1, nose_only, 0.5)], [Person(0, body(), 0.5)])
    assert labels_of([Person(0, body())], [Person(0, moved(14), 0.5), Person(1, nose_only, 0.5)]) == [True, False]
    assert counts(gt, pred)["sumD"] == 0


def test_figures_from_counts() -> None:
    # Three frames that count: match at 0.2 heads, switch at 0.4, miss with a false positive.
    gt = scene(*([Person(0, body())] for _ in range(4)))
    pred = scene(
        [Person(0, moved(6), 0.5)], [Person(1, moved(12), 0.5)], [Person(1, FAR, 0.5)], [Person(1, body(), 0.5)]
    )
    result = evaluate([gt], [pred])
    mot = {name: values[NOSE] for name, values in result.MOT.items()}
    assert mot["mota"] == pytest.approx(100 * (1 - (1 + 1 + 1) / 3))
    assert mot["motp"] == pytest.approx(70)  # 100 (1 - mean distance in heads)
    assert mot["pre"] == mot["rec"] == pytest.approx(200 / 3)
    assert mot["idf1"] == pytest.approx(100 * 2 * 1 / (2 * 1 + 2 + 2))


def test_figures_that_do_not_exist() -> None:
    noses = scene(*([Person(0, body(joints=(NOSE,)))] for _ in range(2)))
    wrists = scene(*([Person(0, body(joints=(WRIST,)), 0.5)] for _ in range(2)))
    result = evaluate([noses], [wrists])
    assert math.isnan(result.MOT["mota"][WRIST])
    assert math.isnan(result.MOT["rec"][WRIST])
    assert result.MOT["pre"][WRIST] == 0
    assert math.isnan(result.MOT["pre"][NOSE])
    assert result.MOT["motp"][NOSE] == 0
    assert result.mota == 0  # the mean skips joints without a figure


def test_totals_are_of_added_counts_not_means_of_sequences() -> None:
    short = scene([Person(0, body())], [Person(0, body())], name="000001_mpii_test")
    long = scene(*([Person(0, body())] for _ in range(4)), name="000002_mpii_test")
    away = scene([Person(0, FAR, 0.5)], [Person(0, FAR, 0.5)], name="000001_mpii_test")
    result = evaluate([short, long], [away, long])
    assert result.mota == pytest.approx(100 * (1 - 2 / 4))
    assert result.of_sequence(0).mota == pytest.approx(-100)
    assert result.of_sequence(1).mota == 100


def test_identities_do_not_reach_over_sequences() -> None:
    gt = scene(*([Person(0, body())] for _ in range(2)))
    first, second = (scene(*([Person(track, body(), 0.5)] for _ in range(2))) for track in (3, 4))
    result = evaluate([gt, gt], [first, second])
    assert result.counts.clear[COUNTS.index("num_switches")].sum() == 0
    assert result.MOT["idf1"][15] == 100


def test_who_was_away_is_remembered() -> None:
    gt = scene([Person(0, body())], [Person(1, FAR)], [Person(0, body())], [Person(0, body())])
    pred = scene([Person(3, body(), 0.5)], [Person(9, FAR, 0.5)], [Person(4, body(), 0.5)], [Person(4, body(), 0.5)])
    assert counts(gt, pred)["num_switches"] == 1


def test_idf1_gives_each_predicted_track_to_one_person_only() -> None:
    # Prediction 5 follows person 0 for three frames and person 1 for two: only three count as one identity.
    gt = scene(*([Person(track, body())] for track in (0, 0, 0, 1, 1, 1)))
    pred = scene(*([Person(5, body(), 0.5)] for _ in range(6)))
    assert evaluate([gt], [pred]).MOT["idf1"][NOSE] == pytest.approx(100 * 2 * 3 / (5 + 5))
    assert counts(gt, pred)["num_switches"] == 0
