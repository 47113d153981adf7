"""Whole runs side by side: the same video, from its file to the files of the result, in turns."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dettrack.config import CutConfig, DetectConfig, EstimateConfig, PolishConfig, SewConfig, TrackConfig
from dettrack.errors import DettrackError
from dettrack.lab.bench.flops import run_work
from dettrack.lab.bench.networks import fastest_product, peak_products
from dettrack.lab.bench.timing import Spread, Turns, take_turns
from dettrack.models.runtime.precision import cpu_has_bf16
from dettrack.models.runtime.torch import torch_device
from dettrack.pipeline import Pipeline
from dettrack.runs.folder import track_to_folder
from dettrack.runs.options import RunOptions

__all__ = ["Contestant", "RaceRow", "every_frame", "overlapped_and_not", "race", "top_down"]

_MEASURED = """
import pickle, resource, sys
from pathlib import Path
from dettrack.pipeline import Pipeline
from dettrack.runs.folder import track_to_folder
from dettrack.runs.options import RunOptions
from dettrack.threads import tune_process
video, out, end_s, config = pickle.loads(Path(sys.argv[1]).read_bytes())
tune_process(config.estimate.threads)
track_to_folder(Pipeline(config), video, Path(out), RunOptions(end_s=end_s))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@dataclass(frozen=True)
class Contestant:
    """A way to track a video.

    Attributes:
        name: For people.
        config: Settings.
        ahead: See `Pipeline`; 0 does one thing after the other.
    """

    name: str
    config: TrackConfig
    ahead: int = 1


@dataclass(frozen=True)
class RaceRow:
    """How a contestant did.

    Attributes:
        name: Of the contestant.
        detector: What found the people.
        model: What found the joints.
        frames: Frames of a run.
        frames_per_s: Frames per second of wall time, reading and writing included, loading of models not.
        cpu_ms_per_frame: Milliseconds of processor time, over all threads, for a frame.
        speed: How many times as fast as the first contestant, in wall time, round by round.
        speed_cpu: Likewise in processor time.
        poses: Poses found in the run.
        tracks: Tracks found.
        peak_mib: Peak resident memory of a process that does nothing else; None where it was not measured.
        gflop_per_frame: 10^9 floating point operations of the networks for a frame (see `flops`); None if not known.
        detector_gflop_per_frame: Of the detector alone.
        pose_gflop_per_frame: Of the pose network alone.
        share_of_peak: Of the run's time, what its networks would take at the peak of the machine's matrix products,
            each in its precision; None if not known.
        counts: How often the networks ran: "keyframes" of the detector, and crops by size (height x width).
        skipped: Why it did not run, or "".
    """

    name: str
    detector: str = ""
    model: str = ""
    frames: int = 0
    frames_per_s: Spread | None = None
    cpu_ms_per_frame: Spread | None = None
    speed: Spread | None = None
    speed_cpu: Spread | None = None
    poses: int = 0
    tracks: int = 0
    peak_mib: float | None = None
    gflop_per_frame: float | None = None
    detector_gflop_per_frame: float | None = None
    pose_gflop_per_frame: float | None = None
    share_of_peak: Spread | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: str = ""


def every_frame(config: TrackConfig) -> TrackConfig:
    """The same networks without tubes: a detector and one crop for each person on every frame, linked by OKS."""
    cut = CutConfig(clip_length=1, step=1, adaptive=False, enlarge=config.cut.enlarge, shots=config.cut.shots)
    return replace(config, cut=cut, sew=SewConfig(linking="oks-gbm-greedy"), polish=PolishConfig(merge="keyframe"))


def top_down(detector: str, detector_size: int, model: str, estimate: EstimateConfig) -> TrackConfig:
    """A baseline of other people's parts: their detector and 2D network on every frame, greedy linking by OKS.

    Args:
        detector: Weights or file of the detector.
        detector_size: Longer side of its input; 0 takes its own.
        model: Weights or file of the 2D network.
        estimate: Device and threads.

    Returns:
        Settings.
    """
    options = replace(estimate, model=model, flip=True, runtime="auto", precision="auto", variant="auto")
    return every_frame(
        TrackConfig(detect=DetectConfig(detector=detector, detector_size=detector_size), estimate=options)
    )


def overlapped_and_not(config: TrackConfig) -> list[Contestant]:
    """One run with its stages side by side, one with one after the other."""
    return [Contestant("stages overlap", config), Contestant("one after the other", config, ahead=0)]


def race(
    contestants: Sequence[Contestant],
    video: Path,
    end_s: float | None,
    rounds: int,
    say: Callable[[str], None],
    *,
    memory: bool = False,
) -> list[RaceRow]:
    """Run all contestants in turns.

    Args:
        contestants: The first one that runs is what the others are compared with.
        video: The file.
        end_s: Stop there, in seconds; None runs to the end.
        rounds: How often each is timed, after a run for warming up.
        say: Receives lines of progress.
        memory: Measure peak memory too, in a process of its own for each.

    Returns:
        One row for each contestant, also for those that did not run.
    """
    rows: dict[str, RaceRow] = {}
    pipelines: dict[str, Pipeline] = {}
    for one in contestants:
        rows[one.name] = RaceRow(one.name)
        try:
            pipelines[one.name] = pipeline = Pipeline(one.config, ahead=one.ahead)
        except DettrackError as error:
            rows[one.name] = RaceRow(one.name, skipped=str(error))
            continue
        rows[one.name] = RaceRow(one.name, pipeline.detector.description, pipeline.estimator.description)
    last: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:

        def run(name: str) -> Callable[[], object]:
            def go() -> None:
                out = Path(folder) / f"{list(rows).index(name)}.dettrack"
                last[name] = track_to_folder(pipelines[name], video, out, RunOptions(end_s=end_s))

            return go

        products = _products(pipelines.values())
        turns = take_turns({**{name: run(name) for name in pipelines}, **products}, rounds, say)
    peaks = _peaks({name: turns[name] for name in products})
    first = next(iter(pipelines), None)
    for name, pipeline in pipelines.items():
        counts = last[name]["counts"]
        frames = max(counts["frames"], 1)
        rows[name] = replace(
            rows[name],
            frames=frames,
            frames_per_s=turns[name].rate(frames),
            cpu_ms_per_frame=Spread.of([1e3 * seconds / frames for seconds in turns[name].cpu_seconds]),
            speed=turns[first].over(turns[name]) if first else None,
            speed_cpu=turns[first].cpu_over(turns[name]) if first else None,
            poses=sum(counts.get(f"poses_{source}", 0) for source in ("detected", "recovered", "interpolated")),
            tracks=counts["tracks"],
            **_work(pipeline, last[name], turns[name], peaks),
        )
    if memory:
        pipelines.clear()
        for one in contestants:
            if not rows[one.name].skipped:
                say(f"memory of {one.name}")
                rows[one.name] = replace(rows[one.name], peak_mib=_peak_mib(one.config, video, end_s))
    return list(rows.values())


def _products(pipelines: Iterable[Pipeline]) -> dict[tuple[str, str], Callable[[], object]]:
    """Matrix products by precision and library, on the device of the first run and with its threads."""
    options = next((pipeline.config.estimate for pipeline in pipelines), None)
    if options is None:
        return {}
    device = torch_device(options.device)
    precisions = ["fp32", *(["bf16"] if device.type == "cuda" or cpu_has_bf16() else [])]
    return {
        (precision, library): call
        for precision in precisions
        for library, call in peak_products(precision, device, options.threads).items()
    }


def _peaks(turns: Mapping[tuple[str, str], Turns]) -> dict[str, float]:
    """10^9 operations per second by precision."""
    by_precision: defaultdict[str, dict[str, Turns]] = defaultdict(dict)
    for (precision, library), times in turns.items():
        by_precision[precision][library] = times
    return {precision: fastest_product(precision, "", each).gflops.high for precision, each in by_precision.items()}


def _work(pipeline: Pipeline, summary: dict[str, Any], turns: Turns, peaks: Mapping[str, float]) -> dict[str, Any]:
    """The figures of a row that say what was computed."""
    counts, video = summary["counts"], summary["video"]
    frames = max(counts["frames"], 1)
    work = run_work(pipeline.config, counts, (video["height"], video["width"]))
    at_peak = work.seconds_at(peaks)
    return {
        "gflop_per_frame": None if work.total is None else work.total / frames,
        "detector_gflop_per_frame": None if work.detector is None else work.detector / frames,
        "pose_gflop_per_frame": None if work.pose is None else work.pose / frames,
        "share_of_peak": None if at_peak is None else Spread.of([at_peak / seconds for seconds in turns.seconds]),
        "counts": {key: n for key, n in counts.items() if key == "keyframes" or key.startswith("crops_")},
    }


def _peak_mib(config: TrackConfig, video: Path, end_s: float | None) -> float:
    """Peak resident memory of a run in a process of its own, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job"
        job.write_bytes(pickle.dumps((str(video), str(Path(folder) / "out"), end_s, config)))
        done = subprocess.run([sys.executable, "-c", _MEASURED, str(job)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / (1024 if sys.platform != "darwin" else 1024**2)
