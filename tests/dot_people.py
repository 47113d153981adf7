"""People made of seventeen coloured dots, and a pose model that finds the dots: a whole run with known answers.

The model is a real ONNX file (colour distance, then a falling exponential), so that nothing in the pipeline is mocked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = (256, 192)  # of the model's crops, height and width
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

COLOURS = np.array(
    [
        *((255, 0, 0), (255, 128, 0), (255, 255, 0), (128, 255, 0), (0, 255, 0), (0, 255, 128)),
        *((0, 255, 255), (0, 128, 255), (0, 0, 255), (128, 0, 255), (255, 0, 255), (255, 0, 128)),
        *((255, 128, 128), (128, 255, 128), (128, 128, 255), (255, 255, 128), (128, 255, 255)),
    ]
)

# A standing figure in a box of width 0.4 and height 1, in COCO's order: x, y.
_FIGURE = np.array(
    [
        *((0.20, 0.10), (0.24, 0.05), (0.16, 0.05), (0.29, 0.08), (0.11, 0.08)),
        *((0.30, 0.22), (0.10, 0.22), (0.36, 0.36), (0.04, 0.36), (0.38, 0.50), (0.02, 0.50)),
        *((0.26, 0.54), (0.14, 0.54), (0.27, 0.75), (0.13, 0.75), (0.28, 0.97), (0.12, 0.97)),
    ]
)


@dataclass(frozen=True)
class DotScene:
    """A folder of frames with its truth.

    Attributes:
        folder: PNG frames.
        boxes: `(frames, people, 4)`.
        joints: `(frames, people, 17, 2)` in COCO's order.
    """

    folder: Path
    boxes: np.ndarray
    joints: np.ndarray


def draw_scene(
    folder: Path, start: np.ndarray, velocity: np.ndarray, n_frames: int, height: float = 160.0, width: int = 640
) -> DotScene:
    """Frames 640x240 of people who walk straight on; a person who leaves the picture is gone.

    Args:
        folder: Made and filled.
        start: `(people, 2)` upper left corner in the first frame.
        velocity: `(people, 2)` pixels per frame.
        n_frames: Number of frames.
        height: Of a person in pixels.
        width: Of the picture in pixels.
    """
    folder.mkdir(parents=True)
    steps = np.arange(n_frames)[:, None, None]
    corner = start[None] + steps * velocity[None]
    joints = corner[:, :, None] + height * _FIGURE
    boxes = np.concatenate([corner, corner + np.array([0.4, 1.0]) * height], -1)
    for t in range(n_frames):
        image = np.zeros((240, width, 3), np.uint8)
        for person in joints[t]:
            for (x, y), colour in zip(person, COLOURS, strict=True):
                centre = (round(x * 16), round(y * 16))
                cv2.circle(image, centre, 5 * 16, colour[::-1].tolist(), -1, cv2.LINE_AA, 4)
        cv2.imwrite(str(folder / f"{t:06d}.png"), image)
    return DotScene(folder, boxes, joints)


def write_boxes(path: Path, scene: DotScene, missed: set[tuple[int, int]] | None = None) -> Path:
    """Detections JSON with every box but the `missed` (frame, person) pairs."""
    entries = [
        {"image_id": t, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": 0.9}
        for t, people in enumerate(scene.boxes.tolist())
        for person, (x1, y1, x2, y2) in enumerate(people)
        if (t, person) not in (missed or set())
    ]
    path.write_text(json.dumps(entries))
    return path


def write_model(path: Path) -> Path:
    """The ONNX pose model: `data` (1, 3, 256, 192) -> heatmaps (1, 17, 64, 48)."""
    colours = (COLOURS / 255 - _MEAN) / _STD
    constants = {
        "weight": (-2 * colours)[:, :, None, None],
        "bias": (colours**2).sum(1),
        "one": np.ones((17, 3, 1, 1)),
        "sharpness": np.array(-2.0),
    }
    nodes = [
        # Windows around every fourth pixel: heatmap pixel i lies on crop pixel 4 i, HRNet's convention.
        helper.make_node("AveragePool", ["data"], ["x"], kernel_shape=[5, 5], strides=[4, 4], pads=[2, 2, 2, 2]),
        helper.make_node("Conv", ["x", "weight", "bias"], ["linear"]),
        helper.make_node("Mul", ["x", "x"], ["squares"]),
        helper.make_node("Conv", ["squares", "one"], ["norm"]),
        helper.make_node("Add", ["linear", "norm"], ["distance"]),
        helper.make_node("Mul", ["distance", "sharpness"], ["scaled"]),
        helper.make_node("Exp", ["scaled"], ["heatmaps"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dots",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, *SIZE])],
        [helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, [1, 17, SIZE[0] // 4, SIZE[1] // 4])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path
