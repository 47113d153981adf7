"""Whole batches of processes, killed, interrupted or on a full disk: the same command again gives an undisturbed run's
results, does nothing twice that was done, and leaves nothing over."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from batch_world import batch, left_over, results, run_batch

from dettrack.runs.batch.manifest import read_manifest
from dettrack.runs.result import read_summary

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="kills and mounts as on Linux")]


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    run_batch(world, out, "--workers", "1")
    return results(out)


def made_when(out):
    """When each finished result was made: one that is made again has another time."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*.dettrack/summary.json")}


def family(pid):
    """All processes that a process has started, and those that they have."""
    tasks = f"/proc/{pid}/task/{pid}/children"
    try:
        children = [int(one) for one in open(tasks).read().split()]  # noqa: SIM115, PTH123
    except OSError:
        return []
    return [*children, *(each for child in children for each in family(child))]


def disturb(world, out, chance, whom, number):
    """Run the command and send signals at moments that are drawn from how much is done, or time that is spent."""
    with subprocess.Popen(batch(world, out, "--workers", "2"), stderr=subprocess.PIPE) as process:
        for _ in range(5 if whom == "worker" else 1):
            goal, patience = chance.randrange(7), chance.uniform(0.5, 8.0)
            until = time.monotonic() + patience
            while process.poll() is None and (len(made_when(out)) < goal or time.monotonic() < until):
                time.sleep(0.05)
            mine = family(process.pid)
            if process.poll() is not None or (whom == "worker" and not mine):
                continue
            os.kill(process.pid if whom == "parent" else chance.choice(mine), number)
        errors = process.stderr.read().decode()
    assert "Traceback" not in errors.replace("resource_tracker", ""), errors
    return mine


def nobody_is_left(pids):
    for _ in range(200):
        if not any(os.path.exists(f"/proc/{pid}") and "Z" not in status(pid) for pid in pids):  # noqa: PTH110
            return True
        time.sleep(0.05)
    return False


def status(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]  # noqa: PTH123
    except OSError:
        return "Z"


@pytest.mark.parametrize("seed", range(int(os.environ.get("DETTRACK_KILLS", "4"))))
@pytest.mark.parametrize(
    ("whom", "how"), [("parent", "KILL"), ("parent", "TERM"), ("parent", "HUP"), ("worker", "KILL")]
)
def test_a_killed_batch_goes_on_to_the_same_results(world, tmp_path, undisturbed, whom, how, seed):
    out = tmp_path / "out"
    pids = disturb(world, out, random.Random(f"{whom} {how} {seed}"), whom, getattr(signal, f"SIG{how}"))
    assert nobody_is_left(pids)
    done = made_when(out)
    assert results(out).items() <= undisturbed.items()
    run_batch(world, out, "--workers", "2", "--retry", "all")
    assert results(out) == undisturbed
    assert made_when(out).items() >= done.items()
    assert not left_over(out)
    assert run_batch(world, out) == ""


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
    command = batch(world, tmp_path / "out", "--workers", "2")
    command[4] = str(tmp_path / "videos")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "v03.mp4: failed" in done.stderr
    rows = read_manifest(tmp_path / "out")
    assert [row.state for name, row in sorted(rows.items()) if name != "v03.mp4"] == ["done"] * 5
    assert read_summary(tmp_path / "out" / "v02.mp4.dettrack")["complete"]
