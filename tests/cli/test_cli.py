"""The command line as a whole: usage, exit codes, and one line for whatever a user gets wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dettrack
from dettrack import cli
from dettrack.cli import COMMANDS, main
from dettrack.errors import DettrackError, InputError, MissingExtraError, OutputError, UsageError


def test_without_a_command_the_usage_is_shown(capsys):
    assert main([]) == 2
    usage = capsys.readouterr().out
    for words in (["--help"], ["-h"], ["help"]):
        assert main(words) == 0
        assert capsys.readouterr().out == usage
    for command, (_, about) in COMMANDS.items():
        assert f"  {command} " in usage
        assert about in usage


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dettrack {dettrack.__version__}\n"


def test_an_unknown_command_names_the_known_ones(capsys):
    assert main(["trak"]) == 2
    error = capsys.readouterr().err
    assert "'trak'" in error
    assert "track" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_a_module_with_an_entry_point(command):
    module, about = COMMANDS[command]
    assert module == f"dettrack.cli.{command}"
    assert (Path(cli.__file__).parent / f"{command}.py").is_file()
    assert about
    assert not about.endswith(".")


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (InputError("a.mp4: not a video"), 1, "dettrack demo: a.mp4: not a video\n"),
        (OutputError("disk full"), 1, "dettrack demo: disk full\n"),
        (UsageError("--step is 0"), 2, "dettrack demo: --step is 0\n"),
        (MissingExtraError("x.xml", "openvino"), 1, "pip install 'dettrack[openvino]'\n"),
        (KeyboardInterrupt(), 130, "dettrack demo: interrupted\n"),
    ],
)
def test_how_a_command_ends_is_told_in_a_line_and_an_exit_code(monkeypatch, capsys, raised, code, line):
    def run(args):
        raise raised

    monkeypatch.setattr("dettrack.cli.demo.run", run)
    assert main(["demo"]) == code
    assert capsys.readouterr().err.endswith(line)


def test_a_fault_of_ours_is_not_hidden(monkeypatch):
    def run(args):
        raise RuntimeError("a bug")

    monkeypatch.setattr("dettrack.cli.demo.run", run)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["demo"])


def test_errors_are_of_the_kinds_that_python_code_expects():
    assert issubclass(InputError, ValueError)
    assert issubclass(UsageError, ValueError)
    assert issubclass(OutputError, OSError)
    assert issubclass(MissingExtraError, ImportError)
    for kind in (InputError, UsageError, OutputError, MissingExtraError):
        assert issubclass(kind, DettrackError)
    assert [kind.exit_code for kind in (DettrackError, InputError, OutputError, UsageError)] == [1, 1, 1, 2]


BAD = {
    # what a user may type -> exit code and words of the one line
    "track": [
        (["none.mp4"], 1, ["none.mp4"]),
        ([], 2, ["track"]),
        (["text.mp4"], 1, ["text.mp4"]),
        (["folder"], 1, ["folder"]),
        (["text.mp4", "--step", "0"], 2, ["--step", "0"]),
        (["text.mp4", "--step", "9"], 2, ["--step", "9"]),
        (["text.mp4", "--clip-length", "4"], 2, ["--clip-length", "odd"]),
        (["text.mp4", "--formats", "jsonl,xml"], 2, ["xml", "parquet"]),
        (["text.mp4", "--formats", ""], 2, ["formats"]),
        (["text.mp4", "--detector", "none.onnx"], 1, ["none.onnx"]),
        (["text.mp4", "--model", "none.onnx"], 1, ["none.onnx"]),
        (["text.mp4", "--device", "gpu"], 2, ["--device", "cuda"]),
        (["text.mp4", "--config", "none.toml"], 1, ["none.toml"]),
        (["text.mp4", "--config", "text.toml"], 1, ["text.toml"]),
        (["text.mp4", "--config", "section.toml"], 2, ["[paste]", "sew"]),
        (["text.mp4", "--config", "key.toml"], 2, ["clip_lenght", "clip_length"]),
        (["text.mp4", "--config", "value.toml"], 2, ["step"]),
        (["text.mp4", "--min-joint-score", "1.5"], 2, ["--min-joint-score", "1.5"]),
        (["text.mp4", "--joint-thresholds", "none.toml"], 1, ["none.toml"]),
        (["--posetrack", "none", "--images", "folder", "--out", "out"], 1, ["none"]),
    ],
    "batch": [
        (["text.mp4"], 2, ["--out"]),
        (["none.mp4", "--out", "out"], 1, ["none.mp4"]),
        (["text.mp4", "--out", "out", "--workers", "-1"], 2, ["--workers", "-1"]),
        (["text.mp4", "--out", "out", "--worker-memory", "nan"], 2, ["--worker-memory", "nan"]),
        (["text.mp4", "--out", "out", "--split", "-5"], 2, ["--split", "-5"]),
        (["text.mp4", "--out", "out", "--shard", "0/3"], 2, ["--shard", "0/3"]),
        (["text.mp4", "--out", "out", "--fps", "0"], 2, ["--fps", "0"]),
        (["text.mp4", "--out", "out", "--max-pixels", "0"], 2, ["--max-pixels", "0"]),
        (["text.mp4", "--out", "out", "--start", "2", "--end", "1"], 2, ["--end", "--start"]),
        (["text.mp4", "--out", "out", "--num-cpus", "0"], 2, ["--num-cpus"]),
        (["status", "none"], 1, ["none"]),
    ],
    "associate": [
        (["none"], 1, ["none"]),
        (["folder"], 1, ["tracklets.parquet"]),
        (["text.mp4"], 1, ["text.mp4"]),
    ],
    "evaluate": [
        (["--gt", "none", "--pred", "folder"], 1, ["none"]),
        (["--gt", "folder", "--pred", "folder"], 1, ["folder"]),
        (["--gt", "text.json", "--pred", "text.json"], 1, ["text.json"]),
    ],
    "picture": [
        (["none.mp4", "folder", "--out", "a.png"], 1, ["folder"]),
        (["text.mp4", "folder", "--out", "a.png", "--frames", "-1"], 2, ["--frames"]),
    ],
    "synth": [
        (["out", "--size", "big"], 2, ["--size", "big"]),
        (["out", "--motions", "none"], 1, ["none"]),
        (["out", "--backgrounds", "none"], 1, ["none"]),
    ],
    "train": [
        (["none.toml"], 1, ["none.toml"]),
        (["text.toml"], 1, ["text.toml"]),
        (["empty.toml"], 2, ["empty.toml"]),
    ],
    "weights": [
        (["info", "nothing"], 1, ["nothing"]),
        (["info"], 2, ["needs a name"]),
        (["import", "none.onnx"], 1, ["none.onnx"]),
        (["fetch", "nothing"], 2, ["--sha256"]),
        (["fetch", "nothing", "--mirror", "folder"], 1, ["nothing"]),
        (["verify", "nothing"], 1, ["nothing"]),
    ],
    "export": [
        (["none.safetensors"], 1, ["none.safetensors"]),
        (["text.safetensors"], 1, ["text.safetensors"]),
        (["default", "--clip-length", "4"], 2, ["odd"]),
    ],
    "ablate": [
        (["none.toml"], 1, ["none.toml"]),
        (["text.toml"], 1, ["text.toml"]),
    ],
    "data": [
        (["check", "none=none"], 1, ["none"]),
        (["score", "none.safetensors", "none.npz"], 1, ["none"]),
    ],
    "bench": [
        (["--only", "everything"], 2, ["everything"]),
        (["--rounds", "0"], 2, ["--rounds"]),
        (["none.mp4", "--only", "stages"], 1, ["none.mp4"]),
    ],
}


CASES = [(command, *case) for command, cases in BAD.items() for case in cases]
UNKNOWN = [(command, ["--no-such-option-anywhere"]) for command in sorted(COMMANDS)]

_RUN = """
import contextlib, io, json, sys
from dettrack.cli import main
answers = []
for words in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as error:
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
        except BaseException as fault:
            code = repr(fault)
    answers.append([code, error.getvalue()])
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Exit code and stderr of every case, in one process, in a folder of files that are not what they are taken for."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "folder").mkdir()
    for name in ("text.mp4", "text.toml", "text.json", "text.safetensors"):
        (folder / name).write_text("this is [ only text")
    (folder / "empty.toml").write_text("")
    (folder / "section.toml").write_text("[paste]\nstep = 1\n")
    (folder / "key.toml").write_text("[cut]\nclip_lenght = 9\n")
    (folder / "value.toml").write_text('[cut]\nstep = "two"\n')
    words = [[command, *given] for command, given, *_ in [*CASES, *UNKNOWN]]
    done = subprocess.run(
        [sys.executable, "-c", _RUN], cwd=folder, input=json.dumps(words), capture_output=True, text=True, check=True
    )
    assert not [path for path in folder.rglob("*.dettrack") if any(path.iterdir())], "nothing is left behind"
    return {" ".join(given): answer for given, answer in zip(words, json.loads(done.stdout), strict=True)}


@pytest.mark.parametrize(("command", "words", "code", "expected"), CASES, ids=[" ".join([c[0], *c[1]]) for c in CASES])
def test_what_a_user_gets_wrong_is_told_in_one_line(answers, command, words, code, expected):
    got, error = answers[" ".join([command, *words])]
    assert got == code, error
    lines = [line for line in error.splitlines() if line]
    assert lines, "said nothing"
    assert lines[-1].startswith(f"dettrack {command}: ")
    assert "Traceback" not in error
    for word in expected:
        assert word in lines[-1]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_an_unknown_option_is_refused_before_anything_is_done(answers, command):
    code, error = answers[f"{command} --no-such-option-anywhere"]
    assert code == 2
    assert error
    assert "Traceback" not in error


def test_python_m_dettrack_is_the_command():
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "dettrack", "--version"], capture_output=True, text=True, env=environment
    )
    assert done.stdout == f"dettrack {dettrack.__version__}\n"
    done = subprocess.run([sys.executable, "-m", "dettrack"], capture_output=True, text=True, env=environment)
    assert done.returncode == 2
