"""From a recipe with a `[detector]` table to a trained person detector in a folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dettrack.files.toml import read_table
from dettrack.training.detector.task import DetectorTask, DetectorTaskConfig
from dettrack.training.loop import LoopConfig, train
from dettrack.training.recipe import TRUNK_PACKAGES, resolve

__all__ = ["DetectorRecipe", "detector_recipe", "run_detector"]

_LOG = logging.getLogger("dettrack.training")


@dataclass(frozen=True)
class DetectorRecipe:
    """A detector's training.

    Attributes:
        detector: Network, data and how images are composed.
        loop: The run.
    """

    detector: DetectorTaskConfig
    loop: LoopConfig = field(default_factory=LoopConfig)


def detector_recipe(table: Mapping[str, Any], where: str) -> DetectorRecipe:
    """The recipe in a TOML table.

    Args:
        table: Contents of the file.
        where: Its name, for messages.

    Returns:
        The recipe.

    Raises:
        UsageError: An unknown key or a wrong value.
    """
    return read_table(DetectorRecipe, table, where)


def run_detector(recipe: DetectorRecipe, out: Path, base: Path, *, resume: bool = True) -> dict[str, float] | None:
    """Train, or continue.

    Args:
        recipe: What to do.
        out: Receives `model.safetensors`, `log.csv`, `curve.png` and the checkpoint.
        base: Folder of the recipe, for relative paths.
        resume: Continue an earlier run in `out`.

    Returns:
        The last validation's figures; None if the time ran out first.
    """
    config = recipe.detector
    config = replace(
        config,
        photos=str(resolve(config.photos, base)),
        held_out=str(resolve(config.held_out, base)) if config.held_out else "",
        trunk=config.trunk if config.trunk in ("", *TRUNK_PACKAGES) else str(resolve(config.trunk, base)),
        start=str(resolve(config.start, base)) if config.start else "",
        group=recipe.loop.batch,
        seed=recipe.loop.seed,
    )
    task = DetectorTask(config)
    _LOG.info("detector: %d photos, %d steps of %d", task.photos, recipe.loop.steps, recipe.loop.batch)
    return train(task, recipe.loop, out, resume=resume)
