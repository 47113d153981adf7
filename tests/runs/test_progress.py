"""Progress on a terminal and without one, on a clock of the test's own."""

import pytest

from dettrack.runs import progress
from dettrack.runs.progress import RunProgress


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("dettrack.runs.progress.time.perf_counter", lambda: now[0])
    return now


def lines(capsys):
    out, error = capsys.readouterr()
    assert out == "", "standard output is for results"
    return error.splitlines()


def test_without_a_terminal_a_line_comes_now_and_then(clock, capsys):
    with RunProgress("match") as shown:
        shown(1, 500)
        assert lines(capsys) == [], "not for every frame"
        clock[0] += 10
        shown(100, 500)
        clock[0] += 5
        shown(200, 500)
        clock[0] += 5
        shown(300, 500)
    assert lines(capsys) == [
        "match: frame 100 of 500, 10.0 frames/s, 40 s left",
        "match: frame 300 of 500, 15.0 frames/s, 13 s left",
    ]


def test_a_video_of_unknown_length_has_no_time_left(clock, capsys):
    with RunProgress("camera") as shown:
        clock[0] += 20
        shown(50, None)
    assert lines(capsys) == ["camera: frame 50, 2.5 frames/s"]


def test_more_frames_than_announced_are_no_negative_time(clock, capsys):
    with RunProgress("match") as shown:
        clock[0] += 10
        shown(120, 100)
    assert lines(capsys) == ["match: frame 120 of 100, 12.0 frames/s, 0 s left"]


def test_quiet_says_nothing(clock, capsys):
    with RunProgress("match", quiet=True) as shown:
        for _ in range(5):
            clock[0] += 60
            shown(10, 100)
    assert lines(capsys) == []


def test_a_terminal_gets_a_bar_that_is_taken_away_again(monkeypatch, capsys):
    console = progress.Console
    monkeypatch.setattr(progress, "Console", lambda stderr: console(stderr=stderr, force_terminal=True, width=100))
    with RunProgress("match") as shown:
        shown(50, 100)
        assert shown._bar.tasks[0].completed == 50
        assert shown._bar.tasks[0].total == 100
        shown(130, 100)
        assert shown._bar.tasks[0].total == 130, "a wrong announcement moves the end"
    assert shown._bar.finished
    assert "match" in "".join(lines(capsys))
