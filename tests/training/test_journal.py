"""The log of a run: nothing written twice after a stop, numbers to the last bit, half a row left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dettrack.training.journal import Journal, read_log

FIGURES = st.dictionaries(st.sampled_from(["loss", "lr", "val_ap"]), st.floats(allow_nan=False), min_size=1)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FIGURES, min_size=1, max_size=4))
@example([{"loss": 1.7e308}, {"loss": float("inf")}])  # of a run that diverged: no figure has ticks for these
def test_what_is_added_is_read_to_the_last_bit(tmp_path_factory: pytest.TempPathFactory, steps: list[dict]) -> None:
    folder = tmp_path_factory.mktemp("run")
    rows = [(step, name, value) for step, figures in enumerate(steps, 1) for name, value in figures.items()]
    with Journal(folder) as journal:
        for step, figures in enumerate(steps, 1):
            journal.add(step, figures)
        assert read_log(folder / "log.csv") == rows, "written at once, before the run ends"
    with Journal(folder, step=len(steps)):
        assert read_log(folder / "log.csv") == rows


def test_a_resumed_run_writes_its_steps_once(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for step in range(1, 8):
            journal.add(step, {"loss": 1 / step})
    with Journal(tmp_path, step=5) as journal:  # the checkpoint was older than the log
        assert [row[0] for row in read_log(tmp_path / "log.csv")] == [1, 2, 3, 4, 5]
        for step in range(6, 10):
            journal.add(step, {"loss": 2.0})
    rows = read_log(tmp_path / "log.csv")
    assert [row[0] for row in rows] == list(range(1, 10))
    assert [row[2] for row in rows][4:] == [0.2, 2.0, 2.0, 2.0, 2.0]


def test_a_fresh_run_starts_an_empty_log(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add(3, {"loss": 1.0})
    with Journal(tmp_path):
        assert read_log(tmp_path / "log.csv") == []


def test_half_a_row_is_left_out(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add(1, {"loss": 0.5})
    path = tmp_path / "log.csv"
    path.write_text(path.read_text() + "2,lo")
    assert read_log(path) == [(1, "loss", 0.5)]
    assert read_log(tmp_path / "absent.csv") == []


def test_the_curve_has_a_panel_for_each_figure(tmp_path: Path) -> None:
    import cv2

    with Journal(tmp_path) as journal:
        journal.draw()
        assert not (tmp_path / "curve.png").exists(), "there is nothing to draw yet"
        journal.add(1, {"loss": 1.0})
        journal.draw()
        one = cv2.imread(str(tmp_path / "curve.png")).shape
        journal.add(2, {"loss": 0.5, "lr": 1e-3, "val_ap": 0.7})
    three = cv2.imread(str(tmp_path / "curve.png")).shape
    assert (three[0], three[1]) == (3 * one[0], one[1])
