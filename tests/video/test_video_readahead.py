import gc
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.video.readahead import ReadAhead


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "dettrack read-ahead"]


@given(st.lists(st.integers()), st.integers(1, 4))
def test_nothing_is_lost_or_reordered(items, depth):
    assert list(ReadAhead(iter(items), depth)) == items


def test_it_never_runs_further_ahead_than_its_depth():
    made = []

    def make():
        for item in range(100):
            made.append(item)
            yield item

    ahead = ReadAhead(make(), 3)
    for item in ahead:
        time.sleep(0.002)
        assert len(made) <= item + 1 + 3 + 1  # taken, waiting, and the one in the producer's hand
        if item == 20:
            break
    ahead.close()
    assert len(made) < 30


def test_an_error_arrives_after_the_items_before_it():
    def make():
        yield 1
        raise OSError("disk on fire")

    ahead = ReadAhead(make(), 2)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="disk on fire"):
        next(ahead)
    assert list(ahead) == []


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_ends_the_thread_and_the_generator(taken):
    closed = []

    def make():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    ahead = ReadAhead(make(), 2)
    for _ in range(taken):
        next(ahead)
    ahead.close()
    ahead.close()
    assert closed == [True]
    assert threads() == []
    assert list(ahead) == []


def test_a_forgotten_reader_ends_its_thread():
    ahead = ReadAhead(iter(range(1000)), 2)
    next(ahead)
    del ahead
    gc.collect()
    assert threads() == []
