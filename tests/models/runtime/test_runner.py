"""What every runner does alike, with tiny files whose answers are known."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from dettrack.errors import InputError, MissingExtraError
from dettrack.models.runtime.open_file import open_file
from dettrack.models.runtime.runner import FileRunner, ImageInput, Runner, SessionOptions
from dettrack.models.runtime.to_onnx import to_onnx
from dettrack.models.runtime.torch import TorchRunner

RUNTIMES = {"onnxruntime": "ONNX Runtime, CPU", "openvino": "OpenVINO, CPU, fp32"}


class Pooled(torch.nn.Module):
    """uint8 images `(n, 3, h, w)` -> the mean of each channel, and the doubled image."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        floats = images.float()
        return floats.mean((2, 3)), 2 * floats


@pytest.fixture(scope="module")
def content() -> bytes:
    axes = {"images": {0: "n", 2: "h", 3: "w"}, "means": {0: "n"}, "doubled": {0: "n", 2: "h", 3: "w"}}
    return to_onnx(Pooled().eval(), torch.zeros(1, 3, 4, 4, dtype=torch.uint8), ("images", "means", "doubled"), axes)


def images(n: int, height: int = 6, width: int = 5) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 255, (n, height, width, 3), dtype=np.uint8)


def opened(content: bytes, runtime: str, **options) -> FileRunner:
    pytest.importorskip(runtime)
    return open_file(content, "pooled", SessionOptions(runtime, device="cpu", threads=1, **options))


@pytest.mark.parametrize("side_by_side", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 4])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_rows_come_back_in_their_order_however_they_are_passed(content, runtime, rows, side_by_side):
    """Batches that do not fill their passes, and two shapes one after the other."""
    runner = opened(content, runtime, rows=rows, side_by_side=side_by_side)
    assert isinstance(runner, Runner)
    assert (runner.runtime, runner.device) == (RUNTIMES[runtime], "cpu")
    assert [port.name for port in (*runner.inputs, *runner.outputs)] == ["images", "means", "doubled"]
    assert runner.inputs[0].shape == (None, 3, None, None)
    reference = TorchRunner(Pooled(), torch.device("cpu"))
    for batch in (images(5), images(3, 4, 8), images(5)):
        planes = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        for found, expected in zip(runner.run(planes), reference.run(planes), strict=True):
            np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_images_are_prepared_alike(tiny_models, runtime):
    """Normalisation and the order of the channels, on the host or compiled into the network."""
    recipe = ImageInput(bgr=True, mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 8.0))
    batch = images(3, 64, 48)
    expected = (batch[..., ::-1] - np.array(recipe.mean)) / np.array(recipe.std)
    np.testing.assert_allclose(recipe.prepare(batch), expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
    pytest.importorskip(runtime)
    runner = open_file(tiny_models / "heatmaps.onnx", "tiny", SessionOptions(runtime, device="cpu", threads=1))
    (maps,) = runner.for_images(recipe, rows=2, output=0).run(batch)
    assert maps.shape == (3, 17, 16, 12)
    picked = 0.229 * expected[:, ::4, ::4, 0] + 0.485  # the file takes its first channel: blue here
    np.testing.assert_allclose(maps[:, 5], picked, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_file_with_a_fixed_number_of_rows(tiny_models, runtime):
    pytest.importorskip(runtime)
    runner = open_file(tiny_models / "fixed.onnx", "fixed", SessionOptions(runtime, device="cpu", threads=1))
    assert runner.inputs[0].shape[0] == 3
    (maps,) = runner.for_images(ImageInput(), rows=3).run(images(4, 64, 48))
    assert maps.shape[0] == 4
    with pytest.raises(runner.failures):
        runner.run(np.zeros((2, 3, 10, 10), np.float32))


def test_what_cannot_be_opened_is_told_in_one_line(content, tmp_path, monkeypatch):
    (tmp_path / "a.onnx").write_bytes(b"other")
    for runtime in RUNTIMES:
        with pytest.raises(InputError, match=r"not a readable|expected an? ") as error:
            opened((tmp_path / "a.onnx").read_bytes(), runtime)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="is run by ONNX Runtime or OpenVINO"):
        open_file(content, "a", SessionOptions("pytorch"))
    with pytest.raises(InputError, match="is run by OpenVINO"):
        open_file(tmp_path / "a.xml", "a.xml", SessionOptions("onnxruntime"))
    with pytest.raises(InputError, match="offers fp32 and bf16"):
        opened(content, "openvino", precision="fp16")
    monkeypatch.setattr("dettrack.models.runtime.runner.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="openvino"):
        open_file(tmp_path / "a.xml", "a.xml", SessionOptions())
    with pytest.raises(MissingExtraError, match="onnx"):
        open_file(content, "a", SessionOptions())


def test_openvino_stays_without_its_converter_and_telemetry():
    """Both built-in networks, loaded and run: only OpenVINO's own reader takes part."""
    pytest.importorskip("openvino")
    code = """
import sys
import numpy as np
from dettrack.config import DetectConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.models.detector import load_detector
from dettrack.models.pose import load_estimators
from dettrack.structures import Boxes, Clip, Frame
frame = Frame(0, 0.0, np.zeros((64, 96, 3), np.uint8))
detector = load_detector(DetectConfig(), device="cpu", threads=1)
estimator, small = load_estimators(EstimateConfig(device="cpu", threads=1, runtime="openvino", small_crops_below=99.0))
assert "OpenVINO" in detector.description and "OpenVINO" in small.description
detector.detect([frame])
tubes = make_tubes(Boxes(np.array([[8.0, 8.0, 40.0, 60.0]]), np.ones(1)), small.size)
small.estimate([(Clip((frame,), 0), tubes)])
unwanted = [name for name in sys.modules if name.startswith(("openvino_telemetry", "openvino.tools.ovc"))]
assert not unwanted, unwanted
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
