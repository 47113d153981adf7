"""A row's figures: exact tubes give perfect ones, losses cost recall, and draws of chance count together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from walking import walking, write_study, write_walkers

from dettrack.evaluation.rules import EVALUATION15
from dettrack.lab.ablation import measure as measuring
from dettrack.lab.ablation.calibration import Calibration
from dettrack.lab.ablation.measure import Result, measure, track_row
from dettrack.lab.ablation.plots import write_plots
from dettrack.lab.ablation.rows import Row, Table, change
from dettrack.lab.ablation.runner import open_source
from dettrack.lab.ablation.sources import SimulatedSource, with_heads
from dettrack.lab.ablation.study import Study, read_study
from dettrack.lab.simulate import trajectories_of

EXACT = "noise = 0.0\ndrift = 0.0\nhidden_noise = 0.0\nwild = 0.0\njump = 0.0\nmixed = 0.0\n"


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, SimulatedSource]:
    folder = tmp_path_factory.mktemp("exact")
    annotations = write_walkers(folder / "gt", 3, people=2, frames=16)
    study = read_study(write_study(folder / "study.toml", annotations, EXACT))
    source = open_source(study)
    assert isinstance(source, SimulatedSource)
    return study, source


def row(study: Study, name: str = "ours", **changes: object) -> Row:
    return replace(Row(name, study.settings), **changes)  # type: ignore[arg-type]


def test_exact_tubes_give_perfect_figures(exact: tuple[Study, SimulatedSource]) -> None:
    study, source = exact
    result = measure(source, row(study), seeds=1, bootstrap=30)
    for name in ("AP", "MOTA", "IDF1", "recall", "box_precision"):
        assert result.figures[name] == pytest.approx(100), name
    assert result.figures["false_negatives"] == result.figures["switches"] == 0
    assert np.isnan(result.figures["frames_per_second"]), "without pixels there is no pipeline to time"
    assert result.figures["association_fps"] > 0
    assert {len(values) for values in result.draws.values()} == {30}
    assert set(result.draws["AP"]) == {100.0}
    assert result.groups["AP"]["Head"] == pytest.approx(100)


def test_lost_boxes_cost_a_frame_by_frame_tracker_what_tubes_get_back(exact: tuple[Study, SimulatedSource]) -> None:
    study, source = exact
    lone = change(study.settings, cut={"clip_length": 1}, sew={"linking": "oks-gbm"}, polish={"merge": "keyframe"})
    recall = {}
    for share in (0.0, 0.3, 0.6):
        for name, config in (("tubes", study.settings), ("frames", lone)):
            found = measure(source, row(study, config=config, missed=share), seeds=1, bootstrap=20)
            recall[name, share] = found.figures["recall"]
    assert recall["tubes", 0.0] == recall["frames", 0.0] == 100
    assert recall["frames", 0.6] < recall["frames", 0.3] < 100
    assert recall["tubes", 0.6] > recall["frames", 0.3]


def test_chance_is_the_seeds_and_nothing_else(exact: tuple[Study, SimulatedSource]) -> None:
    study, source = exact
    lossy = row(study, missed=0.5)
    first, again = (measure(source, lossy, seeds=2, bootstrap=20) for _ in range(2))
    timed = ("association_fps", "frames_per_second")
    assert {n: v for n, v in first.figures.items() if n not in timed} == {
        n: v for n, v in again.figures.items() if n not in timed
    }
    tables = [track_row(source, source.test[0], lossy, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(tables[0].xy, tables[1].xy)
    assert len(tables[0]) != len(tables[2]) or not np.array_equal(tables[0].source, tables[2].source)


def test_draws_of_chance_on_a_sequence_are_one_sequence(exact: tuple[Study, SimulatedSource]) -> None:
    """Twice the same chance is twice the counts, the same figures and intervals no narrower."""
    study, source = exact
    one, two = (measure(source, row(study), seeds=seeds, bootstrap=25) for seeds in (1, 2))
    for name in ("AP", "MOTA", "recall"):
        assert one.figures[name] == pytest.approx(two.figures[name])
        np.testing.assert_allclose(one.draws[name], two.draws[name])
    lossy = [measure(source, row(study, missed=0.5), seeds=seeds, bootstrap=25) for seeds in (1, 2)]
    assert len(lossy[0].draws["MOTA"]) == len(lossy[1].draws["MOTA"]) == 25


def test_what_is_not_linked_has_no_identities(exact: tuple[Study, SimulatedSource]) -> None:
    study, source = exact
    result = measure(source, row(study, linked=False), seeds=1, bootstrap=20)
    assert np.isnan([result.figures[name] for name in ("MOTA", "IDF1", "switches")]).all()
    assert np.isnan(result.draws["MOTA"]).all()
    assert result.figures["AP"] == pytest.approx(100)


def test_tubes_that_follow_their_person_are_counted_when_it_is_wanted(exact: tuple[Study, SimulatedSource]) -> None:
    study, source = exact
    result = measure(source, row(study, right_person=True), seeds=2, bootstrap=20)
    assert result.figures["right_person"] == result.figures["PCKh_ends"] == 100
    assert len(result.draws["right_person"]) == 20
    assert "right_person" not in measure(source, row(study), seeds=1, bootstrap=20).figures


def test_thresholds_are_learned_on_sequences_that_are_not_evaluated(exact: tuple[Study, SimulatedSource]) -> None:
    study, source = exact
    predicted = {
        ("test", i, 0): measuring.prediction_sequence(gt, track_row(source, gt, row(study), 0))[0]
        for i, gt in enumerate(source.test)
    }
    folds = measuring.folds(source, predicted, 1, True)
    assert [numbers for numbers, _ in folds] == [[0, 2], [1]]
    assert all(set(limits) == set(EVALUATION15.joints) for _, limits in folds)
    others = measuring._learned("test", source.test, [1], predicted, 1)
    assert folds[0][1] == others
    assert measuring.folds(source, predicted, 1, False) == [([0, 1, 2], {})]


def test_joints_that_the_data_never_annotates_stay_out_of_the_mean(tmp_path: Path) -> None:
    annotations = write_walkers(tmp_path / "gt", 2, people=2, frames=12)
    study = read_study(write_study(tmp_path / "study.toml", annotations, EXACT))
    source = open_source(study)
    nose = EVALUATION15.index("nose")
    without = []
    for sequence in source.test:
        xy = sequence.people.xy.copy()
        xy[:, sequence.joint_set.index("nose")] = np.nan
        without.append(replace(sequence, people=replace(sequence.people, xy=xy)))
    source.test = without
    assert np.isnan(without[0].with_joints(EVALUATION15).people.xy[:, nose]).all()
    assert measure(source, row(study), seeds=1, bootstrap=20).figures["AP"] == pytest.approx(100)


def test_heads_that_are_not_annotated_are_squares_of_the_right_size() -> None:
    gt = walking(1)
    truth = trajectories_of(gt)
    none = replace(gt, people=replace(gt.people, head_box=np.zeros_like(gt.people.head_box)))
    made = with_heads(none, truth).people.head_box
    diagonal = np.linalg.norm(made[:, 2:] - made[:, :2], axis=1)
    which = np.searchsorted(truth.ids, gt.people.track_id)
    np.testing.assert_allclose(0.6 * diagonal, truth.head[which, gt.people.image])
    np.testing.assert_array_equal(with_heads(gt, truth).people.head_box, gt.people.head_box)
    inside = with_heads(gt, truth).people
    assert (inside.box[:, None, :2] <= np.nan_to_num(inside.xy, nan=np.inf)).all()


def results(n: int) -> list[Result]:
    figures = {"AP": 50.0, "MOTA": 40.0, "false_negatives": 7.0, "frames_per_second": float("nan")}
    drawn = {"AP": list(np.linspace(40, 60, 21)), "MOTA": [40.0] * 21}
    return [Result({**figures, "AP": 50.0 + i}, drawn) for i in range(n)]


def test_each_table_is_a_plot_but_groups_and_baselines(exact: tuple[Study, SimulatedSource], tmp_path: Path) -> None:
    import cv2

    study, _ = exact
    rows = tuple(row(study, f"S = {n}", at=n) for n in (1, 2, 4))
    show = ("AP", "MOTA", "frames_per_second")
    tables = [
        (Table("plain", "t", rows), results(3)),
        (Table("figure5b", "t", rows, "step", show), results(3)),
        (Table("figure5b_baselines", "t", rows, "step", show), results(3)),
        (Table("table1", "t", rows, layout="groups", show=("AP",)), results(3)),
    ]
    tenths = [{"mean": i / 10, "median_error": 0.1, "wrong": 10.0 * i} for i in range(10)]
    found = Calibration(100, 20.0, {"spread": 0.7}, {"spread": 0.5}, {"spread": tenths, "score": tenths})
    written = write_plots(tmp_path, tables, found)
    assert [path.name for path in written] == ["plain.png", "figure5b.png", "calibration.png"]
    (tmp_path / "alone").mkdir()
    alone = write_plots(tmp_path / "alone", [(replace(tables[1][0], show=("AP",)), results(3))], None)
    wide, narrow = (cv2.imread(str(path)).shape[1] for path in (written[1], alone[0]))
    assert wide > 1.7 * narrow, "two measured figures stand side by side, the third was not measured"
    before = written[0].read_bytes()
    assert write_plots(tmp_path, tables[:1], Calibration(0, float("nan")))[0].read_bytes() == before
