"""The command line as a user meets it: each run is a process of its own."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.cli import main
from dettrack.formats.read import read_result


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    scene = draw_scene(folder / "walkers", np.array([[40.0, 30.0], [420.0, 50.0]]), np.array([[3.0, 0], [-3.0, 0]]), 12)
    write_boxes(folder / "boxes.json", scene)
    write_model(folder / "dots.onnx")
    (folder / "empty").mkdir()
    (folder / "text.mp4").write_text("this is no video")
    (folder / "layout.json").write_text('{"boxes": 3}')
    (folder / "bad.toml").write_text("[cut]\nclip_lenght = 9\n")
    (folder / "good.toml").write_text("[cut]\nclip_length = 5\nstep = 4\n[after]\nmin_track_frames = 1\n")
    (folder / "knee.toml").write_text("[thresholds]\nknee = 0.3\n")
    (folder / "other.toml").write_text("[cutt]\n")
    return folder


def dettrack(*args, cwd):
    command = [sys.executable, "-m", "dettrack", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


MODELS = ("--detector", "boxes.json", "--model", "dots.onnx", "--no-flip")
BESIDE = ("summary.json", "suspects.jsonl", "frames.parquet")


def test_a_folder_of_frames_becomes_a_result_folder(world):
    done = dettrack("track", "walkers", *MODELS, "--config", "good.toml", "--formats", "jsonl,csv", cwd=world)
    assert done.returncode == 0, done.stderr
    assert "dots.onnx" in done.stdout
    assert "12 frames, 2 tracks, 24 poses" in done.stdout
    out = world / "walkers.dettrack"
    assert {path.name for path in out.iterdir()} == {"tracks.jsonl", "tracks.csv", "tracklets.parquet", *BESIDE}
    assert json.loads((out / "summary.json").read_text())["settings"]["cut"]["clip_length"] == 5


def test_resume_leaves_complete_results_alone(world):
    args = ("track", "walkers", *MODELS, "--out", "resumed", "--quiet")
    assert dettrack(*args, cwd=world).returncode == 0
    stamp = (world / "resumed" / "walkers.dettrack" / "summary.json").stat().st_mtime_ns
    done = dettrack(*args, "--resume", cwd=world)
    assert done.returncode == 0
    assert (world / "resumed" / "walkers.dettrack" / "summary.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "change",
    [
        ("--model", "other.onnx"),
        (),
        pytest.param(("--step", "4"), marks=pytest.mark.slow),
        pytest.param(("--formats", "csv"), marks=pytest.mark.slow),
        pytest.param(("--no-save-tracklets",), marks=pytest.mark.slow),
    ],
)
def test_resume_tracks_again_what_was_made_otherwise(world, change, tmp_path):
    shutil.copy(world / "dots.onnx", tmp_path / "dots.onnx")
    shutil.copytree(world / "walkers", tmp_path / "walkers")
    shutil.copy(world / "boxes.json", tmp_path / "boxes.json")
    shutil.copy(world / "dots.onnx", tmp_path / "other.onnx")
    (tmp_path / "other.onnx").write_bytes((tmp_path / "dots.onnx").read_bytes())
    args = ("track", "walkers", *MODELS, "--quiet")
    assert dettrack(*args, cwd=tmp_path).returncode == 0
    if not change:  # other pixels under the same name
        first, second = sorted((tmp_path / "walkers").iterdir())[:2]
        shutil.copy(second, first)
    done = dettrack(*args, *change, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tracking again" in done.stdout
    done = dettrack(*args, *change, "--resume", cwd=tmp_path)
    assert "left as it is" in done.stdout


def test_a_video_that_cannot_be_read_to_its_end_is_exit_code_3(world, tmp_path):
    shutil.copytree(world / "walkers", tmp_path / "walkers")
    sorted((tmp_path / "walkers").iterdir())[6].write_bytes(b"damaged")
    models = ("--detector", str(world / "boxes.json"), "--model", str(world / "dots.onnx"))
    done = dettrack("track", "walkers", *models, cwd=tmp_path)
    assert done.returncode == 3
    assert "note:" in done.stdout
    assert not json.loads((tmp_path / "walkers.dettrack" / "summary.json").read_text())["complete"]


def test_the_work_goes_on_where_nobody_reads_the_output(world, tmp_path):
    command = [sys.executable, "-m", "dettrack", "track", "walkers", *MODELS, "--out", str(tmp_path)]
    with subprocess.Popen(command, cwd=world, stdout=subprocess.PIPE) as process:
        process.stdout.close()
    assert process.returncode == 0
    assert json.loads((tmp_path / "walkers.dettrack" / "summary.json").read_text())["complete"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("track",), 2, "nothing to track"),
        (("track", "none.mp4", *MODELS), 1, "none.mp4"),
        (("track", "empty", *MODELS), 1, "empty"),
        (("track", "text.mp4", *MODELS), 1, "text.mp4"),
        (("track", "walkers", *MODELS, "--clip-length", "8"), 2, "odd"),
        (("track", "walkers", *MODELS, "--step", "9"), 2, "expected at most 8"),
        (("track", "walkers", *MODELS, "--formats", "xml"), 2, "xml"),
        (("track", "walkers", *MODELS, "--config", "bad.toml"), 2, "clip_lenght"),
        (("track", "walkers", *MODELS, "--config", "other.toml"), 2, "cutt"),
        (("track", "walkers", *MODELS, "--config", "none.toml"), 1, "none.toml"),
        (("track", "walkers", *MODELS, "--start", "5", "--end", "4"), 2, "later than"),
        (("track", "walkers", "--detector", "layout.json", "--model", "dots.onnx"), 1, "layout.json"),
        (("track", "walkers", "--detector", "boxes.json", "--model", "none.onnx"), 1, "none.onnx"),
        (("track", "walkers", "--detector", "dots.onnx", "--model", "dots.onnx"), 1, "layout"),
        (("track", "walkers", *MODELS, "--device", "tpu"), 2, "tpu"),
        (("track", "walkers", *MODELS, "--joint-thresholds", "knee.toml"), 1, "unknown joint 'knee'"),
        (("track", "walkers", *MODELS, "--variant", "early"), 1, "only a checkpoint"),
        (("track", "--posetrack", "empty", *MODELS), 2, "--images"),
        (("track", "--posetrack", "empty", "--images", ".", "--render"), 2, "--render: not for --posetrack"),
        (("track", "walkers", "--images", "."), 2, "--images goes with --posetrack"),
        (("associate", "empty"), 1, "tracklets.parquet"),
        (("dance",), 2, "dance"),
    ],
)
def test_bad_input_is_one_clear_line_and_no_traceback(world, args, code, words):
    out = ("--out", "bad") if args[0] in ("track", "associate") and len(args) > 1 else ()
    done = dettrack(*args, *out, cwd=world)
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    assert "Traceback" not in text
    assert words in " ".join(text.replace("│", " ").split())
    assert not list(world.glob("bad/*.dettrack/*"))


def test_a_missing_input_is_told_before_models_are_loaded(world):
    done = dettrack("track", "none.mp4", "--model", "none.onnx", cwd=world)
    assert done.returncode == 1
    assert "none.mp4" in done.stderr
    assert "none.onnx" not in done.stderr


def test_one_bad_input_does_not_stop_the_others(world):
    done = dettrack("track", "none.mp4", "walkers", *MODELS, "--out", "some", cwd=world)
    assert done.returncode == 1
    assert (world / "some" / "walkers.dettrack" / "summary.json").is_file()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user who may not write everywhere")
def test_no_permission(world):
    locked = world / "locked"
    locked.mkdir(mode=0o500)
    done = dettrack("track", "walkers", *MODELS, "--out", "locked", cwd=world)
    assert done.returncode == 1
    assert "locked" in done.stderr


@pytest.mark.parametrize("args", [("--help",), ("track", "--help"), ("associate", "--help")])
def test_help_needs_no_torch(world, args):
    code = (
        f"import sys, dettrack.cli as c\ntry:\n    c.main({list(args)!r})\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip().endswith("False")


def test_version():
    from dettrack import __version__

    done = subprocess.run([sys.executable, "-m", "dettrack", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"dettrack {__version__}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_no_text_are_written_with_lines_in_their_place(world, tmp_path, capfd):
    frames = tmp_path / os.fsdecode(b"walk\xff\ners")
    frames.mkdir()
    for path in (world / "walkers").iterdir():
        shutil.copyfile(path, frames / os.fsdecode(b"\xfe" + os.fsencode(path.name)))
    models = ("--detector", str(world / "boxes.json"), "--model", str(world / "dots.onnx"), "--no-flip")
    formats = "jsonl,csv,parquet,coco,mot,posetrack18,trc,openpose"
    assert main(["track", str(frames), *models, "--formats", formats, "--out", str(tmp_path), "--quiet"]) == 0
    out = tmp_path / "walk__ers.dettrack"
    names = read_result(out).times.name
    assert len(names) == 12
    assert all(name.startswith("_") and name.isprintable() for name in names)
    assert main(["associate", str(out), "--out", str(tmp_path / "again"), "--quiet"]) == 0
    capfd.readouterr()
    assert main(["track", "no\nsuch\x1bx.mp4", *models]) == 1
    said = capfd.readouterr().err
    assert said.endswith("no\\nsuch\\x1bx.mp4: no such file or folder\n")
    assert said.count("\n") == 1
