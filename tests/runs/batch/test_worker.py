"""A worker without memory halves its batch, says so, and then fails alone."""

import numpy as np
import pytest
from batch_world import results

from dettrack.config import TrackConfig
from dettrack.pipeline import Pipeline
from dettrack.runs.batch.tasks import Task
from dettrack.runs.batch.worker import Worker, out_of_memory
from dettrack.runs.options import RunOptions
from dettrack.runs.result import read_summary
from dettrack.video.isolated import Limits


class Hungry:
    """A pose model that finds no memory."""

    batch = 4

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def estimate(self, work):
        raise MemoryError("Unable to allocate 3.1 GiB")


@pytest.fixture
def config(world):
    return TrackConfig(
        detector=str(world / "boxes.json"), model=str(world / "dots.onnx"), flip=False, threads=1, min_track_score=0.0
    )


def task(world, out, config):
    folder = out / "batch.state"
    (folder / "running").mkdir(parents=True)
    return Task("v", str(world / "videos" / "v00.mp4"), out / "v.dettrack", folder, config, RunOptions())


def test_it_goes_on_with_half_the_batch(world, tmp_path, config, capsys):
    given = task(world, tmp_path / "a", config)
    with Worker("w", given.folder) as worker:
        worker._pipeline = Pipeline(config)
        worker._pipeline._estimator = Hungry(worker._pipeline.estimator)
        answer = worker.run(given)
    assert answer.state == "done"
    assert "a smaller batch" in answer.reason
    assert "half the batch" in capsys.readouterr().err
    plain = task(world, tmp_path / "b", config)
    with Worker("w", plain.folder) as worker:
        assert worker.run(plain).reason == ""
    assert results(tmp_path / "a") == results(tmp_path / "b")


def test_the_next_video_has_the_smaller_batch_too_whatever_its_settings(world, tmp_path, config):
    given = task(world, tmp_path, config)
    with Worker("w", given.folder) as worker:
        worker._pipeline = Pipeline(config)
        worker._pipeline._estimator = Hungry(worker._pipeline.estimator)
        worker.run(given)
        assert worker._pipeline.estimator.batch == Hungry.batch // 2
        other = worker._pipeline.with_config(config.with_settings(flip=True))
        assert other.estimator.batch == Hungry.batch // 2
        assert other.config == config.with_settings(flip=True)
        assert other.with_config(config.with_settings(batch=1)).estimator.batch == 1


def test_it_fails_alone_where_nothing_can_be_halved(world, tmp_path, config):
    given = task(world, tmp_path, config)
    with Worker("w", given.folder) as worker:
        worker._pipeline = Pipeline(config)
        worker._pipeline._estimator = Hungry(worker._pipeline.estimator)
        worker._pipeline._batch = 1
        answer = worker.run(given)
        assert answer.state == "failed"
        assert "out of memory" in answer.reason
        worker._pipeline = None
        assert worker.run(given).state == "done"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("std::bad_alloc"), True),
        (np.exceptions.AxisError("axis 3 is out of bounds"), False),
        (ValueError("no such joint"), False),
    ],
)
def test_how_lack_of_memory_is_told(error, expected):
    assert out_of_memory(error) is expected


def test_a_video_that_costs_its_decoder_too_much_fails_each_time_and_the_next_one_is_done(
    world, tmp_path, config, monkeypatch
):
    given = task(world, tmp_path, config)
    with Worker("w", given.folder) as worker:
        for _ in range(2):
            monkeypatch.setattr("dettrack.runs.batch.worker._LIMITS", Limits(memory_gib=0.001))
            answer = worker.run(given)
            assert answer.state == "failed"
            assert "decod" in answer.reason or "memory" in answer.reason
        assert not given.result.exists()
        monkeypatch.undo()
        assert worker.run(given).state == "done"


def test_what_was_decoded_before_a_limit_is_kept_as_an_incomplete_result(world, tmp_path, config, monkeypatch):
    monkeypatch.setattr("dettrack.runs.batch.worker._LIMITS", Limits(frames=10))
    given = task(world, tmp_path, config)
    with Worker("w", given.folder) as worker:
        answer = worker.run(given)
    assert (answer.state, answer.complete, answer.frames) == ("done", False, 10)
    assert "10 frames" in answer.reason
    assert read_summary(given.result)["complete"] is False
