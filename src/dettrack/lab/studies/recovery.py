"""What tubes recover when the detector misses people, on real videos: 60 % of the keyframe boxes are lost on purpose.

    python -m dettrack.lab.studies.recovery VIDEO... [--detector FILE] [--model FILE] [--frames 200] [--out TABLE.md]

Every video is cut and estimated once, at S = 1, |C| = 9, with nothing dropped. A 2D model answers every frame of a tube
by itself, so a dropped box is exactly a tube taken away, and a shorter clip a shorter piece of it: all rows link and
merge the same tracklets.

The reference of a row's first figure is the undropped run at |C| = 9: its person-frames in which the detector found the
person. A person-frame survives where the row's run has a pose with OKS >= 0.5 to it, each pose serving once. The second
figure takes as reference all person-frames of the same row's own undropped run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import tyro

from dettrack.config import DetectConfig, FinishConfig, SewConfig, TrackConfig
from dettrack.errors import UsageError
from dettrack.lab.ablation.tubes import lose_boxes
from dettrack.lab.studies import run_command
from dettrack.lab.studies.sequences import ONE_SIZE, S1, linked, survivors, write_table
from dettrack.pipeline import Pipeline
from dettrack.sew.replay import narrow
from dettrack.skeleton import JointSet
from dettrack.structures import Source, TrackletBatch, TrackTable
from dettrack.video import open_video

# row -> clip length, linking, longest gap bridged
ROWS: dict[str, tuple[int, str, int]] = {
    "tubes, C = 9": (9, "tubes", 0),
    "tubes, C = 9, bridged": (9, "tubes", 16),
    "tubes, C = 5": (5, "tubes", 0),
    "tubes, C = 1": (1, "tubes", 0),
    "oks-gbm": (1, "oks-gbm", 0),
    "oks-velocity": (1, "oks-velocity", 0),
}


def _tracked(batches: Sequence[TrackletBatch], joints: JointSet, name: str) -> TrackTable:
    """Link and merge as a row says."""
    clip, linking, bridge = ROWS[name]
    # No track is too short here: linking frame by frame, a track ends at every miss, and would be dropped for it.
    config = TrackConfig(
        cut=replace(S1, clip_length=clip),
        sew=SewConfig(linking=linking, bridge=bridge),  # type: ignore[arg-type]
        finish=FinishConfig(min_track_frames=1, min_track_score=0.0, min_joint_score=0.0),
    )
    return linked(narrow(batches, S1, config.cut), joints, config)


def _figures_of(
    batches: Sequence[TrackletBatch], joints: JointSet, rows: Sequence[str], share: float, runs: int, seeds: int
) -> list[list[float]]:
    """Figures of one video: a row for each of `rows`, first/second figure one by one, then in runs."""
    whole = _tracked(batches, joints, "tubes, C = 9")
    reference = whole[whole.source == Source.DETECTED]
    figures = []
    for name in rows:
        own = _tracked(batches, joints, name)
        row: list[float] = []
        for length in (1, runs):
            tables = [_tracked(list(lose_boxes(batches, share, length, seed)), joints, name) for seed in range(seeds)]
            row += np.mean([(survivors(reference, table), survivors(own, table)) for table in tables], axis=0).tolist()
        figures.append(row)
    return figures


def _table(
    videos: Sequence[Path], pipeline: Pipeline, rows: Sequence[str], frames: int, share: float, runs: int, seeds: int
) -> Iterator[str]:
    """The lines of the table, a video at a time, and the mean."""
    yield f"| video | linking | one by one | (own) | runs of {runs} | (own) |"
    yield "|---|---|---:|---:|---:|---:|"
    every = []
    for path in videos:
        with open_video(str(path), shots=False) as video:
            batches = list(pipeline.tracklets(islice(video, frames)))
        every.append(_figures_of(batches, pipeline.joint_set, rows, share, runs, seeds))
        for name, row in zip(rows, every[-1], strict=True):
            yield f"| {path.name} | {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |"
    for name, row in zip(rows, np.mean(every, axis=0), strict=True):
        yield f"| **mean** | {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |"


def main(
    videos: tyro.conf.Positional[tuple[Path, ...]],
    detector: str = "default",
    model: str = "default",
    frames: int = 200,
    share: float = 0.6,
    runs: int = 10,
    seeds: int = 3,
    rows: tuple[str, ...] = tuple(ROWS),
    out: Path | None = None,
) -> None:
    """Figures of every video and their mean.

    Args:
        videos: Video files.
        detector: As for `dettrack track`.
        model: As for `dettrack track`; a 2D one.
        frames: Frames of each video.
        share: Share of the boxes that are lost.
        runs: ... one by one, and in runs of this many frames per person.
        seeds: Draws of the losses, whose mean is taken.
        rows: Methods, some of those in `ROWS`.
        out: Also write the table to this Markdown file.
    """
    if not videos or not set(rows) <= set(ROWS):
        raise UsageError(f"expected videos, and rows among {', '.join(ROWS)}")
    estimate = replace(ONE_SIZE, model=model, flip=False)
    pipeline = Pipeline(TrackConfig(S1, detect=DetectConfig(detector=detector), estimate=estimate))
    write_table(_table(videos, pipeline, rows, frames, share, runs, seeds), out)


if __name__ == "__main__":
    run_command(main, __doc__)
