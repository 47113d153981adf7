"""`dettrack weights calibrate`: what a pose model's scores mean, from annotated people."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from dettrack.errors import InputError, UsageError

if TYPE_CHECKING:
    from dettrack.models.pose.calibration import Table
    from dettrack.training.pose.calibrate import Answers

__all__ = ["CalibrateArgs", "run"]


@dataclass(frozen=True)
class CalibrateArgs:
    """Measure how often joints are right by their score, and keep it: scores become probabilities.

    Attributes:
        model: A checkpoint of ours (.safetensors), which is written again with its calibration; or a 2D model (.onnx,
            .xml), which gets the file NAME.calibration.toml beside it.
        sets: Packed sets of annotated people that it was not trained on (`dettrack data pack`); each counts the same.
        check: Packed sets of other people, to measure the calibration on.
        out: Where to write instead.
        draw: Picture that receives the reliability diagram; needs the extra "plots".
    """

    model: tyro.conf.Positional[Path]
    sets: tyro.conf.Positional[tuple[Path, ...]]
    check: tuple[Path, ...] = ()
    out: Path | None = None
    draw: Path | None = None


def run(args: list[str]) -> int:
    """Run the command."""
    options = tyro.cli(CalibrateArgs, args=args, prog="dettrack weights calibrate")
    if options.model.suffix not in (".safetensors", ".onnx", ".xml") or not options.model.is_file():
        raise InputError(f"{options.model}: expected an existing file ending in .safetensors, .onnx or .xml")
    if not options.sets:
        raise UsageError("weights calibrate needs packed sets of annotated people: dettrack data pack makes them")
    from dettrack.models.pose.calibration import Calibration
    from dettrack.training.labels.people import load_people
    from dettrack.training.pose.calibrate import Answers, answer, calibration_error, fit_table, judge

    judged: dict[str, Answers] = {}
    for path in (*options.sets, *options.check):
        people = load_people(path)
        judged[path.stem] = judge(answer(options.model, people), people)
    fitted = Answers.join([judged[path.stem] for path in options.sets])
    table = fit_table(fitted)
    calibration = Calibration(table)
    parts = {**judged, "all fitted": fitted}
    if options.check:
        parts["all checked"] = Answers.join([judged[path.stem] for path in options.check])
    sys.stdout.write(f"{'set':<20} joints  right   calibration error before, after\n")
    for name, part in parts.items():
        before, after = (calibration_error(said, part) for said in (part.scores, calibration(part.scores)))
        share = (part.right * part.weight).sum() / part.weight.sum()
        sys.stdout.write(f"{name:<20} {len(part.scores):6} {share:6.3f}   {before:.3f}  {after:.3f}\n")
    sys.stdout.write(f"{_write(options, table)}\n")
    if options.draw is not None:
        from dettrack.training.pose.draw import draw_reliability

        draw_reliability(options.draw, calibration, parts["all checked" if options.check else "all fitted"])
        sys.stdout.write(f"{options.draw}\n")
    return 0


def _write(options: CalibrateArgs, table: Table) -> Path:
    """Into a checkpoint, or into a file beside another model."""
    from dettrack.models.pose.calibration import write_calibration
    from dettrack.models.weights import CALIBRATION

    if options.model.suffix != ".safetensors":
        out = options.out or options.model.with_suffix(CALIBRATION)
        write_calibration(out, table, options.model)
        return out
    from dettrack.models.pose.checkpoint import write_calibrated

    out = options.out or options.model
    write_calibrated(options.model, table, out)
    return out
