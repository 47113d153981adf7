"""`--set KEY=VALUE`: values that go before a file's."""

from __future__ import annotations

from pathlib import Path

import pytest

from dettrack.errors import UsageError
from dettrack.files.toml import changed, read_toml
from dettrack.training.pose.recipe import stages

TABLE = {"loop": {"batch": 32, "lr": 1e-4}, "data": [{"path": "a"}, {"path": "b"}], "name": "x"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("loop.batch=8", {**TABLE, "loop": {"batch": 8, "lr": 1e-4}}),
        ("loop.lr = 1e-5", {**TABLE, "loop": {"batch": 32, "lr": 1e-5}}),
        ("data.path=some where", {**TABLE, "data": [{"path": "some where"}] * 2}),
        ('data.1.path="c"', {**TABLE, "data": [{"path": "a"}, {"path": "c"}]}),
        ("network.size=[64, 64]", {**TABLE, "network": {"size": [64, 64]}}),
        ("name=", {**TABLE, "name": ""}),
        ("a={b = 1}", {**TABLE, "a": {"b": 1}}),
    ],
)
def test_values_are_toml_or_text(change: str, expected: dict[str, object]) -> None:
    before = repr(TABLE)
    assert changed(TABLE, [change]) == expected
    assert repr(TABLE) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [("loop.batch", "KEY=VALUE"), (".a=1", "KEY=VALUE"), ("data.5.path=c", "there are 2"), ("name.a=1", "no table")],
)
def test_mistakes_are_named(change: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        changed(TABLE, [change])


def test_of_all_stages_or_one(tmp_path: Path) -> None:
    text = '[loop]\nbatch = 4\n[[data]]\npath = "a"\n[[stage]]\nname = "2d"\nloop = { lr = 1e-3 }\n'
    text += '[[stage]]\nname = "early"\n'
    (tmp_path / "r.toml").write_text(text)
    table = read_toml(tmp_path / "r.toml")
    first, last = stages(table, "r", ["loop.batch=8", "loop.lr=1e-5", "early.loop.lr=1e-6", "data.images=frames"])
    assert [stage.loop.batch for stage in (first, last)] == [8, 8]
    assert [stage.loop.lr for stage in (first, last)] == [1e-5, 1e-6]
    assert first.data[0].images == "frames"
    with pytest.raises(UsageError, match="unknown key 'width'"):
        stages(table, "r", ["loop.width=8"])
    with pytest.raises(UsageError, match="no stage before it"):
        stages(table, "r", ["2d.start.stage=early"])
