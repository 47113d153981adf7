"""What nobody foresaw, terminals of few characters, names that are no text."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dettrack import cli
from dettrack.cli.failures import TRACEBACK

_BROKEN = """
import sys
from dettrack.cli import COMMANDS, main
sys.modules["broken"] = module = type(sys)("broken")
def run(args):
    raise {error}
module.run = run
COMMANDS["weights"] = ("broken", "")
sys.exit(main(["weights", "--secret"]))
"""


def broken(error, tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop(TRACEBACK, None)
    return subprocess.run(
        [sys.executable, "-c", _BROKEN.format(error=error)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_a_fault_is_one_line_and_a_file_with_the_details(tmp_path):
    done = broken("ValueError('deep\\ninside')", tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"dettrack weights: ValueError: deep; this is a fault of dettrack: [^\n]*\n", done.stderr)
    (file,) = tmp_path.glob("dettrack-*.txt")
    assert str(file) in done.stderr
    assert "Traceback" in file.read_text()
    assert "--secret" in file.read_text()


_STREAMS = ("stdout", "stderr")
_LONG = """
import sys
from dettrack.cli import COMMANDS, main
sys.modules["long"] = module = type(sys)("long")
def run(args):
    for number in range(20_000):
        print("a line of some length, and many of them", number)
        print("another one", number, file=sys.stderr)
    with open(args[0], "w") as file:
        file.write("done")
    return 3
module.run = run
COMMANDS["weights"] = ("long", "")
sys.exit(main(["weights", sys.argv[1]]))
"""


def test_a_package_that_is_missing_is_no_fault_of_ours(tmp_path):
    done = broken("ModuleNotFoundError('No module', name='simplejpeg.inside')", tmp_path)
    assert done.returncode == 1
    assert "simplejpeg.inside is not installed here: install dettrack again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("closed", ["stdout", "stderr", "both", "none at all"])
def test_the_work_goes_on_where_nobody_reads_what_is_said(tmp_path, closed):
    command = [sys.executable, "-c", _LONG, str(tmp_path / "out")]
    if closed == "none at all":
        code = subprocess.run(["sh", "-c", '"$@" >&- 2>&-', "sh", *command], check=False).returncode
    else:
        pipes = {name: subprocess.PIPE if closed in (name, "both") else subprocess.DEVNULL for name in _STREAMS}
        with subprocess.Popen(command, **pipes) as process:
            for name in _STREAMS:
                if getattr(process, name) is not None:
                    getattr(process, name).close()
            code = process.wait()
    assert code == 3
    assert (tmp_path / "out").read_text() == "done"


def test_no_memory_is_one_line(tmp_path):
    done = broken("MemoryError()", tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "dettrack weights: out of memory; try smaller pictures or fewer runs at a time\n",
    )


@pytest.mark.parametrize("command", [(), ("track",), ("associate",), ("evaluate",)])
def test_help_on_a_terminal_of_few_characters(command):
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "dettrack", *command, "--help"], capture_output=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr.decode("cp1252")
    assert b"usage" in done.stdout.lower()


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names that are no text")
@pytest.mark.slow  # it loads the models
def test_a_name_that_is_no_text(tmp_path, monkeypatch):
    name = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    Path(os.fsdecode(name)).write_bytes(b"nothing")
    done = subprocess.run(
        [sys.executable.encode(), b"-m", b"dettrack", b"track", name], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"not a video" in done.stderr


def test_a_command_that_is_not_there(capsys):
    assert cli.main(["nothing"]) == 2
    assert "unknown command 'nothing'" in capsys.readouterr().err
