import time

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


def test_sleeping_takes_time_but_no_processor():
    turns = take_turns({"sleep": lambda: time.sleep(0.05)}, 1)
    assert turns["sleep"].seconds[0] >= 0.05
    assert turns["sleep"].cpu_seconds[0] < 0.04


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (12.34, "12.3"), (0.01234, "0.0123"), (0.0, "0"), (np.nan, "nan")]
)
def test_three_digits_tell_enough(value, text):
    assert str(Spread(value, value, value)) == f"{text} ({text}-{text})"
