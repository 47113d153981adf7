"""Corrections as links for a new association of saved tracklets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dettrack.config import CutConfig, TrackConfig
from dettrack.edit import append, read
from dettrack.formats import read_tracks
from dettrack.formats.read import read_result
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.runs.folder import associate_to_folder
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets

J = len(POSETRACK15)
POSE = np.random.default_rng(5).uniform(0, 1, (J, 2)) * [50, 150]
FPS, REACH, STEP, FRAMES = 25, 4, 4, 96
Way = Callable[[int], float | None]


def tracklets(key: int, people: list[Way]) -> Tracklets:
    """Tubes of those who are there in the keyframe; None: not there."""
    frames = np.arange(max(0, key - REACH), min(FRAMES, key + REACH + 1))
    there = [way for way in people if way(key) is not None]
    xy = np.full((len(there), len(frames), J, 2), np.nan)
    for n, way in enumerate(there):
        for c, frame in enumerate(frames.tolist()):
            if (x := way(frame)) is not None:
                xy[n, c] = POSE + np.array([x, 100])
    scores = np.where(np.isfinite(xy).all(-1), 0.9, 0.0)
    corner = np.array([[way(key) or 0, 100] for way in there], float).reshape(-1, 2)
    boxes = Boxes(np.concatenate([corner, corner + np.array([50, 150])], 1), np.ones(len(there)))
    return Tracklets(key, frames, boxes, xy, scores)


def make(folder: Path, people: list[Way]) -> TrackletFile:
    """A run of saved tracklets with its result."""
    cut = CutConfig(clip_length=2 * REACH + 1, step=STEP, adaptive=False)
    video = {"name": "v", "path": "v.mp4", "width": 2000, "height": 400, "fps": str(FPS), "n_frames": FRAMES}
    folder.mkdir()
    with TrackletWriter(folder / "tracklets.parquet", POSETRACK15, cut, {"video": video}) as writer:
        for key in range(0, FRAMES, STEP):
            times = FrameTimes.of([(f, f / FPS, 0, "") for f in range(key, min(key + STEP, FRAMES))])
            last = key + STEP >= FRAMES
            done = FRAMES if last else max(0, key + STEP - REACH)
            writer.write(TrackletBatch(times, (tracklets(key, people),), done, last))
    saved = TrackletFile.open(folder / "tracklets.parquet")
    (folder / "summary.json").write_text('{"complete": true}')
    associate_to_folder(saved, folder, settings(saved), ("parquet", "jsonl"))
    return TrackletFile.open(folder / "tracklets.parquet")


def settings(saved: TrackletFile) -> TrackConfig:
    config = TrackConfig()
    return replace(config, cut=saved.cut, sew=replace(config.sew, bridge=0))


def again(saved: TrackletFile, out: Path) -> None:
    associate_to_folder(saved, out, settings(saved), ("parquet", "jsonl"), edits=True)


def at(folder: Path, frame: int, x: float) -> int:
    """Track of who stands at `x` in a frame."""
    rows = read_tracks(folder)
    rows = rows[rows.frame == frame]
    return int(rows.track_id[np.abs(rows.box[:, 0] - x).argmin()])


def test_without_corrections_nothing_changes(tmp_path: Path) -> None:
    saved = make(tmp_path / "run", [lambda f: 100.0 + f, lambda f: 600.0 - f])
    again(saved, tmp_path / "new")
    a, b = read_tracks(tmp_path / "run"), read_tracks(tmp_path / "new")
    np.testing.assert_array_equal(a.track_id, b.track_id)
    np.testing.assert_array_equal(a.xy, b.xy)
    assert read(tmp_path / "new") == []


def test_a_swap_holds_for_the_rest_of_the_video_and_names_go_with_it(tmp_path: Path) -> None:
    run, new = tmp_path / "run", tmp_path / "new"
    saved = make(run, [lambda f: 100.0 + f, lambda f: 600.0 - f])
    first, second = at(run, 10, 110), at(run, 10, 590)
    append(run, {"op": "swap", "track": first, "other": second, "from": 48 / FPS}, read_tracks(run))
    append(run, {"op": "rename", "track": first, "name": "Ann"}, read_tracks(run))
    again(saved, new)
    assert (at(new, 90, 190), at(new, 90, 510)) == (at(new, 10, 590), at(new, 10, 110))
    assert read_result(new).names == {at(new, 10, 110): "Ann"}
    assert [edit.op for edit in read(new)] == ["rename"]  # the swap is in the association itself


def test_a_split_is_not_joined_again(tmp_path: Path) -> None:
    run, new = tmp_path / "run", tmp_path / "new"
    saved = make(run, [lambda f: 100.0 + f, lambda f: 600.0 - f])
    whole = at(run, 10, 110)
    append(run, {"op": "split", "track": whole, "from": 48 / FPS}, read_tracks(run))
    again(saved, new)
    assert at(new, 20, 120) != at(new, 80, 180)
    assert at(new, 20, 580) == at(new, 80, 520)


def test_a_merge_over_a_long_gap_is_carried_over(tmp_path: Path) -> None:
    run, new = tmp_path / "run", tmp_path / "new"
    saved = make(run, [lambda f: None if 32 <= f < 64 else 100.0 + f, lambda f: 600.0 - f])
    early, late = at(run, 10, 110), at(run, 80, 180)
    assert early != late
    append(run, {"op": "merge", "track": early, "other": late}, read_tracks(run))
    append(run, {"op": "move_joint", "track": early, "frame": 80, "joint": "nose", "xy": [1, 2]}, read_tracks(run))
    again(saved, new)
    assert at(new, 10, 110) == at(new, 80, 180)
    assert [edit.op for edit in read(new)] == ["move_joint", "merge"]
    rows = read_tracks(new)
    moved = rows[(rows.frame == 80) & (rows.track_id == at(new, 80, 180))]
    assert moved.joint("nose").tolist() == [[1, 2]]


def test_a_link_that_a_person_made_mends_what_follows(tmp_path: Path) -> None:
    """Two people stand in one place for a while, and leave it; sewing may take either for the other."""

    def left(f: int) -> float:
        return 300.0 if 40 <= f <= 52 else (100.0 + 5 * f if f < 40 else 300.0 - 5 * (f - 52))

    def right(f: int) -> float:
        return 302.0 if 40 <= f <= 52 else (502.0 - 5 * f if f < 40 else 302.0 + 5 * (f - 52))

    run, new = tmp_path / "run", tmp_path / "new"
    saved = make(run, [left, right])
    before, after = at(run, 10, left(10)), at(run, 70, left(70))
    other = at(run, 70, right(70)) if after != before else at(run, 10, right(10))
    if after == before:  # then the wrong way round is what the person wants
        append(run, {"op": "swap", "track": before, "other": other, "from": 60 / FPS}, read_tracks(run))
    else:
        append(run, {"op": "swap", "track": before, "other": after, "from": 60 / FPS}, read_tracks(run))
    want = at(run, 90, left(90)) == at(run, 10, left(10))
    again(saved, new)
    assert (at(new, 90, left(90)) == at(new, 10, left(10))) == want


@pytest.mark.parametrize("operation", ["delete", "flip_sides", "mark_bad"])
def test_the_rest_is_carried_over(tmp_path: Path, operation: str) -> None:
    run, new = tmp_path / "run", tmp_path / "new"
    saved = make(run, [lambda f: 100.0 + f, lambda f: 600.0 - f])
    append(run, {"op": operation, "track": at(run, 10, 110), "from": 1.0, "to": 2.0}, read_tracks(run))
    again(saved, new)
    (edit,) = read(new)
    assert (edit.op, edit.start_s, edit.end_s) == (operation, 1.0, 2.0)
    a, b = read_tracks(run), read_tracks(new)
    np.testing.assert_array_equal(a.xy, b.xy)
