"""Checkpoints that ask for too much, or hold no numbers, are refused in one line before anything is built."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from dettrack.errors import InputError
from dettrack.models.detector.checkpoint import read_detector, save_detector
from dettrack.models.detector.network import DetectorSpec, PersonDetector
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, load_checkpoint, save_checkpoint
from dettrack.models.tensors import read_tensors


@pytest.fixture(scope="module")
def pose(tmp_path_factory):
    path = tmp_path_factory.mktemp("pose") / "pose.safetensors"
    spec = NetworkSpec("lite", 8, "none", 3, size=(64, 64))
    save_checkpoint(path, build_network(spec), spec)
    return path


def changed(path, out, **values):
    """The same file with other values in its description."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    about = json.loads(header["__metadata__"]["dettrack"])
    about["spec"].update(values)
    header["__metadata__"]["dettrack"] = json.dumps(about)
    text = json.dumps(header).encode()
    out.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    return out


@pytest.mark.parametrize(
    "values",
    [
        {"stride": 0},
        {"stride": 2.5},
        {"mean": [float("nan"), 0, 0]},
        {"std": [0, 1, 1]},
        {"std": [1, 1]},
        {"size": [10**9, 64]},
        {"size": [0, 64]},
        {"width": 4000},
        {"width": -1},
        {"clip_length": 10**6},
        {"sigma": float("inf")},
        {"variant": "other"},
        {"joints": 5},
        {"unknown": 1},
    ],
)
def test_a_description_out_of_range_is_refused(pose, tmp_path, values):
    with pytest.raises(InputError, match=r"changed\.safetensors") as error:
        load_checkpoint(changed(pose, tmp_path / "changed.safetensors", **values))
    assert "\n" not in str(error.value)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    save_file({"a": np.array([1.0, np.nan], np.float32), "b": np.ones(3, np.float32)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"1 of its tensors hold NaN or infinity \(a\)"):
        read_tensors(tmp_path / "a.safetensors")


def test_a_header_of_any_length_costs_nothing(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 40) + b"{" * 100)
    with pytest.raises(InputError, match="a header of 1099511627776 bytes"):
        read_tensors(path)


def test_a_detector_is_held_against_its_description_too(tmp_path):
    path = tmp_path / "a.safetensors"
    save_detector(PersonDetector(DetectorSpec(width=8, bins=4)), path, 320, {"ap": 0.1})
    assert isinstance(read_detector(path).model, torch.nn.Module)
    data = path.read_bytes()
    for old, new in (
        (b'\\"width\\": 8', b'\\"width\\": 9'),
        (b'"320"', b'"0  "'),
        (b'\\"bins\\": 4', b'\\"bins\\": 0'),
    ):
        assert old in data
        path.write_bytes(data.replace(old, new))
        with pytest.raises(InputError, match=r"a\.safetensors"):
            read_detector(path)
