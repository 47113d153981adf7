"""The rows of the paper's tables: each is what its name says, and compared under the same conditions."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from dettrack.errors import UsageError
from dettrack.lab.ablation.beyond import all_tables, tables_of
from dettrack.lab.ablation.grid import FULL_METHOD, Rows, figure5b, table7, table9
from dettrack.lab.ablation.rows import change
from dettrack.lab.ablation.study import DETECTORS, NETWORKS, DataConfig, Study


def study(kind: str = "frames", **changes: object) -> Study:
    data = DataConfig(kind=kind, annotations="a", images="i", folder="f", missed=0.1, missed_run=4)  # type: ignore[arg-type]
    given: dict[str, object] = {
        "data": data,
        "networks": {role: f"{role}.safetensors" for role in NETWORKS},
        "detectors": {role: f"{role}.onnx" for role in DETECTORS},
    }
    return Study(name="s", out=Path("o"), cache=Path("c"), **(given | changes))  # type: ignore[arg-type]


ALL = {table.key: table for table in all_tables(study())}
CURVES = [key for key in ALL if key.startswith("figure5")]


@pytest.mark.parametrize("key", list(ALL))
def test_names_in_a_table_are_different_and_so_are_its_rows(key: str) -> None:
    table = ALL[key]
    names = [row.name for row in table.rows]
    assert len(set(names)) == len(names)
    settings = [str(sorted(row.settings().items())) + row.detector for row in table.rows]
    pairs = {
        tuple(sorted((names[i], names[j]))) for i in range(len(names)) for j in range(i) if settings[i] == settings[j]
    }
    assert not {pair for pair in pairs if table.reference not in pair}, "two rows measure the same"
    assert not table.reference or table.reference in names
    assert all(row.network in NETWORKS and row.detector in DETECTORS for row in table.rows)


@pytest.mark.parametrize("key", [key for key in ALL if key not in ("lost_boxes", "table9")])
def test_all_rows_lose_the_same_boxes(key: str) -> None:
    assert {(row.missed, row.missed_run) for row in ALL[key].rows} == {(0.1, 4)}


@pytest.mark.parametrize("key", [key for key in ALL if key not in CURVES and key != "right_person"])
def test_every_table_has_the_strongest_simple_tracker(key: str) -> None:
    baselines = [row for row in ALL[key].rows if row.config.sew.linking == "oks-velocity"]
    assert baselines
    assert all(row.tube_length == 1 and row.config.cut.clip_length == 1 for row in baselines)


def test_table7_is_the_papers() -> None:
    table = table7(Rows(study()))
    rows = {row.name: row for row in table.rows}
    assert not rows["3D, no linking"].linked
    merges = {name: row.config.polish.merge for name, row in rows.items() if name.startswith("3D") and row.linked}
    assert merges == {
        "3D, baseline merge": "baseline",
        "3D, keyframe merge": "keyframe",
        "3D, spatial merge": "spatial",
        "3D, temporal merge": "temporal",
        "3D, spatial + temporal merge": "spatial-temporal",
    }
    full = rows["3D, spatial + temporal merge"]
    assert (full.network, full.tube_length, full.config.cut.step, full.config.sew.bridge) == ("3d", 9, 1, 0)
    assert (rows["2D + oks-gbm"].network, rows["2D + oks-gbm"].tube_length) == ("2d", 1)


def test_figure5a_changes_the_clip_alone() -> None:
    for key, merge in (("figure5a", "baseline"), ("figure5a_full", "spatial-temporal")):
        rows = ALL[key].rows
        assert [row.at for row in rows] == [row.tube_length for row in rows] == [1, 3, 5, 7, 9]
        assert [row.config.cut.clip_length for row in rows] == [1, 3, 5, 7, 9]
        assert {row.config.polish.merge for row in rows} == {merge}
        assert [row.network for row in rows] == ["2d", "3d", "3d", "3d", "3d"]


def test_figure5b_changes_the_step_alone_and_times_once() -> None:
    ours, full, baselines = figure5b(Rows(study()))
    for table in (ours, full):
        assert [row.at for row in table.rows] == [row.config.cut.step for row in table.rows] == list(range(1, 9))
        assert {row.config.cut.clip_length for row in table.rows} == {9}
    assert all(row.timed for row in ours.rows)
    assert not any(row.timed for row in full.rows)
    assert [row.config.cut.step for row in baselines.rows] == [*range(1, 9), 1]
    short = figure5b(Rows(study(settings=change(study().settings, cut={"clip_length": 5}))))
    assert [row.at for row in short[0].rows] == [1, 2, 3, 4], "tubes must overlap"


def test_table9_loses_what_the_papers_detectors_miss_only_without_pixels() -> None:
    strong, weak = (
        {row.missed for row in table9(Rows(study("simulated"))).rows if row.detector == name} for name in DETECTORS
    )
    assert (strong, weak) == ({0.171}, {0.224})
    assert {row.missed for row in table9(Rows(study())).rows} == {0.1}


def test_without_pixels_there_are_no_tables_of_networks() -> None:
    keys = {table.key for table in all_tables(study("simulated"))}
    assert not keys & {"table8", "right_person", "decoding", "padding"}
    assert {"table7", "figure5a", "lost_boxes"} <= keys


def test_rows_without_weights_are_left_out_and_told() -> None:
    tables = {t.key: t for t in all_tables(study(networks={"2d": "2d", "3d": "3d", "none": "n", "early": "e"}))}
    table = tables["table8"]
    assert {row.network for row in table.rows} == {"none", "early"}
    assert table.notes[-1] == "Not measured, because the study names no file for: all, last."
    assert "padding" not in tables, "a single row compares nothing"
    assert tables["table7"].notes == ()


def test_wanted_tables_come_in_the_order_of_the_report() -> None:
    given = study(tables=("phi", "table7"))
    assert [table.key for table in tables_of(given)] == ["table7", "phi"]
    assert [table.key for table in tables_of(given, ("radius",))] == ["radius"]
    with pytest.raises(UsageError, match="no table 'table99' in this study: it has table1, table2, table7"):
        tables_of(given, ("table99",))


@pytest.mark.parametrize(("year", "keys"), [("", ["table1", "table2"]), ("2018", ["table3", "table4"])])
def test_the_tables_of_the_state_of_the_art_follow_the_year(year: str, keys: list[str]) -> None:
    data = DataConfig(kind="frames", annotations="a", images="i", year=year)
    made = [table for table in all_tables(study(data=data)) if table.layout == "groups" and table.rows]
    assert [table.key for table in made] == keys
    assert [table.show for table in made] == [("AP",), ("MOTA",)]
    assert all(table.rows[2].name == FULL_METHOD for table in made)
    assert bool(made[0].notes) != bool(year), "other data is said to be other data"


def test_changes_touch_one_section_and_the_original_stays() -> None:
    base = study().settings
    other = change(base, sew={"bridge": 7}, polish={"lam": 0.5})
    assert (other.sew.bridge, other.polish.lam) == (7, 0.5)
    assert (base.sew.bridge, base.cut) == (0, other.cut)
    different = {name for name, section in asdict(base).items() if section != asdict(other)[name]}
    assert different == {"sew", "polish"}
