"""What the evaluation refuses or notes, and where the clean mode differs."""

from __future__ import annotations

import numpy as np
import pytest
from posetrack_scenes import FAR, NOSE, WRIST, Person, body, counts, scene, without_ids

from dettrack.errors import InputError, UsageError
from dettrack.evaluation import evaluate


def one(track: int = 0, n: int = 2, **options):
    return scene(*([Person(track, body(), 0.5)] for _ in range(n)), **options)


def test_different_numbers_of_frames_are_refused() -> None:
    with pytest.raises(InputError, match=r"000001_mpii_test: 3 frames predicted, 2 annotated"):
        evaluate([one()], [one(n=3)])


def test_frames_are_paired_by_position_and_other_names_noted() -> None:
    renamed = one(names=["x/000007.jpg", "x/000008.jpg"])
    result = evaluate([one()], [renamed])
    assert result.mota == 100
    assert "2 frames have other names" in result.to_json()["notes"][0]


def test_an_id_twice_in_a_predicted_frame_is_refused_even_where_nobody_is_annotated() -> None:
    twice = scene([Person(4, body(), 0.5)], [Person(4, body(), 0.5), Person(4, FAR, 0.5)])
    with pytest.raises(InputError, match=r"predictions have track_id 4 twice in frame 1"):
        evaluate([scene([Person(0, body())], [])], [twice])


def test_an_id_twice_in_an_annotated_frame_is_noted() -> None:
    twice = scene([Person(4, body()), Person(4, FAR)], [Person(4, body())])
    assert "annotations have track_id 4 twice" in evaluate([twice], [one()]).to_json()["notes"][0]


@pytest.mark.parametrize("swap", [False, True])
def test_ids_must_be_below_ten_thousand(swap: bool) -> None:
    pair = (one(10000), one()) if swap else (one(), one(10000))
    with pytest.raises(InputError, match="track_id 10000"):
        evaluate([pair[0]], [pair[1]])
    assert evaluate([one(9999)], [one(9999)]).mota == 100


def test_people_without_ids_are_refused() -> None:
    with pytest.raises(InputError, match="predictions have people without a track_id"):
        evaluate([one()], [without_ids(one())])


def test_missing_scores_are_noted() -> None:
    unscored = scene([Person(0, body())], [Person(0, body(), 0.5)])
    notes = evaluate([one()], [unscored]).to_json()["notes"]
    assert notes == ["000001_mpii_test: 15 predicted joints have no score; -9999 is assumed"]


def test_as_many_sequences_must_be_predicted_as_annotated() -> None:
    with pytest.raises(InputError, match="no predictions for 000001_mpii_test"):
        evaluate([one(), one()], [one()])
    with pytest.raises(InputError, match="more sequences are predicted than the 1 annotated"):
        evaluate([one()], [one(), one()])


def test_unknown_modes_and_joints_are_refused() -> None:
    with pytest.raises(UsageError, match="expected official"):
        evaluate([one()], [one()], mode="best")
    with pytest.raises(InputError, match="unknown joint 'tail'"):
        evaluate([one()], [one()], thresholds={"tail": 0.5})


def test_a_joint_at_the_origin_counts_officially_and_not_in_clean_mode() -> None:
    gt = scene(*([Person(0, body(joints=(WRIST,)))] for _ in range(2)), labeled=[True, True])
    at_origin = np.where(np.arange(15)[:, None] == NOSE, 0.0, body(joints=(WRIST,)))
    pred = scene(*([Person(0, at_origin, 0.5)] for _ in range(2)))
    assert counts(gt, pred)["num_false_positives"] == 1
    assert counts(gt, pred, mode="clean")["num_false_positives"] == 0


def test_equal_scores_enter_the_clean_curve_together() -> None:
    gt = scene(*([Person(0, body())] for _ in range(2)))
    for order in ((body(), FAR), (FAR, body())):
        pred = scene(*([Person(0, xy, 0.5)] for xy in order))
        clean = evaluate([gt], [pred], mode="clean")
        assert clean.AP["AP"][NOSE] == pytest.approx(25)  # one point: recall 1/2 at precision 1/2


def test_equal_scores_are_officially_in_the_order_of_numpys_default_sort() -> None:
    from dettrack.evaluation.precision import _curve
    from dettrack.evaluation.rules import OFFICIAL

    rng = np.random.default_rng(0)
    scores, correct = rng.integers(0, 3, 200).astype(float), rng.random(200) < 0.5
    precision, _ = _curve(scores, correct, 100, OFFICIAL)
    np.testing.assert_allclose(precision * np.arange(1, 201), correct[scores.argsort()[::-1]].cumsum(), atol=1e-9)


def test_thresholds_drop_joints_for_tracking_only() -> None:
    gt = one(n=3)
    pred = scene(*([Person(0, body(), 0.9), Person(1, FAR, 0.4)] for _ in range(3)))
    limit = {"nose": 0.5}
    before, after = evaluate([gt], [pred]), evaluate([gt], [pred], thresholds=limit)
    for name in ("AP", "precision", "recall"):
        np.testing.assert_array_equal(before.AP[name], after.AP[name])
    assert before.AP["precision"][NOSE] == 50
    assert (before.MOT["mota"][NOSE], after.MOT["mota"][NOSE]) == (0, 100)
    assert after.MOT["mota"][WRIST] == 0
    # A score equal to the threshold stays; a joint without a score goes.
    assert counts(gt, pred, thresholds={"nose": 0.4})["num_false_positives"] == 2
    unscored = scene(*([Person(0, body())] for _ in range(3)))
    assert counts(gt, unscored, thresholds={"nose": 0.4})["num_misses"] == 2
