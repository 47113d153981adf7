"""Accuracy against cost: adaptive keyframes beside S = 1, 2, 4, 8.

    python -m dettrack.lab.studies.keyframes --annotations DIR --images DIR --videos FILE... --tubes CACHE --out RESULT

Every sequence is cut and estimated once, at S = 1 and |C| = 9, and the tubes are kept in the cache (`--detector` and
`--model` say by what). A 2D model answers every frame of a tube by itself, so every other choice of keyframes is made
of these tubes exactly: a keyframe less is its tubes less, a person who is not requested is a tube less, and a frame
that is not estimated is interpolated from those that are.

Accuracy: AP and MOTA by the official rules (thresholds learned on the other half of the sequences) where there is
truth; for videos the agreement with S = 1: OKS of matched poses, summed, over all poses of both (100 is the same).
Cost: milliseconds of one core per frame, from counts and the two prices `--crop-ms` and `--detector-ms`: counts do not
depend on what else the machine does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import tyro

from dettrack.config import CutConfig, DetectConfig, TrackConfig
from dettrack.cut.clips import group_keyframes
from dettrack.cut.plan import Planner, Visit
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.lab.ablation.rows import Row
from dettrack.lab.studies import run_command
from dettrack.lab.studies.sequences import (
    ALL_JOINTS,
    ONE_SIZE,
    S1,
    MadeSequences,
    MadeTubes,
    agreement,
    image_list,
    linked,
    read_sequences,
    write_table,
)
from dettrack.pipeline import Pipeline
from dettrack.structures import Frame, FrameTimes, Tracklets, TrackTable
from dettrack.structures.report import Tally
from dettrack.video import open_video
from dettrack.video.sources import VideoSource

PIXEL = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class Point:
    """One choice of keyframes."""

    name: str
    cut: CutConfig
    kind: str = "adaptive"


@dataclass(frozen=True)
class Replayed(MadeTubes):
    """Tubes, and what they would have cost."""

    counts: Counter[str]


def _replay(file: TrackletFile, point: Point) -> Replayed:
    """What a run with the point's keyframes would have made."""
    saved = list(file.batches())
    every = {t.keyframe: t for batch in saved for t in batch.tracklets}
    times = FrameTimes.concatenate([batch.frames for batch in saved])
    counts: Counter[str] = Counter(frames=len(times))

    def seen(visit: Visit) -> Tracklets:
        tracklets = every[visit.clip.keyframe.index]
        near = np.isin(tracklets.frames, visit.clip.indices)
        tracklets = replace(
            tracklets, frames=tracklets.frames[near], xy=tracklets.xy[:, near], scores=tracklets.scores[:, near]
        )
        if visit.requested is not None:
            tracklets = tracklets[visit.requested.among(tracklets.boxes.xyxy)]
        counts.update(crops=len(tracklets) * len(tracklets.frames), detections=1)
        return tracklets

    planner = Planner(point.cut, file.joints, short=True)
    frames = (Frame(i, t, PIXEL, 0) for i, t in zip(times.index.tolist(), times.time_s.tolist(), strict=True))
    made = []
    for group in group_keyframes(frames, point.cut):
        planner.begin(group)
        while visits := planner.ask():
            planner.tell([seen(visit) for visit in visits], Tally())
        batch = planner.take()
        if batch is not None:
            made.append(batch)
            counts.update(batch.tally.counts)
    return Replayed(file.joints, point.cut, made, counts)


def points() -> list[Point]:
    """What is compared."""
    grid = CutConfig(step=8, adaptive=True)
    off = replace(grid, agreement=0.0, box_agreement=0.0, overlap=1.0)
    return [
        *(Point(f"S = {step}", replace(S1, step=step), "fixed") for step in (1, 2, 4, 8)),
        Point("2D per frame, C = 1", replace(S1, clip_length=1), "per frame"),
        *(Point(f"adaptive, to S = {step}", replace(grid, finest_step=step)) for step in (4, 2, 1)),
        Point("starts and ends only", off, "rules"),
        Point("... and disagreement", replace(off, agreement=grid.agreement), "rules"),
        Point("... and boxes", replace(grid, overlap=1.0), "rules"),
        Point("overlap above 0.3", replace(grid, overlap=0.3), "rules"),
    ]


def _collect(source: VideoSource, path: Path, pipeline: Pipeline, frames: int) -> Path:
    """Tubes of one video at S = 1, from the cache where they are there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            open_video(source, shots=False) as video,
            TrackletWriter(path, pipeline.joint_set, pipeline.config.cut) as out,
        ):
            for step in pipeline.tracklets(islice(video, frames or None)):
                out.write(step)
    return path


@dataclass(frozen=True)
class Prices:
    """Milliseconds of one core for a crop, and for a frame of the detector."""

    crop_ms: float = 8.2
    detector_ms: float = 52.0

    def of(self, counts: Counter[str]) -> float:
        """Milliseconds of one core per frame."""
        return (self.crop_ms * counts["crops"] + self.detector_ms * counts["detections"]) / counts["frames"]


TableRow = dict[str, float | str]


def _measure_sequences(
    rows: list[TableRow], files: dict[str, TrackletFile], test: list[PoseSequence], prices: Prices
) -> None:
    """Add accuracy and cost on annotated sequences to the rows, one for each of `points()`."""
    chosen = {point.name: point for point in points()}
    counted: dict[str, Counter[str]] = {}

    def tubes(sequence: PoseSequence, row: Row) -> Replayed:
        made = _replay(files[sequence.name], chosen[row.name])
        counted[sequence.name] = made.counts
        return made

    source = MadeSequences(test, tubes)
    for row, point in zip(rows, points(), strict=True):
        # "2D per frame" links frame to frame, as `associate` does at |C| = 1
        figures = source.figures(point.name, point.cut)
        counts = sum(counted.values(), Counter())
        row |= {name: round(figures[name], 1) for name in ("AP", "MOTA", "IDF1", "recall")}
        row |= {"crops": counts["crops"] / counts["frames"], "detections": counts["detections"] / counts["frames"]}
        row["ms"] = prices.of(counts)


def _measure_video(rows: list[TableRow], name: str, file: TrackletFile, prices: Prices) -> None:
    """Add agreement with S = 1 and cost on a video to the rows, one for each of `points()`."""
    reference: TrackTable | None = None
    for row, point in zip(rows, points(), strict=True):
        tubes = _replay(file, point)
        table = linked(tubes.batches(), tubes.joints, TrackConfig(cut=tubes.cut, finish=ALL_JOINTS))
        reference = reference or table
        row[f"{name} agreement"] = round(agreement(reference, table), 1)
        row[f"{name} ms"] = prices.of(tubes.counts)


def table(rows: Sequence[TableRow]) -> Iterator[str]:
    """The lines of the Markdown table."""
    names = [name for name in rows[0] if name not in ("name", "kind")]
    yield "| keyframes | " + " | ".join(names) + " |"
    yield "|---|" + "---:|" * len(names)
    for row in rows:
        cells = (f"{row[name]:.{2 if name in ('crops', 'detections') else 1}f}" for name in names)
        yield f"| {row['name']} | " + " | ".join(cells) + " |"


def _draw(rows: Sequence[TableRow], path: Path) -> None:
    """Accuracy over cost, one picture for each measure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    pairs = [("AP", "ms"), ("MOTA", "ms")] if "AP" in rows[0] else []
    pairs += [(name, name.replace("agreement", "ms")) for name in rows[0] if name.endswith("agreement")]
    looks = {
        "fixed": ("#1f6fb4", "o-", "fixed S: 1, 2, 4, 8 from the right"),
        "adaptive": ("#c8502a", "s-", "adaptive, to S = 4, 2, 1 from the left"),
        "per frame": ("#333333", "D", "2D on every frame"),
    }
    columns = min(3, len(pairs))
    lines = -(-len(pairs) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(4 * columns, 3.3 * lines), squeeze=False, layout="constrained")
    for axis in grid.flat[len(pairs) :]:
        axis.remove()
    for axis, (accuracy, ms) in zip(grid.flat, pairs, strict=False):
        for kind, (colour, style, label) in looks.items():
            chosen = [row for row in rows if row["kind"] == kind]
            axis.plot([row[ms] for row in chosen], [row[accuracy] for row in chosen], style, color=colour, label=label)
        axis.set_xscale("log")
        axis.set_xticks([t for t in (10, 20, 50, 100, 200, 500) if axis.get_xlim()[0] < t < axis.get_xlim()[1]])
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("core milliseconds per frame")
        axis.set_title(accuracy.replace(" agreement", ": agreement with S = 1"), fontsize=9)
        axis.grid(alpha=0.3)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main(
    tubes: Path,
    out: Path,
    annotations: Path | None = None,
    images: Path = Path(),
    sequences: int = 0,
    videos: tuple[Path, ...] = (),
    frames: int = 0,
    detector: str = "default",
    detector_size: int = 0,
    model: str = "default",
    flip: bool = False,
    prices: tyro.conf.OmitArgPrefixes[Prices] = Prices(),
) -> None:
    """OUT.md, OUT.json and OUT.png.

    Args:
        tubes: Cache of the tubes; one for each model.
        out: Where the results go.
        annotations: PoseTrack18 files.
        images: Folder that their image names start from.
        sequences: Only the first so many; 0 for all.
        videos: Videos without annotations.
        frames: Of each video; 0 for all.
        detector: As for `dettrack track`.
        detector_size: As for `dettrack track`.
        model: As for `dettrack track`; a 2D one.
        flip: Average with the mirrored crop.
        prices: Of a crop and of a frame of the detector.
    """

    @cache
    def pipeline() -> Pipeline:
        detect = DetectConfig(detector=detector, detector_size=detector_size)
        return Pipeline(TrackConfig(S1, detect, replace(ONE_SIZE, model=model, flip=flip)))

    def file(source: VideoSource, name: str, most: int) -> TrackletFile:
        path = tubes / f"{name}.parquet"
        return TrackletFile.open(path if path.is_file() else _collect(source, path, pipeline(), most))

    rows: list[TableRow] = [{"name": point.name, "kind": point.kind} for point in points()]
    test = read_sequences(annotations, sequences)
    if test:
        files = {sequence.name: file(image_list(sequence, images), sequence.name, 0) for sequence in test}
        _measure_sequences(rows, files, test, prices)
    for video in videos:
        _measure_video(rows, video.stem, file(str(video), video.stem, frames), prices)
    about = {**asdict(prices), "points": [asdict(point) for point in points()]}
    write_table(table(rows), out.with_suffix(".md"))
    out.with_suffix(".json").write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    _draw(rows, out.with_suffix(".png"))


if __name__ == "__main__":
    run_command(main, __doc__)
