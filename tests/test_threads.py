import gc
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.threads import ReadAhead, ahead


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


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_stages_one_behind_the_other_end_together(depth):
    """Whatever the number of threads: the same items, and nothing is left running when the last stage stops early."""
    ended = []

    def stage(items, name):
        try:
            with ahead(items, depth) as before:
                for item in before:
                    yield item + 1
        finally:
            ended.append(name)

    with ahead(stage(stage(iter(range(50)), "first"), "second"), depth) as items:
        assert [next(items) for _ in range(10)] == list(range(2, 12))
    assert threads() == []
    if depth:
        assert sorted(ended) == ["first", "second"]
    with ahead(stage(stage(iter(range(50)), "first"), "second"), depth) as items:
        assert list(items) == list(range(2, 52))


def test_stages_work_side_by_side():
    def slow(items):
        for item in items:
            time.sleep(0.02)
            yield item

    start = time.perf_counter()
    with ahead(slow(iter(range(12))), 2) as first, ahead(slow(first), 2) as second:
        assert list(slow(second)) == list(range(12))
    assert time.perf_counter() - start < 0.55  # 0.72 s one after the other
