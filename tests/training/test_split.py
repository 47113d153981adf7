"""Videos held out: a choice by name, whole videos, and no file of another split in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from miniature import write_posetrack

from dettrack.cli import main
from dettrack.errors import UsageError
from dettrack.training.labels.split import choose_held_out


def test_sequences_of_one_video_stay_together() -> None:
    names = [f"{video:06d}_mpii_{part}" for video in range(20) for part in "ab"]
    held_out = choose_held_out(names, 0.25)
    assert len(held_out) == 10
    assert all((name[:-1] + "a" in held_out) == (name[:-1] + "b" in held_out) for name in names)
    assert choose_held_out(list(reversed(names)), 0.25) == held_out
    assert choose_held_out(names, 0.25, seed=1) != held_out
    assert len(choose_held_out(names[:4], 0.01)) == 2  # at least one video
    assert len(choose_held_out(names[:4], 0.99)) == 2  # and one to train on
    for share, few in ((0.0, names), (1.0, names), (0.5, names[:2])):
        with pytest.raises(UsageError):
            choose_held_out(few, share)


@pytest.mark.parametrize("year", [17, 18])
def test_the_command(tmp_path: Path, year: int, capsys: pytest.CaptureFixture[str]) -> None:
    train = write_posetrack(tmp_path, year) / "train"
    assert main(["data", "split", str(train), "--share", "0.3"]) == 0
    fit, held_out = (sorted(path.name for path in (train.parent / name).iterdir()) for name in ("fit", "held_out"))
    assert (len(fit), len(held_out)) == (3, 1)
    assert sorted(fit + held_out) == sorted(path.name for path in train.iterdir())
    assert "held_out: 1 sequences" in capsys.readouterr().out
    assert main(["data", "split", str(train), "--share", "0.3"]) == 0  # the same again
    assert main(["data", "split", str(train), "--share", "0.6"]) == 1
    assert "not of this split" in capsys.readouterr().err
