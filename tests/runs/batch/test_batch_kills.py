"""Whole batches of processes, killed, interrupted or on a full disk: the same command again gives an undisturbed run's
results, does nothing twice that was done, and leaves nothing over."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path

import pytest
from batch_world import batch, left_over, results

from dettrack.cli import main
from dettrack.runs.batch.manifest import read_manifest
from dettrack.runs.result import read_summary

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="kills and mounts as on Linux")]


@pytest.fixture(scope="module", autouse=True)
def server():
    """The server that workers are forked off, one for all commands here."""
    import dettrack.runs.batch.processes  # noqa: F401  (says what the server imports)

    forkserver.ensure_running()


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    run_batch(world, out, "--workers", "1")
    return results(out)


def made_when(out):
    """When each finished result was made: one that is made again has another time."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*.dettrack/summary.json")}


def workers_of(out):
    """Process ids of the workers, from what they show of themselves."""
    found = []
    for path in (out / "batch.state" / "running").glob("*.json"):
        with suppress(OSError, ValueError):
            found.append(json.loads(path.read_bytes())["pid"])
    return found


def reached(out, moment, before):
    """Whether a run has come to a moment: a video under way, or one more finished."""
    if moment == "start":
        return True
    if moment == "under way":
        return bool(list(out.glob("*.part/tracks.jsonl.part")))
    return len(made_when(out)) > before


def start(world, out, *more):
    """The command, in a process forked off this one, which has imported all; and the file of what it says."""
    said = out.with_name(f"{out.name}.said")
    said.parent.mkdir(parents=True, exist_ok=True)
    process = multiprocessing.get_context("fork").Process(target=_main, args=(batch(world, out, *more)[3:], said))
    process.start()
    return process, said


def _main(args, said):
    forkserver._forkserver.ensure_running = lambda: None  # it is our parent's child, and runs
    with said.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        code = main(args)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_batch(world, out, *more, code=0):
    process, said = start(world, out, *more)
    process.join()
    text = said.read_text()
    assert process.exitcode == code, text
    assert "Traceback" not in text, text
    return text


def disturb(world, out, chance, whom, number, times):
    """Run the command and send signals at drawn moments; says what workers and how many signals there were."""
    pids, sent = set(), 0
    process, said = start(world, out, "--workers", "2")
    for _ in range(times):
        moment, before = chance.choice(["start", "under way", "done", "done"]), len(made_when(out))
        patience = time.monotonic() + chance.uniform(0.0, 2.0) * (moment == "start") + chance.uniform(0.0, 0.3)
        while process.is_alive() and not (reached(out, moment, before) and time.monotonic() > patience):
            time.sleep(0.02)
        pids |= set(workers_of(out))
        victims = [process.pid] if whom == "parent" else workers_of(out)
        if process.is_alive() and victims:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(victims), number)
                sent += 1
    process.join()
    assert "Traceback" not in said.read_text(), said.read_text()
    return pids, sent


def nobody_is_left(pids):
    for _ in range(200):
        if all(status(pid) == "Z" for pid in pids):
            return True
        time.sleep(0.05)
    return False


def status(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.parametrize(
    ("whom", "how", "kills"),
    [("parent", "KILL", 8), ("worker", "KILL", 8), ("parent", "TERM", 3), ("parent", "HUP", 1)],
)
def test_a_killed_batch_goes_on_to_the_same_results(world, tmp_path, undisturbed, whom, how, kills):
    """The same command again and again, each time killed, then once left alone; in a new folder once all is done."""
    chance, number, sent = random.Random(f"{whom} {how}"), getattr(signal, f"SIG{how}"), 0
    for folder in map(str, range(kills)):
        out, done = tmp_path / folder, {}
        while sent < kills and results(out) != undisturbed:
            times = 1 if whom == "parent" else 4
            pids, more = disturb(world, out, chance, whom, number, min(times, kills - sent))
            sent += more
            assert nobody_is_left(pids)
            assert results(out).items() <= undisturbed.items()
            assert made_when(out).items() >= done.items()
            done = made_when(out)
            if not more:  # what is left counts as poison: two of its workers were killed
                break
        run_batch(world, out, "--workers", "2", "--retry", "all")
        assert results(out) == undisturbed
        assert made_when(out).items() >= done.items()
        assert not left_over(out)
        if sent >= kills:
            break
    assert sent >= kills


def test_shards_and_workers_give_the_same_results(world, tmp_path, undisturbed):
    for i in (1, 2, 3):
        run_batch(world, tmp_path / "shards", "--shard", f"{i}/3", "--workers", "1")
    assert results(tmp_path / "shards") == undisturbed
    run_batch(world, tmp_path / "four", "--workers", "4", "--split", "0.4")
    assert results(tmp_path / "four") == undisturbed
    assert not left_over(tmp_path / "shards") + left_over(tmp_path / "four")
    assert run_batch(world, tmp_path / "shards") == ""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("kib", [160, 400])
def test_a_full_disk_ends_the_batch_and_more_room_finishes_it(world, tmp_path, undisturbed, kib):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        assert "cannot write" in run_batch(world, disk / "out", "--workers", "2", code=1)
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        run_batch(world, disk / "out", "--workers", "2")
        assert results(disk / "out") == undisturbed
        assert not left_over(disk / "out")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_that_cannot_be_read_stops_no_other(world, tmp_path):
    shutil.copytree(world / "videos", tmp_path / "videos")
    whole = (world / "videos" / "v00.mp4").read_bytes()
    (tmp_path / "videos" / "v03.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "boxes.json").write_bytes((world / "boxes.json").read_bytes())
    (tmp_path / "dots.onnx").write_bytes((world / "dots.onnx").read_bytes())
    assert "v03.mp4: failed" in run_batch(tmp_path, tmp_path / "out", "--workers", "2", code=1)
    rows = read_manifest(tmp_path / "out")
    assert [row.state for name, row in sorted(rows.items()) if name != "v03.mp4"] == ["done"] * 5
    assert read_summary(tmp_path / "out" / "v02.mp4.dettrack")["complete"]
