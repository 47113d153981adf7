"""Which weights of a run are kept: the last ones, or the best that were validated."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from torch import nn

from dettrack.files import write_json

__all__ = ["Exporter", "keep_weights", "score_of"]


@runtime_checkable
class Exporter(Protocol):
    """What writes the weights that users load."""

    def export(self, model: nn.Module, path: Path, metrics: dict[str, float]) -> None:
        """Write the weights to `path` (.safetensors).

        Args:
            model: The network with averaged weights.
            path: The file.
            metrics: Of the last validation.
        """


def score_of(metrics: Mapping[str, float]) -> float:
    """What "best" means: the mean AP of all held-out sets, at keyframes; NaN where none was measured."""
    found = [value for name, value in metrics.items() if name.endswith("_ap") and "+" not in name]
    if not found:
        found = [value for name, value in metrics.items() if name.startswith("ap")]  # of detectors
    return float(np.mean(found)) if found else math.nan


def keep_weights(
    task: Exporter,
    model: nn.Module,
    folder: Path,
    metrics: dict[str, float],
    step: int,
    keep: Literal["last", "best"],
) -> None:
    """Write `model.safetensors` after a validation.

    With "best" the new weights go into `last.safetensors`, and into `model.safetensors` only if no earlier ones of the
    run were better; `best.json` says which those were. Without a figure to go by the last weights are kept.

    Args:
        task: Writes weights.
        model: The network with averaged weights.
        folder: Of the run.
        metrics: What it reached.
        step: Steps of training behind it.
        keep: See `loop.LoopConfig`.
    """
    score, record = score_of(metrics), folder / "best.json"
    if keep == "best":
        task.export(model, folder / "last.safetensors", metrics)
        if math.isfinite(score):
            # A run that was killed and goes on from an earlier step meets its own best again: equal is good enough.
            if record.is_file() and score < json.loads(record.read_text(encoding="utf-8"))["score"]:
                return
            write_json(record, {"step": step, "score": score})
        elif record.is_file():
            return
    task.export(model, folder / "model.safetensors", metrics)
