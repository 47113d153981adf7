"""Hypotheses go to the person whose finished pose is nearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from viewer_results import people, write_tracklets

from dettrack.skeleton import COCO17
from dettrack.structures import TrackTable
from dettrack.view.hypotheses import Hypotheses

N, REACH = 20, 4


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, TrackTable]:
    table = people(np.arange(N) / 30)
    return write_tracklets(tmp_path / "tracklets.parquet", table, REACH), table


@pytest.mark.parametrize("track", [0, 1, 2])
@pytest.mark.parametrize("frame", [0, 7, 8, 19])
def test_every_tube_that_covers_the_frame_gives_one(saved: tuple[Path, TrackTable], frame: int, track: int) -> None:
    path, table = saved
    found = Hypotheses(path).of(table, frame, track)
    assert [pose["keyframe"] for pose in found["poses"]] == [k for k in range(0, N, 4) if abs(k - frame) <= REACH]
    own = table[(table.frame == frame) & (table.track_id == track)].xy[0]
    for pose in found["poses"]:
        assert np.abs(np.array(pose["xy"]) - own).max() < 6
    assert [step["frame"] for step in found["path"]] == [f for f in range(N) if abs(f - frame) <= 12]


def test_nobody_and_other_joints_give_nothing(saved: tuple[Path, TrackTable]) -> None:
    path, table = saved
    assert Hypotheses(path).of(table, 3, 77) == {"poses": [], "path": []}
    assert Hypotheses(path).of(TrackTable.empty(COCO17), 3, 0) == {"poses": [], "path": []}
