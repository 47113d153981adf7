from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from dettrack.config import DetectConfig
from dettrack.errors import InputError, UsageError
from dettrack.geometry import box_iou
from dettrack.models.detector import load_detector, own
from dettrack.models.detector.backbones import fold_norms
from dettrack.models.detector.checkpoint import read_detector, save_detector
from dettrack.models.detector.network import DetectorSpec, PersonDetector
from dettrack.models.detector.scales import find_people, valid_ranges
from dettrack.models.runtime.runner import on_host
from dettrack.structures import Frame


@pytest.fixture
def model() -> PersonDetector:
    torch.manual_seed(3)
    model = PersonDetector(DetectorSpec(width=16))
    torch.nn.init.normal_(model.head.person.weight, std=0.5)
    torch.nn.init.constant_(model.head.person.bias, 0.0)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():  # statistics of one batch, or nothing of the picture would reach the end of random weights
        model.train()(torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8))
    return model.eval()


@pytest.fixture
def checkpoint(model: PersonDetector, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_detector(model, path, 96, {"ap50": 0.5})
    return path


def _frames(*sizes: tuple[int, int]) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [Frame(i, i / 25, rng.integers(0, 256, (*size, 3), dtype=np.uint8)) for i, size in enumerate(sizes)]


def test_a_checkpoint_comes_back_as_it_was(model: PersonDetector, checkpoint: Path) -> None:
    back = read_detector(checkpoint)
    assert back.size == 96
    assert back.metrics == {"ap50": 0.5}
    assert back.model.spec == model.spec
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue  # a count that only training looks at
        torch.testing.assert_close(back.model.state_dict()[name], value.half().to(value.dtype))


def test_openvino_and_pytorch_agree(checkpoint: Path) -> None:
    pytest.importorskip("openvino")
    network = read_detector(checkpoint).model
    fold_norms(network)
    runners = own.run_by_openvino(network, 1), own.run_by_torch(network)
    rng = np.random.default_rng(0)
    for shape in ((2, 3, 64, 96), (1, 3, 64, 64), (2, 3, 64, 96)):
        images = rng.integers(0, 256, shape, dtype=np.uint8)
        (scores, distances), (plain_scores, plain_distances) = (
            [on_host(output) for output in runner.run(images)] for runner in runners
        )
        assert scores.std() > 0.01
        np.testing.assert_allclose(scores, plain_scores, atol=1e-4)
        np.testing.assert_allclose(distances, plain_distances, atol=1e-3)


def test_boxes_are_sorted_inside_the_frame_and_apart(model: PersonDetector) -> None:
    frame = _frames((50, 90))[0]
    boxes = find_people(own.run_by_torch(model), [frame.image], 96, 0.5)[0]
    assert (np.diff(boxes.scores) <= 0).all()
    assert (boxes.xyxy >= 0).all()
    assert (boxes.xyxy <= [89, 49, 89, 49]).all()


def test_a_batch_gives_what_single_frames_give(model: PersonDetector) -> None:
    images = [frame.image for frame in _frames((64, 96), (32, 96), (64, 96))]
    runner = own.run_by_torch(model)
    together = find_people(runner, images, 96)
    for image, boxes in zip(images, together, strict=True):
        alone = find_people(runner, [image], 96)[0]
        np.testing.assert_allclose(boxes.xyxy, alone.xyxy, atol=0.05)


def test_the_detector_is_found_by_its_ending_and_takes_the_users_size(checkpoint: Path) -> None:
    detector = load_detector(DetectConfig(detector=str(checkpoint), detector_size=64), device="cpu", threads=1)
    assert "efficientnet-lite0, input 64" in detector.description
    assert "ap50 0.50" in detector.description


def test_broken_files_are_refused_in_one_line(checkpoint: Path, tmp_path: Path) -> None:
    garbage, foreign, partial = tmp_path / "a.safetensors", tmp_path / "b.safetensors", tmp_path / "c.safetensors"
    garbage.write_bytes(b"no tensors")
    save_file({"x": torch.zeros(1)}, foreign)
    metadata = {"format": "dettrack detector 1", "spec": '{"width": 16}', "size": "96", "metrics": "{}"}
    save_file({"x": torch.zeros(1)}, partial, metadata)
    for path, reason in [
        (tmp_path / "none.safetensors", "no such detector"),
        (garbage, "not a readable safetensors file"),
        (foreign, "not a detector of dettrack .*'nothing'"),
        (partial, "weights do not fit the network: 433 missing"),
    ]:
        with pytest.raises(InputError, match=reason) as error:
            own.load(path, DetectConfig())
        assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_missing_device_is_named(checkpoint: Path) -> None:
    with pytest.raises(InputError, match="0 CUDA devices"):
        own.load(checkpoint, DetectConfig(), "cuda:0")


@given(st.lists(st.integers(64, 2000), min_size=1, max_size=4, unique=True), st.floats(1.0, 1000.0))
def test_every_person_is_answered_for_at_some_scale(sizes: list[int], root: float) -> None:
    ranges = valid_ranges(sizes)
    shown = [root * size / min(sizes) for size in sizes]
    answering = [low <= seen < high for seen, (low, high) in zip(shown, ranges, strict=True)]
    assert any(answering)
    assert ranges[int(np.argmin(sizes))][1] == np.inf
    assert ranges[int(np.argmax(sizes))][0] == 0


def test_several_scales_merge_what_each_finds(checkpoint: Path) -> None:
    image = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    several = load_detector(DetectConfig(detector=str(checkpoint), detector_scales=(64, 128)), threads=1)
    assert "input 64 and 128" in several.description
    found = several.detect([Frame(0, 0.0, image)])[0]
    assert (np.diff(found.scores) <= 0).all()
    overlap = box_iou(found.xyxy, found.xyxy)
    np.fill_diagonal(overlap, 0)
    assert overlap.max(initial=0) <= 0.65 + 1e-9
    with pytest.raises(UsageError, match="is for our own detectors"):
        load_detector(DetectConfig(detector="other.onnx", detector_scales=(64, 128)))
    with pytest.raises(UsageError, match="expected one of them"):
        DetectConfig(detector_size=64, detector_scales=(64, 128))
