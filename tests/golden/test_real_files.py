"""Real files of other people find what they found before other kinds of models were read (`2c9fd09`).

`python tests/golden/test_real_files.py` writes `real_files.json` again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from dettrack.config import DetectConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.geometry import box_iou
from dettrack.models.detector import load_detector
from dettrack.models.pose.load import load_estimator
from dettrack.structures import Boxes, Clip, Frame

PLACE = Path(__file__).with_name("real_files.json")
DETECTORS = ("rtmdet_nano_person.onnx", "yolox_nano_416.onnx", "picodet_s_320_pedestrian.xml")
POSES = ("tinypose_256_192.xml", "ultralight_simplepose.onnx", "movenet_thunder_256.onnx")
PHOTO = 197388


def photo(annotated):
    """A photo of COCO and the boxes of its people."""
    import cv2

    folder = annotated / "mmpose_tests" / "coco"
    content = json.loads((folder / "test_coco.json").read_text())
    boxes = np.array([a["bbox"] for a in content["annotations"] if a["image_id"] == PHOTO], float)
    boxes[:, 2:] += boxes[:, :2]
    return Frame(0, 0.0, cv2.imread(str(folder / f"{PHOTO:012d}.jpg"))[..., ::-1].copy()), boxes


def find_boxes(file, annotated):
    """Corners and scores, the best first."""
    detector = load_detector(DetectConfig(detector=str(file), min_box_area=0.0), threads=1)
    (found,) = detector.detect([photo(annotated)[0]])
    return np.column_stack([found.xyxy, found.scores])[np.argsort(-found.scores)]


def find_joints(file, annotated):
    """`(people, joints, 3)` in the boxes of the annotations."""
    frame, boxes = photo(annotated)
    options = EstimateConfig(str(file), precision="fp32", threads=1)
    estimator = load_estimator(options)
    tubes = make_tubes(Boxes(boxes, np.ones(len(boxes))), estimator.size)
    (found,) = estimator.estimate([(Clip((frame,), 0), tubes)])
    return np.dstack([found.xy[:, 0], found.scores[:, 0]])


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", DETECTORS)
def test_boxes_are_as_before(weights, annotated, name):
    expected = np.array(json.loads(PLACE.read_text())[name])
    found = find_boxes(weights / name, annotated)
    assert len(found) == len(expected)
    assert (box_iou(found[:, :4], expected[:, :4]).diagonal() > 0.995).all()
    np.testing.assert_allclose(found[:, 4], expected[:, 4], atol=2e-3)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", POSES)
def test_joints_are_as_before(weights, annotated, name):
    expected = np.array(json.loads(PLACE.read_text())[name], float)
    found = find_joints(weights / name, annotated)
    np.testing.assert_allclose(found[..., :2], expected[..., :2], atol=0.05)  # NaN where there is no joint
    np.testing.assert_allclose(found[..., 2], expected[..., 2], atol=2e-3)


if __name__ == "__main__":
    data = Path(os.environ["DETTRACK_SHARED"]) / "data"
    made = {name: find_boxes(data / "weights" / name, data / "annotated") for name in DETECTORS}
    made |= {name: find_joints(data / "weights" / name, data / "annotated") for name in POSES}
    PLACE.write_text(json.dumps({name: np.round(array, 3).tolist() for name, array in made.items()}) + "\n")
