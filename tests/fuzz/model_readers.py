"""Networks, and the files beside them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import torch
from dot_people import write_model
from reader import Reader, text, within

from dettrack.cli import show
from dettrack.models.detector.checkpoint import read_detector, save_detector
from dettrack.models.detector.network import DetectorSpec, PersonDetector
from dettrack.models.pose.calibration import read_calibration
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, load_checkpoint, save_checkpoint
from dettrack.models.pose.exported import METADATA_KEY, pack_engine, read_exported_spec
from dettrack.models.pose.frame_layout import read_stated
from dettrack.models.pose.official import open_checkpoint
from dettrack.models.runtime.open_file import open_file
from dettrack.models.runtime.runner import SessionOptions
from dettrack.models.weights import metadata

_SPEC = {"architecture": "lite", "width": 8, "variant": "none", "size": [64, 64], "stride": 4, "joints": "coco17"}
_ABOUT = {"format": 1, "spec": _SPEC, "clip_length": 5}
_STATED = 'layout = "heatmaps"\nsize = [256, 192]\nmean = [0.5, 0.5, 0.5]\nstd = [1.0, 1.0, 1.0]\njoints = "coco17"\n'
_CALIBRATION = 'sha256 = ""\ntable = [\n    [0.1, 0.05],\n    [0.5, 0.4],\n    [0.9, 0.99],\n]\n'


def _checkpoints(folder: Path) -> list[Path]:
    spec = NetworkSpec("lite", 8, "none", 3, size=(64, 64))
    save_checkpoint(folder / "pose.safetensors", build_network(spec), spec, half=True)
    return [folder / "pose.safetensors"]


def _detectors(folder: Path) -> list[Path]:
    save_detector(PersonDetector(DetectorSpec(width=8)), folder / "detector.safetensors", 320, {"ap": 0.5})
    return [folder / "detector.safetensors"]


def _describe(path: Path) -> object:
    metadata(path)
    return show.run([str(path)])


def _pth(folder: Path) -> list[Path]:
    torch.save({"state_dict": {"a.weight": torch.zeros(3, 2), "b": torch.ones(2)}}, folder / "a.pth")
    return [folder / "a.pth"]


def _onnx(folder: Path) -> list[Path]:
    write_model(folder / "dots.onnx")
    return [folder / "dots.onnx"]


def _read_model(path: Path) -> object:
    return open_file(path, str(path), SessionOptions(device="cpu", threads=1))


def _openvino(folder: Path) -> None:
    import openvino

    write_model(folder / "dots.onnx")
    openvino.save_model(openvino.Core().read_model(folder / "dots.onnx"), folder / "dots.xml")


def _exported(folder: Path) -> list[Path]:
    import onnx

    paths = [folder / name for name in ("a.onnx", "a.xml", "a.engine")]
    write_model(paths[0])
    model = onnx.load(paths[0])
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, json.dumps(_ABOUT)
    onnx.save(model, paths[0])
    value = json.dumps(_ABOUT).replace('"', "&quot;")
    paths[1].write_text(f'<?xml version="1.0"?><net><rt_info><{METADATA_KEY} value="{value}"/></rt_info></net>')
    paths[2].write_bytes(pack_engine(struct.pack("<4i", 1, 2, 3, 4), _ABOUT))
    return paths


def _beside(folder: Path) -> None:
    write_model(folder / "dots.onnx")
    (folder / "dots.toml").write_text(_STATED)


READERS = {
    "checkpoint": Reader(_checkpoints, load_checkpoint),
    "detector": Reader(_detectors, read_detector),
    "described": Reader(_checkpoints, _describe),
    "pth": Reader(_pth, open_checkpoint),
    "onnx": Reader(_onnx, _read_model),
    "openvino": within(_openvino, "dots.xml", lambda folder: _read_model(folder / "dots.xml")),
    "exported": Reader(_exported, read_exported_spec),
    "stated": within(_beside, "dots.toml", lambda folder: read_stated(folder / "dots.onnx")),
    "calibration": Reader(text("a.toml", _CALIBRATION), lambda path: read_calibration(path, path)),
}
