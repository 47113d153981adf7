"""A batch on a local Ray cluster, one for all of these tests: same results, a lost actor is replaced."""

import os
import signal

import pytest
from batch_world import left_over, results, run_batch

from dettrack.config import TrackConfig
from dettrack.errors import UsageError
from dettrack.runs.batch.inputs import find_entries
from dettrack.runs.batch.manifest import Manifest, read_manifest
from dettrack.runs.batch.schedule import find_due
from dettrack.runs.batch.schedule import run_batch as run
from dettrack.runs.folder import RunOptions

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::Warning")]


@pytest.fixture(scope="module")
def cluster():
    """Room for two workers of half a CPU each, whatever the machine has."""
    ray.init(num_cpus=1, include_dashboard=False, configure_logging=False, log_to_driver=False)
    yield
    ray.shutdown()


def settings(world):
    return TrackConfig(
        detector=str(world / "boxes.json"),
        model=str(world / "dots.onnx"),
        flip=False,
        threads=1,
        min_track_score=0.0,
        min_joint_score=0.0,
    )


def track(world, out, engine_of, tick=lambda: None):
    entries, options = find_entries([str(world / "videos")], settings(world), out), RunOptions()
    with Manifest(out) as manifest:
        due, _ = find_due(entries, manifest.rows, out, options)
        if due:
            run(due, manifest, engine_of(manifest.folder), options, tick=tick)
    return [one.entry.name for one in due]


def test_actors_give_the_same_results_and_a_lost_one_is_replaced(world, tmp_path, cluster):
    from dettrack.runs.batch.actors import Actors
    from dettrack.runs.batch.manifest import read_running

    killed = []

    def kill_one():
        for one in read_running(tmp_path / "ray") if not killed else ():
            killed.append(one["video"])
            os.kill(one["pid"], signal.SIGKILL)

    track(world, tmp_path / "ray", lambda folder: Actors("local", folder, num_cpus=0.5), kill_one)
    run_batch(world, tmp_path / "processes", "--workers", "1")
    assert results(tmp_path / "ray") == results(tmp_path / "processes")
    assert not left_over(tmp_path / "ray")
    rows = read_manifest(tmp_path / "ray")
    assert {row.state for row in rows.values()} == {"done"}
    assert [rows[video].deaths for video in killed] == [1] * len(killed)
    assert track(world, tmp_path / "ray", lambda folder: None) == []


def test_a_worker_that_fits_nowhere_is_refused_instead_of_waited_for(tmp_path, cluster):
    from dettrack.runs.batch.actors import Actors

    with pytest.raises(UsageError, match="--num-gpus 1"):
        Actors("local", tmp_path, num_gpus=1.0)


def test_no_more_actors_than_there_is_room_for(tmp_path, cluster):
    from dettrack.runs.batch.actors import Actors

    engine = Actors("local", tmp_path, 50, num_cpus=0.25)
    assert engine.size == 4
    engine.close()
