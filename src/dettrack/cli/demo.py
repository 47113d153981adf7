"""`dettrack demo`: the built-in scene drawn, tracked, measured and rendered, without network or data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from dettrack.config import CutConfig, DetectConfig, EstimateConfig, TrackConfig

__all__ = ["DemoArgs", "run"]


@dataclass(frozen=True)
class DemoArgs:
    """Draw a scene of four people, track it, and measure the tracks against the exact truth.

    Attributes:
        out: Folder that receives the scene and the result.
        step: S, frames between keyframes; more are added where they are necessary, as `dettrack track` does.
        detector: File or name, as of `dettrack track`.
        model: File or name, as of `dettrack track`.
    """

    out: Path = field(default_factory=lambda: Path("demo"))
    step: int = CutConfig.step
    detector: str = "default"
    model: str = "default"


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    parsed = tyro.cli(DemoArgs, args=list(args), prog="dettrack demo")
    from rich.console import Console

    from dettrack.evaluation import evaluate
    from dettrack.evaluation.tables import figure_tables
    from dettrack.formats import read_tracks
    from dettrack.formats.posetrack.files import prediction_sequence, read_image_list, read_sequence
    from dettrack.lab.synth import demo_scene
    from dettrack.pipeline import Pipeline
    from dettrack.runs.folder import track_to_folder
    from dettrack.runs.options import RunOptions
    from dettrack.runs.progress import RunProgress

    config = TrackConfig(
        cut=CutConfig(step=parsed.step),
        detect=DetectConfig(detector=parsed.detector),
        estimate=EstimateConfig(model=parsed.model),
    )
    pipeline = Pipeline(config)
    say(f"detector: {pipeline.detector.description}")
    say(f"model: {pipeline.estimator.description}")
    say("drawing the scene ...")
    video, annotation = demo_scene(parsed.out / "scene")
    out = parsed.out / f"{video.stem}.dettrack"
    with RunProgress("tracking") as progress:
        summary = track_to_folder(pipeline, str(video), out, RunOptions(render=True), progress)
    predictions, _ = prediction_sequence(read_image_list(annotation), read_tracks(out))
    truth = read_sequence(annotation)
    result = evaluate([truth], [replace(predictions, name=truth.name)])
    console = Console()
    for table in figure_tables(result):
        console.print(table)
    say(f"{summary['counts']['frames']} frames at {summary['frames_per_second']} frames/s")
    say(f"rendered: {out / 'render.mp4'}")
    return 0


def say(line: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
