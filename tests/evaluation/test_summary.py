"""Figures gathered: totals, groups, and everything as plain JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from posetrack_scenes import Person, Scene, body

from dettrack.errors import InputError, UsageError
from dettrack.evaluation import evaluate
from dettrack.evaluation.rules import EVALUATION15, OFFICIAL
from dettrack.evaluation.summary import count_sequence, evaluate_counts, grouped, with_total

GROUPS = ["Head", "Sho", "Elb", "Wri", "Hip", "Kne", "Ank", "Total"]
figures = hnp.arrays(np.float64, 15, elements=st.one_of(st.floats(0, 100), st.just(np.nan)))


def scene(name="000001_mpii_test", shift=0.0, frames=3):
    people = [[Person(3, body(100 + shift + 4 * i), scores=0.8, box=(90.0, 90.0, 300.0, 300.0))] for i in range(frames)]
    return Scene(people, name=name).build()


@given(figures)
def test_the_total_is_the_mean_of_the_joints_that_have_a_figure(values):
    total = with_total(values)[15]
    known = values[~np.isnan(values)]
    assert np.isnan(total) if not len(known) else total == pytest.approx(known.mean())


@given(hnp.arrays(np.float64, 15, elements=st.floats(0, 100)))
def test_groups_give_the_total_that_papers_print(values):
    """(3 Head + 2 of each other group) / 15, because the head has three joints and the others two."""
    found = grouped(with_total(values), OFFICIAL)
    assert list(found) == GROUPS
    printed = (3 * found["Head"] + 2 * sum(found[name] for name in GROUPS[1:-1])) / 15
    assert found["Total"] == pytest.approx(printed, abs=1e-9)


def test_a_group_without_a_joint_is_missing_officially_and_a_mean_of_the_rest_otherwise():
    values = with_total(np.where(np.array(EVALUATION15.joints) == "left_wrist", np.nan, 60.0))
    assert np.isnan(grouped(values, OFFICIAL)["Wri"])
    assert grouped(values, replace(OFFICIAL, group_skips_nan=True))["Wri"] == 60


def test_json_is_plain_and_holds_every_figure():
    result = evaluate([scene(), scene("000002_mpii_test")], [scene(shift=3.0), scene("000002_mpii_test")], hota=True)
    content = result.to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["mode"] == "official"
    assert content["AP"]["groups"]["AP"]["Total"] == pytest.approx(result.ap)
    assert content["MOT"]["groups"]["MOTA"]["Total"] == pytest.approx(result.mota)
    assert content["HOTA"]["groups"]["HOTA"]["Total"] == pytest.approx(float(result.HOTA["HOTA"][15]))
    assert len(content["AP"]["per_joint"]["AP"]) == 16
    assert {name.rpartition("_")[0].rpartition("_")[0] for name in content["per_sequence"]} == {
        "000001_mpii_test", "000002_mpii_test",
    }  # fmt: skip
    assert "per_sequence" not in result.to_json(per_sequence=False)
    assert "HOTA" not in evaluate([scene()], [scene()]).to_json()


def test_counting_sequence_by_sequence_is_counting_them_together():
    pairs = [(scene(), scene(shift=9.0)), (scene("000002_mpii_test", frames=5), scene("000002_mpii_test", frames=5))]
    together = evaluate([gt for gt, _ in pairs], [pred for _, pred in pairs])
    counted = evaluate_counts([count_sequence(gt, pred, OFFICIAL) for gt, pred in pairs], OFFICIAL)
    assert counted.ap == together.ap
    assert counted.mota == together.mota
    assert together.of_sequence(1).ap == evaluate(*([one] for one in pairs[1])).ap
    assert together.boxes.annotated == sum(together.of_sequence(i).boxes.annotated for i in range(2))


def test_sequences_may_come_from_generators():
    names = ("000001_mpii_test", "000002_mpii_test")
    result = evaluate((scene(name) for name in names), (scene(name) for name in names))
    assert [part.name for part in result.sequences] == list(names)
    assert result.ap == 100


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="no predictions for 000002"):
        evaluate([scene(), scene("000002_mpii_test")], [scene()])
    with pytest.raises(UsageError, match="official"):
        evaluate([scene()], [scene()], mode="own")
