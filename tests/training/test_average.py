"""The mean of trained networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dettrack.models.pose.checkpoint import NetworkSpec, build_network, load_checkpoint, save_checkpoint
from dettrack.training.average import main

SPEC = NetworkSpec(architecture="lite", width=16, variant="none", clip_length=1, size=(64, 64))


@pytest.fixture
def parts(tmp_path: Path) -> list[str]:
    paths = []
    for seed in range(3):
        torch.manual_seed(seed)
        save_checkpoint(tmp_path / f"{seed}.safetensors", build_network(SPEC), SPEC)
        paths.append(str(tmp_path / f"{seed}.safetensors"))
    return paths


def test_every_weight_is_the_mean(parts: list[str], tmp_path: Path) -> None:
    assert main([str(tmp_path / "mean.safetensors"), *parts]) == 0
    mean = load_checkpoint(tmp_path / "mean.safetensors")
    states = [load_checkpoint(Path(part)).network.state_dict() for part in parts]
    assert mean.spec == SPEC
    for name, value in mean.network.state_dict().items():
        expected = sum(state[name].double() for state in states) / 3
        torch.testing.assert_close(value.double(), expected, rtol=1e-3, atol=1e-4)  # stored as fp16
    assert "mean of" in mean.source


def test_other_networks_and_files_are_refused(
    parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(SPEC, width=8)
    save_checkpoint(tmp_path / "other.safetensors", build_network(other), other)
    out = tmp_path / "mean.safetensors"
    assert main([str(out), parts[0], str(tmp_path / "other.safetensors")]) == 1
    assert "not the network of" in capsys.readouterr().err
    assert main([str(out), parts[0], str(tmp_path / "absent.safetensors")]) == 1
    assert main([str(out), parts[0]]) == 2
    assert not out.exists()
