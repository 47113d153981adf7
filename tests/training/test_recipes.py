"""The recipes that are shipped can be read, and say what the paper says."""

from __future__ import annotations

from pathlib import Path

import pytest

from dettrack.models.pose.checkpoint import build_network
from dettrack.settings import read_toml
from dettrack.training.detector.run import detector_recipe
from dettrack.training.loop import learning_rate
from dettrack.training.pose.recipe import stages

CONFIGS = Path(__file__).parents[2] / "configs"
_NAMES = ("default_pose", "default_pose_upright", "temporal_networks", "posetrack17_w48", "posetrack18_w48")


@pytest.mark.parametrize("name", [f"{name}.toml" for name in _NAMES])
def test_shipped_recipes_build(name: str) -> None:
    for stage in stages(read_toml(CONFIGS / name), name):
        assert all(side % 32 == 0 for side in stage.network.size)
        if stage.network.architecture == "lite":
            build_network(stage.network)


@pytest.mark.parametrize("name", ["default_detector.toml", "default_detector_crowds.toml"])
def test_shipped_detector_recipes_build(name: str) -> None:
    recipe = detector_recipe(read_toml(CONFIGS / name), name)
    assert recipe.detector.validation_size == 544
    assert sum(recipe.detector.sources.values()) == pytest.approx(1.0)
    assert bool(recipe.detector.start) != bool(recipe.detector.trunk)


@pytest.mark.parametrize("year", [17, 18])
def test_the_papers_schedule(year: int) -> None:
    """4.2: W48 at 384x288, nine frames, early inflation, 20 epochs at 1e-4, 1e-5 after 10, 1e-6 after 15."""
    first, last = stages(read_toml(CONFIGS / f"posetrack{year}_w48.toml"), "recipe")
    assert (first.network.variant, first.network.clip_length) == ("none", 1)
    spec, loop = last.network, last.loop
    assert (spec.width, spec.size, spec.clip_length, spec.variant) == (48, (384, 288), 9, "early")
    assert (loop.optimizer, last.epochs, last.enlarge, last.start.inflation) == ("adam", 20, 1.25, "mean")
    rates = [learning_rate(loop, int(epoch / 20 * loop.steps)) for epoch in (0, 9.9, 10, 14.9, 15, 19.9)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6])
    assert (last.augment.rotation, last.augment.scale, last.augment.flip) == (45, 0.35, 0.5)
