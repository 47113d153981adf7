"""Whose joints a .pth has, of which size, and mmpose's names; a guess is said, and made only where nothing is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dettrack.cli import main
from dettrack.config import CutConfig, EstimateConfig
from dettrack.errors import InputError
from dettrack.models.pose import load_estimator
from dettrack.models.pose.checkpoint import load_checkpoint
from dettrack.models.pose.hrnet import HRNet
from dettrack.models.pose.official import load_official, load_trunk_state
from dettrack.models.weights import find_weights
from dettrack.skeleton import COCO17, POSETRACK15, POSETRACK17


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return HRNet(4, 17).state_dict()


def mmpose(state: dict[str, Tensor], head: str) -> dict[str, Tensor]:
    return {
        (name.replace("final_layer", f"{head}.final_layer") if "final_layer" in name else f"backbone.{name}"): value
        for name, value in state.items()
    }


@pytest.mark.parametrize("head", ["keypoint_head", "head"])
def test_mmposes_names(tmp_path: Path, state: dict[str, Tensor], head: str) -> None:
    path = tmp_path / "hrnet_w4_posetrack18_384x288-0000.pth"
    torch.save({"state_dict": mmpose(state, head), "meta": {"mmpose_version": "0.14"}}, path)
    loaded = load_official(path)
    assert (loaded.spec.joints, loaded.spec.size, loaded.spec.sigma, loaded.note) == (
        "posetrack17",
        (384, 288),
        3.0,
        "",
    )
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_a_files_own_names_come_first(tmp_path: Path, state: dict[str, Tensor]) -> None:
    """With NumPy arrays beside them, as newer files of mmpose have them."""
    about = {"keypoint_id2name": dict(enumerate(POSETRACK17.joints)), "sigmas": np.ones(17, np.float32)}
    torch.save({"state_dict": mmpose(state, "head"), "meta": {"dataset_meta": about}}, tmp_path / "coco_256x192.pth")
    loaded = load_official(tmp_path / "coco_256x192.pth")
    assert (loaded.spec.joints, loaded.spec.size, loaded.spec.sigma, loaded.note) == (
        "posetrack17",
        (256, 192),
        2.0,
        "",
    )
    assert load_official(tmp_path / "coco_256x192.pth", joints="posetrack17").spec.joints == "posetrack17"
    with pytest.raises(InputError, match="are posetrack17, not coco17"):
        load_official(tmp_path / "coco_256x192.pth", joints="coco17")
    about["keypoint_id2name"][4] = "third_eye"
    torch.save({"state_dict": mmpose(state, "head"), "meta": {"dataset_meta": about}}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="third_eye"):
        load_official(tmp_path / "other.pth")


def test_a_guess_is_said_and_an_option_settles_it(
    tmp_path: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DETTRACK_WEIGHTS", str(tmp_path / "store"))
    torch.save(state, tmp_path / "a_64x64.pth")
    config = EstimateConfig(str(tmp_path / "a_64x64.pth"), device="cpu", flip=False)
    guessed = load_estimator(config, CutConfig())
    assert "17 joints are taken for COCO's" in guessed.description
    assert guessed.approximated == ("head_bottom", "head_top")
    told = load_estimator(EstimateConfig(config.model, model_joints="posetrack17", device="cpu"), CutConfig())
    assert "taken for" not in told.description
    assert (told.joint_set, told.approximated) == (POSETRACK15, ())
    assert main(["weights", "import", config.model, "--name", "guess"]) == 0
    assert "taken for COCO's" in capsys.readouterr().out
    assert main(["weights", "import", config.model, "--name", "told", "--joints", "posetrack17"]) == 0
    assert "taken for" not in capsys.readouterr().out
    assert load_checkpoint(find_weights("told").path).spec.joints == "posetrack17"
    assert load_checkpoint(find_weights("guess").path).spec.joints == COCO17.name


@pytest.mark.parametrize("size", ["999x10", "384x300", "0x0", "64x9999"])
def test_sizes_that_the_network_cannot_take(
    tmp_path: Path, state: dict[str, Tensor], size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(state, tmp_path / "a.pth")
    assert main(["weights", "import", str(tmp_path / "a.pth"), "--size", size]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"said to be {size} pixels: expected HEIGHTxWIDTH, multiples of 32" in said


def test_imagenet_weights_start_everything_but_the_head(tmp_path: Path, state: dict[str, Tensor]) -> None:
    """A classifier has more: its own head, and the fusions towards lower resolutions in the last stage."""
    classifier = {name: value for name, value in state.items() if not name.startswith("final_layer")}
    more = {"classifier.weight": torch.zeros(3, 8), "incre_modules.0.0.conv1.weight": torch.zeros(1, 1, 1, 1)}
    more["stage4.2.fuse_layers.1.0.0.0.weight"] = torch.zeros(8, 4, 3, 3)
    torch.save({**classifier, **more}, tmp_path / "hrnet_w4.pth")
    assert set(load_trunk_state(tmp_path / "hrnet_w4.pth")) == set(classifier)
    torch.save({"fc.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="not an HRNet checkpoint"):
        load_trunk_state(tmp_path / "other.pth")
