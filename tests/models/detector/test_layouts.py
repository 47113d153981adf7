from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.geometry import box_nms
from dettrack.models.detector.layouts import LAYOUTS, recognise
from dettrack.models.runtime.runner import Port

IMAGE = Port("image", (1, 3, 416, 416))
RTMDET = [Port("dets", (None, None, None)), Port("labels", (None, None))]
YOLOX = [Port("output", (1, 3549, 85))]
PICODET = [Port("boxes", (1, 2125, 4)), Port("scores", (1, 1, 2125))]


@pytest.mark.parametrize(
    ("source", "outputs", "name"),
    [
        (Port("input", (None, 3, None, None)), RTMDET, "rtmdet"),
        (Port("input", (None, 3, None, None)), RTMDET[::-1], "rtmdet"),
        (IMAGE, [Port("a", (1, 100, 5)), Port("b", (1, 100))], "rtmdet"),
        (IMAGE, YOLOX, "yolox"),
        (IMAGE, [Port("output0", (1, 84, 3549))], "yolo"),
        (Port("images", (1, 3, 640, 640)), [Port("o", (1, 8400, 6))], "yolox"),
        (Port("images", (None, 3, None, None)), [Port("o", (None, None, 85))], "yolox"),
        (Port("image", (1, 3, 320, 320)), PICODET, "picodet"),
        (Port("image", (1, 3, 320, 320)), PICODET[::-1], "picodet"),
    ],
)
def test_layouts_are_recognised(source, outputs, name):
    assert recognise("x.onnx", [source], outputs).name == name
    assert recognise("x.onnx", [source], outputs, name).name == name


@pytest.mark.parametrize(
    "outputs",
    [
        [Port("heatmaps", (1, 17, 64, 48))],
        [Port("output", (1, 10647, 85))],  # YOLOv5: three anchors a cell
        [Port("output", (1, 3549, 5))],
        [Port("a", (1, 100)), Port("b", (1, 100))],
        [],
    ],
)
def test_other_files_are_refused_with_what_was_seen(outputs):
    with pytest.raises(InputError) as error:
        recognise("model.onnx", [IMAGE], outputs)
    message = str(error.value)
    assert "\n" not in message
    assert "image (1, 3, 416, 416)" in message
    assert all(str(port) in message for port in outputs)
    assert all(name in message for name in LAYOUTS)


def test_a_named_layout_must_fit():
    with pytest.raises(InputError, match="yolox: image"):
        recognise("model.onnx", [IMAGE], PICODET, "yolox")


def test_two_inputs_are_no_detector():
    with pytest.raises(InputError, match=r"boxes \(1, 2125, 4\)"):
        recognise("model.onnx", [IMAGE, IMAGE], PICODET)


def encode_yolox(boxes, scores, size):
    """A raw grid that answers each box from the cell of stride 8 that holds its centre."""
    cells = [(s, y, x) for s in (8, 16, 32) for y in range(size[0] // s) for x in range(size[1] // s)]
    raw = np.zeros((1, len(cells), 7), np.float32)
    for box, score in zip(boxes, scores, strict=True):
        centre = (box[:2] + box[2:]) / 2
        cell = cells.index((8, int(centre[1] // 8), int(centre[0] // 8)))
        raw[0, cell, :2] = centre / 8 - np.array(cells[cell][:0:-1])
        raw[0, cell, 2:4] = np.log((box[2:] - box[:2]) / 8)
        raw[0, cell, 4:] = np.sqrt(score), np.sqrt(score), 0.01
    return raw


@given(st.integers(0, 1000), st.integers(0, 4))
def test_yolox_grid_there_and_back(seed, n):
    rng = np.random.default_rng(seed)
    size = (96, 160)
    # far enough apart that no two share a cell or overlap
    centre = np.array([[20.0, 20], [60, 70], [100, 20], [140, 70]])[:n] + rng.uniform(-8, 8, (n, 2))
    half = rng.uniform(4, 9, (n, 2))
    boxes, scores = np.concatenate([centre - half, centre + half], 1), rng.uniform(0.1, 0.99, n)
    (found,) = LAYOUTS["yolox"].decode([encode_yolox(boxes, scores, size)], size, 0.65)
    order = np.argsort(-scores)
    np.testing.assert_allclose(found.xyxy, boxes[order], atol=1e-3)
    np.testing.assert_allclose(found.scores, scores[order], atol=1e-5)


def test_yolox_takes_the_best_of_the_cells_that_answer_one_person():
    size = (64, 64)
    one, two = np.array([[10.0, 10, 50, 60]]), np.array([[18.0, 12, 52, 60]])
    raw = np.maximum(encode_yolox(one, [0.5], size), encode_yolox(two, [0.9], size))
    (found,) = LAYOUTS["yolox"].decode([raw], size, 0.5)
    np.testing.assert_allclose(found.xyxy, two, atol=1e-3)


def test_rtmdet_keeps_persons_in_any_output_order():
    dets = np.array([[[1, 2, 30, 40, 0.6], [5, 6, 70, 80, 0.9], [0, 0, 9, 9, 0.8], [0, 0, 0, 0, 0]]], np.float32)
    labels = np.array([[0, 0, 2, -1]])
    for arrays in ([dets, labels], [labels, dets]):
        (found,) = LAYOUTS["rtmdet"].decode(arrays, (320, 320), 0.65)
        np.testing.assert_allclose(found.xyxy, [[5, 6, 70, 80], [1, 2, 30, 40]])
        np.testing.assert_allclose(found.scores, [0.9, 0.6])


def test_picodet_suppresses_duplicates():
    boxes = np.array([[[0, 0, 50, 50], [1, 0, 50, 50], [100, 100, 150, 150.0]]], np.float32)
    scores = np.array([[[0.7, 0.8, 0.3]]], np.float32)
    for arrays in ([boxes, scores], [scores, boxes]):
        (found,) = LAYOUTS["picodet"].decode(arrays, (320, 320), 0.65)
        np.testing.assert_allclose(found.scores, [0.8, 0.3])
        assert box_nms(found.xyxy, found.scores, 0.65).all()


def test_preparation_orders_and_scales_the_channels():
    canvas = np.full((4, 6, 3), (255, 100, 0), np.uint8)
    rtmdet = LAYOUTS["rtmdet"].images.prepare(np.stack([canvas, canvas]))
    assert rtmdet.shape == (2, 3, 4, 6)
    np.testing.assert_allclose(
        rtmdet[1, :, 0, 0], [(0 - 103.53) / 57.375, (100 - 116.28) / 57.12, (255 - 123.675) / 58.395], rtol=1e-5
    )
    np.testing.assert_allclose(LAYOUTS["yolox"].images.prepare(canvas[None])[0, :, 3, 5], [0, 100, 255])
    np.testing.assert_allclose(
        LAYOUTS["picodet"].images.prepare(canvas[None])[0, :, 0, 0],
        [(255 - 123.675) / 58.395, (100 - 116.28) / 57.12, -103.53 / 57.375],
        rtol=1e-5,
    )
