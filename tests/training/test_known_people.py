"""People whose boxes are known: annotated joints stand, faces from behind are masked, everybody gets a picture."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from training_scenes import body

from dettrack.errors import InputError
from dettrack.skeleton import COCO17, POSETRACK15, JointMap
from dettrack.structures import Boxes, Frame
from dettrack.training.labels.known_people import (
    CutConfig,
    Known,
    cut_out,
    label_known,
    mask_faces_from_behind,
    read_known,
)
from dettrack.training.labels.people import read_image
from dettrack.training.labels.pseudo import AgreementConfig, PseudoPoses
from dettrack.training.labels.teachers import Teacher

CONFIG = AgreementConfig(min_height=20.0)
NOSE, NECK, WRIST = (POSETRACK15.index(joint) for joint in ("nose", "head_bottom", "left_wrist"))


def sees(pose: np.ndarray) -> Teacher:
    """A teacher for whom everybody stands in the crop like `pose`, given in shares of its height of 100."""
    coco = JointMap(POSETRACK15, COCO17, approximate=False)(pose, np.ones(15))[0]
    coco = np.where(np.isnan(coco), pose[NOSE], coco)

    def run(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places = np.repeat(coco[None] * 1.6 + [16, 24], len(crops), 0)
        mirrored = crops[:, :, 0].mean() > crops[:, :, -1].mean()  # the picture gets brighter to the right
        if mirrored:
            places = (places * [-1, 1] + [191, 0])[:, COCO17.flip_permutation]
        return places, np.full((len(crops), 17), 0.9)

    return Teacher("sees", (256, 192), run)


def picture(height: int = 300, width: int = 200) -> np.ndarray:
    return np.broadcast_to(np.linspace(0, 250, width).astype(np.uint8)[None, :, None], (height, width, 3)).copy()


class Finds:
    description = "two people"

    def detect(self, frames: list[Frame]) -> list[Boxes]:
        return [Boxes(np.array([[21.0, 51, 99, 199], [120, 60, 180, 200], [2, 2, 9, 9]]), np.array([0.9, 0.8, 0.9]))]


def test_annotated_joints_stand_and_others_are_found() -> None:
    pose = np.full((1, 15, 2), np.nan)
    pose[0, WRIST] = 33.0, 77.0
    known = Known(picture(), np.array([[20.0, 50, 100, 200]]), pose)
    people = label_known([known], sees(body(50.0, 5.0, 90.0)), CONFIG, CutConfig(margin=0.2), detector=Finds())
    assert len(people) == len(people.images) == 2  # the known one, found again, and another; the third is too small
    shape = read_image(people.images[0]).shape
    assert shape[:2] == (211, 131)  # 30 pixels around, and the left edge of the picture
    np.testing.assert_allclose(people.xy[0, WRIST], [33, 77 - 20], atol=0.01)
    assert (people.weight[0, [NOSE, WRIST]] == 1).all()
    np.testing.assert_allclose(people.boxes[0], [20, 30, 100, 180], atol=0.01)
    assert people.weight[0, NECK] == pytest.approx(CONFIG.approximated)
    # Without a detector the others are not looked for.
    assert len(label_known([known], sees(body(50.0, 5.0, 90.0)), CONFIG, CutConfig())) == 1


def test_faces_of_people_seen_from_behind_are_masked() -> None:
    front = body(50.0, 10.0, 100.0)
    xy = np.stack([front, front[POSETRACK15.flip_permutation]])
    labels = PseudoPoses(np.zeros((2, 4)), xy, np.ones((2, 15)), np.ones((2, 15)))
    masked = mask_faces_from_behind(labels)
    assert (masked.weight[0] == 1).all()
    face = [POSETRACK15.index(joint) for joint in ("nose", "head_bottom", "head_top")]
    assert (masked.weight[1, face] == 0).all()
    assert masked.weight[1].sum() == 12


def test_large_people_are_kept_smaller() -> None:
    labels = PseudoPoses(
        np.array([[100.0, 100, 500, 900], [0, 0, 50, 50]]),
        np.full((2, 15, 2), 300.0),
        np.ones((2, 15)),
        np.ones((2, 15)),
    )
    labels.weight[1, 2:] = 0  # too few joints to learn from
    (row,) = cut_out(picture(1000, 800), labels, CutConfig(margin=0.1, longest=200.0))
    image = read_image(row[0])
    assert image.shape[:2] == pytest.approx((240, 140), abs=1)
    box = row[1].boxes[0]
    np.testing.assert_allclose(box, [20, 20, 120, 220], atol=0.8)
    np.testing.assert_allclose(row[1].xy[0], np.full((15, 2), [70, 70]), atol=0.6)


def test_reading_boxes_and_joints(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), picture())
    content = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "annotations": [
            {"id": 1, "image_id": 1, "bbox": [10, 20, 30, 90], "keypoints": [11, 22, 2, 0, 0, 0]},
            {"id": 2, "image_id": 1, "bbox": [10, 20, 30, 9]},
            {"id": 3, "image_id": 1, "bbox": [10, 20, 30, 90], "iscrowd": 1},
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": ["left_wrist", "neck"]}],
    }
    (tmp_path / "people.json").write_text(json.dumps(content))
    first, second = read_known(tmp_path / "people.json", tmp_path, least_height=10.0)
    assert first.boxes.tolist() == [[10, 20, 39, 109]]
    assert first.poses[0, WRIST].tolist() == [11, 22]
    assert np.isnan(first.poses[0, NECK]).all()
    assert second.boxes.shape == (0, 4)
    (tmp_path / "people.json").write_text("{}")
    with pytest.raises(InputError, match="expected pictures with boxes in COCO form"):
        list(read_known(tmp_path / "people.json", tmp_path))
