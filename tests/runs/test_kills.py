"""Whole runs, killed or on a full disk: an earlier result is never lost, nothing torn bears a final name."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.formats import read_tracks
from dettrack.formats.tracklets import TrackletFile
from dettrack.runs.result import is_complete, read_summary

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="kills and mounts as on Linux")]

N_FRAMES = 60
FORMATS = "jsonl,parquet,csv,coco,mot,trc,openpose,posetrack18"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    start = np.array([[40.0, 30.0], [420.0, 50.0]])
    scene = draw_scene(folder / "walkers", start, np.array([[2.0, 0], [-2.0, 0]]), N_FRAMES)
    write_boxes(folder / "boxes.json", scene)
    write_model(folder / "dots.onnx")
    return folder


def command(world, out):
    models = ("--detector", str(world / "boxes.json"), "--model", str(world / "dots.onnx"), "--no-flip")
    options = ("--step", "1", "--formats", FORMATS, "--save-tracklets", "--quiet", "--out", str(out))
    return [sys.executable, "-m", "dettrack", "track", str(world / "walkers"), *models, *options]


def as_in_a_terminal():
    """Runs in the background are started with Ctrl-C ignored; a new process would keep that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def is_whole(result):
    """Every file of a result can be read, and says the same; on a full disk some may lack the last frame."""
    assert not list(result.rglob("*.part*"))
    summary = read_summary(result)
    full = any("cannot write" in note for note in summary["notes"])
    frames = summary["counts"]["frames"]
    lines = (result / "tracks.jsonl").read_text().splitlines()
    people = [len(json.loads(line)["people"]) for line in lines]
    allowed = {sum(people), sum(people[:-1]), sum(people) + 2} if full else {sum(people)}
    assert len(lines) <= frames if full else len(lines) == frames
    for name in ("tracks.parquet", "tracks.csv", "tracks.jsonl"):
        if (result / name).exists() or not full:
            assert len(read_tracks(result / name)) in allowed
    for name, key in (("coco.json", "annotations"), ("posetrack18.json", "annotations")):
        if (result / name).exists() or not full:
            assert len(json.loads((result / name).read_text())[key]) in allowed
    assert full or len(list((result / "openpose").iterdir())) == frames
    if (result / "tracklets.parquet").exists() or not full:
        sum(1 for _ in TrackletFile.open(result / "tracklets.parquet").batches())
    return frames


def results(out):
    """Folders under `out`, each whole or under way."""
    found = {path.name: path for path in out.iterdir()}
    under_way = {name for name in found if ".part" in name}
    assert set(found) <= {"walkers.dettrack", "walkers.interrupted.dettrack"} | under_way
    return [is_whole(found[name]) for name in sorted(set(found) - under_way)]


@pytest.mark.parametrize("rerun", [False, True])
@pytest.mark.parametrize("how", ["INT", "TERM", "KILL", "INT twice"])
@pytest.mark.parametrize("seed", range(12))
def test_a_killed_run_leaves_whole_results(world, tmp_path, rerun, how, seed):
    """The moment is drawn from what is written, or from how often it was asked before anything was."""
    out = tmp_path / "out"
    out.mkdir()
    if rerun:
        subprocess.run(command(world, out), check=True)
        before = (out / "walkers.dettrack" / "tracks.jsonl").read_bytes()
    chance = random.Random(f"{how} {rerun} {seed}")
    goal, patience = chance.choice([-1, 0, chance.randrange(60_000)]), chance.randrange(100, 20_000)
    growing = out / "walkers.dettrack.part" / "tracks.jsonl.part"
    with subprocess.Popen(command(world, out), stderr=subprocess.PIPE, preexec_fn=as_in_a_terminal) as process:
        while process.poll() is None:
            size = growing.stat().st_size if growing.exists() else -1
            patience -= goal < 0
            if (goal >= 0 and size >= goal) or (goal < 0 and patience < 0):
                break
            os.sched_yield()
        for _ in range(2 if how == "INT twice" else 1):
            process.send_signal(getattr(signal, f"SIG{how.split()[0]}"))
        errors = process.stderr.read().decode()
    assert "Traceback" not in errors, errors
    results(out)
    if rerun:
        assert is_complete(out / "walkers.dettrack")
        assert (out / "walkers.dettrack" / "tracks.jsonl").read_bytes() == before
    subprocess.run(command(world, out), check=True)
    assert results(out)[0 if rerun or len(list(out.iterdir())) == 1 else -1] == N_FRAMES
    assert not list(out.glob("*.part*"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("rerun", [False, True])
@pytest.mark.parametrize("kib", [*range(96, 480, 32), 600, 800, 1200])
def test_a_full_disk_leaves_whole_results(world, tmp_path, rerun, kib):
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={kib + (1024 if rerun else 0)}k"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        out = disk / "out"
        out.mkdir()
        if rerun:
            subprocess.run(command(world, tmp_path / "elsewhere"), check=True)
            shutil.copytree(tmp_path / "elsewhere" / "walkers.dettrack", out / "walkers.dettrack")
        done = subprocess.run(command(world, out), capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 0 or "cannot write" in done.stderr
        assert results(out) or done.returncode == 1
        if rerun:
            assert is_complete(out / "walkers.dettrack")
        if done.returncode == 0:
            assert is_whole(out / "walkers.dettrack") == N_FRAMES
        assert not list(out.glob("*.part*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_is_tested_here_is_written(world, tmp_path):
    subprocess.run(command(world, tmp_path), check=True)
    assert is_whole(tmp_path / "walkers.dettrack") == N_FRAMES
    assert Path(tmp_path / "walkers.dettrack" / "trc").is_dir()
