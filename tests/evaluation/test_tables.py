"""Tables on the terminal: the figures of the evaluation in the columns of the papers."""

import numpy as np
import pytest
from posetrack_scenes import Person, Scene, body
from rich.console import Console

from dettrack.evaluation import evaluate
from dettrack.evaluation.bootstrap import Difference, Interval
from dettrack.evaluation.oracles import oracles
from dettrack.evaluation.tables import (
    comparison_table,
    figure_tables,
    interval_table,
    oracle_table,
    sequence_table,
    threshold_table,
)
from dettrack.evaluation.thresholds import learn_thresholds


def lines(table):
    console = Console(width=200, no_color=True)
    with console.capture() as text:
        console.print(table)
    return text.get().splitlines()


def cells(line):
    return [cell.strip() for cell in line.replace("┃", "│").split("│")][1:-1] or [""]


def scene(name="000001_mpii_test", shift=0.0, ids=(7, 7, 7)):
    frames = [[Person(ids[i], body(100 + shift + 5 * i), scores=0.9, box=(90.0, 90.0, 300.0, 300.0))] for i in range(3)]
    return Scene(frames, name=name).build()


def found(**options):
    gt = [scene(), scene("000002_mpii_test")]
    pred = [scene(shift=2.0), scene("000002_mpii_test", ids=(7, 8, 8))]
    return evaluate(gt, pred, **options)


def test_figures_stand_in_the_columns_of_the_papers():
    result = found()
    main, totals, boxes = figure_tables(result)
    text = lines(main)
    assert text[0].strip() == "PoseTrack, official rules, 2 sequences"
    head = next(line for line in text if "Sho" in line)
    assert cells(head)[-8:] == ["Head", "Sho", "Elb", "Wri", "Hip", "Kne", "Ank", "Total"]
    ap = next(line for line in text if cells(line)[0] == "AP")
    assert cells(ap)[1:] == ["100.0"] * 8
    row = cells(next(line for line in lines(totals) if "all joints" in line))
    assert row[1:3] == [f"{result.ap:.1f}", f"{result.mota:.1f}"]
    assert row[-1] == "15", "one switch of each joint"
    assert "100.0" in lines(boxes)[-2]


def test_hota_has_a_table_where_it_was_measured():
    assert len(figure_tables(found())) == 3
    tables = figure_tables(found(hota=True))
    assert len(tables) == 4
    text = lines(tables[2])
    assert [cells(line)[0] for line in text[4:8]] == ["HOTA", "DetA", "AssA", "LocA"]
    assert "HOTA" in "".join(lines(sequence_table(found(hota=True))))


def test_each_sequence_has_a_row_with_its_own_figures():
    text = lines(sequence_table(found()))
    first, second = (next(line for line in text if name in line) for name in ("000001_mpii", "000002_mpii"))
    assert cells(first)[-1] == "0"
    assert cells(second)[-1] == "15"
    assert float(cells(first)[2]) > float(cells(second)[2])


def test_intervals_and_differences_have_two_digits_and_missing_ones_a_dash():
    text = lines(interval_table({"AP": Interval(81.234, 80.0, 82.5), "HOTA": Interval(np.nan, np.nan, np.nan)}, 500))
    assert "500 bootstrap samples" in " ".join(" ".join(text[:2]).split())
    assert cells(text[-3]) == ["AP", "81.23", "80.00", "82.50"]
    assert cells(text[-2]) == ["HOTA", "-", "-", "-"]
    text = lines(comparison_table({"MOTA": Difference(60.0, 61.5, -0.25, 3.125, 0.0617)}, 1000))
    assert cells(text[-2]) == ["MOTA", "60.00", "61.50", "1.50", "-0.25", "3.12", "0.062"]


def test_oracles_say_what_they_gain():
    gt, pred = [scene()], [scene(ids=(7, 8, 8))]
    text = lines(oracle_table(oracles(gt, pred)))
    rows = {cells(line)[0]: cells(line) for line in text if cells(line)[0] and len(cells(line)) == 7}
    assert rows["ours"][-1] == ""
    assert float(rows["perfect association"][-1]) > 0
    assert float(rows["perfect poses"][-1]) == pytest.approx(0)


def test_thresholds_say_what_they_drop():
    gt = [scene()]
    text = lines(threshold_table(learn_thresholds(gt, [scene(shift=2.0)])))
    nose = cells(next(line for line in text if "nose" in line))
    assert nose[-1] == "0 of 2", "the last frame does not count for tracking, officially"
    assert "all joints" in text[-2]
    assert len([line for line in text if " of " in line]) == 15
