"""How alike two tables of tracks are, and what the study of agreement makes of it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.formats import open_writers
from dettrack.lab.studies import agreement as agreeing
from dettrack.lab.studies.sequences import agreement, survivors, write_table
from dettrack.skeleton import POSETRACK15
from dettrack.structures import TrackTable, VideoInfo

FIGURE = np.random.default_rng(3).uniform((5, 5), (35, 95), (15, 2))
INFO = VideoInfo("a", "a.mp4", 640, 240, Fraction(25), None)


def walk(frames=10, people=3, shift=0.0):
    """People far apart who stand still; every joint off by `shift` pixels."""
    frame, person = (axis.ravel() for axis in np.indices((frames, people)))
    corner = np.stack([150.0 * person, np.zeros(len(person))], 1)
    n = len(frame)
    return TrackTable(
        POSETRACK15,
        frame=frame,
        time_s=frame / 25,
        track_id=person,
        box=np.concatenate([corner, corner + np.array([40, 100])], 1),
        score=np.full(n, 0.9),
        xy=corner[:, None] + FIGURE + shift,
        joint_scores=np.full((n, 15), 0.9),
        spread=np.zeros((n, 15)),
        support=np.ones((n, 15), np.int64),
        source=np.zeros(n, np.int64),
    )


rows = st.lists(st.booleans(), min_size=30, max_size=30).map(np.array)


def test_a_table_agrees_with_itself_wholly():
    table = walk()
    assert survivors(table, table) == 100
    assert agreement(table, table) == pytest.approx(100)


@given(rows)
def test_what_is_left_survives_and_what_is_gone_does_not(keep):
    table = walk()
    assert survivors(table, table[keep]) == pytest.approx(100 * keep.mean())
    assert agreement(table, table[keep]) == pytest.approx(100 * keep.mean())
    if keep.any():
        assert survivors(table[keep], table) == pytest.approx(100), "poses too many take nothing away"
        assert agreement(table[keep], table) == pytest.approx(100 * keep.mean()), "here they do"


def test_far_poses_agree_less_and_very_far_ones_do_not_survive():
    table = walk()
    near, far = walk(shift=3.0), walk(shift=60.0)
    assert 100 > agreement(table, near) > agreement(table, far)
    assert survivors(table, near) == 100
    assert survivors(table, far) == 0


@given(st.permutations(range(3)))
def test_identities_play_no_part(order):
    table = walk()
    other = table[np.arange(len(table)).reshape(-1, 3)[:, list(order)].ravel()]
    assert agreement(table, other) == pytest.approx(100)


def write_run(folder, table):
    for writer in open_writers(["parquet"], folder, INFO, POSETRACK15):
        for frame in range(10):
            writer.write(frame, frame / 25, table[table.frame == frame])
        writer.close()


def test_runs_that_agree_have_full_figures_and_false_people_cost_some(tmp_path, capsys):
    table = walk()
    ghosts = walk(people=4)
    write_run(tmp_path / "truth" / "one.dettrack", table)
    write_run(tmp_path / "truth" / "two.dettrack", table)
    write_run(tmp_path / "ours" / "one.dettrack", table)
    write_run(tmp_path / "ours" / "two.dettrack", ghosts)
    write_run(tmp_path / "ours" / "elsewhere.dettrack", table)
    agreeing.main(tmp_path / "truth", tmp_path / "ours")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["one", "two", "mean"]
    assert lines[1].split()[1:] == ["100.0", "100.0", "3", "3"]
    ap, mota, truth, found = lines[2].split()[1:]
    assert (truth, found) == ("3", "4")
    assert float(mota) == pytest.approx(100 * (1 - 1 / 3), abs=0.1), "one false person for three"
    assert float(ap) <= 100
    with pytest.raises(InputError, match="no video of"):
        agreeing.main(tmp_path / "truth", tmp_path)


def test_tables_are_printed_and_written(tmp_path, capsys):
    write_table(iter(["| a |", "|---|", "| 1 |"]), tmp_path / "table.md")
    assert capsys.readouterr().out.split("\n")[:3] == ["| a |", "|---|", "| 1 |"]
    assert (tmp_path / "table.md").read_text().splitlines() == ["| a |", "|---|", "| 1 |"]
    write_table(iter(["| a |"]), None)
