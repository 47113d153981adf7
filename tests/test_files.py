"""Files are whole or absent, whatever interrupts the writing."""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError, OutputError, UsageError
from dettrack.files import (
    NewFile,
    base_name,
    file_sha256,
    load_arrays,
    load_json,
    output_error,
    parsing,
    path_inside,
    write_bytes,
    write_json,
    write_text,
)


@pytest.fixture
def old(tmp_path):
    """A file of an earlier run, in a folder with nothing else."""
    path = tmp_path / "result.txt"
    path.write_text("earlier")
    return path


def alone(path):
    return list(path.parent.iterdir()) == [path]


def test_the_name_appears_with_the_whole_content(old):
    with NewFile(old) as new:
        new.part.write_text("half")
        assert (old.read_text(), new.part.parent) == ("earlier", old.parent)
    assert old.read_text() == "half"
    assert alone(old)


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), InputError("not that file")])
def test_a_block_that_fails_leaves_the_earlier_file_and_its_own_error(old, error):
    def fail():
        with NewFile(old) as new:
            new.part.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert old.read_text() == "earlier"
    assert alone(old)


def test_a_full_disk_is_one_line_and_leaves_the_earlier_file(old):
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError) as caught:
            write_bytes(old, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == f"cannot write {old}: File too large; free some space or write to another place"
    assert old.read_text() == "earlier"
    assert alone(old)


def test_a_name_that_is_taken_by_a_folder_is_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "taken", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=f"cannot write {path}: "):
            write_text(path, "content")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "taken"]


def test_a_killed_process_leaves_the_earlier_file(old):
    code = (
        "import os, signal, sys; from dettrack.files import NewFile\n"
        "with NewFile(sys.argv[1]) as new:\n"
        "    new.part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, old], check=False).returncode == -9
    assert old.read_text() == "earlier"
    write_text(old, "next run")
    assert old.read_text() == "next run"
    assert alone(old)


def test_a_folder_is_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "é")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é".encode()


@pytest.mark.parametrize("indent", [None, 2])
def test_json_comes_back(tmp_path, indent):
    content = {"a": [1, 2.5, None], "ü": {"b": True}}
    write_json(tmp_path / "a.json", content, indent)
    assert json.loads((tmp_path / "a.json").read_text()) == content
    write_json(tmp_path / "b.json", content)
    with pytest.raises(TypeError):
        write_json(tmp_path / "b.json", {"not": np.zeros(2)})
    assert json.loads((tmp_path / "b.json").read_text()) == content


def test_an_error_is_one_line_whatever_it_says():
    assert "\n" not in str(output_error("a", RuntimeError("first\nsecond")))
    assert str(output_error("a", RuntimeError())).startswith("cannot write a: RuntimeError;")


@given(st.binary(max_size=50), st.sampled_from([1, 40_000]))
def test_the_hash_is_that_of_the_whole_content(tmp_path_factory, content, times):
    path = tmp_path_factory.mktemp("hash") / "a"
    path.write_bytes(content * times)  # up to more than the block that is read at once
    assert file_sha256(path) == hashlib.sha256(content * times).hexdigest()


def test_a_file_that_cannot_be_hashed_is_one_line(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=f"cannot read {path}: "):
            file_sha256(path)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("id"), "no 'id'"),
        (ValueError("first\nsecond"), "first"),
        (ValueError(), "ValueError"),
        (OverflowError("too large"), "too large"),
        (RecursionError("too deep"), "too deep"),
        (UsageError("--step is 0"), "--step is 0"),
        (InputError("unknown joint set"), "unknown joint set"),
    ],
)
def test_what_fails_on_the_content_names_the_file_and_what_was_expected(error, said):
    with pytest.raises(InputError) as caught, parsing("a.json, image 3", "an image"):
        raise error
    assert str(caught.value) == f"a.json, image 3: {said}; expected an image"


def test_errors_that_name_the_file_and_those_of_other_kinds_pass_unchanged():
    for error in (InputError("a.json, image 3: no id"), OutputError("cannot write b"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, parsing("a.json: line 3", "an image"):
            raise error
        assert caught.value is error


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_is_read_with_and_without_a_byte_order_mark(tmp_path, encoding):
    (tmp_path / "a.json").write_text('{"ü": [1]}', encoding=encoding)
    assert load_json(tmp_path / "a.json") == {"ü": [1]}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"1" * 5000, b"\x80"])
def test_what_is_no_json_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: not JSON \(") as caught:
        load_json(tmp_path / "a.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=f"cannot read {tmp_path}"):
        load_json(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "/etc/x", "a\x00b", "x" * 300, None, 5])
def test_a_name_from_a_file_names_no_other_place(name):
    with pytest.raises(InputError, match="cannot be that of a file"):
        base_name(name, "tracklets.parquet")
    assert base_name("match 1.mp4", "x") == "match 1.mp4"


@pytest.mark.parametrize("name", ["../a.jpg", "a/../../b.jpg", "/etc/x", "C:\\x", "\\\\host\\x", "a\\..\\..\\b"])
def test_a_path_from_a_file_stays_in_its_folder(name, tmp_path):
    with pytest.raises(InputError, match="leaves the folder"):
        path_inside(tmp_path, name, "a.json")
    assert path_inside(tmp_path, "images/val/1.jpg", "a.json") == tmp_path / "images" / "val" / "1.jpg"


def test_arrays_that_unpack_to_far_more_than_the_file_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(50_000_000, np.uint8))
    with pytest.raises(InputError, match="unpack to"):
        load_arrays(tmp_path / "bomb.npz")
    np.savez(tmp_path / "good.npz", a=np.arange(3))
    assert load_arrays(tmp_path / "good.npz")["a"].tolist() == [0, 1, 2]
