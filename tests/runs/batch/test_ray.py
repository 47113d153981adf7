"""A batch on a local Ray cluster, one for all of these tests: same results, whatever is killed and when."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress

import pytest
from batch_world import batch, left_over, results, run_batch

from dettrack.config import TrackConfig
from dettrack.errors import UsageError
from dettrack.runs.batch.inputs import find_entries
from dettrack.runs.batch.manifest import Manifest, read_manifest
from dettrack.runs.batch.schedule import find_due
from dettrack.runs.batch.schedule import run_batch as run
from dettrack.runs.options import RunOptions

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::Warning")]


@pytest.fixture(scope="module")
def cluster():
    """Room for two workers of half a CPU each, whatever the machine has; its address."""
    context = ray.init(num_cpus=1, include_dashboard=False, configure_logging=False, log_to_driver=False)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    run_batch(world, out, "--workers", "1")
    return results(out)


def settings(world):
    return TrackConfig(
        detector=str(world / "boxes.json"),
        model=str(world / "dots.onnx"),
        flip=False,
        threads=1,
        min_track_score=0.0,
        min_joint_score=0.0,
    )


def track(world, out, engine_of, tick=lambda: None, retry=""):
    entries, options = find_entries([str(world / "videos")], settings(world), out), RunOptions(save_tracklets=False)
    with Manifest(out) as manifest:
        due, _ = find_due(entries, manifest.rows, out, options, retry)
        if due:
            run(due, manifest, engine_of(manifest.folder), options, tick=tick)
    return [one.entry.name for one in due]


def made_when(out):
    """When each finished result was made: one that is made again has another time."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*.dettrack/summary.json")}


def test_sixteen_killed_actors_are_replaced_and_nothing_is_done_twice(world, tmp_path, cluster, undisturbed):
    from dettrack.runs.batch.actors import Actors
    from dettrack.runs.batch.manifest import read_running

    chance, sent = random.Random("actors"), 0
    for folder in map(str, range(16)):
        out, killed, done = tmp_path / folder, [], {}

        def kill_one(out=out, killed=killed, done=done):
            assert made_when(out).items() >= done.items()
            done.update(made_when(out))
            time.sleep(chance.uniform(0.0, 0.3))
            running = [one for one in read_running(out) if one["video"] not in killed]
            if running and chance.random() < 0.9:
                one = chance.choice(running)
                with suppress(ProcessLookupError):
                    os.kill(one["pid"], signal.SIGKILL)
                    killed.append(one["video"])

        track(world, out, lambda folder: Actors("local", folder, num_cpus=0.5), kill_one)
        # A worker that went on to its next video just before it was killed: that one may have lost two.
        track(world, out, lambda folder: Actors("local", folder, num_cpus=0.5), retry="poison")
        assert results(out) == undisturbed
        assert made_when(out).items() >= done.items()
        assert not left_over(out)
        assert {row.state for row in read_manifest(out).values()} == {"done"}
        assert track(world, out, lambda folder: None) == []
        sent += len(killed)
        if sent >= 16:
            break
    assert sent >= 16


def test_a_killed_run_goes_on_with_other_actors(world, tmp_path, cluster, undisturbed):
    """The parent four times; its actors end a little after it."""
    chance, out, done = random.Random("parent"), tmp_path / "out", {}
    command = batch(world, out, "--ray", cluster, "--num-cpus", "0.5")
    for kill in range(4):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and len(made_when(out)) <= len(done) and not list(out.glob("*.part")):
                time.sleep(0.02)
            time.sleep(chance.uniform(0.0, 0.5))
            process.kill()
            said = process.stderr.read()
        assert "Traceback" not in said, said
        assert results(out).items() <= undisturbed.items(), kill
        assert made_when(out).items() >= done.items()
        done = made_when(out)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert results(out) == undisturbed
    assert made_when(out).items() >= done.items()
    assert not left_over(out)


def test_a_worker_that_fits_nowhere_is_refused_instead_of_waited_for(tmp_path, cluster):
    from dettrack.runs.batch.actors import Actors

    with pytest.raises(UsageError, match="--num-gpus 1"):
        Actors("local", tmp_path, num_gpus=1.0)


def test_no_more_actors_than_there_is_room_for(tmp_path, cluster):
    from dettrack.runs.batch.actors import Actors

    engine = Actors("local", tmp_path, 50, num_cpus=0.25)
    assert engine.size == 4
    engine.close()
