"""Whole runs, killed or on a full disk: an earlier result is never lost, nothing torn bears a final name."""

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

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
    subprocess.run(command(folder, folder / "finished"), check=True)
    return folder


def command(world, out):
    return [sys.executable, "-m", "dettrack", *arguments(world, out)]


def arguments(world, out):
    models = ("--detector", str(world / "boxes.json"), "--model", str(world / "dots.onnx"), "--no-flip")
    options = ("--step", "1", "--formats", FORMATS, "--save-tracklets", "--quiet", "--out", str(out))
    return ["track", str(world / "walkers"), *models, *options]


def finished(world, out):
    """The result of an earlier run."""
    shutil.copytree(world / "finished" / "walkers.dettrack", out / "walkers.dettrack")


def as_in_a_terminal():
    """Runs in the background are started with Ctrl-C ignored; a new process would keep that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


_SERVER = """
import os, sys
import cv2, onnxruntime, pyarrow.parquet
import dettrack.__main__, dettrack.cli.track, dettrack.formats.jsonl, dettrack.formats.table, dettrack.runs.folder
import dettrack.models.runtime.onnx
for line in sys.stdin:
    said, *sys.argv[1:] = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        file, code = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1
        os.dup2(file, 1)
        os.dup2(file, 2)
        try:
            dettrack.__main__.run()
        except SystemExit as end:
            code = end.code
        finally:
            os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def server():
    """Forks the command off a process that has imported all: most of a short run's time is its imports."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    made = {"bufsize": 0, "preexec_fn": as_in_a_terminal}  # or `select` would not see what has been read ahead
    with subprocess.Popen([sys.executable, "-c", _SERVER], **pipes, **made) as process:
        yield process
        process.stdin.close()


class Forked:
    """A command, forked off the server."""

    def __init__(self, server, out, args):
        self._server, self._said, self._code = server, out.with_name("said"), None
        server.stdin.write("\t".join([str(self._said), *args]).encode() + b"\n")
        self.pid = int(server.stdout.readline())

    def poll(self):
        if self._code is None and select.select([self._server.stdout], [], [], 0)[0]:
            self._code = int(self._server.stdout.readline())
        return self._code

    def end(self):
        """What it said, once it has ended."""
        if self._code is None:
            self._code = int(self._server.stdout.readline())
        return self._said.read_text()


class Fresh(subprocess.Popen):
    """A command in a process of its own, from its first moment."""

    def __init__(self, world, out):
        super().__init__(command(world, out), stderr=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal)

    def end(self):
        return self.communicate()[1]


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


def size_of(path):
    """-1 before there is a file, and after it has been renamed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


@pytest.mark.parametrize("rerun", [False, True])
@pytest.mark.parametrize("how", ["INT", "TERM", "KILL", "INT twice"])
@pytest.mark.parametrize("seed", range(12))
def test_a_killed_run_leaves_whole_results(world, server, tmp_path, rerun, how, seed):
    """The moment is drawn from what is written, or from how often it was asked before anything was."""
    out = tmp_path / "out"
    out.mkdir()
    if rerun:
        finished(world, out)
        before = (out / "walkers.dettrack" / "tracks.jsonl").read_bytes()
    chance = random.Random(f"{how} {rerun} {seed}")
    goal, patience = chance.choice([-1, 0, chance.randrange(60_000)]), chance.randrange(100, 20_000)
    growing = out / "walkers.dettrack.part" / "tracks.jsonl.part"
    process = Fresh(world, out) if seed < 2 else Forked(server, out, arguments(world, out))
    while process.poll() is None:
        size = size_of(growing)
        patience -= goal < 0
        if (goal >= 0 and size >= goal) or (goal < 0 and patience < 0):
            break
        os.sched_yield()
    with suppress(ProcessLookupError):
        for _ in range(2 if how == "INT twice" and process.poll() is None else 1):
            if process.poll() is None:
                os.kill(process.pid, getattr(signal, f"SIG{how.split()[0]}"))
    errors = process.end()
    assert "Traceback" not in errors, errors
    results(out)
    if rerun:
        assert is_complete(out / "walkers.dettrack")
        assert (out / "walkers.dettrack" / "tracks.jsonl").read_bytes() == before
    again = Forked(server, out, arguments(world, out))
    said = again.end()
    assert again.poll() == 0, said
    assert results(out)[0 if rerun or len(list(out.iterdir())) == 1 else -1] == N_FRAMES
    assert not list(out.glob("*.part*"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("rerun", [False, True])
@pytest.mark.parametrize("kib", [*range(96, 480, 32), 600, 800, 1200])
def test_a_full_disk_leaves_whole_results(world, server, tmp_path, rerun, kib):
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={kib + (1024 if rerun else 0)}k"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        out = disk / "out"
        out.mkdir()
        if rerun:
            finished(world, out)
        process = Forked(server, disk, arguments(world, out))
        said, code = process.end(), process.poll()
        assert "Traceback" not in said, said
        assert code == 0 or "cannot write" in said
        assert results(out) or code == 1
        if rerun:
            assert is_complete(out / "walkers.dettrack")
        if code == 0:
            assert is_whole(out / "walkers.dettrack") == N_FRAMES
        assert not list(out.glob("*.part*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_is_tested_here_is_written(world):
    assert is_whole(world / "finished" / "walkers.dettrack") == N_FRAMES
    assert (world / "finished" / "walkers.dettrack" / "trc").is_dir()
