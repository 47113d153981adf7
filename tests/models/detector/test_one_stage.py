"""One-stage pose networks and files whose preprocessing their shapes do not tell."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from other_models import write_constant
from torch import nn

import dettrack
from dettrack.config import DetectConfig
from dettrack.errors import InputError
from dettrack.models.detector import load_detector
from dettrack.models.runtime.to_onnx import to_onnx
from dettrack.structures import Frame

PICTURE = np.zeros((120, 160, 3), np.uint8)  # becomes 48x64 in a canvas of 64x64


def pose(joints, x, y):
    """All joints at one place, with score 0.7."""
    return torch.tensor([[float(x), float(y), 0.7]]).repeat(joints, 1)


def rtmo(path, joints=17):
    dets = torch.tensor([[[8.0, 8.0, 24.0, 40.0, 0.9], [30.0, 8.0, 50.0, 40.0, 0.8], [0.0, 0.0, 1.0, 1.0, 0.0]]])
    keypoints = torch.stack([pose(joints, 16, 20), pose(joints, 40, 24), pose(joints, 0, 0)])[None]
    return write_constant(path, {"dets": dets, "keypoints": keypoints})


def grid(path, joints=17):
    rows = torch.zeros(1, 400, 5 + 3 * joints)
    rows[0, 3, :5] = torch.tensor([16.0, 24.0, 16.0, 32.0, 0.9])
    rows[0, 3, 5:] = pose(joints, 16, 20).flatten()
    rows[0, 4] = rows[0, 3]  # the same person from the next cell
    rows[0, 4, 4] = 0.5
    return write_constant(path, {"output0": rows.permute(0, 2, 1)})


def test_boxes_and_poses_come_together(tmp_path):
    detector = load_detector(DetectConfig(detector=str(rtmo(tmp_path / "rtmo.onnx"))))
    assert detector.joint_set.name == "coco17"
    (boxes,) = detector.detect([Frame(0, 0.0, PICTURE)])
    np.testing.assert_allclose(boxes.xyxy, np.array([[8, 8, 24, 40], [30, 8, 50, 40]]) * 2.5 - 0.5)
    np.testing.assert_allclose(boxes.poses[:, 3, :2], np.array([[16, 20], [40, 24]]) * 2.5 - 0.5)
    np.testing.assert_allclose(boxes.poses[..., 2], 0.7)


def test_a_grid_with_poses_is_suppressed(tmp_path):
    detector = load_detector(DetectConfig(detector=str(grid(tmp_path / "grid.onnx"))))
    assert "yolo-pose" in detector.description
    (boxes,) = detector.detect([Frame(0, 0.0, PICTURE)])
    assert len(boxes) == 1
    np.testing.assert_allclose(boxes.xyxy, np.array([[8, 8, 24, 40]]) * 2.5 - 0.5)
    np.testing.assert_allclose(boxes.poses[0, 5], [16 * 2.5 - 0.5, 20 * 2.5 - 0.5, 0.7], rtol=1e-6)


def test_a_one_stage_network_tracks_alone(tmp_path):
    pipeline = dettrack.Pipeline(detector=rtmo(tmp_path / "rtmo.onnx"), model="detector", min_box_area=0)
    assert pipeline.config.cut.clip_length == 1
    table = pipeline.track([PICTURE] * 12, fps=25).gather()
    assert len(table) == 24
    assert table.people.tolist() == [0, 1]
    assert table.joint_set.name == "coco17"
    again = pipeline.with_config(pipeline.config.with_settings(min_track_frames=3))
    assert len(again.track([PICTURE] * 12).gather()) == 24


def test_another_model_sees_the_frames_between(tmp_path):
    def far(image, boxes):
        return np.array([[(box[0], 50.0, 0.9)] * 17 for box in boxes])

    table = dettrack.track_all(
        [PICTURE] * 12, detector=rtmo(tmp_path / "rtmo.onnx"), model=far, step=4, merge="keyframe", min_box_area=0
    )
    at_key = table[table.frame == 4]
    np.testing.assert_allclose(at_key.xy[:, 0], np.array([[16, 20], [40, 24]]) * 2.5 - 0.5)


class Reddish(nn.Module):
    """A detector with NMS inside that is sure of a person where the picture's mean is as it was in training."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, image):
        sure = 0.9 * torch.exp(-((image.mean() - self.mean) ** 2) / 50)
        corners = torch.tensor([[[8.0, 8.0, 24.0, 40.0]]])
        score = sure.reshape(1, 1, 1) + corners[..., :1] * 0
        return torch.cat([corners + score * 0, score], -1), (score[..., 0] * 0).to(torch.int64)


def nms_file(path, mean):
    content = to_onnx(Reddish(mean).eval(), torch.zeros(1, 3, 64, 64), ("images", "dets", "labels"), {})
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("mean", "layout"), [(200.0, "yolox-nms"), (1.6, "rtmdet")])
def test_how_pictures_are_prepared_is_found_out_by_the_first_answers(tmp_path, caplog, mean, layout):
    bright = np.full((64, 64, 3), 200, np.uint8)
    detector = load_detector(DetectConfig(detector=str(nms_file(tmp_path / "nms.onnx", mean))))
    with caplog.at_level(logging.WARNING, "dettrack"):
        found = detector.detect([Frame(0, 0.0, bright), Frame(1, 0.0, bright)])
    assert [len(boxes) for boxes in found] == [1, 1]
    assert ("state it" in caplog.text) == (layout == "yolox-nms")
    named = load_detector(DetectConfig(detector=str(tmp_path / "nms.onnx"), detector_layout=layout))
    assert len(named.detect([Frame(0, 0.0, bright)])[0]) == 1


class Deceived(nn.Module):
    """As `Reddish` of 1.6, with a false hit in pictures that are read wrong and 120 bright."""

    def forward(self, image):
        mean = image.mean()
        sure = 0.9 * torch.exp(-((mean - 1.6) ** 2) / 0.1) + 0.6 * torch.exp(-((mean - 120) ** 2) / 50)
        corners = torch.tensor([[[8.0, 8.0, 24.0, 40.0]]])
        score = sure.reshape(1, 1, 1) + corners[..., :1] * 0
        return torch.cat([corners + score * 0, score], -1), (score[..., 0] * 0).to(torch.int64)


def test_a_false_hit_in_a_first_picture_without_people_does_not_decide_for_good(tmp_path):
    content = to_onnx(Deceived().eval(), torch.zeros(1, 3, 64, 64), ("images", "dets", "labels"), {})
    (tmp_path / "nms.onnx").write_bytes(content)
    detector = load_detector(DetectConfig(detector=str(tmp_path / "nms.onnx")))
    empty, bright = (np.full((64, 64, 3), level, np.uint8) for level in (120, 210))
    scores = [detector.detect([Frame(i, 0.0, image)])[0].scores for i, image in enumerate([empty, bright, empty])]
    assert [score.round(1).tolist() for score in scores][:2] == [[0.6], [0.9]]
    assert scores[2].max(initial=0) < 0.1  # the first layout was sure: the other one is no longer asked


def test_a_yolox_that_decodes_itself_is_read_in_pixels(tmp_path):
    rows = torch.zeros(1, 84, 6)  # cells of a 64x64 picture
    rows[0, 5] = torch.tensor([16.0, 24.0, 16.0, 32.0, 1.0, 0.9])
    rows[0, 80, :2] = 60.0
    file = write_constant(tmp_path / "decoded.onnx", {"output": rows})
    (boxes,) = load_detector(DetectConfig(detector=str(file))).detect([Frame(0, 0.0, PICTURE)])
    np.testing.assert_allclose(boxes.xyxy, np.array([[8, 8, 24, 40]]) * 2.5 - 0.5)


@pytest.mark.parametrize(
    ("corners", "said"), [((float("nan"), 0, 9, 9), "not finite"), ((900.0, 900, 950, 990), "lie outside the picture")]
)
def test_wrong_first_answers_name_the_option(tmp_path, corners, said):
    dets = torch.tensor([[[*map(float, corners), 0.9]]])
    file = write_constant(tmp_path / "wrong.onnx", {"dets": dets, "labels": torch.zeros(1, 1, dtype=torch.int64)})
    with pytest.raises(InputError, match=rf"{said}.*--detector-layout"):
        load_detector(DetectConfig(detector=str(file))).detect([Frame(0, 0.0, PICTURE)])


class Half(nn.Module):
    def forward(self, image):
        answer = torch.tensor([[[8.0, 8.0, 24.0, 40.0, 0.9]]]).half() + image.mean() * 0
        return answer, (answer[..., 0] * 0).to(torch.int64)


def test_a_detector_in_half_precision_gets_half_precision(tmp_path):
    path = tmp_path / "half.onnx"
    names = ("images", "dets", "labels")
    path.write_bytes(to_onnx(Half().eval(), torch.zeros(1, 3, 64, 64, dtype=torch.float16), names, {}))
    (boxes,) = load_detector(DetectConfig(detector=str(path))).detect([Frame(0, 0.0, PICTURE)])
    assert len(boxes) == 1
