"""Thresholds: the search is exact, and what it promises is what the evaluation then measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posetrack_scenes import FAR, NOSE, WRIST, Person, body, random_pair, scene

from dettrack.errors import InputError, OutputError
from dettrack.evaluation import EVALUATION15
from dettrack.evaluation.prepare import prepare
from dettrack.evaluation.rules import rules_of
from dettrack.evaluation.thresholds import learn_thresholds, read_thresholds, write_thresholds
from dettrack.evaluation.tracking import TrackCounts, clear_mot, count_tracking


def motas(gt: list, pred: list, limits: dict[str, float], mode: str) -> np.ndarray:
    rules = rules_of(mode)
    parts = [count_tracking(prepare(a, b, rules, limits), rules) for a, b in zip(gt, pred, strict=True)]
    return clear_mot(sum(parts, TrackCounts.zero()))["mota"]


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32 - 1), mode=st.sampled_from(["official", "clean"]), ties=st.booleans())
def test_no_threshold_is_better_than_the_one_found(seed: int, mode: str, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    # Frames with regions are left out: who loses all joints there leaves the frame, which ties joints together.
    pairs = [random_pair(rng, frames=4, regions=0, unscored=0.02) for _ in range(2)]
    gt, pred = [a for a, _ in pairs], [b for _, b in pairs]
    if ties:
        pred = [replace(p, people=replace(p.people, scores=np.round(p.people.scores, 1))) for p in pred]
    found = learn_thresholds(gt, pred, mode=mode)
    # Joints do not depend on each other: try the k-th score of every joint at once.
    scores = np.concatenate([p.people.scores for p in pred])
    every = [[-1e5, *np.unique(column[~np.isnan(column)]), np.inf] for column in scores.T]
    tried = [
        motas(gt, pred, {j: e[min(k, len(e) - 1)] for j, e in zip(EVALUATION15.joints, every, strict=True)}, mode)
        for k in range(max(map(len, every)))
    ]
    reached = motas(gt, pred, {row.joint: row.threshold for row in found}, mode)
    np.testing.assert_allclose([row.mota for row in found], np.max(tried, axis=0))
    np.testing.assert_allclose([row.mota for row in found], reached)
    np.testing.assert_allclose([row.mota_all for row in found], tried[0])


def learned(pred, joint: int = NOSE):
    gt = scene(*([Person(0, body())] for _ in range(4)))
    return learn_thresholds([gt], [pred])[joint]


def test_wrong_low_scores_are_cut_off_in_the_middle() -> None:
    pred = scene(*([Person(0, body(), 0.9), Person(1, FAR, 0.3)] for _ in range(4)))
    row = learned(pred)
    assert row.threshold == pytest.approx(0.6)
    assert (row.mota_all, row.mota, row.dropped, row.predicted) == (0, 100, 3, 6)


def test_equal_scores_fall_together() -> None:
    # In each frame one right and one wrong pose of the same score: both go or both stay, and staying is no worse.
    row = learned(scene(*([Person(1, FAR, 0.5), Person(0, body(), 0.5)] for _ in range(4))))
    assert (row.dropped, row.mota) == (0, 0)


def test_nothing_is_dropped_where_all_is_right() -> None:
    row = learned(scene(*([Person(0, body(), 0.2 + 0.1 * k)] for k in range(4))))
    assert (row.threshold, row.dropped, row.mota) == (0.0, 0, 100)
    negative = learned(scene(*([Person(0, body(), -3.0 + k)] for k in range(4))))
    assert negative.threshold == -3


def test_everything_is_dropped_where_all_is_wrong() -> None:
    row = learned(scene(*([Person(0, FAR, 0.9)] for _ in range(4))))
    assert row.threshold > 0.9
    assert (row.mota_all, row.mota) == (-100, 0)


def test_a_joint_that_is_never_predicted_or_never_annotated() -> None:
    row = learned(scene(*([Person(0, body(joints=(WRIST,)), 0.9)] for _ in range(4))))
    assert (row.predicted, row.mota) == (0, 0)
    gt = scene(*([Person(0, body(joints=(WRIST,)))] for _ in range(4)))
    row = learn_thresholds([gt], [scene(*([Person(0, body(), 0.9)] for _ in range(4)))])[NOSE]
    assert np.isnan(row.mota)
    assert row.dropped == row.predicted == 3


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=15, max_size=15))
def test_files_give_back_what_was_written(values: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("thresholds") / "thresholds.toml"
    thresholds = dict(zip(EVALUATION15.joints, values, strict=True))
    write_thresholds(thresholds, path, "learned\non two sequences")
    assert read_thresholds(path) == thresholds


def test_a_number_is_for_all_joints() -> None:
    assert read_thresholds("0.25") == dict.fromkeys(EVALUATION15.joints, 0.25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[thresholds\n", "not valid TOML"),
        ("[other]\n", r"no table \[thresholds\]"),
        ("[thresholds]\ntail = 0.5\n", "unknown joint 'tail'"),
        ('[thresholds]\nnose = "high"\n', "threshold of nose is 'high'"),
        ("[thresholds]\nnose = nan\n", "threshold of nose is nan"),
        ("[thresholds]\nnose = true\n", "threshold of nose is True"),
    ],
)
def test_wrong_files_get_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "thresholds.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_thresholds(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_thresholds(tmp_path / "none.toml")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_thresholds({}, tmp_path / "file" / "thresholds.toml")
