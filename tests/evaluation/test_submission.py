"""Zips for the servers: what is in them, and predictions that a server would refuse."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from miniature import write_posetrack

from dettrack.cli import main
from dettrack.formats.posetrack.files import read_sequence, write_sequence


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The annotations themselves as predictions, with scores, for a year with ids and one without."""
    for year in (17, 18):
        annotations = write_posetrack(tmp_path / str(year), year) / "val"
        for path in annotations.iterdir():
            sequence = read_sequence(path)
            people = sequence.people
            scores = np.where(np.isnan(people.xy[..., 0]), np.nan, np.linspace(0.1, 0.9, people.xy.shape[1]))
            target = tmp_path / f"pred{year}" / f"{sequence.name}.json"
            target.parent.mkdir(exist_ok=True)
            columns = {**vars(people), "scores": scores}
            write_sequence(type(sequence)(**{**vars(sequence), "people": type(people)(**columns)}), target)
    return tmp_path


@pytest.mark.parametrize("year", [17, 18])
def test_all_joints_or_those_above_the_thresholds(world: Path, year: int, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--gt", str(world / str(year) / "annotations" / "val"), "--pred", str(world / f"pred{year}")]
    assert main(["evaluate", "submission", *files, "--out", str(world / "all.zip")]) == 0
    assert main(["evaluate", "submission", *files, "--out", str(world / "few.zip"), "--threshold", "0.5"]) == 0
    assert main(["evaluate", "submission", *files, "--out", str(world / "again.zip")]) == 0
    assert (world / "all.zip").read_bytes() == (world / "again.zip").read_bytes()
    assert "2 sequences" in capsys.readouterr().out
    for name, fewest in (("all", 0.1), ("few", 0.5)):
        with zipfile.ZipFile(world / f"{name}.zip") as packed:
            packed.extractall(world / name)
            assert packed.namelist() == sorted(path.name for path in (world / f"pred{year}").iterdir())
        for path in (world / name).iterdir():
            found, given = read_sequence(path).people, read_sequence(world / f"pred{year}" / path.name).people
            kept = ~np.isnan(given.xy[..., 0]) & (given.scores >= fewest)
            np.testing.assert_array_equal(~np.isnan(found.xy[..., 0]), kept)


def test_what_a_server_would_refuse(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--gt", str(world / "18" / "annotations" / "val"), "--pred", str(world / "pred18")]
    path = next(iter((world / "pred18").iterdir()))
    whole = path.read_text()
    for change, says in (
        (lambda c: c["images"].pop(), "predicts 7 images, expected the 8"),
        (lambda c: c["annotations"][0].update(track_id=1000), "from 0 to 999"),
        (lambda c: c["annotations"][1].update(track_id=c["annotations"][0]["track_id"]), "twice in an image"),
    ):
        content = json.loads(whole)
        change(content)
        path.write_text(json.dumps(content))
        assert main(["evaluate", "submission", *files, "--out", str(world / "x.zip")]) == 1
        said = capsys.readouterr().err
        assert says in said
        assert said.count("\n") == 1
        assert not (world / "x.zip").exists()
