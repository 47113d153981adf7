"""A few mutants of every file that we read; `python tests/fuzz/fuzz.py` reads thousands."""

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="time limits by signals")

if sys.platform != "win32":
    from fuzz import READERS, try_mutants
else:
    READERS = {}


@pytest.mark.parametrize("name", READERS)
def test_mutants_are_read_or_refused_in_one_line(name, capfd):
    found = try_mutants(name, 8)
    assert set(found) <= {"read", "refused"}, found
