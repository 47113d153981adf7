from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from walking import write_study, write_walkers

from dettrack.lab.ablation.beyond import all_tables
from dettrack.lab.ablation.calibration import auc, bins, calibrate
from dettrack.lab.ablation.runner import open_source
from dettrack.lab.ablation.study import read_study


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_auc_is_that_of_scikit_learn(pairs):
    measure, wrong = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    if wrong.all() or not wrong.any():
        return
    assert auc(measure, wrong) == pytest.approx(roc_auc_score(wrong, measure))


def test_tenths_hold_all_joints_in_order():
    rng = np.random.default_rng(0)
    measure, error = rng.random(203), rng.random(203)
    tenths = bins(measure, error)
    assert sum(t["joints"] for t in tenths) == 203
    assert all(a["high"] <= b["low"] for a, b in pairwise(tenths))
    assert sum(t["joints"] * t["wrong"] for t in tenths) / 203 == pytest.approx(100 * (error > 0.5).mean())


def test_where_tubes_disagree_the_joint_is_more_often_wrong(tmp_path):
    annotations = write_walkers(tmp_path / "gt", 2)
    study = read_study(write_study(tmp_path / "s.toml", annotations, "noise = 0.3\nwild = 0.2"))
    row = next(row for table in all_tables(study) for row in table.rows if row.name == "dettrack")
    found = calibrate(open_source(study), row, seeds=1)
    assert found.joints > 500
    assert found.auc["spread"] > 0.5
    assert set(found.bins) == {"spread", "score"}
