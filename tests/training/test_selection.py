"""Which weights a run keeps: the last ones, or the best that were validated."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_training_loop import CONFIG, Toy
from torch import Tensor, nn

from dettrack.training.loop import LoopConfig, train
from dettrack.training.selection import score_of


class Falling(Toy):
    """Validates to figures that are given beforehand."""

    def __init__(self, figures: list[float]) -> None:
        super().__init__()
        self.figures = figures

    def validate(self, model: nn.Module) -> dict[str, float]:
        return {"a_ap": self.figures.pop(0)}

    def export(self, model: nn.Module, path: Path, metrics: dict[str, float]) -> None:
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ([0.1, 0.5, 0.3], 16),
        pytest.param([0.1, 0.2, 0.3], 24, marks=pytest.mark.slow),
        pytest.param([0.4, 0.2, 0.3], 8, marks=pytest.mark.slow),
    ],
)
def test_the_best_weights_are_kept(tmp_path: Path, figures: list[float], best: int) -> None:
    config = {**CONFIG.__dict__, "validate_every": 8, "keep": "best"}
    train(Falling(list(figures)), LoopConfig(**config), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "best.json").read_text()) == {"step": best, "score": max(figures)}
    # the same run with the last weights, looked at where the best were found
    train(Falling([0.0] * 3), LoopConfig(**{**config, "keep": "last"}), tmp_path / "last")
    model = load_file(tmp_path / "run" / "model.safetensors")
    last = load_file(tmp_path / "run" / "last.safetensors")
    assert same(last, load_file(tmp_path / "last" / "model.safetensors"))
    assert same(model, last) == (best == 24)


def test_what_best_means() -> None:
    assert score_of({"a_ap": 0.2, "b_ap": 0.4, "a+4_ap": 0.9, "a": 1.0}) == pytest.approx(0.3)
    assert score_of({"ap50": 0.7, "precision": 1.0}) == 0.7
    assert math.isnan(score_of({"loss": 1.0}))
