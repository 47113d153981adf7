"""Presets on annotated sequences and on videos: accuracy, time of a core per frame, frames per second.

    python -m dettrack.lab.studies.presets --annotations DIR --images DIR \
        [--sequences 8] --videos vtest.avi [--frames 200]
        [--presets fast,balanced,accurate,paper] [--threads 2]

Runs go from reading to polishing, stages side by side as in `dettrack track`. Processor time is that of all threads;
wall time means something on a quiet machine only. Thresholds for MOTA are learned on the other half of the sequences.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sequences import ALL_JOINTS, Tubes

from dettrack.associate import Report, associate
from dettrack.config import TrackConfig
from dettrack.evaluation.rules import OFFICIAL
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.posetrack_files import read_sequence, sequence_files
from dettrack.lab.ablation.measure import measure
from dettrack.lab.ablation.rows import Row
from dettrack.pipeline import Pipeline
from dettrack.presets import preset_config
from dettrack.video import ImageList, open_video


class Sequences:
    """Annotated sequences tracked with a preset, as `ablation.sources.Source` asks."""

    rules, label, only_annotated_joints, held_out = OFFICIAL, "presets", False, ()

    def __init__(self, args: argparse.Namespace) -> None:
        files = sequence_files(str(args.annotations))[: args.sequences or None] if args.annotations else []
        self.test = [read_sequence(path) for path in files]
        self._images: Path = args.images
        self._made: dict[str, Tubes] = {}

    def run(self, pipeline: Pipeline) -> float:
        """Track all sequences; returns the processor time per frame in milliseconds."""
        spent, frames = 0.0, 0
        for sequence in self.test:
            paths = tuple(self._images / image.file_name for image in sequence.images)
            start = time.process_time()
            with open_video(ImageList(paths, name=sequence.name), shots=False) as video:
                steps = list(pipeline.tracklets(video))
            for _ in associate(steps, pipeline.joint_set, pipeline.config):
                pass
            spent, frames = spent + time.process_time() - start, frames + len(sequence)
            self._made[sequence.name] = Tubes(pipeline.joint_set, pipeline.config.cut, steps)
        return 1000 * spent / max(frames, 1)

    def tubes(self, sequence: PoseSequence, row: Row, seed: int) -> Tubes:
        """Those of the last run."""
        return self._made[sequence.name]

    def digest(self, row: Row) -> str:
        """The row's name."""
        return row.name

    def prepare(self, rows: Sequence[Row], log: Callable[[str], None]) -> None:
        """`run` does it."""

    def speed(self, row: Row) -> None:
        """Measured by `run`."""


def track_video(pipeline: Pipeline, video: Path, frames: int) -> str:
    """Processor and wall time on the first frames of a video, after a short first run in which libraries allocate."""
    spent, wall, report = 0.0, 0.0, Report()
    for count in (24, frames):
        report = Report()
        with open_video(str(video)) as source:
            spent, wall = time.process_time(), time.perf_counter()
            for _ in pipeline.track(islice(source, count), report):
                pass
            spent, wall = time.process_time() - spent, time.perf_counter() - wall
    n = report.counts["frames"]
    crops = ", ".join(f"{number / n:.1f} {name}" for name, number in report.counts.items() if name.startswith("crops"))
    return f"{1000 * spent / n:.0f} ms | {n / wall:.1f} | {report.counts['keyframes'] / n:.2f} keyframes, {crops}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path)
    parser.add_argument("--images", type=Path, default=Path())
    parser.add_argument("--sequences", type=int, default=0)
    parser.add_argument("--videos", type=Path, nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--presets", default="fast,balanced,accurate,paper")
    parser.add_argument("--model", default="default")
    parser.add_argument("--detector", default="default")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    sequences = Sequences(args)
    print(
        "| preset | AP | MOTA | IDF1 | core ms per frame |",
        *(f"{v.stem} core ms | frames/s | work a frame |" for v in args.videos),
    )
    for name in args.presets.split(","):
        config = preset_config("" if name == "paper" else name)
        estimate = replace(config.estimate, model=args.model, threads=args.threads)
        config = replace(config, estimate=estimate, detect=replace(config.detect, detector=args.detector))
        pipeline = Pipeline(config)
        line = f"| {name} |"
        if sequences.test:
            spent = sequences.run(pipeline)
            figures = measure(
                sequences, Row(name, TrackConfig(cut=config.cut, finish=ALL_JOINTS)), seeds=1, bootstrap=2
            ).figures
            line += f" {figures['AP']:.1f} | {figures['MOTA']:.1f} | {figures['IDF1']:.1f} | {spent:.0f} |"
        for video in args.videos:
            line += f" {track_video(pipeline, video, args.frames)} |"
        print(line, flush=True)


if __name__ == "__main__":
    main()
