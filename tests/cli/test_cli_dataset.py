"""`dettrack track --posetrack` and `associate --posetrack` as a user runs them, on PoseTrack in miniature."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from miniature import FRAMES, write_detections, write_posetrack

from dettrack.cli import main
from dettrack.formats.posetrack.files import read_sequence
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, save_checkpoint

MPII, BONN = "000201_mpii_test", "000202_bonn_test"  # kinds 1 and 2 of image ids
TRAIN = {"000101_bonn_train": 2, "000102_mpii_train": 1, "000103_mpiinew_train": 3, "000104_mpii_train": 1}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years, boxes, and a network that knows nothing: what counts here is which frames get whose boxes."""
    folder = tmp_path_factory.mktemp("dataset")
    for year in (17, 18):
        write_posetrack(folder / str(year), year)
    torch.manual_seed(0)
    spec = NetworkSpec("lite", 8, "none", 1, size=(64, 64))
    save_checkpoint(folder / "pose.safetensors", build_network(spec), spec)
    return folder


def track(world: Path, out: str, *options: str, split: str = "val", year: int = 18) -> int:
    root = world / str(year)
    files = ["--posetrack", str(root / "annotations" / split), "--images", str(root), "--out", str(world / out)]
    model = ["--model", str(world / "pose.safetensors"), "--no-flip", "--threads", "1", "--preset", "paper"]
    return main(["track", *files, *model, "--quiet", "--clip-length", "1", "--min-track-frames", "1", *options])


def boxes_of(path: Path) -> dict[int, list[list[float]]]:
    """Frame -> boxes of a prediction file, from left to right."""
    sequence = read_sequence(path)
    found: dict[int, list[list[float]]] = {frame: [] for frame in range(len(sequence.images))}
    for frame, xy in zip(sequence.people.image.tolist(), sequence.people.xy, strict=True):
        found[frame].append(np.nanmean(xy, 0).tolist())
    return {frame: sorted(places) for frame, places in found.items()}


@pytest.mark.parametrize(
    ("year", "by"),
    [
        (18, "id"),
        (17, "name"),
        pytest.param(18, "name", marks=pytest.mark.slow),
        pytest.param(17, "id", marks=pytest.mark.slow),
    ],
)
def test_boxes_of_the_whole_set_reach_their_own_frames(world: Path, year: int, by: str) -> None:
    """Of kinds 1, 2 and 3; each sequence tracked alone with its own boxes gives the same."""
    split = "train"
    annotations = world / str(year) / "annotations" / split
    boxes = write_detections(world / f"{year}_{by}.json", [annotations], by)
    assert track(world, f"all_{year}_{by}", "--detector", str(boxes), split=split, year=year) == 0
    files = sorted((world / f"all_{year}_{by}").glob("*.json"))
    assert len(files) == len(TRAIN)
    content = json.loads(boxes.read_text())
    entries = content if by == "id" else content["annotations"]
    assert sum(len(found) for path in files for found in boxes_of(path).values()) == len(entries)
    one = read_sequence(files[2]).name
    alone = write_detections(world / "alone.json", [annotations], "name", only=one)
    suffix = ".json" if year == 18 else ".mat"
    assert track(world, "alone", "--detector", str(alone), split=f"{split}/{one}{suffix}", year=year) == 0
    expected, found = boxes_of(world / "alone" / f"{one}.json"), boxes_of(files[2])
    for frame in range(FRAMES):
        np.testing.assert_allclose(found[frame], expected[frame], atol=1e-6)


@pytest.mark.parametrize("by", ["id", "name"])
def test_boxes_of_one_sequence_are_not_those_of_the_others(
    world: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = write_detections(world / "one.json", [world / "18" / "annotations" / "val"], by, only=BONN)
    assert track(world, f"one_{by}", "--detector", str(boxes)) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"dettrack track: {MPII}: ")
    assert "belongs to an image of this sequence" in said[0]
    assert [path.stem for path in (world / f"one_{by}").glob("*.json")] == [BONN]


def test_a_file_that_does_not_say_whose_its_boxes_are_is_refused(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "frames.txt").write_text("1,1,50,20,60,120,0.9\n")
    assert track(world, "refused", "--detector", str(world / "frames.txt")) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "which of 2 sequences its boxes are of" in said
    assert track(world, "accepted", "--detector", str(world / "frames.txt"), split=f"val/{MPII}.json") == 0
    assert [len(found) for found in boxes_of(world / "accepted" / f"{MPII}.json").values()] == [1, *[0] * 7]


def test_boxes_that_meet_no_image_are_counted(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotations = world / "18" / "annotations"
    boxes = write_detections(world / "both.json", [annotations / "train", annotations / "val"])
    assert track(world, "both", "--detector", str(boxes), split="val") == 0
    total = len(json.loads(boxes.read_text()))
    used = sum(len(found) for path in (world / "both").glob("*.json") for found in boxes_of(path).values())
    assert f"{total - used} boxes of {boxes} belong to no image" in capsys.readouterr().out


def test_an_image_that_cannot_be_read_is_said_counted_and_not_the_end(
    tmp_path: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = write_posetrack(tmp_path / "18", 18)
    boxes = write_detections(tmp_path / "boxes.json", [annotations / "val"])
    (tmp_path / "pose.safetensors").write_bytes((world / "pose.safetensors").read_bytes())
    image = tmp_path / "18" / "images" / "val" / MPII / "000003.jpg"
    whole = image.read_bytes()
    image.write_bytes(b"damaged")
    assert track(tmp_path, "out", "--detector", str(boxes)) == 1
    said = capsys.readouterr()
    assert "1 of 2 sequences complete; 1 images could not be read" in said.out
    assert said.err.startswith(f"{MPII}: note: 1 of 8 images could not be used")
    assert f"(frame 3): {image}" in said.err
    found = boxes_of(tmp_path / "out" / f"{MPII}.json")
    assert [len(people) for people in found.values()] == [2, 2, 2, 2, 2, 1, 1, 1]
    assert (tmp_path / "out" / "incomplete.txt").read_text().startswith(f"{MPII}\t")
    # mended, and resumed: the whole sequence is not tracked again, and the other one is
    other = tmp_path / "out" / f"{BONN}.json"
    other.write_text("left alone")
    image.write_bytes(whole)
    assert track(tmp_path, "out", "--detector", str(boxes), "--resume") == 0
    assert other.read_text() == "left alone"
    assert not (tmp_path / "out" / "incomplete.txt").exists()
    assert boxes_of(tmp_path / "out" / f"{MPII}.json") != found


def test_saved_tracklets_make_other_predictions_without_the_network(world: Path) -> None:
    annotations = world / "18" / "annotations" / "val"
    boxes = write_detections(world / "saved.json", [annotations])
    assert track(world, "saved", "--detector", str(boxes), "--save-tracklets", "--clip-length", "3") == 0
    for options in ([], ["--lam", "0.5", "--merge", "baseline"]):
        assert track(world, "direct", "--detector", str(boxes), "--clip-length", "3", *options) == 0
        again = ["associate", str(world / "saved"), "--posetrack", str(annotations), "--out", str(world / "again")]
        assert main([*again, "--preset", "paper", "--min-track-frames", "1", "--quiet", *options]) == 0
        for path in (world / "direct").glob("*.json"):
            direct, found = read_sequence(path), read_sequence(world / "again" / path.name)
            np.testing.assert_array_equal(found.people.track_id, direct.people.track_id)
            np.testing.assert_allclose(found.people.xy, direct.people.xy, atol=1e-3)
