from types import SimpleNamespace

import numpy as np
import pytest

from dettrack.lab.bench.timing import Spread, Turns, take_turns


def test_everything_is_called_once_more_than_timed_and_takes_turns():
    calls = []
    turns = take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b", "a", "b", "b", "a"]
    assert [len(turns[name].seconds) for name in "ab"] == [2, 2]


def test_ratios_are_taken_round_by_round():
    slow, fast = Turns((2.0, 6.0, 4.0), (4.0, 4.0, 4.0)), Turns((1.0, 2.0, 4.0), (1.0, 2.0, 4.0))
    assert slow.over(fast) == Spread(2.0, 1.0, 3.0)
    assert slow.cpu_over(fast) == Spread(2.0, 1.0, 4.0)
    assert slow.rate(12) == Spread(3.0, 2.0, 6.0)
    assert slow.per(2) == Spread(2.0, 1.0, 3.0)


def test_wall_and_processor_time_are_those_of_each_call(monkeypatch):
    """On clocks of ours: sleeping takes wall time alone, two busy threads take twice the wall time."""
    wall, cpu = [100.0], [7.0]
    clocks = SimpleNamespace(perf_counter=lambda: wall[0], process_time=lambda: cpu[0])
    monkeypatch.setattr("dettrack.lab.bench.timing.time", clocks)

    def passes(wall_s, cpu_s):
        wall[0] += wall_s
        cpu[0] += cpu_s

    turns = take_turns({"sleep": lambda: passes(0.5, 0.0), "busy": lambda: passes(0.25, 0.5)}, 2)
    assert turns == {"sleep": Turns((0.5, 0.5), (0.0, 0.0)), "busy": Turns((0.25, 0.25), (0.5, 0.5))}


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (12.34, "12.3"), (0.01234, "0.0123"), (0.0, "0"), (np.nan, "nan")]
)
def test_three_digits_tell_enough(value, text):
    assert str(Spread(value, value, value)) == f"{text} ({text}-{text})"
