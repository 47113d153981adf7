from __future__ import annotations

import os
import pickle

import pytest
import torch

from dettrack.config import CutConfig, EstimateConfig
from dettrack.errors import InputError
from dettrack.models.pose import load_estimator
from dettrack.models.pose.hrnet import HRNet
from dettrack.models.pose.inflate import inflate_state_dict
from dettrack.models.pose.official import load_official, map_head
from dettrack.skeleton import COCO17, MPII16, POSETRACK15, POSETRACK17


@pytest.fixture(scope="module")
def state():
    """A state dict with the published names (see test_network_hrnet), random."""
    torch.manual_seed(0)
    return HRNet(16, 17).state_dict()


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_forms_load(tmp_path, state, wrap, prefix):
    path = tmp_path / "pose_hrnet_w16_256x192.pth"
    torch.save(wrap({prefix + name: value for name, value in state.items()}), path)
    loaded = load_official(path)
    assert (loaded.spec.width, loaded.spec.size, loaded.spec.joints) == (16, (256, 192), "coco17")
    assert loaded.spec.variant == "none"
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_joints_and_size_as_told(tmp_path, state):
    torch.save(state, tmp_path / "a.pth")
    loaded = load_official(tmp_path / "a.pth", joints="posetrack17", size=(128, 96))
    assert (loaded.spec.joints, loaded.spec.size) == ("posetrack17", (128, 96))
    assert load_official(tmp_path / "a.pth").spec.size == (384, 288)
    with pytest.raises(InputError, match="17 joints, but posetrack15 has 15"):
        load_official(tmp_path / "a.pth", joints="posetrack15")


def test_it_is_an_estimator(tmp_path, state):
    torch.save(state, tmp_path / "w16_128x96.pth")
    estimator = load_estimator(EstimateConfig(str(tmp_path / "w16_128x96.pth"), device="cpu"), CutConfig())
    assert estimator.size == (128, 96)
    assert estimator.joint_set == POSETRACK15
    assert estimator.approximated == ("head_bottom", "head_top")


def test_other_networks_are_named(tmp_path, state):
    less = {name: value for name, value in state.items() if not name.startswith("stage4.2.fuse_layers")}
    for content, message in (
        ({"fc.weight": torch.zeros(1)}, "not an HRNet pose checkpoint: it lacks stage2"),
        (less, r"missing \(stage4\.2\.fuse_layers"),
        ([1, 2], "no state dict in it"),
        ({**state, "final_layer.weight": torch.zeros(21, 16, 1, 1)}, "21 joints: expected 15, 16 or 17"),
    ):
        torch.save(content, tmp_path / "a.pth")
        with pytest.raises(InputError, match=message):
            load_official(tmp_path / "a.pth")


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def test_no_code_is_run_from_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pth").write_bytes(pickle.dumps(_Evil(), protocol=2))
    with pytest.raises(InputError, match="a readable checkpoint of tensors"):
        load_official(tmp_path / "a.pth")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("source", [COCO17, POSETRACK17])
def test_heads_are_mapped_by_name(state, source):
    mapped, joint_map = map_head(state, source, POSETRACK15)
    target = HRNet(16, 15, variant="early")
    target.load_state_dict(inflate_state_dict(mapped, target), strict=True)
    for row, joint in enumerate(POSETRACK15.joints):
        weight = target.state_dict()["final_layer.weight"][row]
        if joint in source.joints:
            assert torch.equal(weight, state["final_layer.weight"][source.index(joint)])
        else:
            assert joint in joint_map.approximated + joint_map.missing  # said, not dropped in silence
            torch.testing.assert_close(weight, state["final_layer.weight"].mean(0))
    assert joint_map.approximated == (("head_bottom", "head_top") if source is COCO17 else ())


def test_what_cannot_be_had_is_said(state):
    _, joint_map = map_head(state, COCO17, MPII16)
    assert joint_map.missing == ("pelvis", "thorax")
