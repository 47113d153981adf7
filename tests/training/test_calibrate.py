"""Calibration: fitted as scikit-learn does it, kept in checkpoints and files, and used for every score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from training_scenes import make_set

from dettrack.cli import main
from dettrack.errors import InputError
from dettrack.models.pose.calibration import Calibration
from dettrack.models.pose.checkpoint import load_checkpoint
from dettrack.models.weights import SHIPPED
from dettrack.training.labels.people import save_people
from dettrack.training.pose.calibrate import Answers, answer, calibration_error, fit_table, judge, reliability
from dettrack.training.pose.score import Poses


def made(count: int, seed: int = 0) -> Answers:
    """Joints that are right with the square root of their score."""
    rng = np.random.default_rng(seed)
    scores = rng.random(count)
    return Answers(scores, rng.random(count) < np.sqrt(scores), np.full(count, 1 / count))


def test_the_table_is_isotonic_regression_over_groups() -> None:
    """scikit-learn's regression of the same groups; ties of it are one pair of ours."""
    answers = made(4000)
    order = np.argsort(answers.scores)
    scores, right = (part[order].reshape(20, -1).mean(1) for part in (answers.scores, answers.right))
    theirs = IsotonicRegression().fit(scores, right).predict(scores)
    ours = np.array(fit_table(answers))[1:-1]
    assert ours[:, 1] == pytest.approx(np.unique(theirs), abs=1e-4)
    tied = [scores[theirs == value].mean() for value in np.unique(theirs)]
    assert ours[:, 0] == pytest.approx(tied, abs=1e-4)


def test_what_is_fitted_holds_for_others() -> None:
    """The error goes away on joints that were not seen, and no order changes."""
    calibration, others = Calibration(fit_table(made(6000))), made(6000, seed=1)
    assert calibration_error(others.scores, others) > 0.12
    assert calibration_error(calibration(others.scores), others) < 0.03
    assert (np.diff(calibration(np.linspace(0, 1, 1000))) > 0).all()
    said, true, mass = reliability(others.scores, others)
    their_true, their_said = calibration_curve(others.right, others.scores, n_bins=10)
    assert said == pytest.approx(their_said)
    assert true == pytest.approx(their_true)
    assert mass.sum() == pytest.approx(1)


def test_sets_count_the_same_however_large_they_are() -> None:
    small, large = made(300), replace(made(9000, seed=2), right=np.zeros(9000, bool))
    table = Calibration(fit_table(Answers.join([small, large])))
    alone = Calibration(fit_table(small))
    assert table(np.array([0.8]))[0] == pytest.approx(alone(np.array([0.8]))[0] / 2, abs=0.08)


def test_only_labelled_and_answered_joints_count() -> None:
    people = make_set()
    weight = people.weight.copy()
    weight[0] = 0.5
    xy = people.xy + 1.0
    xy[1, :5] = np.nan
    xy[2] += 60
    answers = judge(Poses(xy, np.full(xy.shape[:2], 0.7)), replace(people, weight=weight))
    assert len(answers.scores) == (len(people) - 1) * 15 - 5
    assert answers.right.sum() == len(answers.scores) - 15
    with pytest.raises(InputError, match="no joint of the set"):
        judge(Poses(xy * np.nan, xy[..., 0]), people)


def test_what_cannot_be_calibrated_is_said() -> None:
    few, answers = made(100), made(4000)
    with pytest.raises(InputError, match="100 labelled joints: expected at least 200"):
        fit_table(few)
    with pytest.raises(InputError, match="not more often right"):
        fit_table(replace(answers, right=np.zeros(4000, bool)))


def test_a_checkpoint_is_written_again_with_its_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels are the model's own answers, but far away for the weaker half of them."""
    model = SHIPPED / "pose.safetensors"
    people = make_set(videos=2, frames=8)
    poses = answer(model, people)
    strong = poses.scores > np.median(poses.scores)
    save_people(replace(people, xy=np.where(strong[..., None], poses.xy, poses.xy + 100)), tmp_path / "some.npz")
    out, picture = tmp_path / "out.safetensors", tmp_path / "diagram.png"
    call = ["weights", "calibrate", str(model), str(tmp_path / "some.npz"), "--check", str(tmp_path / "some.npz")]
    assert main([*call, "--out", str(out), "--draw", str(picture)]) == 0
    assert "all checked" in capsys.readouterr().out
    before, after = load_checkpoint(model), load_checkpoint(out)
    assert replace(after.spec, calibration=()) == replace(before.spec, calibration=())
    assert (after.metrics, after.source) == (before.metrics, before.source)
    calibration = Calibration(after.spec.calibration)
    low, high = np.quantile(poses.scores, [0.2, 0.8])
    assert calibration(np.array([low]))[0] < 0.3 < 0.7 < calibration(np.array([high]))[0]
    for name, weight in before.network.state_dict().items():
        assert (after.network.state_dict()[name] == weight).all()
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["weights", "calibrate", "nothing.onnx", "a.npz"], "nothing.onnx: expected an existing file"),
        (["weights", "calibrate", __file__, "a.npz"], "test_calibrate.py: expected an existing file"),
        (["weights", "calibrate", str(SHIPPED / "pose.safetensors")], "needs packed sets"),
    ],
)
def test_mistakes_are_one_line(call: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(call) != 0
    assert says in capsys.readouterr().err
