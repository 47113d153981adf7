"""`dettrack bench`: speed on this machine, beside its peak and beside baselines, as ratios of one run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dettrack.cli.settings import format_names
from dettrack.config import PRESETS, CutConfig, DetectConfig, EstimateConfig, TrackConfig, preset_config
from dettrack.errors import MissingExtraError, UsageError
from dettrack.threads import tune_process

if TYPE_CHECKING:
    from dettrack.lab.bench.race import Contestant
    from dettrack.lab.bench.report import BenchReport

__all__ = ["BenchArgs", "run"]


@dataclass(frozen=True)
class BenchArgs:
    """Measure every stage, networks beside matrix products, and whole runs beside baselines; all take turns.

    Attributes:
        video: What to track; a scene is drawn if none is given.
        out: Folder for bench.md and bench.png.
        json: Write the figures to this file; docs/speed.md explains the keys.
        rounds: How often everything is timed.
        seconds: Length of the video that is used.
        detector: As of `dettrack track`.
        model: Likewise.
        baseline_detector: Another person detector, for top-down tracking on every frame (RTMDet, say).
        baseline_detector_size: Longer side of its input in pixels; 0 takes its own.
        baseline_model: Another 2D network, for the same (TinyPose, say).
        networks: Comma-separated: files or names of weights, or HRNet with random weights as W32-early-288x384 (width;
            none, early, last, all; width x height of the crop). They are run in every runtime; "" for none.
        clip_length: |C| of temporal networks.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads; 0 takes all.
        memory: Measure peak memory of whole runs too.
        only: Comma-separated parts: runs, overlap, stages, crowd, networks.
        runs: Comma-separated pieces of names: only runs with one of them in their name; "" for all.
    """

    video: Annotated[Path | None, tyro.conf.Positional] = None
    out: Path = Path("bench")
    json: Path | None = None
    rounds: int = 3
    seconds: float = 8.0
    detector: str = "default"
    model: str = "default"
    baseline_detector: str = ""
    baseline_detector_size: int = 320
    baseline_model: str = ""
    networks: str = "default"
    clip_length: int = 9
    device: str = "auto"
    threads: int = 0
    memory: bool = False
    only: str = "runs,overlap,stages,crowd,networks"
    runs: str = ""

    @property
    def parts(self) -> list[str]:
        """What to measure."""
        return list(format_names(self.only))


_PARTS = {"runs", "overlap", "stages", "crowd", "networks"}


def run(args: Sequence[str]) -> int:
    """Entry point of the command."""
    options = tyro.cli(BenchArgs, args=list(args), prog="dettrack bench")
    unknown = sorted(set(options.parts) - _PARTS)
    if unknown or not options.parts:
        raise UsageError(f"--only {options.only}: expected some of {', '.join(sorted(_PARTS))}")
    if options.rounds < 1 or options.seconds <= 0:
        raise UsageError("--rounds must be at least 1 and --seconds positive")
    from dettrack.files import write_json, write_text
    from dettrack.lab.bench.report import markdown, plot

    report = _measure(options)
    text = markdown(report)
    sys.stdout.write(text)
    write_text(options.out / "bench.md", text)
    try:
        plot(report, options.out / "bench.png")
    except MissingExtraError as error:
        _say(str(error))
    if options.json is not None:
        write_json(options.json, report.entry(), indent=2)
    return 0


def _measure(options: BenchArgs) -> BenchReport:
    from dettrack.lab.bench.networks import measure_networks, network_names
    from dettrack.lab.bench.report import BenchReport, machine
    from dettrack.lab.bench.stages import crowd_share
    from dettrack.pipeline import Pipeline

    names = network_names(options.networks) if "networks" in options.parts else []
    tune_process(options.threads)
    about, config = machine(), _settings(options)
    report = BenchReport(about)
    with ExitStack() as stack:
        if {"runs", "overlap", "stages"} & set(options.parts):
            video = options.video or _drawn(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            report = _measure_video(options, config, video, report)
    if "crowd" in options.parts:
        _say("crowd")
        report = replace(report, crowd=crowd_share(Pipeline(config)))
    if names:
        where = options.device, options.threads
        peaks, networks = measure_networks(names, *where, options.rounds, options.clip_length, _say)
        report = replace(report, peaks=peaks, networks=networks)
    return report


def _measure_video(options: BenchArgs, config: TrackConfig, video: Path, report: BenchReport) -> BenchReport:
    """What needs a video: whole runs, their stages side by side, and the stages alone."""
    from dettrack.lab.bench.race import overlapped_and_not, race
    from dettrack.lab.bench.stages import measure_stages
    from dettrack.pipeline import Pipeline
    from dettrack.video import open_video

    end_s, rounds = options.seconds, options.rounds
    with open_video(video, end_s=end_s, shots=False) as reader:
        info = reader.info
    shown = {"name": info.name, "width": info.width, "height": info.height, "frames": info.n_frames}
    report = replace(report, video=shown)
    if "runs" in options.parts:
        rows = race(_contestants(options), video, end_s, rounds, _say, memory=options.memory)
        rows += _absent_baselines(options)
        report = replace(report, race=rows, video={**shown, "frames": max(row.frames for row in rows)})
    if "overlap" in options.parts:
        pair = overlapped_and_not(
            replace(config, cut=replace(config.cut, step=min(4, max(options.clip_length - 1, 1))))
        )
        report = replace(report, overlap=race(pair, video, end_s, rounds, _say))
    if "stages" in options.parts:
        _say("stages")
        stages = measure_stages(Pipeline(config), video, min(48, info.n_frames or 48), rounds)
        report = replace(report, stages=stages)
    return report


def _settings(options: BenchArgs) -> TrackConfig:
    return TrackConfig(
        cut=CutConfig(clip_length=options.clip_length, step=1, adaptive=False),
        detect=DetectConfig(detector=options.detector),
        estimate=EstimateConfig(
            model=options.model,
            device=options.device,
            threads=options.threads,
            small_crops_below=0.0,
            precision="auto",
        ),
    )


def _contestants(options: BenchArgs) -> list[Contestant]:
    """The same network on every frame first: what the others are compared with."""
    from dettrack.lab.bench.race import Contestant, every_frame, top_down

    config = _settings(options)
    most = max(options.clip_length - 1, 1)  # S that still lets tubes overlap
    found = [Contestant("same network on every frame", every_frame(config))]
    found += [
        Contestant(f"S = {step}", replace(config, cut=replace(config.cut, step=step)))
        for step in (1, 8)
        if step <= most
    ]
    found += [
        Contestant(f"preset {name}", _same_models(preset_config(name), options)) for name in PRESETS if name != "paper"
    ]
    if options.baseline_detector and options.baseline_model:
        other = top_down(
            options.baseline_detector, options.baseline_detector_size, options.baseline_model, config.estimate
        )
        names = f"{Path(options.baseline_detector).stem} + {Path(options.baseline_model).stem}"
        found.append(Contestant(f"{names}, every frame", other))
    wanted = list(format_names(options.runs))
    chosen = [one for one in found if not wanted or any(piece in one.name for piece in wanted)]
    if not chosen:
        raise UsageError(f"--runs {options.runs}: expected pieces of {', '.join(one.name for one in found)}")
    return chosen


def _same_models(config: TrackConfig, options: BenchArgs) -> TrackConfig:
    """A preset with the detector, model and device of the command line."""
    detect = replace(config.detect, detector=options.detector)
    estimate = replace(config.estimate, model=options.model, device=options.device, threads=options.threads)
    return replace(config, detect=detect, estimate=estimate)


def _absent_baselines(options: BenchArgs) -> list:
    from dettrack.lab.bench.race import RaceRow

    if options.baseline_detector and options.baseline_model:
        return []
    return [RaceRow("other detector + 2D network", skipped="no --baseline-detector and --baseline-model given")]


def _drawn(folder: Path) -> Path:
    from dettrack.lab.synth import demo_scene

    _say("drawing a scene ...")
    return demo_scene(folder)[0]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
