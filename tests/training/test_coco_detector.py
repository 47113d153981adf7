"""COCO's people: packed for training, and AP by pycocotools, by the commands."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from dettrack.cli import main
from dettrack.errors import InputError
from dettrack.structures import Boxes, Frame
from dettrack.training.detector.coco import coco_ap, coco_people
from dettrack.training.detector.photos import IGNORE, PERSON, PhotoPack

# Image -> people as x, y, width, height; the last one of image 2 is a crowd.
PEOPLE = {1: [(10, 20, 40, 90), (80, 10, 50, 110)], 2: [(5, 5, 60, 120), (70, 5, 60, 100)], 3: []}


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    annotations = []
    for number, boxes in PEOPLE.items():
        image = np.full((140, 160, 3), 40 * number, np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{number:012d}.jpg"), image)
        for i, (x, y, width, height) in enumerate(boxes):
            crowd = int((number, i) == (2, 1))
            entry = {"id": len(annotations), "image_id": number, "category_id": 1, "iscrowd": crowd}
            annotations.append({**entry, "bbox": [x, y, width, height], "area": width * height})
    annotations.append({"id": 99, "image_id": 3, "category_id": 3, "iscrowd": 0, "bbox": [0, 0, 9, 9], "area": 81})
    images = [{"id": n, "file_name": f"{n:012d}.jpg", "height": 140, "width": 160} for n in PEOPLE]
    categories = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    return tmp_path


def test_the_pack_has_people_crowds_and_nothing_else(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "boxes", str(coco / "instances.json"), "--images", str(coco / "images")]
    assert main([*command, "--out", str(coco / "pack.npz")]) == 0
    assert "2 images, 3 people, 1 regions" in capsys.readouterr().out
    pack = PhotoPack.load(coco / "pack.npz")
    assert pack.names.tolist() == ["coco/000000000001.jpg", "coco/000000000002.jpg"]
    boxes, kinds = pack.labels(1)
    assert boxes.tolist() == [[5, 5, 65, 125], [70, 5, 130, 105]]
    assert kinds.tolist() == [PERSON, IGNORE]
    photo = pack.photo(1)
    assert photo is not None
    assert photo.image.shape == (140, 160, 3)
    assert main([*command, "--out", str(coco / "more.npz"), "--empty", "5"]) == 0
    assert len(PhotoPack.load(coco / "more.npz")) == 3


class Known:
    """Finds what it is told, image by image."""

    description = "known"

    def __init__(self, found: dict[str, list[tuple[float, float, float, float, float]]]) -> None:
        self.found = found

    def detect(self, frames: list[Frame]) -> list[Boxes]:
        rows = [np.array(self.found.get(frame.name, []), float).reshape(-1, 5) for frame in frames]
        return [Boxes(row[:, :4] - 0.5, row[:, 4]) for row in rows]  # pixel edges to pixel centres


def test_ap_of_known_answers(coco: Path) -> None:
    name = "{:012d}.jpg".format
    exact = {
        name(n): [(x, y, x + w, y + h, 0.9) for x, y, w, h in boxes if (x, y) != (70, 5)] for n, boxes in PEOPLE.items()
    }
    whole = coco_ap(coco / "instances.json", coco / "images", Known(exact))
    assert (whole["AP"], whole["AP50"], whole["AP75"]) == (100.0, 100.0, 100.0)
    assert math.isnan(whole["AP_small"])
    crowd = {**exact, name(2): [*exact[name(2)], (72, 6, 100, 90, 0.95)]}  # in the crowd: neither right nor wrong
    assert coco_ap(coco / "instances.json", coco / "images", Known(crowd))["AP"] == 100.0
    two = {name(1): exact[name(1)]}  # two of three, best first: 101-point AP of recall 2/3
    assert coco_ap(coco / "instances.json", coco / "images", Known(two))["AP50"] == pytest.approx(100 * 67 / 101)
    assert coco_ap(coco / "instances.json", coco / "images", Known({}))["AP"] == 0.0
    # an overlap of 0.8 counts up to 0.8: seven of the ten thresholds
    less = {key: [(x1, y1, x2, y1 + 0.8 * (y2 - y1), s) for x1, y1, x2, y2, s in rows] for key, rows in exact.items()}
    found = coco_ap(coco / "instances.json", coco / "images", Known(less))
    assert found["AP50"] == 100.0
    assert found["AP"] == pytest.approx(70.0, abs=10.1)


def test_the_command_measures_the_built_in_detector(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "ap", "default", str(coco / "instances.json"), "--images", str(coco / "images")]
    assert main([*command, "--size", "160", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["AP", "0.0"]  # grey pictures


def test_other_files_are_one_line(coco: Path) -> None:
    cars = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "car"}]}
    (coco / "cars.json").write_text(json.dumps(cars))
    with pytest.raises(InputError, match="no category is called person"):
        coco_people(coco / "cars.json", coco / "images")
    (coco / "list.json").write_text("[]")
    with pytest.raises(InputError, match="COCO annotations"):
        coco_people(coco / "list.json", coco / "images")
