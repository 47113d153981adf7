"""No connection and no file in the home folder, whatever command runs: each attempt is counted by the process itself.

Python's audit events see connections and name look-ups of Python code in this process and in children that are forked
from it; on Linux a network namespace without any interface, where one can be had, is for those of compiled code.
"""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model
from miniature import HELD_OUT, RECIPE, write_posetrack

_COUNTING = """
import os, sys
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        if event != "socket.connect" or not isinstance(args[1], (str, bytes)):
            with open(os.environ["CONNECTIONS"], "a") as file:
                file.write(f"{os.getpid()} {event} {args[1:]}\\n")
sys.addaudithook(watch)
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    scene = draw_scene(folder / "walkers", np.array([[40.0, 30.0]]), np.array([[2.0, 0]]), 12)
    write_boxes(folder / "boxes.json", scene)
    write_model(folder / "dots.onnx")
    write_posetrack(folder / "set", 18)
    (folder / "recipe.toml").write_text(RECIPE + HELD_OUT)
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(_COUNTING)
    return folder


def run(world, tmp_path, *command):
    """Run in an empty home; returns attempts to connect and the files in the home."""
    home, log = tmp_path / "home", tmp_path / "connections"
    home.mkdir()
    paths = os.pathsep.join([str(world / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
        **{"HOME": str(home), "USERPROFILE": str(home), "CONNECTIONS": str(log), "PYTHONPATH": paths},
    }
    command = [sys.executable, *command]
    if sys.platform == "linux" and shutil.which("unshare"):
        alone = ["unshare", "--net", "--map-root-user"]
        if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0:
            command = [*alone, *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return log.read_text() if log.exists() else "", [str(path) for path in home.rglob("*") if path.is_file()]


def test_the_count_counts(world, tmp_path):
    code = "import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass"
    said, _ = run(world, tmp_path, "-c", code)
    assert "socket.connect" in said


@pytest.mark.parametrize(
    "command",
    [
        ("track", "{world}/walkers", "--detector", "{world}/boxes.json", "--model", "{world}/dots.onnx", "--no-flip"),
        pytest.param(("track", "{world}/walkers", "--render"), marks=pytest.mark.slow),
        pytest.param(
            ("batch", "{world}/walkers", "--workers", "1", "--end", "0.2", "--fps", "25"), marks=pytest.mark.slow
        ),
        pytest.param(("train", "{world}/recipe.toml", "--quiet"), marks=pytest.mark.slow),
        pytest.param(("doctor",), marks=pytest.mark.slow),
        ("weights", "list"),
        ("weights", "verify"),
        pytest.param(("export", "default", "--to", "onnx"), marks=pytest.mark.slow),
        pytest.param(("export", "default", "--to", "openvino"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_commands_connect_to_nothing_and_leave_nothing_at_home(world, tmp_path, command):
    given = [part.format(world=world) for part in command]
    out = {key: ["--out", str(tmp_path / "out")] for key in ("track", "batch", "train")}
    out["export"] = ["--out", str(tmp_path / f"a.{command[-1].replace('openvino', 'xml')}")]
    assert run(world, tmp_path, "-m", "dettrack", *given, *out.get(command[0], [])) == ("", [])


def test_what_we_import_connects_to_nothing(world, tmp_path):
    modules = ("torch", "cv2", "av", "scipy.io", "pyarrow.parquet", "onnx", "transformers", "tyro")
    code = "import importlib.util as u, importlib as i\n" + "\n".join(
        f"if u.find_spec({name.split('.')[0]!r}): i.import_module({name!r})" for name in modules
    )
    code += "".join(
        f"\nif u.find_spec({package!r}): import dettrack.models.runtime.{module}"
        for package, module in (("openvino", "openvino_core"), ("onnxruntime", "onnx_core"))
    )
    assert run(world, tmp_path, "-c", code) == ("", [])
