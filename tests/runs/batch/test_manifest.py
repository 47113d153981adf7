"""The manifest survives whatever ends a run, and one run at a time writes it."""

import json
import multiprocessing
import os
import socket

import pytest

from dettrack.errors import OutputError
from dettrack.runs.batch.manifest import FOLDER, Manifest, read_manifest


def test_what_is_noted_is_read(tmp_path):
    with Manifest(tmp_path) as manifest:
        manifest.note("a/b.mp4", state="running", attempts=1)
        manifest.note("a/b.mp4", state="done", frames=7)
        manifest.note("c.mp4", state="pending")
    rows = read_manifest(tmp_path)
    assert (rows["a/b.mp4"].state, rows["a/b.mp4"].attempts, rows["a/b.mp4"].frames) == ("done", 1, 7)
    assert set(rows) == {"a/b.mp4", "c.mp4"}
    with Manifest(tmp_path) as manifest:
        assert manifest.rows == rows


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_that_was_cut_off_is_left_out_and_the_next_one_is_read(tmp_path, cut):
    with Manifest(tmp_path) as manifest:
        manifest.note("a.mp4", state="done")
        manifest.note("b.mp4", state="done")
    log = tmp_path / FOLDER / "log" / "all.jsonl"
    log.write_bytes(log.read_bytes()[:-cut])
    with Manifest(tmp_path) as manifest:
        assert set(manifest.rows) == ({"a.mp4", "b.mp4"} if cut == 1 else {"a.mp4"})
        manifest.note("c.mp4", state="done")
    assert {"a.mp4", "c.mp4"} <= set(read_manifest(tmp_path))
    assert len(log.read_bytes().splitlines()) == 3


def test_two_runs_cannot_share_a_folder(tmp_path):
    with Manifest(tmp_path):
        for writer in ("all", "1-of-3"):
            with pytest.raises(OutputError, match="is writing"):
                Manifest(tmp_path, writer)
    with Manifest(tmp_path, "1-of-3"), Manifest(tmp_path, "2-of-3") as second:
        with pytest.raises(OutputError, match="is writing"):
            Manifest(tmp_path)
        second.note("a.mp4", state="done")
    with Manifest(tmp_path) as manifest:
        assert set(manifest.rows) == {"a.mp4"}


def _hold(out):

    Manifest(out)
    os._exit(0)


def test_the_lock_of_a_run_that_was_killed_is_known_as_such(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path,))
    process.start()
    process.join()
    assert (tmp_path / FOLDER / "lock-all").is_dir()
    with Manifest(tmp_path) as manifest:
        manifest.note("a.mp4", state="done")
    assert not list((tmp_path / FOLDER).glob("lock-*"))


def test_logs_of_shards_are_put_in_order_of_time(tmp_path):
    log = tmp_path / FOLDER / "log"
    log.mkdir(parents=True)
    for writer, t, state in (("2-of-2", 5.0, "done"), ("1-of-2", 3.0, "failed")):
        (log / f"{writer}.jsonl").write_text(json.dumps({"t": t, "video": "a", "state": state}) + "\n")
    assert read_manifest(tmp_path)["a"].state == "done"


def test_what_dead_workers_showed_is_removed_and_what_living_ones_show_stays(tmp_path):
    running = tmp_path / FOLDER / "running"
    running.mkdir(parents=True)
    process = multiprocessing.get_context("spawn").Process(target=str)
    process.start()
    process.join()
    shown = {"worker": "w", "video": "a", "frame": 3, "of": None, "host": socket.gethostname()}
    for name, pid, host in (("dead", process.pid, {}), ("living", os.getpid(), {}), ("far", 1, {"host": "far away"})):
        (running / f"{name}.json").write_text(json.dumps({**shown, "pid": pid, **host}))
    (running / "torn.json").write_text('{"work')
    Manifest(tmp_path).close()
    assert {path.stem for path in running.iterdir()} == {"living", "far", "torn"}
    for path in running.iterdir():
        os.utime(path, (0, 0))
    Manifest(tmp_path).close()
    assert not list(running.iterdir())
