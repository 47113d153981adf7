"""`dettrack track --posetrack`: all sequences of a PoseTrack data set."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dettrack.cli.failures import one_line
from dettrack.errors import DettrackError, InputError

if TYPE_CHECKING:
    from dettrack.pipeline import Pipeline

__all__ = ["DatasetJob", "run_dataset"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class DatasetJob:
    """What is tracked, and what comes of it.

    Attributes:
        annotations: PoseTrack file, or folder of them.
        images: Folder that the image names in them start from.
        out: Folder of the prediction files.
        detector: The detector, as messages name it.
        save_tracklets: Write the tracklets too, into a folder `tracklets` of `out`.
        resume: Leave out what is there and whole.
        quiet: Say only what went wrong.
    """

    annotations: Path
    images: Path
    out: Path
    detector: str
    save_tracklets: bool = False
    resume: bool = False
    quiet: bool = False


def run_dataset(job: DatasetJob, load: Callable[[], Pipeline], say: Say) -> int:
    """Track every sequence; one that cannot be used is said, and the others go on.

    Args:
        job: What to do.
        load: Loads the models.
        say: Takes a line for standard output.

    Returns:
        Exit code: 0, or 1 where something could not be read.
    """
    from dettrack.formats.posetrack.files import sequence_files
    from dettrack.models.detector.protocol import PerSequence
    from dettrack.runs.dataset import Incomplete, track_sequence
    from dettrack.runs.progress import RunProgress

    files = sequence_files(job.annotations)
    pipeline = load()
    detector = pipeline.detector
    if isinstance(detector, PerSequence) and len(files) > 1 and not detector.tells_sequences:
        raise InputError(
            f"{job.detector} does not say which of {len(files)} sequences its boxes are of: give PoseTrack's "
            "image ids or image names with their folders, or track one sequence with --posetrack FILE"
        )
    failed, unreadable, incomplete = 0, 0, Incomplete(job.out)
    for number, path in enumerate(files, 1):
        target = job.out / f"{path.stem}.json"
        saved = job.out / "tracklets" / f"{path.stem}.parquet" if job.save_tracklets else None
        whole = target.exists() and path.stem not in incomplete and (saved is None or saved.exists())
        if job.resume and whole:
            continue
        try:
            with RunProgress(f"{path.stem} ({number}/{len(files)})", quiet=job.quiet) as progress:
                done = track_sequence(pipeline, path, job.images, target, tracklets=saved, progress=progress)
        except DettrackError as error:
            sys.stderr.write(f"dettrack track: {path.stem}: {one_line(error)}\n")
            failed += 1
            continue
        incomplete.set(path.stem, done)
        unreadable += done.unreadable
        if not done.complete:
            failed += 1
        for note in done.notes if not job.quiet or not done.complete else []:
            sys.stderr.write(f"{path.stem}: note: {note}\n")
    if isinstance(detector, PerSequence) and detector.unmet and not job.resume:
        say(f"note: {detector.unmet} boxes of {job.detector} belong to no image of these sequences")
    if not job.quiet or failed:
        counted = f"; {unreadable} images could not be read" if unreadable else ""
        say(f"{job.out}: {len(files) - failed} of {len(files)} sequences complete{counted}")
    return 1 if failed else 0
