"""From the name of a model to its estimators."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dettrack.config import CutConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.models.pose import load_estimator, load_estimators, official
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, save_checkpoint
from dettrack.models.pose.load import smaller
from dettrack.structures import Boxes, Clip, Frame

SPEC = NetworkSpec(architecture="lite", width=16, variant="none", clip_length=1, size=(192, 96))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    network = build_network(SPEC)
    torch.nn.init.normal_(network.final_layer.weight, std=0.1)
    path = tmp_path_factory.mktemp("load") / "a.safetensors"
    save_checkpoint(path, network, SPEC)
    return path


def options(checkpoint, runtime, **more) -> EstimateConfig:
    settings = {"precision": "fp32", "threads": 1, "small_crops_below": 0.0, **more}
    return EstimateConfig(str(checkpoint), device="cpu", runtime=runtime, **settings)


@pytest.mark.parametrize("runtime", ["pytorch", "openvino"])
def test_small_crops_go_through_the_same_weights(checkpoint, monkeypatch, runtime):
    """The checkpoint is read once for both sizes, and each gives what it gives alone."""
    pytest.importorskip({"pytorch": "torch"}.get(runtime, runtime))
    read, opened = [], official.open_checkpoint
    monkeypatch.setattr(official, "open_checkpoint", lambda path, joints: read.append(path) or opened(path, joints))
    large, small = load_estimators(options(checkpoint, runtime, small_crops_below=100.0), CutConfig())
    assert len(read) == 1
    assert small is not None
    assert (large.size, small.size) == ((192, 96), (128, 64))
    assert "96x192" in large.description
    assert "64x128" in small.description
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    clip, boxes = Clip((Frame(0, 0.0, image),), 0), Boxes(np.array([[20.0, 10.0, 70.0, 100.0]]), np.ones(1))
    alone = load_estimator(options(checkpoint, runtime), CutConfig())
    expected = alone.estimate([(clip, make_tubes(boxes, alone.size))])[0]
    for _ in range(2):  # the sizes take turns
        assert small.estimate([(clip, make_tubes(boxes, small.size))])[0].xy.shape == expected.xy.shape
        found = large.estimate([(clip, make_tubes(boxes, large.size))])[0]
        np.testing.assert_allclose(found.xy, expected.xy, atol=1e-3)


def test_where_there_is_no_small_network(checkpoint, tiny_models):
    assert load_estimators(options(checkpoint, "pytorch"))[1] is None
    inflated = options(checkpoint, "pytorch", variant="early", small_crops_below=100.0)
    assert load_estimators(inflated, CutConfig(clip_length=3, step=1))[1] is None
    file = EstimateConfig(str(tiny_models / "heatmaps.onnx"), device="cpu", threads=1, small_crops_below=100.0)
    assert load_estimators(file)[1] is None
    assert smaller((128, 96)) is None
    assert smaller((384, 288)) == (256, 192)
