"""`dettrack associate`: a saved run linked and merged again, without video and network."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.formats import read_tracks

N_FRAMES = 20
BESIDE = ("summary.json", "suspects.jsonl", "frames.parquet")
PLAIN = ("--step", "1", "--no-adaptive", "--small-crops-below", "0", "--no-flip", "--joints", "coco17")


def dettrack(*args, cwd):
    command = [sys.executable, "-m", "dettrack", *map(str, args)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A run of two people, one of whom the detector misses for six frames; what it was made from is gone."""
    folder = tmp_path_factory.mktemp("associate")
    start, velocity = np.array([[40.0, 30.0], [420.0, 50.0]]), np.array([[4.0, 0.0], [-3.0, 0.5]])
    scene = draw_scene(folder / "walkers", start, velocity, N_FRAMES)
    write_boxes(folder / "boxes.json", scene, {(t, 0) for t in range(8, 14)})
    write_model(folder / "dots.onnx")
    models = ("--detector", "boxes.json", "--model", "dots.onnx")
    done = dettrack("track", "walkers", *models, *PLAIN, "--save-tracklets", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    for name in ("walkers", "boxes.json", "dots.onnx"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


def again(world, name, *options):
    done = dettrack("associate", "walkers.dettrack", "--out", name, *options, cwd=world)
    assert done.returncode == 0, done.stderr
    return read_tracks(world / name), done.stdout


def test_the_same_settings_give_the_same_tracks(world):
    table, said = again(world, "same")
    saved = read_tracks(world / "walkers.dettrack")
    for column in ("frame", "track_id", "source", "support"):
        np.testing.assert_array_equal(getattr(table, column), getattr(saved, column))
    np.testing.assert_allclose(table.xy, saved.xy, atol=1e-3)
    assert said == f"same: {N_FRAMES} frames, 2 tracks\n"


def test_a_baseline_gives_whom_the_detector_missed_another_identity(world):
    table, said = again(world, "baseline", "--linking", "oks-gbm", "--bridge", "0")
    assert len(np.unique(table.track_id)) == 3
    assert "3 tracks" in said


def test_a_shorter_clip_has_fewer_hypotheses(world):
    whole, _ = again(world, "nine")
    short, _ = again(world, "three", "--clip-length", "3")
    assert whole.support.max() == 9
    assert short.support.max() == 3


def test_fewer_keyframes_can_be_had_from_saved_ones(world):
    table, _ = again(world, "four", "--step", "4")
    assert set(table.frame[table.source == 0].tolist()) <= set(range(0, N_FRAMES, 4))
    assert json.loads((world / "four" / "summary.json").read_text())["settings"]["cut"]["step"] == 4


def test_the_settings_are_those_of_the_run_unless_others_are_named(world):
    shutil.copytree(world / "walkers.dettrack", world / "strict.dettrack")
    path = world / "strict.dettrack" / "summary.json"
    summary = json.loads(path.read_text())
    summary["settings"]["finish"]["min_track_frames"] = 30
    path.write_text(json.dumps(summary))
    for options, tracks in (((), 0), (("--preset", "balanced"), 2), (("--min-track-frames", "5"), 2)):
        done = dettrack("associate", "strict.dettrack", "--out", "again", *options, cwd=world)
        assert done.returncode == 0, done.stderr
        assert json.loads((world / "again" / "summary.json").read_text())["counts"]["tracks"] == tracks


def test_formats_and_settings_files_are_those_of_track(world):
    (world / "own.toml").write_text("[finish]\nmin_track_frames = 30\n[polish]\nmerge = 'spatial'\n")
    done = dettrack(
        "associate", "walkers.dettrack", "--out", "none", "--config", "own.toml", "--formats", "csv,mot", cwd=world
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (world / "none").iterdir()} == {"tracks.csv", "mot.txt", *BESIDE}
    summary = json.loads((world / "none" / "summary.json").read_text())
    assert summary["settings"]["polish"]["merge"] == "spatial"
    assert summary["counts"]["tracks"] == 0
    assert summary["dropped"]["short_tracks"] == 2


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--clip-length", "11"), 2, "--clip-length 11"),
        (("--clip-length", "4"), 2, "odd"),
        (("--formats", "xml"), 2, "xml"),
        (("--merge", "all"), 2, "merge"),
        (("--config", "gone.toml"), 1, "gone.toml"),
    ],
)
def test_what_cannot_be_is_told_and_leaves_the_result_alone(world, options, code, words):
    before = (world / "walkers.dettrack" / "summary.json").read_bytes()
    done = dettrack("associate", "walkers.dettrack", *options, cwd=world)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert (world / "walkers.dettrack" / "summary.json").read_bytes() == before
