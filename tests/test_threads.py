import gc
import os
import platform
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.threads import ReadAhead, ahead

HANG_S = 60  # nothing waits so long unless it hangs


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "dettrack read-ahead"]


@given(st.lists(st.integers()), st.integers(1, 4))
def test_nothing_is_lost_or_reordered(items, depth):
    assert list(ReadAhead(iter(items), depth)) == items


def test_it_runs_as_far_ahead_as_its_depth_and_never_further():
    made, grown = [], threading.Condition()

    def make():
        for item in range(100):
            with grown:
                made.append(item)
                grown.notify()
            yield item

    ahead = ReadAhead(make(), 3)
    for item in ahead:
        furthest = item + 1 + 3 + 1  # taken, waiting in the queue, and the one that the producer holds
        with grown:
            assert grown.wait_for(lambda furthest=furthest: len(made) >= furthest, HANG_S)
            assert len(made) == furthest
        if item == 20:
            break
    ahead.close()
    assert len(made) <= furthest + 1


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
    """The third stage cannot finish its first item before the first stage is in the middle of its third."""
    together = threading.Barrier(3)

    def stage(items, meets_at):
        for item in items:
            if item == meets_at:
                together.wait(HANG_S)
            yield item

    with ahead(stage(iter(range(12)), 2), 2) as first, ahead(stage(first, 1), 2) as second:
        assert list(stage(second, 0)) == list(range(12))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")
def test_a_training_reuses_its_memory():
    """Blocks that a training takes again and again are not new pages each time (they are to `tune_process`)."""
    program = """
import resource, sys
import numpy as np
from dettrack.threads import keep_memory, tune_process

def new_pages():
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(100):
            np.ones(1 << 15)  # 256 KiB: no huge pages
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return faults

tune_process()
given_back = new_pages()
keep_memory()
print(given_back, new_pages())
"""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=plain)
    given_back, kept = map(int, found.stdout.split())
    assert kept < 1000 < given_back
