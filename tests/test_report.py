"""Tallies add up: in any order, and nothing is lost between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.structures.report import Report, Tally

names = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1000), max_size=4)
times = st.dictionaries(st.sampled_from(["read", "sew"]), st.integers(0, 100).map(float), max_size=2)
tallies = st.builds(Tally, names, names, times)


def entries(tally):
    return (
        {name: n for name, n in tally.counts.items() if n},
        {name: n for name, n in tally.dropped.items() if n},
        {name: s for name, s in tally.seconds.items() if s},
    )


@given(st.lists(tallies, max_size=6))
def test_a_report_is_the_sum_of_its_tallies_in_any_order(parts):
    forward, backward = Report(), Report()
    for part in parts:
        forward.add(part)
    for part in reversed(parts):
        backward.add(part)
    assert entries(forward.tally()) == entries(backward.tally())
    for name in "abcd":
        assert forward.counts[name] == sum(part.counts.get(name, 0) for part in parts)
        assert forward.dropped[name] == sum(part.dropped.get(name, 0) for part in parts)


@given(tallies, tallies, tallies)
def test_adding_is_associative_and_nothing_changes_it(a, b, c):
    assert entries((a + b) + c) == entries(a + (b + c))
    assert entries(a + Tally()) == entries(a)
    assert entries(sum([a, b, c], Tally())) == entries(a + b + c)


@given(tallies)
def test_a_tally_stays_as_it_is_while_its_report_goes_on(part):
    report = Report()
    report.add(part)
    frozen = report.tally()
    before = entries(frozen)
    report.add(Tally({"a": 1}, {"b": 2}, {"read": 3.0}))
    assert entries(frozen) == before


def test_time_is_added_by_stage_also_when_the_stage_fails(monkeypatch):
    now = [10.0]
    monkeypatch.setattr("dettrack.structures.report.time.perf_counter", lambda: now[0])
    report = Report()
    with report.timed("sew"):
        now[0] += 2
    with report.timed("polish"), report.timed("sew"):
        now[0] += 0.5
    with pytest.raises(OSError, match="gone"), report.timed("sew"):  # noqa: PT012
        now[0] += 1
        raise OSError("gone")
    assert dict(report.seconds) == {"sew": 3.5, "polish": 0.5}
