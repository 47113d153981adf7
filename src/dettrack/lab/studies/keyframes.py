"""Accuracy against cost: adaptive keyframes beside S = 1, 2, 4, 8, with and without a time stride in the tubes.

    python -m dettrack.lab.studies.keyframes --annotations DIR --images DIR --videos FILE... --tubes CACHE --out RESULT

Every sequence is cut and estimated once, at S = 1 and |C| = 9, and the tubes are kept in the cache (`--detector` and
`--model` say by what). A 2D model answers every frame of a tube by itself, so every other choice of keyframes is made
of these tubes exactly: a keyframe less is its tubes less, a person not asked about is a tube less, and a frame that is
not looked at is interpolated from those that are.

Accuracy: AP and MOTA by the official rules (thresholds learned on the other half of the sequences) where there is
truth; for videos the agreement with S = 1: OKS of matched poses, summed, over all poses of both (100 is the same).
Cost: milliseconds of one core per frame, from counts and the two prices `--crop-ms` and `--detector-ms`: counts do not
depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from sequences import ALL_JOINTS, Tubes

from dettrack.associate import associate
from dettrack.config import CutConfig, DetectConfig, EstimateConfig, TrackConfig
from dettrack.cut.clips import iter_clips
from dettrack.cut.estimate import filled, frames_to_look_at
from dettrack.cut.plan import Look, Refiner, Seen
from dettrack.evaluation.rules import OFFICIAL
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.posetrack_files import read_sequence, sequence_files
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.lab.ablation.measure import measure
from dettrack.lab.ablation.rows import Row
from dettrack.matching import match_matrix
from dettrack.oks import object_areas, pairwise_oks
from dettrack.pipeline import Pipeline, earliest_later_frame
from dettrack.structures import Clip, Frame, Step, Tracklets, TrackTable
from dettrack.video import ImageList, open_video
from dettrack.video.sources import VideoSource

PIXEL = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class Point:
    """One choice of keyframes."""

    name: str
    cut: CutConfig
    kind: str = "adaptive"


@dataclass(frozen=True)
class Replayed(Tubes):
    """Tubes, and what they would have cost."""

    counts: Counter[str]


def thinned(tracklets: Tracklets, clip: Clip, stride: int) -> tuple[Tracklets, int]:
    """The tubes as if only every `stride`-th frame had been looked at, and how many frames that is."""
    places = frames_to_look_at(len(clip.frames), clip.key, stride)
    thin = replace(
        tracklets,
        frames=tracklets.frames[places],
        xy=tracklets.xy[:, places],
        scores=tracklets.scores[:, places],
    )
    return filled(thin, clip), len(places)


def replay(file: TrackletFile, point: Point) -> Replayed:
    """What a run with the point's keyframes would have made."""
    steps = list(file.steps())
    every = {t.keyframe: t for step in steps for t in step.tracklets}
    stamps = [stamp for step in steps for stamp in step.stamps]
    counts: Counter[str] = Counter(frames=len(stamps))

    def seen(clip: Clip, about: Look | None = None) -> Tracklets:
        tracklets = every[clip.keyframe.index]
        near = np.isin(tracklets.frames, clip.indices)
        tracklets = replace(
            tracklets, frames=tracklets.frames[near], xy=tracklets.xy[:, near], scores=tracklets.scores[:, near]
        )
        if about is not None:
            tracklets = tracklets[about.about(tracklets.boxes.xyxy)]
        tracklets, looked_at = thinned(tracklets, clip, point.cut.tube_stride)
        counts.update(crops=len(tracklets) * looked_at, detections=1)
        return tracklets

    refiner = Refiner(point.cut, file.joints, lambda looks: [seen(one.clip, one) for one in looks], short=True)
    made = []
    frames = (Frame(s.index, s.time_s, PIXEL, 0) for s in stamps)
    for clip in iter_clips(frames, point.cut.clip_length, point.cut.step):
        tracklets = seen(clip)
        grid = refiner.add([Seen(clip, tracklets)]) if point.cut.adaptive else [tracklets]
        finest = 1 if point.cut.adaptive else point.cut.step
        made.append(
            Step((), tuple(grid), earliest_later_frame(clip.keyframe.index, point.cut.clip_length, finest), False)
        )
    counts.update(refiner.counts)
    made[0] = replace(made[0], stamps=tuple(stamps))
    made[-1] = replace(made[-1], final_before=stamps[-1].index + 1, shot_ended=True)
    return Replayed(file.joints, point.cut, made, counts)


class Benchmark:
    """Annotated sequences with their tubes, as `ablation.sources.Source` asks."""

    rules, label, only_annotated_joints, held_out = OFFICIAL, "benchmark", False, ()

    def __init__(self, annotations: Path, files: Callable[[PoseSequence], Path], sequences: int) -> None:
        self.test = [read_sequence(path) for path in sequence_files(str(annotations))[: sequences or None]]
        self._files = {s.name: TrackletFile.open(files(s)) for s in self.test}
        self.points: dict[str, Point] = {}
        self.made: dict[str, Counter[str]] = {}

    def tubes(self, sequence: PoseSequence, row: Row, seed: int) -> Tubes:
        """Those that the row's point would have made."""
        made = replay(self._files[sequence.name], self.points[row.name])
        self.made[sequence.name] = made.counts
        return made

    def digest(self, row: Row) -> str:
        """The point's name."""
        return row.name

    def prepare(self, rows: Sequence[Row], log: Callable[[str], None]) -> None:
        """Tubes are there already."""

    def speed(self, row: Row) -> None:
        """Not measured here."""


def agreement(table: TrackTable, reference: TrackTable) -> float:
    """OKS of matched poses over all poses of both, in percent."""
    frames = dict(table.by_frame())
    similar, poses = 0.0, 0
    for frame, rows in reference.by_frame():
        other = frames.pop(frame, None)
        if other is None:
            poses += len(rows)
            continue
        has, other_has = np.isfinite(rows.xy[..., 0]), np.isfinite(other.xy[..., 0])
        values = np.nan_to_num(
            pairwise_oks(
                rows.xy,
                has,
                object_areas(rows.box),
                other.xy,
                other_has,
                object_areas(other.box),
                rows.joint_set.sigmas,
            )
        )
        similar += values[match_matrix(values)].sum()
        poses += max(values.shape)
    return 100 * similar / max(poses + sum(map(len, frames.values())), 1)


def table_of(tubes: Tubes) -> TrackTable:
    config = TrackConfig(cut=tubes.cut, finish=ALL_JOINTS)
    return TrackTable.concatenate((s.table for s in associate(tubes.steps(), tubes.joints, config)), tubes.joints)


def points() -> list[Point]:
    """What is compared."""
    grid = CutConfig(step=8, adaptive=True)
    off = replace(grid, agreement=0.0, box_agreement=0.0, overlap=1.0)
    return [
        *(Point(f"S = {step}", CutConfig(step=step), "fixed") for step in (1, 2, 4, 8)),
        Point("2D per frame, C = 1", CutConfig(clip_length=1), "per frame"),
        *(Point(f"adaptive, to S = {step}", replace(grid, finest_step=step)) for step in (4, 2, 1)),
        Point("starts and ends only", off, "rules"),
        Point("... and disagreement", replace(off, agreement=grid.agreement), "rules"),
        Point("... and boxes", replace(grid, overlap=1.0), "rules"),
        Point("overlap above 0.3", replace(grid, overlap=0.3), "rules"),
        *(Point(f"S = 8, stride {n}", CutConfig(step=8, tube_stride=n), "stride") for n in (2, 4)),
        Point("adaptive, stride 2", replace(grid, tube_stride=2), "stride"),
    ]


def collect(source: VideoSource, path: Path, pipeline: Pipeline, frames: int) -> Path:
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


def cost(counts: Counter[str], args: argparse.Namespace) -> float:
    """Milliseconds of one core per frame."""
    return (args.crop_ms * counts["crops"] + args.detector_ms * counts["detections"]) / counts["frames"]


def measured(args: argparse.Namespace, pipeline: Callable[[], Pipeline]) -> list[dict[str, float | str]]:
    """One row per point."""
    rows: list[dict[str, float | str]] = [{"name": point.name, "kind": point.kind} for point in points()]
    if args.annotations:
        chosen = [read_sequence(path) for path in sequence_files(str(args.annotations))[: args.sequences or None]]
        for sequence in chosen:
            images = ImageList(tuple(args.images / image.file_name for image in sequence.images), name=sequence.name)
            path = args.tubes / f"{sequence.name}.parquet"
            if not path.is_file():
                collect(images, path, pipeline(), 0)
        bench = Benchmark(args.annotations, lambda s: args.tubes / f"{s.name}.parquet", args.sequences)
        for row, point in zip(rows, points(), strict=True):
            bench.points[point.name] = point
            # "2D per frame" links frame to frame, as `associate` does at |C| = 1
            result = measure(
                bench, Row(point.name, TrackConfig(cut=point.cut, finish=ALL_JOINTS)), seeds=1, bootstrap=2
            ).figures
            counts = sum(bench.made.values(), Counter())
            row |= {name: round(result[name], 1) for name in ("AP", "MOTA", "IDF1", "recall")}
            row |= {"crops": counts["crops"] / counts["frames"], "detections": counts["detections"] / counts["frames"]}
            row["ms"] = cost(counts, args)
    for video in args.videos:
        path = args.tubes / f"{video.stem}.parquet"
        file = TrackletFile.open(path if path.is_file() else collect(str(video), path, pipeline(), args.frames))
        reference: TrackTable | None = None
        for row, point in zip(rows, points(), strict=True):
            tubes = replay(file, point)
            table = table_of(tubes)
            reference = reference or table
            row[f"{video.stem} agreement"] = round(agreement(table, reference), 1)
            row[f"{video.stem} ms"] = cost(tubes.counts, args)
    return rows


def write_table(rows: Sequence[dict[str, float | str]], path: Path) -> None:
    names = [name for name in rows[0] if name not in ("name", "kind")]
    lines = ["| keyframes | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    lines += [
        f"| {row['name']} | "
        + " | ".join(
            f"{row[name]:.1f}" if name not in ("crops", "detections") else f"{row[name]:.2f}" for name in names
        )
        + " |"
        for row in rows
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(rows: Sequence[dict[str, float | str]], path: Path) -> None:
    """Accuracy over cost, one picture for each measure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    pairs = [("AP", "ms"), ("MOTA", "ms")] if "AP" in rows[0] else []
    pairs += [(name, name.replace("agreement", "ms")) for name in rows[0] if name.endswith("agreement")]
    looks = {
        "fixed": ("#1f6fb4", "o-", "fixed S"),
        "adaptive": ("#c8502a", "s-", "adaptive"),
        "per frame": ("#333333", "D", "2D on every frame"),
        "stride": ("#3a8f4d", "^", "time stride"),
    }
    columns = min(3, len(pairs))
    lines = -(-len(pairs) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(4.6 * columns, 3.8 * lines), squeeze=False)
    for axis in grid.flat[len(pairs) :]:
        axis.remove()
    for axis, (accuracy, ms) in zip(grid.flat, pairs, strict=False):
        for kind, (colour, style, label) in looks.items():
            chosen = [row for row in rows if row["kind"] == kind]
            axis.plot([row[ms] for row in chosen], [row[accuracy] for row in chosen], style, color=colour, label=label)
            for row in chosen:
                name = str(row["name"]).replace("adaptive, to ", "").replace(", C = 1", "")
                place = {"adaptive": (-4, 6), "per frame": (-20, -14)}.get(kind, (5, -8))
                name = name.replace("2D per frame", "per frame")
                axis.annotate(
                    name, (row[ms], row[accuracy]), place, textcoords="offset points", fontsize=6, color=colour
                )
        axis.set_xscale("log")
        axis.set_xticks([t for t in (10, 20, 50, 100, 200, 500) if axis.get_xlim()[0] < t < axis.get_xlim()[1]])
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("core milliseconds per frame")
        axis.set_title(accuracy.replace(" agreement", ": agreement with S = 1"), fontsize=9)
        axis.grid(alpha=0.3)
    grid[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, help="PoseTrack18 files")
    parser.add_argument("--images", type=Path, help="folder that their image names start from")
    parser.add_argument("--sequences", type=int, default=0, help="only the first so many")
    parser.add_argument("--videos", type=Path, nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=0, help="of each video")
    parser.add_argument("--tubes", type=Path, required=True, help="cache of the tubes; one for each model")
    parser.add_argument("--detector", default="default")
    parser.add_argument("--detector-size", type=int, default=0)
    parser.add_argument("--model", default="default")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--crop-ms", type=float, default=8.2, help="price of a crop in milliseconds of a core")
    parser.add_argument("--detector-ms", type=float, default=52.0, help="price of a frame of the detector")
    parser.add_argument("--out", type=Path, required=True, help="OUT.md, OUT.json and OUT.png are written")
    args = parser.parse_args()
    loaded: list[Pipeline] = []

    def pipeline() -> Pipeline:
        if not loaded:
            detect = DetectConfig(detector=args.detector, detector_size=args.detector_size)
            estimate = EstimateConfig(model=args.model, flip=args.flip)
            loaded.append(Pipeline(TrackConfig(detect=detect, estimate=estimate)))
        return loaded[0]

    rows = measured(args, pipeline)
    write_table(rows, args.out.with_suffix(".md"))
    about = {"crop_ms": args.crop_ms, "detector_ms": args.detector_ms, "points": [asdict(point) for point in points()]}
    args.out.with_suffix(".json").write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    draw(rows, args.out.with_suffix(".png"))
    print(args.out.with_suffix(".md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
