"""`dettrack ablate`: the paper's experiments, and ours, as one command."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from dettrack.cli.settings import format_names
from dettrack.errors import UsageError

__all__ = ["AblateArgs", "run"]


@dataclass(frozen=True)
class AblateArgs:
    """Measure the paper's tables and figures, and baselines beside them: Markdown, CSV and plots.

    What was measured before is taken from the cache, by the content of settings, weights and data: an interrupted
    study goes on where it was.

    Attributes:
        config: Study (TOML); `configs/reproduce_*.toml` are the ones of this project.
        only: Tables, separated by commas: table1, table7, figure5a, lost_boxes, calibration ...; "" for all.
        row: Write one row's predictions instead, TABLE:ROW, such as "table7:3D, spatial + temporal merge": zips for the
            official evaluator or server, in the folder predictions of the study's out.
        set: Values that go before the study's, KEY=VALUE: data.images=FOLDER, networks.3d=FILE,
            settings.polish.lam=0.3.
        jobs: Processes for linking, merging and evaluating; networks run one at a time.
        plots: Draw the plots (needs matplotlib).
        quiet: Print errors only.
    """

    config: tyro.conf.Positional[Path]
    only: str = ""
    row: str = ""
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    jobs: int = 1
    plots: bool = True
    quiet: bool = False


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    parsed = tyro.cli(AblateArgs, args=list(args), prog="dettrack ablate")
    if parsed.jobs < 1:
        raise UsageError(f"--jobs is {parsed.jobs}: it must be at least 1")
    from dettrack.lab.ablation import read_study, run_study

    start = time.perf_counter()

    def log(line: str) -> None:
        if not parsed.quiet:
            sys.stderr.write(f"{time.perf_counter() - start:6.0f} s  {line}\n")

    study = read_study(parsed.config, parsed.set)
    if parsed.row:
        from dettrack.lab.ablation.predictions import write_row

        key, _, name = parsed.row.partition(":")
        written = write_row(study, key, name, study.out / "predictions", log)
        sys.stdout.write("".join(f"{path}\n" for path in written))
        return 0
    only = format_names(parsed.only)
    for path in run_study(study, only, jobs=parsed.jobs, log=log, plots=parsed.plots):
        if not parsed.quiet:
            sys.stdout.write(f"{path}\n")
    return 0
