"""Hypotheses go to the person whose finished pose is nearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from viewer_results import J, people

from dettrack.config import CutConfig
from dettrack.formats.tracklets import TrackletWriter
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets, TrackTable
from dettrack.view.hypotheses import Hypotheses

N, REACH = 20, 4


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, TrackTable]:
    """Tubes of three people at every fourth frame; each hypothesis is a little beside the finished pose."""
    table = people(np.arange(N) / 30)
    rng = np.random.default_rng(0)
    path = tmp_path / "tracklets.parquet"
    with TrackletWriter(path, POSETRACK15, CutConfig()) as writer:
        for keyframe in range(0, N, 4):
            frames = np.arange(max(0, keyframe - REACH), min(N, keyframe + REACH + 1))
            rows = [table[table.frame == frame] for frame in frames]
            order = rng.permutation(3)
            xy = np.stack([row.xy[order] for row in rows], 1) + rng.normal(0, 1, (3, len(frames), J, 2))
            boxes = Boxes(table[table.frame == keyframe].box[order], np.ones(3))
            tracklets = Tracklets(keyframe, frames, boxes, xy, np.full((3, len(frames), J), 0.8))
            times = FrameTimes.of((i, i / 30, 0, "") for i in range(keyframe, min(N, keyframe + 4)))
            writer.write(TrackletBatch(times, (tracklets,), keyframe, False))
    return path, table


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
