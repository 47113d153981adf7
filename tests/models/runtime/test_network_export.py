from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from lively import lively_network

from dettrack.cli import main
from dettrack.config import CutConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.errors import InputError
from dettrack.models.pose import load_estimator
from dettrack.models.pose.checkpoint import NetworkSpec, load_checkpoint, save_checkpoint
from dettrack.models.pose.export import compare, export_network, probe_crops
from dettrack.models.pose.exported import read_exported_spec
from dettrack.models.pose.tube_network import open_exported, open_network
from dettrack.structures import Boxes, Clip, Frame

SIZE = (64, 96)
CPU = EstimateConfig(device="cpu", threads=1, precision="fp32")
TORCH = replace(CPU, runtime="pytorch")
LITE = NetworkSpec(architecture="lite", width=16, variant="early", clip_length=3, size=SIZE)
SPECS = {
    "hrnet": NetworkSpec(width=16, variant="early", clip_length=3, size=SIZE),
    "lite": LITE,
    "2d": replace(LITE, variant="none", clip_length=1, joints="coco17"),
    "zero": replace(LITE, time_padding="zero"),
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Small networks with random weights and lively heatmaps, as files."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, spec in SPECS.items():
        save_checkpoint(folder / f"{name}.safetensors", lively_network(spec), spec)
    return folder


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(("to", "ending"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_exported_networks_give_the_same_joints(checkpoints, tmp_path, name, to, ending):
    checkpoint = load_checkpoint(checkpoints / f"{name}.safetensors")
    export_network(checkpoint, tmp_path / f"a{ending}", to, 3)
    model = open_exported(tmp_path / f"a{ending}", CPU)
    crops = probe_crops(SIZE, 3 if model.temporal else 1, tubes=3)
    parity = compare(model, open_network(checkpoint, name, TORCH, 3), crops)
    assert parity.heatmap < 1e-4
    assert parity.joint < 0.1
    assert 0 <= parity.joint_mean <= parity.joint


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["2d", "lite"])
def test_a_checkpoint_by_every_runtime(checkpoints, name, runtime):
    """The same tracklets, within 0.1 px."""
    file = str(checkpoints / f"{name}.safetensors")
    rng = np.random.default_rng(0)
    frames = tuple(Frame(i, 0.0, rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)) for i in range(3))
    boxes = Boxes(np.array([[20.0, 10.0, 70.0, 100.0], [60.0, 20.0, 150.0, 90.0]]), np.ones(2))
    found = {}
    for each in ("pytorch", runtime):
        estimator = load_estimator(replace(CPU, model=file, runtime=each), CutConfig(clip_length=3, step=1))
        assert {"pytorch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}[
            each
        ] in estimator.description
        work = [(Clip(frames, 1), make_tubes(boxes, estimator.size)), (Clip(frames[:2], 0), make_tubes(boxes, SIZE))]
        found[each] = estimator.estimate(work)
    for one, other in zip(found["pytorch"], found[runtime], strict=True):
        np.testing.assert_allclose(other.xy, one.xy, atol=0.1)
        np.testing.assert_allclose(other.scores, one.scores, atol=1e-4)


def test_auto_takes_a_runtime_that_is_installed(checkpoints):
    for name in ("lite", "2d", "hrnet"):
        options = replace(CPU, model=str(checkpoints / f"{name}.safetensors"))
        assert "OpenVINO" in load_estimator(options, CutConfig(clip_length=3, step=1)).description


def test_metadata_of_exported_files(checkpoints, tmp_path, tiny_models):
    checkpoint = load_checkpoint(checkpoints / "lite.safetensors")
    for to, file in (("onnx", "a.onnx"), ("openvino", "a.xml")):
        export_network(checkpoint, tmp_path / file, to, 5)
        spec = read_exported_spec(tmp_path / file)
        assert spec is not None
        assert (spec.size, spec.joint_set.name, spec.clip_length, spec.temporal) == (SIZE, "posetrack15", 5, True)
        with pytest.raises(InputError, match=r"exported for \|C\| = 5, requested --clip-length 9"):
            load_estimator(replace(CPU, model=str(tmp_path / file)), CutConfig())
    assert read_exported_spec(tiny_models / "heatmaps.onnx") is None
    assert read_exported_spec(tiny_models / "heatmaps.xml") is None


def test_onnx_metadata_is_well_formed(checkpoints, tmp_path):
    onnx = pytest.importorskip("onnx")
    export_network(load_checkpoint(checkpoints / "2d.safetensors"), tmp_path / "a.onnx", "onnx", 9)
    model = onnx.load(tmp_path / "a.onnx")
    onnx.checker.check_model(model)
    (entry,) = model.metadata_props
    assert json.loads(entry.value)["clip_length"] == 1  # a 2D network sees one frame


def test_comparing_notices_a_difference(checkpoints):
    checkpoint = load_checkpoint(checkpoints / "lite.safetensors")
    reference = open_network(load_checkpoint(checkpoints / "lite.safetensors"), "a", TORCH)
    with torch.no_grad():
        checkpoint.network.final_layer.weight.add_(0.05)
    parity = compare(open_network(checkpoint, "b", TORCH), reference, probe_crops(SIZE, 3))
    assert parity.heatmap > 1e-3
    assert parity.joint > 0.1


def test_the_command(checkpoints, tmp_path, capsys):
    file = str(checkpoints / "lite.safetensors")
    assert (
        main(["export", file, "--to", "openvino", "--out", str(tmp_path / "a.xml"), "--clip-length", "3", "--json"])
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["joint"] < 0.1
    assert (tmp_path / "a.bin").is_file()
    assert main(["export", file, "--out", str(tmp_path / "a.onnx"), "--clip-length", "3"]) == 0
    assert "joints by at most 0.0" in capsys.readouterr().out
    assert main(["export", file, "--out", str(tmp_path / "a.trt")]) == 1
    assert "onnx files end in .onnx" in capsys.readouterr().err
    assert main(["export", file, "--clip-length", "4"]) == 2
    assert main(["export", str(tmp_path / "a.onnx")]) == 1
    assert "expected a checkpoint" in capsys.readouterr().err


def test_external_models_need_no_torch(tiny_models):
    """Start-up time and memory of those who bring their own model."""
    code = (
        "import sys; from dettrack.models.pose import load_estimator; from dettrack.config import EstimateConfig; "
        f"load_estimator(EstimateConfig({str(tiny_models / 'heatmaps.onnx')!r})); "
        f"load_estimator(EstimateConfig({str(tiny_models / 'heatmaps.xml')!r})); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
