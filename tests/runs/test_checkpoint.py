"""A run that goes on from saved tracklets, or from those of several workers, is the run that was never interrupted."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.config import TrackConfig
from dettrack.cut.known import Span
from dettrack.pipeline import Pipeline
from dettrack.runs.checkpoint import Checkpoint
from dettrack.runs.folder import track_to_folder
from dettrack.runs.options import RunOptions
from dettrack.video import open_video

N_FRAMES = 105


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two people who cross, and a cut after two thirds; boxes that ask for keyframes between those of the grid."""
    folder = tmp_path_factory.mktemp("checkpoint")
    start = np.array([[20.0, 40.0], [300.0, 60.0]])
    scene = draw_scene(folder / "walkers", start, np.array([[3.0, 0], [-1.5, 0]]), N_FRAMES)
    later = draw_scene(folder / "later", start[::-1] + 30, np.array([[0.0, 0], [-1.5, 0]]), N_FRAMES)
    blocks = np.random.default_rng(0).integers(0, 90, (6, 16, 3), np.uint8)
    ground = cv2.resize(blocks, (640, 240), interpolation=cv2.INTER_NEAREST)  # another place
    for i in range(2 * N_FRAMES // 3, N_FRAMES):
        picture = np.maximum(cv2.imread(str(folder / "later" / f"{i:06d}.png")), ground)
        cv2.imwrite(str(folder / "walkers" / f"{i:06d}.png"), picture)
        scene.boxes[i] = later.boxes[i]
    boxes = write_boxes(folder / "boxes.json", scene, {(16, 0), (48, 1), (88, 0)})
    write_model(folder / "dots.onnx")
    config = TrackConfig(
        detector=str(boxes), model=str(folder / "dots.onnx"), flip=False, threads=1, min_track_score=0.0
    )
    return folder / "walkers", Pipeline(config)


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "a.dettrack"
    return files(out), track_to_folder(world[1], world[0], out, OPTIONS), files(out)


OPTIONS = RunOptions(("jsonl", "parquet"), save_tracklets=True)


def files(out):
    return {path.name: path.read_bytes() for path in out.glob("*") if path.name != "summary.json"}


def check(world, whole, tmp_path, known):
    _, summary, expected = whole
    again = track_to_folder(world[1], world[0], tmp_path / "a.dettrack", OPTIONS, known=known)
    assert files(tmp_path / "a.dettrack") == expected
    for name in ("counts", "dropped", "notes", "complete", "fingerprint"):
        assert again[name] == summary[name]


class InterruptionError(Exception):
    pass


class Until:
    """A checkpoint of a run that breaks off when it has found `n` batches."""

    def __init__(self, known, n):
        self.known, self.n = known, n
        self.find = known.find

    def __contains__(self, first):
        return first in self.known

    def add(self, first, batch):
        if self.n == 0:
            raise InterruptionError
        self.n -= 1
        self.known.add(first, batch)


def test_what_is_tested_here_has_more_shots_and_added_keyframes(whole):
    counts = whole[1]["counts"]
    assert counts["shots"] == 2
    assert counts["keyframes_added"] > 3
    assert counts["tracks"] > 1


@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_run_that_broke_off_goes_on_to_the_same_result(world, whole, tmp_path, n):
    with open_video(world[0]) as video, pytest.raises(InterruptionError):
        list(world[1].tracklets(video, known=Until(Checkpoint(tmp_path / "saved", 0.0), n)))
    known = Checkpoint(tmp_path / "saved", 0.0)
    assert len(list((tmp_path / "saved").iterdir())) == n
    check(world, whole, tmp_path, known)


@pytest.mark.parametrize(
    "cuts",
    [
        pytest.param((32,), marks=pytest.mark.slow),
        (1, 33, 70, 75, 101),
        pytest.param((64, 400), marks=pytest.mark.slow),
    ],
)
def test_spans_of_a_video_together_are_the_video(world, whole, tmp_path, cuts):
    for first, stop in pairwise((0, *cuts, None)):
        known = Checkpoint(tmp_path / "saved", 0.0)
        with open_video(world[0]) as video:
            list(world[1].tracklets(video, known=known, span=Span(first, stop)))
    known = Checkpoint(tmp_path / "saved", 0.0)
    before = sorted((tmp_path / "saved").iterdir())
    check(world, whole, tmp_path, known)
    assert sorted((tmp_path / "saved").iterdir()) == before  # nothing was left to find


def test_a_hole_is_filled_and_a_file_that_cannot_be_read_is_found_again(world, whole, tmp_path):
    with open_video(world[0]) as video:
        list(world[1].tracklets(video, known=Checkpoint(tmp_path / "saved", 0.0)))
    saved = sorted((tmp_path / "saved").iterdir())
    assert len(saved) > 3
    saved[1].unlink()
    saved[3].write_bytes(saved[3].read_bytes()[:-100])
    check(world, whole, tmp_path, Checkpoint(tmp_path / "saved", 0.0))
    assert sorted((tmp_path / "saved").iterdir()) == saved


def test_nothing_is_written_for_a_short_video_and_nothing_stays(world, tmp_path):
    known = Checkpoint(tmp_path / "saved", 3600.0)
    track_to_folder(world[1], world[0], tmp_path / "a.dettrack", RunOptions(fps=25.0, end_s=0.5), known=known)
    assert not (tmp_path / "saved").exists()
    known.flush()
    assert len(list((tmp_path / "saved").iterdir())) == 1
    known.remove()
    assert not (tmp_path / "saved").exists()
