"""Tiny 2D models whose answers are known, as files."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """Folder with heatmaps.onnx, heatmaps_nhwc.onnx, coordinates.onnx, detector.onnx and heatmaps.xml.

    The heatmap models answer with every fourth pixel of the crop's red channel in [0, 1], for each of 17 joints; the
    coordinates are always y 0.5, x 0.25, score 0.9.
    """
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path_factory.mktemp("tiny")

    def save(name, nodes, image, answer, constants, image_type=TensorProto.FLOAT):
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("image", image_type, image)],
            [helper.make_tensor_value_info("answer", TensorProto.FLOAT, answer)],
            [numpy_helper.from_array(value, key) for key, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, folder / f"{name}.onnx")

    red = np.zeros((17, 3, 1, 1), np.float32)
    red[:, 0] = 0.229
    back = np.full(17, 0.485, np.float32)
    pick = helper.make_node("Conv", ["chw", "red", "back"], ["maps"], kernel_shape=[1, 1], strides=[4, 4])
    same = helper.make_node("Identity", ["image"], ["chw"])
    done = helper.make_node("Identity", ["maps"], ["answer"])
    save("heatmaps", [same, pick, done], ["batch", 3, 64, 48], ["batch", 17, 16, 12], {"red": red, "back": back})
    save("fixed", [same, pick, done], [3, 3, 64, 48], [3, 17, 16, 12], {"red": red, "back": back})
    to_chw = helper.make_node("Transpose", ["image"], ["chw"], perm=[0, 3, 1, 2])
    to_hwc = helper.make_node("Transpose", ["maps"], ["answer"], perm=[0, 2, 3, 1])
    save("heatmaps_nhwc", [to_chw, pick, to_hwc], [1, 64, 48, 3], [1, 16, 12, 17], {"red": red, "back": back})
    place = np.tile(np.array([0.5, 0.25, 0.9], np.float32), (1, 1, 17, 1))
    cast = helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT)
    nothing = helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=1)
    times = helper.make_node("Mul", ["mean", "zero"], ["nil"])
    add = helper.make_node("Add", ["nil", "place"], ["answer"])
    constants = {"place": place, "zero": np.zeros(1, np.float32)}
    nodes = [cast, nothing, times, add]
    save("coordinates", nodes, [1, 64, 64, 3], [1, 1, 17, 3], constants, TensorProto.INT32)
    flat = helper.make_node("Flatten", ["image"], ["answer"])
    save("detector", [flat], [1, 3, 64, 48], [1, 3 * 64 * 48], {})
    openvino = pytest.importorskip("openvino")
    openvino.save_model(openvino.Core().read_model(folder / "heatmaps.onnx"), folder / "heatmaps.xml", False)
    return folder
