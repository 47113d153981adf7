"""A result folder is the earlier result or the new one, whole, whatever happens in between."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import OutputError
from dettrack.runs.owner import OWNER
from dettrack.runs.result import SUMMARY, NewResult, is_complete, read_summary


def write_result(out, text, *, complete=True, whole=True):
    with NewResult(out) as result:
        (result.path / "tracks.jsonl").write_text(text)
        (result.path / SUMMARY).write_text(json.dumps({"complete": complete, "text": text}))
        return result.commit(whole=whole)


def content(out):
    return (out / "tracks.jsonl").read_text(), read_summary(out)["text"]


def test_the_earlier_result_stays_until_the_new_one_is_whole(tmp_path):
    out = tmp_path / "a.dettrack"
    write_result(out, "one")
    with NewResult(out) as result:
        (result.path / "tracks.jsonl").write_text("two")
        assert content(out) == ("one", "one")
        (result.path / SUMMARY).write_text(json.dumps({"complete": True, "text": "two"}))
        result.commit()
    assert content(out) == ("two", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dettrack"]


def test_a_block_that_fails_leaves_the_earlier_result_and_nothing_else(tmp_path):
    out = tmp_path / "a.dettrack"
    write_result(out, "one")
    with pytest.raises(MemoryError), NewResult(out) as result:  # noqa: PT012
        (result.path / "tracks.jsonl").write_text("two")
        raise MemoryError
    assert content(out) == ("one", "one")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dettrack"]


def test_a_new_result_holds_no_file_of_the_earlier_one(tmp_path):
    out = tmp_path / "a.dettrack"
    write_result(out, "one")
    (out / "openpose").mkdir()
    (out / "openpose" / "a_000000000000_keypoints.json").write_text("{}")
    (out / "render.mp4").write_text("old")
    write_result(out, "two")
    assert {path.name for path in out.iterdir()} == {"tracks.jsonl", SUMMARY}


def test_a_run_that_broke_off_does_not_replace_one_that_came_to_its_end(tmp_path):
    out = tmp_path / "a.dettrack"
    assert write_result(out, "first", complete=False, whole=False) == out
    assert write_result(out, "second", complete=False, whole=False) == out
    write_result(out, "whole")
    place = write_result(out, "third", complete=False, whole=False)
    assert place == tmp_path / "a.interrupted.dettrack"
    assert content(out) == ("whole", "whole")
    assert content(place) == ("third", "third")
    write_result(out, "fourth", complete=False, whole=False)
    assert content(place) == ("fourth", "fourth")


@pytest.mark.parametrize("name", ["thesis.tex", "openpose/thesis.tex", "trc/notes.txt"])
def test_folders_with_other_files_are_refused_and_left_alone(tmp_path, name):
    out = tmp_path / "a.dettrack"
    write_result(out, "one")
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("precious")
    with pytest.raises(OutputError, match=Path(name).name):
        NewResult(out)
    assert (out / name).read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["a.dettrack"]


def test_what_a_file_manager_leaves_is_harmless(tmp_path):
    out = tmp_path / "a.dettrack"
    write_result(out, "one")
    (out / ".DS_Store").write_bytes(b"x")
    write_result(out, "two")
    assert content(out) == ("two", "two")


def test_links_are_not_followed(tmp_path):
    out = tmp_path / "a.dettrack"
    write_result(out, "one")
    other = tmp_path / "other.txt"
    other.write_text("precious")
    (out / "tracks.csv.part").symlink_to(other)
    with pytest.raises(OutputError, match="no result of ours"):
        NewResult(out)
    assert other.read_text() == "precious"


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "a.dettrack").write_text("precious")
    with pytest.raises(OutputError, match="it is a file"):
        NewResult(tmp_path / "a.dettrack")
    assert (tmp_path / "a.dettrack").read_text() == "precious"


def test_two_runs_cannot_write_one_result(tmp_path):
    out = tmp_path / "a.dettrack"
    with NewResult(out), pytest.raises(OutputError, match=rf"process {os.getpid()} on this machine"):
        NewResult(out)
    write_result(out, "one")
    assert content(out) == ("one", "one")


def _hold(out, ready):
    NewResult(Path(out))
    ready.set()
    signal.pause()


@pytest.mark.skipif(sys.platform == "win32", reason="kills as on POSIX")
def test_the_lock_of_a_killed_run_is_stale(tmp_path):
    out, context = tmp_path / "a.dettrack", multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(str(out), ready))
    process.start()
    assert ready.wait(60)
    with pytest.raises(OutputError, match=f"process {process.pid}"):
        NewResult(out)
    process.kill()
    process.join()
    write_result(out, "one")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dettrack"]


def test_a_run_of_another_machine_counts_as_ended_after_an_idle_hour(tmp_path):
    out = tmp_path / "a.dettrack"
    part = tmp_path / "a.dettrack.part"
    part.mkdir()
    (part / "owner.json").write_text(json.dumps({"pid": 1, "host": "elsewhere.example", "started": None}))
    with pytest.raises(OutputError, match=r"elsewhere\.example"):
        NewResult(out)
    for path in (part / "owner.json", part):
        os.utime(path, (1e9, 1e9))
    write_result(out, "one")


@given(st.booleans(), st.booleans())
def test_a_run_killed_between_the_halves_of_an_exchange_loses_nothing(tmp_path_factory, moved, new_there):
    folder = tmp_path_factory.mktemp("exchange")
    out, old = folder / "a.dettrack", folder / "a.dettrack.old"
    write_result(out, "one")
    if moved:
        out.rename(old)
        if new_there:
            write_result(folder / "b.dettrack", "two")
            (folder / "b.dettrack").rename(out)
    with NewResult(out):
        expected = "two" if moved and new_there else "one"
        assert content(out) == (expected, expected)
    assert not old.exists()


_KILLED = """
import sys
from pathlib import Path
from test_result import write_result
print("ready", flush=True)
for i in range(100000):
    write_result(Path(sys.argv[1]), str(i) * 2000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills as on POSIX")
@pytest.mark.parametrize("seed", range(6))
def test_kills_at_any_moment_leave_a_whole_result(tmp_path, seed):
    """The moment is drawn from the number of results seen, not from a clock."""
    out = tmp_path / "a.dettrack"
    write_result(out, "start")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", _KILLED, str(out)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        seen, chance = 0, random.Random(seed)
        while seen < chance.randrange(1, 60):
            text, said = content(out) if out.exists() and (out / SUMMARY).exists() else ("", "")
            seen += text == said
        process.kill()
    assert is_complete(out)
    text, said = content(out)
    assert text == said
    write_result(out, "after")
    assert content(out) == ("after", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dettrack"]


def test_an_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        NewResult(tmp_path / "file" / "a.dettrack")


def test_the_summary_has_room_on_a_full_disk(tmp_path):
    with NewResult(tmp_path / "a.dettrack") as result:
        held = sum(path.stat().st_size for path in result.path.iterdir())
        assert held >= 64 << 10
        result.free_reserve()
        assert sum(path.stat().st_size for path in result.path.iterdir()) < 4 << 10
    assert not shutil.os.listdir(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_in_the_place_of_the_folder_under_way_is_removed_and_not_followed(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "kept").write_text("k")
    (tmp_path / "a.dettrack.part").symlink_to(tmp_path / "theirs")
    write_result(tmp_path / "a.dettrack", "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dettrack", "theirs"]
    assert (tmp_path / "theirs" / "kept").read_text() == "k"


@pytest.mark.parametrize("pid", ["1e999", "-1", "99999999999999999999999999", "null", '"x"'])
def test_an_owner_that_is_no_process_holds_nothing(tmp_path, pid):
    (tmp_path / "a.dettrack.part").mkdir()
    owner = f'{{"pid": {pid}, "host": {json.dumps(socket.gethostname())}, "started": "5"}}'
    (tmp_path / "a.dettrack.part" / OWNER).write_text(owner)
    write_result(tmp_path / "a.dettrack", "one")
    assert content(tmp_path / "a.dettrack") == ("one", "one")
