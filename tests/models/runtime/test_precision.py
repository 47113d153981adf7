"""What a CPU offers, from what Linux says of it."""

from pathlib import Path

import pytest

from dettrack.models.runtime import precision
from dettrack.models.runtime.precision import cpu_has_amx, cpu_has_bf16, cpu_precision


@pytest.fixture
def cpu(monkeypatch):
    """A CPU with these flags."""

    def with_flags(line):
        monkeypatch.setattr(Path, "read_text", lambda self, **_: f"processor : 0\n{line}\nbogomips : 1\n")
        precision._flags.cache_clear()

    yield with_flags
    monkeypatch.undo()
    precision._flags.cache_clear()


@pytest.mark.parametrize(
    ("line", "amx", "bf16", "auto", "fast"),
    [
        ("flags : fpu avx2", False, False, "fp32", "fp32"),
        ("flags : fpu avx512f avx512_bf16", False, True, "fp32", "bf16"),
        ("flags : avx512_bf16 amx_bf16 amx_tile", True, True, "bf16", "bf16"),
        ("Features : fp asimd bf16", False, True, "fp32", "bf16"),
    ],
)
def test_bf16_is_taken_where_the_cpu_multiplies_it(cpu, line, amx, bf16, auto, fast):
    cpu(line)
    assert cpu_has_amx() == amx
    assert cpu_has_bf16() == bf16
    assert cpu_precision("auto") == auto
    assert cpu_precision("fast") == fast


@pytest.mark.parametrize("named", ["fp32", "bf16"])
def test_a_precision_that_is_named_is_taken(cpu, named):
    cpu("flags : fpu")
    assert cpu_precision(named) == named


def test_another_system_has_an_answer_too(monkeypatch):
    def gone(self, **_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", gone)
    precision._flags.cache_clear()
    assert cpu_precision("auto") in ("fp32", "bf16")
    precision._flags.cache_clear()
