"""What one sees and says on the command line: a screen of help, times, rates, folders, settings of another run."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.cli import main
from dettrack.cli.batch import BatchArgs
from dettrack.cli.settings import seconds
from dettrack.cli.short_help import SHORT_HELP
from dettrack.cli.track import TrackArgs, advice, parse
from dettrack.config import TrackConfig
from dettrack.errors import UsageError
from dettrack.files.toml import field_types, option_name
from dettrack.formats import read_tracks
from dettrack.models.weights import SHIPPED


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    scene = draw_scene(folder / "walkers", np.array([[40.0, 30.0]]), np.array([[4.0, 0.0]]), 12)
    write_model(folder / "dots.onnx")
    write_boxes(folder / "boxes.json", scene)
    return scene


def given(scene):
    folder = scene.folder.parent
    return ["--detector", str(folder / "boxes.json"), "--model", str(folder / "dots.onnx"), "--no-flip", "--quiet"]


@pytest.mark.parametrize("args", [["--help"], ["track", "--help"], ["track", "-h"], ["batch", "--help"]])
def test_help_is_one_screen(capsys, args):
    assert main(args) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(("command", "options"), [("track", TrackArgs), ("batch", BatchArgs)])
def test_the_short_help_names_only_options_that_exist(capsys, command, options):
    known = {option_name(name) for name in field_types(options)}
    sections = [cls for cls in field_types(options).values() if hasattr(cls, "__dataclass_fields__")]
    known |= {option_name(name) for cls in sections for name in field_types(cls)}
    named = {word for word in SHORT_HELP[command].split() if word.startswith("--")}
    assert {word.strip(".,") for word in named} <= known | {"--help-all"}


def test_all_help_has_every_option(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["track", "--help-all"])
    assert not ended.value.code
    shown = capsys.readouterr().out
    for option in ("--clip-length", "--min-track-frames", "--bridge", "--fps"):
        assert option in shown


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("1:30", 90), ("0:01:30.5", 90.5), ("2.25", 2.25), ("75:00", 4500)]
)
def test_times(text, expected):
    assert seconds(text, "--start") == expected


@pytest.mark.parametrize("text", ["-3", "1:", "a", "1:2:3:4", "", "1e3", "nan", "1:30s"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match=f"--start is {text!r}: expected seconds"):
        seconds(text, "--start")


def test_a_range_that_ends_before_it_begins_is_refused_before_models_load(scene, capsys):
    assert (
        main(["track", str(scene.folder), "--start", "2", "--end", "1", "--detector", "none", *given(scene)[2:]]) == 2
    )
    assert "--end is 1: it must be later than --start" in capsys.readouterr().err


def test_frames_have_the_rate_that_is_stated(scene, tmp_path):
    args = ["track", str(scene.folder), "--fps", "50", "--start", "0:0.1", "--out", str(tmp_path), *given(scene)]
    assert main(args) == 0
    table = read_tracks(tmp_path / "walkers.dettrack")
    assert table.frame.min() == 5
    np.testing.assert_allclose(table.time_s, table.frame / 50)


def test_a_rate_is_not_for_videos(scene, tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert main(["track", str(tmp_path / "a.mp4"), "--fps", "50", *given(scene)]) == 2
    assert "has times of its own" in capsys.readouterr().err


def test_a_photo_keeps_its_people(scene, tmp_path):
    photo = sorted(scene.folder.glob("*.png"))[3]
    boxes = json.loads((scene.folder.parent / "boxes.json").read_text())
    (tmp_path / "boxes.json").write_text(json.dumps([box for box in boxes if box["image_id"] == 0]))
    own = ["--detector", str(tmp_path / "boxes.json"), *given(scene)[2:]]
    assert main(["track", str(photo), "--out", str(tmp_path), *own]) == 0
    summary = json.loads((tmp_path / f"{photo.stem}.dettrack" / "summary.json").read_text())
    assert summary["counts"]["tracks"] == 1
    assert any("--min-track-frames 5 does not apply: there is 1 frame" in note for note in summary["notes"])


def test_settings_of_a_run_are_those_of_another(scene, tmp_path):
    args = ["track", str(scene.folder), "--step", "4", "--no-adaptive", "--out", str(tmp_path), *given(scene)]
    assert main(args) == 0
    summary = tmp_path / "walkers.dettrack" / "summary.json"
    again = parse([str(scene.folder), "--config", str(summary), "--clip-length", "7"])
    assert again.settings.cut.step == 4
    assert again.settings.cut.clip_length == 7
    made = json.loads(summary.read_text())
    assert made["formats"] == ["jsonl", "parquet"]
    assert {"torch", "onnxruntime"} <= set(made["versions"])
    assert made["date"] <= time.strftime("%Y-%m-%dT%H:%M:%S~", time.gmtime())


def test_a_name_in_the_catalogue_says_how_to_get_it(scene, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DETTRACK_WEIGHTS", str(tmp_path))
    assert main(["track", str(scene.folder), *given(scene)[2:], "--detector", "rtmdet-nano-person"]) == 1
    assert "`dettrack weights fetch rtmdet-nano-person` gets it" in capsys.readouterr().err
    assert main(["track", str(scene.folder), *given(scene)[2:], "--detector", "tinypose"]) == 1
    assert "give it with --model tinypose" in capsys.readouterr().err
    # names are looked at before anything is loaded
    assert main(["track", str(scene.folder), "--detector", "absent.onnx", "--model", "rtmo-s"]) == 1
    assert "give it with --detector rtmo-s" in capsys.readouterr().err


def test_what_stronger_models_would_change_is_said_of_the_built_in_parts(capsys):
    both, one = advice(TrackConfig()), advice(TrackConfig(detector="yolox-nano"))
    assert both.splitlines() == [both]
    assert "59% of the people" in both
    assert "31%" in both
    assert "of the people in" not in one
    assert "83% of their joints" in one
    assert not advice(TrackConfig(detector="yolox-nano", model="tinypose"))
    # the figures are those of the cards
    assert "| RTMDet-nano, 640 | .525 | .41 | .59 |" in (SHIPPED / "detector.md").read_text()
    assert "| built-in, 544 | .271 | .38 | .31 |" in (SHIPPED / "detector.md").read_text()
    assert "| everyday COCO photos, 17 joints by hand | 48 | .661 (.655) | .832 |" in (SHIPPED / "pose.md").read_text()


def test_stronger_models_are_named_after_a_run_that_worked_only(scene, tmp_path, capsys):
    (tmp_path / "empty.mp4").write_bytes(b"no video")
    options = ["--model", str(scene.folder.parent / "dots.onnx"), "--no-flip", "--out", str(tmp_path)]
    assert main(["track", str(tmp_path / "empty.mp4"), *options]) == 1
    said = capsys.readouterr().out
    assert "with stronger models" not in said
    assert "detector: " in said
    assert main(["track", str(scene.folder), "--fps", "25", *options]) == 0
    assert capsys.readouterr().out.count("with stronger models") == 1
