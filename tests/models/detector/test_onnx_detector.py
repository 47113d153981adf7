from __future__ import annotations

import numpy as np
import pytest

from dettrack.config import DetectConfig
from dettrack.errors import InputError
from dettrack.geometry import box_iou
from dettrack.models.detector import load_detector
from dettrack.models.detector.filters import filter_boxes
from dettrack.models.detector.onnx_detector import OnnxDetector
from dettrack.structures import Frame

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def frame(height: int, width: int, index: int = 0) -> Frame:
    image = np.random.default_rng(index).integers(0, 255, (height, width, 3), np.uint8)
    return Frame(index, index / 25, image)


def write_model(path, dets, labels, shape):
    """A file of the RTMDet layout that always answers the same boxes (in input pixels), for every image of a batch."""

    def repeated(name: str, value: np.ndarray) -> list:
        return [
            helper.make_node("Constant", [], [f"{name}_one"], value=numpy_helper.from_array(value[None])),
            helper.make_node("Concat", ["batch", f"{name}_rest"], [f"{name}_shape"], axis=0),
            helper.make_node(
                "Constant", [], [f"{name}_rest"], value=numpy_helper.from_array(np.array(value.shape, np.int64))
            ),
            helper.make_node("Expand", [f"{name}_one", f"{name}_shape"], [name]),
        ]

    nodes = [helper.make_node("Shape", ["input"], ["batch"], start=0, end=1)]
    for name, value in (("dets", dets.astype(np.float32)), ("labels", labels.astype(np.int64))):
        first, concat, rest, expand = repeated(name, value)
        nodes += [first, rest, concat, expand]
    graph = helper.make_graph(
        nodes,
        "fixed",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("dets", TensorProto.FLOAT, ["b", len(dets), 5]),
            helper.make_tensor_value_info("labels", TensorProto.INT64, ["b", len(dets)]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.fixture
def dynamic(tmp_path):
    dets = np.array([[0, 0, 320, 160, 0.9], [32, 16, 64, 80, 0.5], [9, 9, 90, 90, 0.8]])
    return write_model(tmp_path / "fixed.onnx", dets, np.array([0, 0, 7]), ["b", 3, "h", "w"])


def test_boxes_come_back_in_pixels_of_each_frame(dynamic):
    detector = OnnxDetector(dynamic, DetectConfig(detector_size=320))
    wide, tall = detector.detect([frame(320, 640), frame(640, 320, 1)])
    # half size; the corner that lies on the frame's edge is the last pixel's centre
    np.testing.assert_allclose(wide.xyxy, [[0, 0, 639, 319], [63.5, 31.5, 127.5, 159.5]])
    np.testing.assert_allclose(tall.xyxy, [[0, 0, 319, 319.5], [63.5, 31.5, 127.5, 159.5]])
    np.testing.assert_allclose(wide.scores, [0.9, 0.5])


def test_openvino_gives_the_same(dynamic, monkeypatch):
    pytest.importorskip("openvino")
    frames = [frame(320, 640), frame(320, 640, 1), frame(200, 200, 2)]
    detector = OnnxDetector(dynamic, DetectConfig())
    assert "ONNX Runtime" in detector.description
    found = detector.detect(frames)
    monkeypatch.setattr(
        "dettrack.models.runtime.runner.importlib.util.find_spec", lambda name: name if name == "openvino" else None
    )
    other = OnnxDetector(dynamic, DetectConfig(), threads=1)
    assert "OpenVINO" in other.description
    for a, b in zip(found, other.detect(frames), strict=True):
        np.testing.assert_allclose(a.xyxy, b.xyxy, atol=1e-3)


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_fixed_batch_is_filled_up(tmp_path, batch):
    dets = np.array([[0, 0, 32, 32, 0.9]])
    path = write_model(tmp_path / "fixed.onnx", dets, np.array([0]), [batch, 3, 64, 64])
    found = OnnxDetector(path, DetectConfig()).detect([frame(64, 64, i) for i in range(3)])
    assert [len(boxes) for boxes in found] == [1, 1, 1]
    np.testing.assert_allclose(found[2].xyxy, [[0, 0, 31.5, 31.5]])


def test_without_cuda_the_cpu_is_used_and_named(dynamic):
    import onnxruntime

    detector = OnnxDetector(dynamic, DetectConfig(), device="cuda:0")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        assert "CPU (this ONNX Runtime has no CUDA" in detector.description


def test_no_frames(dynamic):
    assert OnnxDetector(dynamic, DetectConfig()).detect([]) == []


def test_a_fixed_input_refuses_another_size(tmp_path):
    path = write_model(tmp_path / "fixed.onnx", np.zeros((1, 5)), np.zeros(1), [1, 3, 64, 96])
    OnnxDetector(path, DetectConfig(detector_size=96))
    with pytest.raises(InputError, match="its input is 96x64, fixed"):
        OnnxDetector(path, DetectConfig(detector_size=640))


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_unreadable_files_get_one_line(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"not a network")
    (tmp_path / "broken.bin").write_bytes(b"")
    with pytest.raises(InputError) as error:
        load_detector(DetectConfig(detector=str(path)))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_get_one_line(tmp_path):
    with pytest.raises(InputError, match="no such detector"):
        load_detector(DetectConfig(detector=str(tmp_path / "none.onnx")))
    (tmp_path / "lonely.xml").write_text("<net/>")
    with pytest.raises(InputError, match=r"lonely\.bin are not beside it"):
        load_detector(DetectConfig(detector=str(tmp_path / "lonely.xml")))
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(InputError, match="unknown kind of detector"):
        load_detector(DetectConfig(detector=str(tmp_path / "weights.pt")))


def test_a_missing_default_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("dettrack.models.detector.DEFAULT_WEIGHTS", tmp_path / "detector.safetensors")
    with pytest.raises(InputError, match="--detector FILE"):
        load_detector(DetectConfig())


REAL = ("rtmdet_nano_person.onnx", "picodet_s_320_pedestrian.xml", "yolox_nano_416.onnx")


@pytest.fixture(scope="module")
def street(videos):
    import av

    with av.open(str(videos / "vtest.avi")) as container:
        frames = [f.to_ndarray(format="rgb24") for f, _ in zip(container.decode(video=0), range(2), strict=False)]
    return [Frame(i, i / 10, image) for i, image in enumerate(frames)]


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_files_find_the_pedestrians(weights, street, name):
    """RTMDet's sure boxes in the first frame of vtest.avi (looked at: people) are the yardstick."""
    config = DetectConfig(detector=str(weights / name), min_box_area=0.0, detector_threshold=0.4)
    detector = load_detector(config, threads=1)
    boxes, _ = filter_boxes(detector.detect(street[:1])[0], config)
    reference = load_detector(DetectConfig(detector=str(weights / REAL[0])), threads=1).detect(street[:1])[0]
    sure = reference[reference.scores > 0.6]
    assert len(sure) == 3
    assert (box_iou(sure.xyxy, boxes.xyxy).max(1) > 0.6).all()
    if name.endswith(".xml"):
        with pytest.raises(InputError, match="not a person detector"):
            load_detector(DetectConfig(detector=str(weights / "tinypose_256_192.xml")), threads=1)


@pytest.mark.data
def test_a_batch_gives_what_single_frames_give(weights, street):
    detector = load_detector(DetectConfig(detector=str(weights / REAL[0]), detector_size=320), threads=1)
    small = Frame(2, 0.2, np.ascontiguousarray(street[0].image[::2, ::2][:200]))
    frames = [*street, small]
    for together, frame_ in zip(detector.detect(frames), frames, strict=True):
        np.testing.assert_allclose(together.xyxy, detector.detect([frame_])[0].xyxy, atol=1e-2)


def test_a_detector_is_known_by_its_name_in_the_store(tmp_path, monkeypatch):
    (tmp_path / "street.onnx").write_bytes(b"garbage")
    monkeypatch.setenv("DETTRACK_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match=r"street\.onnx"):  # found, and opened
        load_detector(DetectConfig(detector="street"))
    with pytest.raises(InputError, match=r"no weights called 'house': .*street"):
        load_detector(DetectConfig(detector="house"))
