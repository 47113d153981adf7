"""A batch does what is due, once, and says why the rest is not done."""

from collections import deque
from dataclasses import replace

import pytest
from batch_world import results

from dettrack.config import CutConfig, DetectConfig, EstimateConfig, FinishConfig, TrackConfig
from dettrack.errors import OutputError
from dettrack.runs.batch.inputs import find_entries
from dettrack.runs.batch.manifest import Manifest, read_manifest
from dettrack.runs.batch.schedule import find_due, run_batch
from dettrack.runs.batch.status import read_status, status_lines, write_page
from dettrack.runs.batch.tasks import Death
from dettrack.runs.batch.worker import Worker
from dettrack.runs.options import RunOptions

OPTIONS = RunOptions(("jsonl",))


class InTurn:
    """An engine without processes: one real worker, in the caller's thread. `dies` names videos that end it."""

    def __init__(self, folder, dies=(), on_task=lambda task: None):
        self.size, self.done = 3, []
        self._worker, self._tasks = Worker("in-turn", folder), deque()
        self._dies, self._on_task = dies, on_task

    def start(self, task):
        self._tasks.append(task)
        return "in-turn"

    def wait(self, timeout_s):
        task = self._tasks.popleft()
        self._on_task(task)
        self.done.append(task.video)
        return [(task, Death("signal 11 (SIGSEGV)", 812) if task.video in self._dies else self._worker.run(task))]

    def close(self):
        self._worker.close()


@pytest.fixture
def config(world):
    return TrackConfig(
        detect=DetectConfig(detector=str(world / "boxes.json")),
        estimate=EstimateConfig(model=str(world / "dots.onnx"), flip=False, threads=1),
        finish=FinishConfig(min_track_score=0.0, min_joint_score=0.0),
    )


def run(world, out, config, retry="", inputs=None, split_s=0.0, **engine):
    """One call of `dettrack batch`: what it did, in order."""
    entries = find_entries([str(one) for one in inputs or [world / "videos"]], config, out)
    with Manifest(out) as manifest:
        due, _ = find_due(entries, manifest.rows, out, OPTIONS, retry)
        worker = InTurn(manifest.folder, **engine)
        run_batch(due, manifest, worker, OPTIONS, split_s)
    return worker.done


def test_a_rate_is_for_images_and_a_bound_on_pixels_for_all(world, tmp_path, config):
    inputs = [str(world / "png0"), str(world / "videos" / "v00.mp4")]
    entries = find_entries(inputs, config, tmp_path)
    options = replace(OPTIONS, fps=5.0, max_pixels=10_000)
    with Manifest(tmp_path) as manifest:
        due, _ = find_due(entries, manifest.rows, tmp_path, options)
        run_batch(due, manifest, InTurn(manifest.folder), options)
        assert all("more than the 10000 pixels" in row.reason for row in manifest.rows.values())
        options = replace(options, max_pixels=100_000)
        due, _ = find_due(entries, manifest.rows, tmp_path, options, "failed")
        run_batch(due, manifest, InTurn(manifest.folder), options)
        assert {row.video: row.video_s for row in manifest.rows.values()} == {"png0": 5.0, "v00.mp4": 1.0}
        assert find_due(entries, manifest.rows, tmp_path, options)[0] == []


def test_a_second_call_does_nothing_and_a_third_what_changed(world, tmp_path, config):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("v00.mp4", "v01.mp4"):
        (videos / name).write_bytes((world / "videos" / name).read_bytes())
    out = tmp_path / "out"
    assert run(world, out, config, inputs=[videos]) == ["v00.mp4", "v01.mp4"]
    before = results(out)
    assert run(world, out, config, inputs=[videos]) == []
    (videos / "v01.mp4").write_bytes((world / "videos" / "v02.mp4").read_bytes())
    assert run(world, out, config, inputs=[videos]) == ["v01.mp4"]
    after = results(out)
    assert after["v00.mp4.dettrack/tracks.jsonl"] == before["v00.mp4.dettrack/tracks.jsonl"]
    assert after["v01.mp4.dettrack/tracks.jsonl"] != before["v01.mp4.dettrack/tracks.jsonl"]
    other = replace(config, cut=CutConfig(step=4))
    assert run(world, out, other, inputs=[videos]) == ["v00.mp4", "v01.mp4"]


def test_a_result_whose_run_was_killed_before_it_could_say_so_is_not_made_again(world, tmp_path, config):
    video = world / "videos" / "v00.mp4"
    run(world, tmp_path, config, inputs=[video])
    summary = tmp_path / "v00.mp4.dettrack" / "summary.json"
    made = summary.read_bytes()
    for log in (tmp_path / "batch.state" / "log").iterdir():
        log.unlink()
    assert run(world, tmp_path, config, inputs=[video]) == ["v00.mp4"]
    assert summary.read_bytes() == made
    assert read_manifest(tmp_path)["v00.mp4"].frames == 25


def test_what_cannot_be_read_has_failed_and_is_tried_again_when_asked(world, tmp_path, config):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    good = world / "videos" / "v00.mp4"
    assert run(world, tmp_path / "out", config, inputs=[broken, good]) == ["broken.mp4", "v00.mp4"]
    row = read_manifest(tmp_path / "out")["broken.mp4"]
    assert row.state == "failed"
    assert "not a video" in row.reason
    assert run(world, tmp_path / "out", config, inputs=[broken, good]) == []
    assert run(world, tmp_path / "out", config, "failed", inputs=[broken, good]) == ["broken.mp4"]
    assert run(world, tmp_path / "out", config, "poison", inputs=[broken, good]) == []


def test_a_video_that_kills_its_worker_twice_is_poison(world, tmp_path, config):
    videos = [world / "videos" / name for name in ("v00.mp4", "v01.mp4")]
    assert run(world, tmp_path, config, inputs=videos, dies={"v00.mp4"}).count("v00.mp4") == 2
    row = read_manifest(tmp_path)["v00.mp4"]
    assert row.state == "poison"
    assert "signal 11 (SIGSEGV)" in row.reason
    assert "frame 812" in row.reason
    assert read_manifest(tmp_path)["v01.mp4"].state == "done"
    assert run(world, tmp_path, config, inputs=videos) == []
    assert run(world, tmp_path, config, "poison", inputs=videos) == ["v00.mp4"]
    assert read_manifest(tmp_path)["v00.mp4"].state == "done"


def test_an_interrupted_run_goes_on_where_it_was(world, tmp_path, config):
    def interrupt(task):
        if task.video == "v01.mp4":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(world, tmp_path, config, on_task=interrupt)
    rows = read_manifest(tmp_path)
    assert [rows[f"v{i:02d}.mp4"].state for i in range(6)] == ["done", *["pending"] * 5]
    assert run(world, tmp_path, config) == [f"v{i:02d}.mp4" for i in range(1, 6)]


def test_results_that_cannot_be_written_end_the_batch_and_count_for_no_video(world, tmp_path, config):
    for i in range(6):
        (tmp_path / f"v{i:02d}.mp4.dettrack").mkdir()
        (tmp_path / f"v{i:02d}.mp4.dettrack" / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match="3 results in a row"):
        run(world, tmp_path, config)
    assert {row.state for row in read_manifest(tmp_path).values()} == {"pending"}


def test_status_says_what_is_done_and_why_not(world, tmp_path, config):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    run(world, tmp_path / "out", config, inputs=[world / "videos" / "v00.mp4", broken])
    status = read_status(tmp_path / "out")
    lines = status_lines(status)
    assert lines[0] == "1 of 2 done, 1 failed"
    assert any("1 x not a video" in line for line in lines)
    page = write_page(tmp_path / "out", status).read_text()
    assert "1 of 2 done" in page
    assert "broken.mp4" in page
    assert "http-equiv" not in page  # nothing runs: the page is not loaded again


def test_a_worker_keeps_the_models_that_other_settings_do_not_concern(world, tmp_path, config):
    table = tmp_path / "t.csv"
    table.write_text(f"video,min_track_frames\n{world}/videos/v00.mp4,5\n{world}/videos/v01.mp4,7\n")
    loaded = []

    class Watching(Worker):
        def run(self, task):
            answer = super().run(task)
            loaded.append(self._pipeline.estimator)
            return answer

    entries = find_entries([str(table)], config, tmp_path)
    with Manifest(tmp_path) as manifest:
        due, _ = find_due(entries, manifest.rows, tmp_path, OPTIONS)
        engine = InTurn(manifest.folder)
        engine.close()
        engine._worker = Watching("watching", manifest.folder)
        run_batch(due, manifest, engine, OPTIONS)
    assert len(loaded) == 2
    assert loaded[0] is loaded[1]


def test_a_long_video_is_divided_among_idle_workers_and_comes_out_the_same(world, tmp_path, config):
    """The video is asked for, comes back as too long, is searched in three parts, and then made."""
    video = [world / "videos" / "v01.mp4"]
    run(world, tmp_path / "whole", config, inputs=video)
    spans = []
    run(world, tmp_path / "split", config, inputs=video, split_s=0.5, on_task=lambda task: spans.append(task.span))
    assert [span and (span.first, span.stop) for span in spans] == [None, (0, 8), (8, 16), (16, None), None]
    assert results(tmp_path / "split") == results(tmp_path / "whole")
    assert not list((tmp_path / "split" / "batch.state" / "spans").iterdir())
    everything = []
    run(world, tmp_path / "many", config, split_s=0.5, on_task=lambda task: everything.append(task))
    assert sum(task.span is not None for task in everything) < 6  # only the last ones, when workers are idle
    assert results(tmp_path / "many").items() >= results(tmp_path / "whole").items()
