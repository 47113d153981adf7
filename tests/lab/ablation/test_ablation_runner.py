"""A small study from file to tables."""

import csv
import json

import numpy as np
import pytest
from walking import write_study, write_walkers

from dettrack.lab.ablation import runner
from dettrack.lab.ablation.measure import Result, measure
from dettrack.lab.ablation.report import interval, paired
from dettrack.lab.ablation.rows import change
from dettrack.lab.ablation.runner import open_source, run_study
from dettrack.lab.ablation.study import read_study


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    annotations = write_walkers(folder / "gt", 3)
    study = read_study(write_study(folder / "study.toml", annotations))
    lines = []
    files = run_study(study, ("table2", "table7", "figure5b", "calibration"), log=lines.append)
    return study, files, lines


def table(study, name):
    with (study.out / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_files_of_the_tables_asked_for_are_written(done):
    _, files, _ = done
    names = {path.name for path in files}
    assert names >= {"table2.csv", "table7.csv", "table7.png", "figure5b.csv", "figure5b.png", "calibration.csv"}
    assert names >= {"tables.md", "calibration.png"}
    assert all(path.stat().st_size for path in files)


def test_a_table_has_figures_with_intervals_and_published_rows_beside_them(done):
    rows = {row["row"]: row for row in table(done[0], "table7") if row["source"] == "measured"}
    full = rows["3D, spatial + temporal merge"]
    for name in ("AP", "MOTA"):
        assert float(full[f"{name}_low"]) <= float(full[name]) <= float(full[f"{name}_high"])
        assert 60 < float(full[name]) <= 100
    assert rows["3D, no linking"]["MOTA"] == "", "without identities there is no MOTA"
    other = [row for row in table(done[0], "table7") if row["source"] != "measured"]
    assert {"AP": "83.8", "MOTA": "71.6"}.items() <= other[-1].items()
    groups = table(done[0], "table2")
    assert {"Head", "Ank", "MOTA", "MOTA_low"} <= set(groups[0])
    assert len([row for row in groups if row["data"].startswith("PoseTrack2017")]) == 9


def test_a_curve_has_its_axis_and_no_speed_that_nobody_measured(done):
    rows = table(done[0], "figure5b")
    assert [int(row["step"]) for row in rows] == list(range(1, 9))
    assert {row["frames_per_second"] for row in rows} == {""}
    assert float(rows[0]["AP"]) > 60


def test_a_second_run_takes_everything_from_the_cache(done, monkeypatch):
    study, _, _ = done
    before = (study.out / "table7.csv").read_text()

    def not_again(*args, **kwargs):
        raise AssertionError("measured again")

    monkeypatch.setattr(runner, "measure", not_again)
    monkeypatch.setattr(runner, "calibrate", not_again)
    run_study(study, ("table7", "calibration"), plots=False)
    assert (study.out / "table7.csv").read_text() == before


def test_half_a_cache_file_is_measured_again(done, tmp_path):
    study, _, _ = done
    source = open_source(study)
    row = next(t for t in runner.tables_of(study) if t.key == "table7").rows[-1]
    path = study.cache / "rows" / f"{runner.row_key(study, source, row)}.json"
    whole = path.read_text()
    path.write_text(whole[:100])
    run_study(study, ("table7",), plots=False)
    again, first = json.loads(path.read_text()), json.loads(whole)
    assert again["figures"]["MOTA"] == first["figures"]["MOTA"]


def test_the_key_changes_with_settings_data_and_simulation(done, tmp_path):
    study, _, _ = done
    row = next(t for t in runner.tables_of(study) if t.key == "table7").rows[-1]
    source = open_source(study)
    key = runner.row_key(study, source, row)
    from dataclasses import replace

    assert key == runner.row_key(study, source, replace(row, name="another name"))
    assert key != runner.row_key(study, source, replace(row, config=change(row.config, polish={"lam": 0.2})))
    other = read_study(write_study(tmp_path / "s.toml", write_walkers(tmp_path / "gt", 3, frames=25)))
    assert key != runner.row_key(other, open_source(other), row)
    noisy = replace(study, simulate=replace(study.simulate, noise=0.3))
    assert key != runner.row_key(noisy, open_source(noisy), row)


def test_processes_give_the_same_figures(done, tmp_path):
    from dataclasses import replace

    study = replace(done[0], cache=tmp_path / "cache", out=tmp_path / "out")
    run_study(study, ("link_to",), jobs=2, plots=False)
    source = open_source(study)
    rows = next(t for t in runner.tables_of(study) if t.key == "link_to").rows
    for line, row in zip(table(study, "link_to"), rows, strict=True):
        alone = measure(source, row, seeds=1, bootstrap=40)
        assert float(line["MOTA"]) == pytest.approx(alone.figures["MOTA"], abs=0.01)


def test_several_draws_of_chance_are_one_sequence_for_the_interval(done):
    study, _, _ = done
    source = open_source(study)
    row = next(t for t in runner.tables_of(study) if t.key == "table7").rows[0]
    one, two = (measure(source, row, seeds=n, bootstrap=40) for n in (1, 2))
    assert len(two.draws["AP"]) == 40
    assert two.figures["false_negatives"] > one.figures["false_negatives"]


def test_a_difference_is_taken_draw_by_draw():
    a = Result({"AP": 50.0}, {"AP": [40.0, 50.0, 60.0]})
    b = Result({"AP": 51.0}, {"AP": [41.0, 51.0, 61.0]})
    assert paired(b, a, "AP") == (1.0, 1.0, 1.0)
    assert interval(a, "AP") == pytest.approx((40.5, 59.5))
    assert np.isnan(interval(Result({"AP": 50.0}), "AP")).all()
