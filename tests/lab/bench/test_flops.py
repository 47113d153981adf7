"""Operations that are counted: by hand, by PyTorch and by the graph of the same network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dettrack.config import DetectConfig, EstimateConfig, TrackConfig
from dettrack.lab.bench.flops import RunWork, graph_gflop, module_gflop, run_work
from dettrack.lab.bench.networks import find_network
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, load_checkpoint, save_checkpoint
from dettrack.models.pose.crop_network import CropNetwork, onnx_bytes
from dettrack.models.runtime.to_onnx import to_onnx

SPEC = NetworkSpec(architecture="lite", width=16, variant="early", clip_length=3, size=(64, 64))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("flops") / "a.safetensors"
    save_checkpoint(path, build_network(SPEC), SPEC)
    return path


class Layers(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.grouped = torch.nn.Conv2d(8, 16, 5, stride=2, padding=2, groups=4)
        self.up = torch.nn.ConvTranspose2d(16, 4, 2, stride=2)
        self.line = torch.nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(self.up(self.grouped(self.conv(x))).mean((2, 3)))


def test_layers_by_hand():
    """On 8 x 6 pixels: a multiply-add counts as two."""
    expected = 2 * (48 * 8 * 3 * 9 + 12 * 16 * 2 * 25 + 12 * 16 * 4 * 4 + 4 * 5) / 1e9
    assert module_gflop(Layers(), 1, 3, 8, 6) == pytest.approx(expected)
    pytest.importorskip("openvino")
    axes = {"x": {0: "n", 2: "h", 3: "w"}, "y": {0: "n"}}
    content = to_onnx(Layers().eval(), torch.zeros(2, 3, 4, 4), ("x", "y"), axes)
    assert graph_gflop(content, (8, 6)) == pytest.approx(expected)
    assert graph_gflop(content) is None, "shapes stay open"


def test_hrnet_needs_what_its_paper_says():
    """7.1 GMAC for W32 on 192 x 256 pixels; a tube of a 2D network as many times as it has frames."""
    w32 = find_network("W32-none-192x256")
    assert w32.spec.size == (256, 192)
    once = module_gflop(w32.network, 1, 1, 3, 256, 192)
    assert once == pytest.approx(2 * 7.1, rel=0.1)
    assert module_gflop(w32.network, 1, 9, 3, 256, 192) == pytest.approx(9 * once)


def test_a_graph_counts_as_its_module(checkpoint):
    pytest.importorskip("openvino")
    loaded = load_checkpoint(checkpoint)
    graph = graph_gflop(onnx_bytes(loaded, 3), (64, 96))
    assert graph == pytest.approx(module_gflop(loaded.network, 1, 3, 3, 64, 96), rel=0.01)
    assert module_gflop(CropNetwork(loaded, 3), 1, 3, 64, 96, 3) == pytest.approx(graph, rel=0.01)


def test_a_run_is_the_sum_of_what_ran(checkpoint, tmp_path):
    (tmp_path / "boxes.json").write_text("[]")
    estimate = EstimateConfig(str(checkpoint), device="cpu", precision="fp32", flip=False)
    config = TrackConfig(detect=DetectConfig(detector=str(tmp_path / "boxes.json")), estimate=estimate)
    config = replace(config, cut=replace(config.cut, clip_length=3, step=1))
    large, small = (run_work(config, {f"crops_{size}": 1}, (480, 640)).pose for size in ("96x64", "64x64"))
    assert large == pytest.approx(1.5 * small)
    assert small == pytest.approx(module_gflop(load_checkpoint(checkpoint).network, 1, 3, 3, 64, 64) / 3)
    counts = {"crops_96x64": 6, "crops_64x64": 9, "keyframes": 4, "tubes": 5}
    work = run_work(config, counts, (480, 640))
    assert (work.detector, work.pose) == (0.0, pytest.approx(6 * large + 9 * small))
    mirrored = run_work(replace(config, estimate=replace(estimate, flip=True)), counts, (480, 640))
    assert mirrored.pose == pytest.approx(2 * work.pose)
    found = run_work(replace(config, detect=DetectConfig()), counts, (480, 640))
    once = run_work(replace(config, detect=DetectConfig()), {"keyframes": 1}, (480, 640))
    assert found.detector == pytest.approx(4 * once.detector)
    assert once.detector > 0.1


def test_time_at_the_peak():
    work = RunWork(detector=10.0, pose=40.0, pose_precision="bf16")
    assert work.total == 50
    assert work.seconds_at({"fp32": 100.0, "bf16": 200.0}) == pytest.approx(0.1 + 0.2)
    unknown = RunWork(detector=None, pose=1.0, pose_precision="fp32")
    assert unknown.total is None
    assert unknown.seconds_at({"fp32": 100.0}) is None


def test_what_is_not_known_is_said():
    """A network of another library cannot be counted without running it."""
    config = TrackConfig(detect=DetectConfig(detector="hf:somebody/some-network"))
    assert run_work(config, {"keyframes": 3}, (480, 640)).detector is None
    assert np.isfinite(run_work(config, {"crops_192x160": 2}, (480, 640)).pose)
