"""`dettrack data`, `dettrack train`, `dettrack pseudo` as a user calls them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from training_scenes import make_set

from dettrack.cli import main
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, save_checkpoint
from dettrack.training.labels.inspect import find_faults
from dettrack.training.labels.people import save_people


def test_a_sound_set_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_people(make_set(videos=1, frames=5), tmp_path / "walk.npz")
    picture = tmp_path / "tubes.png"
    call = ["data", "check", str(tmp_path / "walk.npz"), "--draw", str(picture), "--count", "3", "--clip-length", "3"]
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "10 people in 5 images, 1 videos, 0 frames without annotation; 0 faults" in said
    height, width = cv2.imread(str(picture)).shape[:2]
    assert (height, width) == (192, 4 * (3 * 160 + 4))


def test_faults_are_listed_and_change_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = make_set(frames=4, people=1)
    boxes, xy, weight = people.boxes.copy(), people.xy.copy(), people.weight.copy()
    boxes[0] += 1000
    xy[1, 3] = [9999, 5]
    weight[2, 2] = np.nan
    images = [*people.images[:3], b"broken"]
    broken = replace(people, boxes=boxes, xy=xy, weight=weight, images=images)
    faults = list(find_faults(broken))
    assert len(faults) == 4
    for fault, says in zip(faults, ("image 3", "person 0: box", "left_shoulder at [9999", "person 2"), strict=True):
        assert says in fault
    save_people(broken, tmp_path / "broken.npz")
    assert main(["data", "check", str(tmp_path / "broken.npz"), "--draw", str(tmp_path / "t.png")]) == 1
    assert "4 faults" in capsys.readouterr().out
    twice = replace(make_set(videos=1, frames=2), frame=np.array([0, 0]))
    assert any("listed twice" in fault for fault in find_faults(twice))


def test_score_says_how_good_a_model_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_people(make_set(), tmp_path / "held.npz")
    spec = NetworkSpec(architecture="lite", width=8, variant="none", clip_length=1, size=(64, 64))
    save_checkpoint(tmp_path / "net.safetensors", build_network(spec), spec)
    assert main(["data", "score", str(tmp_path / "net.safetensors"), str(tmp_path / "held.npz")]) == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row[:3] == ["held", "6", "72"]
    assert 0 <= float(row[3]) <= 1


def test_packs_join_sets_and_carry_their_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dettrack.training.labels.people import load_people

    save_people(make_set(), tmp_path / "a.npz")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "x.png").write_bytes(bytes(make_set().images[0]))
    entry = {"image": "x.png", "joints": [[5 + k, 9 + k] for k in range(16)], "joints_vis": [1] * 16}
    (tmp_path / "m.json").write_text(json.dumps([entry, {**entry, "joints_vis": [1, 1] + [0] * 14}, {}]))
    sets = [f"pack={tmp_path / 'a.npz'}", f"mpii={tmp_path / 'm.json'}@{tmp_path / 'pictures'}"]
    assert main(["data", "pack", str(tmp_path / "both.npz"), *sets]) == 0
    assert "7 people in 4 images" in capsys.readouterr().out  # six, and one of MPII's: two joints are too few
    both = load_people(tmp_path / "both.npz")
    assert both.images[3] == make_set().images[0]
    assert main(["data", "pack", str(tmp_path / "c.npz"), "a.npz"]) == 2
    (tmp_path / "pictures" / "x.png").unlink()
    assert main(["data", "pack", str(tmp_path / "c.npz"), sets[1]]) == 1
    assert "cannot pack" in capsys.readouterr().err


def test_train_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_people(make_set(), tmp_path / "set.npz")
    recipe = """
        [network]
        architecture = "lite"
        width = 8
        size = [64, 32]
        variant = "none"
        clip_length = 1
        [loop]
        steps = 2
        batch = 2
        device = "cpu"
        [[data]]
        path = "set.npz"
        [[held_out]]
        path = "set.npz"
    """
    (tmp_path / "recipe.toml").write_text(recipe)
    call = ["train", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "run"), "--quiet"]
    assert main(call) == 0
    assert "set 0." in capsys.readouterr().out
    assert (tmp_path / "run" / "stage" / "model.safetensors").is_file()
    assert main([*call, "--stage", "tubes"]) == 2
    assert "recipe.toml has stage" in capsys.readouterr().err
    assert main([*call, "--fresh"]) == 1
    assert "holds a checkpoint already" in capsys.readouterr().err


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "look"]) == 2
    assert main(["data"]) == 2
    assert main(["data", "--help"]) == 0
    assert main(["data", "check", str(tmp_path / "none.npz")]) == 1
    assert main(["pseudo", str(tmp_path / "none.mp4"), "--out", "x.npz", "--teacher", "t.onnx"]) == 1
    (tmp_path / "bad.json").write_text(json.dumps({"images": []}))
    assert main(["data", "check", str(tmp_path / "bad.json"), "--format", "coco"]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 4
    assert "no such video" in errors[2]
    assert "expected COCO keypoints" in errors[3]


@pytest.mark.data
def test_pseudo_labels_a_real_video(tmp_path: Path, videos: Path, weights: Path) -> None:
    from dettrack.training.labels.people import load_people

    out = tmp_path / "squats.npz"
    call = ["pseudo", str(videos / "tfjs_pose_squats.mp4"), "--out", str(out), "--every", "60", "--run-frames", "3"]
    call += ["--teacher", str(weights / "tinypose_256_192.xml"), "--detector-size", "416"]
    assert main([*call, "--detector", str(weights / "rtmdet_nano_person.onnx")]) == 0
    people = load_people(out)
    assert people.frame.tolist() == [0, 1, 2, 60, 61, 62]
    assert people.video.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(people) >= 6
    assert (people.weight >= 1).mean() > 0.6


@pytest.mark.data
def test_a_panel_labels_known_boxes(
    tmp_path: Path, annotated: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dettrack.training.labels.people import load_people

    out, folder = tmp_path / "known.npz", annotated / "mmpose_tests" / "coco"
    first, second = (str(weights / name) for name in ("tinypose_256_192.xml", "movenet_thunder_256.onnx"))
    call = ["pseudo", str(folder / "test_coco.json"), "--out", str(out), "--detector", "none", "--limit", "2"]
    assert main([*call, "--teacher", first, "--panel"]) == 2
    assert "--panel needs --second" in capsys.readouterr().err
    assert main([*call, "--teacher", first, "--panel", "--second", second]) == 0
    people = load_people(out)
    assert len(people) == len(people.images) > 0
    assert main(["data", "score", first, str(out), "--second", second, "--without", "hip"]) == 0
    assert float(capsys.readouterr().out.splitlines()[-1].split()[3]) > 0.5
