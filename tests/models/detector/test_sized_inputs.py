"""Exported DETRs and DETRPoses: a second input says how large the picture is, and answers are in its pixels."""

from __future__ import annotations

import numpy as np
import pytest

from dettrack.config import DetectConfig
from dettrack.models.detector import load_detector
from dettrack.models.runtime.openvino import OpenVinoRunner
from dettrack.models.runtime.runner import ImageInput, SessionOptions
from dettrack.structures import Frame

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

PICTURE = np.zeros((120, 160, 3), np.uint8)  # stretched to 64x64: 2.5 pixels in x, 1.875 in y


def write_sized(path, places, constants):
    """`places` (name and values in shares of the picture) times the sizes; `constants` as they are."""
    name, values = places
    repeat = values.shape[-1] // 2
    ones = [1] * (values.ndim - 1)
    nodes = [
        helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(np.array([*ones, 2], np.int64))),
        helper.make_node("Constant", [], ["tiles"], value=numpy_helper.from_array(np.array([*ones, repeat], np.int64))),
        helper.make_node("Constant", [], ["shares"], value=numpy_helper.from_array(values.astype(np.float32))),
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["sizes", "shape"], ["one"]),
        helper.make_node("Tile", ["one", "tiles"], ["all"]),
        helper.make_node("Mul", ["shares", "all"], [name]),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape)]
    for other, constant in constants.items():
        nodes.append(helper.make_node("Constant", [], [other], value=numpy_helper.from_array(constant)))
        kind = TensorProto.INT64 if constant.dtype == np.int64 else TensorProto.FLOAT
        outputs.append(helper.make_tensor_value_info(other, kind, constant.shape))
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64]),
        helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2]),
    ]
    graph = helper.make_graph(nodes, "sized", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def detr(path):
    boxes = np.array([[[0.25, 0.25, 0.5, 0.75], [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.75, 1.0]]])
    scores, labels = np.array([[0.9, 0.8, 0.01]], np.float32), np.array([[0, 7, 0]], np.int64)
    return write_sized(path, ("boxes", boxes), {"labels": labels, "scores": scores})


def detrpose(path, joints=17):
    """One person under both labels, and nobody."""
    points = np.zeros((1, 3, joints, 2))
    points[0, :2] = 0.5
    points[0, :2, 0] = (0.25, 0.25)
    scores, labels = np.array([[0.9, 0.2, 0.01]], np.float32), np.array([[1, 0, 1]], np.int64)
    return write_sized(path, ("keypoints", points), {"scores": scores, "labels": labels})


def test_a_detr_answers_in_pixels_of_the_frame(tmp_path):
    detector = load_detector(DetectConfig(detector=str(detr(tmp_path / "detr.onnx"))))
    assert "detr" in detector.description
    (boxes,) = detector.detect([Frame(0, 0.0, PICTURE)])  # neither the tie nor whom it is not sure of
    np.testing.assert_allclose(boxes.xyxy, [[40 - 0.5, 30 - 0.5, 80 - 0.5, 90 - 0.5]])
    np.testing.assert_allclose(boxes.scores, [0.9])


def test_a_detrpose_gives_a_person_once_with_a_box_around_the_joints(tmp_path):
    detector = load_detector(DetectConfig(detector=str(detrpose(tmp_path / "poses.onnx"))))
    assert "detrpose" in detector.description
    assert detector.joint_set.name == "coco17"
    (boxes,) = detector.detect([Frame(0, 0.0, PICTURE)])
    np.testing.assert_allclose(boxes.poses[0, :2], [[39.5, 29.5, 0.9], [79.5, 59.5, 0.9]], atol=1e-5)
    x, y = 40 * 0.075, 30 * 0.075
    np.testing.assert_allclose(boxes.xyxy, [[39.5 - x, 29.5 - y, 79.5 + x, 59.5 + y]], atol=1e-4)


def test_openvino_gives_the_sizes_too(tmp_path):
    pytest.importorskip("openvino")
    runner = OpenVinoRunner(detr(tmp_path / "detr.onnx"), "detr", SessionOptions(threads=1))
    answers = runner.for_images(ImageInput(std=(255.0,) * 3)).run(np.zeros((1, 64, 64, 3), np.uint8))
    assert max(np.asarray(answer).max() for answer in answers) == 64
