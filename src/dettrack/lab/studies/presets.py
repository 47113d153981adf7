"""Presets on annotated sequences and on videos: accuracy, time of a core per frame, frames per second.

    python -m dettrack.lab.studies.presets --annotations DIR --images DIR \
        [--sequences 8] --videos vtest.avi [--frames 200] [--presets fast balanced accurate paper] [--threads 2]

Runs go from reading to polishing, stages side by side as in `dettrack track`. Processor time is that of all threads;
wall time means something on a quiet machine only. Thresholds for MOTA are learned on the other half of the sequences.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

from dettrack.associate import associate
from dettrack.config import preset_config
from dettrack.formats.posetrack import PoseSequence
from dettrack.lab.studies import run_command
from dettrack.lab.studies.sequences import MadeSequences, MadeTubes, image_list, read_sequences
from dettrack.pipeline import Pipeline
from dettrack.structures.report import Report
from dettrack.video import open_video


def _track_sequences(
    pipeline: Pipeline, sequences: list[PoseSequence], images: Path
) -> tuple[dict[str, MadeTubes], float]:
    """Tubes by the name of the sequence, and the processor time of a frame in milliseconds."""
    made, spent, frames = {}, 0.0, 0
    for sequence in sequences:
        start = time.process_time()
        with open_video(image_list(sequence, images), shots=False) as video:
            batches = list(pipeline.tracklets(video))
        for _ in associate(batches, pipeline.joint_set, pipeline.config):
            pass
        spent, frames = spent + time.process_time() - start, frames + len(sequence)
        made[sequence.name] = MadeTubes(pipeline.joint_set, pipeline.config.cut, batches)
    return made, 1000 * spent / max(frames, 1)


def _track_video(pipeline: Pipeline, video: Path, frames: int) -> str:
    """Processor and wall time on the first frames of a video, after a short first run in which libraries allocate."""
    spent, wall, report = 0.0, 0.0, Report()
    for count in (24, frames):
        with open_video(str(video)) as source, pipeline.track(islice(source, count)) as run:
            report = run.report
            spent, wall = time.process_time(), time.perf_counter()
            run.gather()
            spent, wall = time.process_time() - spent, time.perf_counter() - wall
    n = report.counts["frames"]
    crops = ", ".join(f"{number / n:.1f} {name}" for name, number in report.counts.items() if name.startswith("crops"))
    return f"{1000 * spent / n:.0f} ms | {n / wall:.1f} | {report.counts['keyframes'] / n:.2f} keyframes, {crops}"


def main(
    annotations: Path | None = None,
    images: Path = Path(),
    sequences: int = 0,
    videos: tuple[Path, ...] = (),
    frames: int = 200,
    presets: tuple[str, ...] = ("fast", "balanced", "accurate", "paper"),
    model: str = "default",
    detector: str = "default",
    threads: int = 0,
) -> None:
    """A row for each preset.

    Args:
        annotations: Folder with one PoseTrack file per sequence.
        images: Folder that the image names in them start from.
        sequences: Only the first so many; 0 for all.
        videos: Videos without annotations, for their speed.
        frames: Frames of each video.
        presets: Which.
        model: As for `dettrack track`.
        detector: As for `dettrack track`.
        threads: CPU threads; 0 for all.
    """
    test = read_sequences(annotations, sequences)
    made: dict[str, MadeTubes] = {}  # of the preset in turn
    source = MadeSequences(test, lambda sequence, row: made[sequence.name])
    heads = (f"{v.stem} core ms | frames/s | work a frame |" for v in videos)
    print("| preset | AP | MOTA | IDF1 | core ms per frame |", *heads)
    print("|---|" + "---:|" * (4 + 3 * len(videos)))
    for name in presets:
        config = preset_config(name)
        estimate = replace(config.estimate, model=model, threads=threads)
        pipeline = Pipeline(replace(config, estimate=estimate, detect=replace(config.detect, detector=detector)))
        line = f"| {name} |"
        if test:
            found, spent = _track_sequences(pipeline, test, images)
            made.update(found)
            figures = source.figures(name, config.cut)
            line += f" {figures['AP']:.1f} | {figures['MOTA']:.1f} | {figures['IDF1']:.1f} | {spent:.0f} |"
        for video in videos:
            line += f" {_track_video(pipeline, video, frames)} |"
        print(line, flush=True)


if __name__ == "__main__":
    run_command(main, __doc__)
