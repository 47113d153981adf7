"""`dettrack train`: train a network as a recipe says; interrupted runs continue where they stopped."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from dettrack.errors import UsageError
from dettrack.files.toml import changed, read_toml
from dettrack.threads import keep_memory

__all__ = ["run"]

_FONTS = "MPLCONFIGDIR"


@dataclass(frozen=True)
class TrainArgs:
    """Train a pose network or a person detector as a recipe (TOML) says.

    Interrupt it when you like: the same command continues from the last checkpoint. On several GPUs or machines:
    torchrun --nproc-per-node 8 -m dettrack train RECIPE.

    Attributes:
        recipe: TOML file; see configs/.
        out: Folder of the run; each stage has a folder in it with model.safetensors, log.csv, curve.png and a
            checkpoint. The default is runs/ and the recipe's name.
        stage: Train this stage of the recipe alone.
        set: Values that go before the recipe's, KEY=VALUE: loop.batch=8, network.width=32, data.path=FOLDER (of all
            [[data]]), held_out.0.every=2; with a stage's name in front for that stage alone: early.loop.lr=1e-5.
        fresh: Refuse to continue an earlier run in the same folder.
        quiet: Say nothing but warnings.
    """

    recipe: tyro.conf.Positional[Path]
    out: Path | None = None
    stage: str = ""
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    fresh: bool = False
    quiet: bool = False


def run(args: Sequence[str]) -> int:
    """Run the command."""
    options = tyro.cli(TrainArgs, args=args, prog="dettrack train")
    keep_memory()
    level = logging.WARNING if options.quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    table = read_toml(options.recipe)
    with _nothing_at_home():
        return _train_detector(options, table) if "detector" in table else _train_pose(options, table)


@contextmanager
def _nothing_at_home() -> Iterator[None]:
    """Matplotlib, which draws the curves, keeps its list of fonts in a folder that goes, where nobody names one."""
    with tempfile.TemporaryDirectory() as folder:
        given = os.environ.setdefault(_FONTS, folder)
        try:
            yield
        finally:
            if given == folder:
                del os.environ[_FONTS]


def _train_pose(options: TrainArgs, table: dict[str, Any]) -> int:
    from dettrack.training.pose.recipe import stages
    from dettrack.training.pose.run import run_stages

    planned = stages(table, str(options.recipe), options.set)
    names = [stage.name for stage in planned]
    if options.stage and options.stage not in names:
        raise UsageError(f"--stage is {options.stage!r}: {options.recipe} has {', '.join(names)}")
    out = options.out or Path("runs") / options.recipe.stem
    metrics = run_stages(planned, out, options.recipe.parent, only=options.stage, resume=not options.fresh)
    return _report(metrics, out / (options.stage or names[-1]))


def _report(metrics: dict[str, float] | None, folder: Path) -> int:
    if int(os.environ.get("RANK", 0)):  # the first process speaks for all
        return 0
    if metrics is None:
        sys.stdout.write("stopped at max_hours; the same command continues\n")
        return 0
    for name, value in metrics.items():
        sys.stdout.write(f"{name} {value:.4f}\n")
    sys.stdout.write(f"weights: {folder / 'model.safetensors'}\n")
    return 0


def _train_detector(options: TrainArgs, table: dict[str, Any]) -> int:
    from dettrack.training.detector.run import detector_recipe, run_detector

    if options.stage:
        raise UsageError(f"--stage is {options.stage!r}: a detector's recipe has no stages")
    out = options.out or Path("runs") / options.recipe.stem
    recipe = detector_recipe(changed(table, options.set), str(options.recipe))
    return _report(run_detector(recipe, out, options.recipe.parent, resume=not options.fresh), out)
