"""What smaller crops for small people cost and save (`--small-crops-below`).

    python -m dettrack.lab.studies.crop_sizes --annotations DIR --images DIR [--sequences 8] [--model default] [--flip]

Every sequence is cut at S = 8 twice, all people at the network's own size, and all at two thirds of it. The detector
gives both the same boxes, so that every threshold between is made of the two: a person below it has the small tube.
Figures are official AP and MOTA (thresholds learned on the other half of the sequences), and crops by size.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sequences import ALL_JOINTS, Tubes

from dettrack.config import CutConfig, DetectConfig, EstimateConfig, TrackConfig
from dettrack.cut.estimate import small_people
from dettrack.evaluation.rules import OFFICIAL
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.posetrack_files import read_sequence, sequence_files
from dettrack.lab.ablation.measure import measure
from dettrack.lab.ablation.rows import Row
from dettrack.models.pose.small import smaller
from dettrack.pipeline import Pipeline
from dettrack.structures import Step, Tracklets
from dettrack.video import ImageList, open_video

BELOW = (0.0, 60.0, 80.0, 100.0, 130.0, 160.0, 1e4)
CUT = CutConfig(step=8)


class Sizes:
    """Both sizes' tubes of annotated sequences, as `ablation.sources.Source` asks; a row's `at` is its threshold."""

    rules, label, only_annotated_joints, held_out = OFFICIAL, "crop sizes", False, ()

    def __init__(self, args: argparse.Namespace) -> None:
        self.test = [read_sequence(path) for path in sequence_files(str(args.annotations))[: args.sequences or None]]
        self._made: dict[tuple[str, bool], list[Step]] = {}
        detect = DetectConfig(detector=args.detector)
        pipelines = []
        for below in (0.0, 1e4):
            estimate = EstimateConfig(model=args.model, flip=args.flip, small_crops_below=below)
            pipelines.append(Pipeline(TrackConfig(cut=CUT, detect=detect, estimate=estimate)))
        self._joints, self._size = pipelines[0].joint_set, pipelines[0].estimator.size
        for small, pipeline in zip((False, True), pipelines, strict=True):
            for sequence in self.test:
                images = tuple(args.images / image.file_name for image in sequence.images)
                with open_video(ImageList(images, name=sequence.name), shots=False) as video:
                    self._made[sequence.name, small] = list(pipeline.tracklets(video))
        self.crops: Counter[bool] = Counter()

    def tubes(self, sequence: PoseSequence, row: Row, seed: int) -> Tubes:
        """With small tubes for those below the threshold."""
        pairs = zip(self._made[sequence.name, False], self._made[sequence.name, True], strict=True)
        mixed = [
            replace(
                a,
                tracklets=tuple(self._mixed(x, y, row.at or 0) for x, y in zip(a.tracklets, b.tracklets, strict=True)),
            )
            for a, b in pairs
        ]
        return Tubes(self._joints, CUT, mixed)

    def _mixed(self, large: Tracklets, small: Tracklets, below: float) -> Tracklets:
        rows = small_people(large.boxes, smaller(self._size) or self._size, float(below))
        self.crops.update({True: int(rows.sum()) * len(large.frames), False: int((~rows).sum()) * len(large.frames)})
        pick = rows[:, None, None]
        scores = np.where(pick, small.scores, large.scores)
        return replace(large, xy=np.where(pick[..., None], small.xy, large.xy), scores=scores)

    def digest(self, row: Row) -> str:
        """The row's name."""
        return row.name

    def prepare(self, rows: Sequence[Row], log: Callable[[str], None]) -> None:
        """Tubes are there already."""

    def speed(self, row: Row) -> None:
        """Not measured here."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=0)
    parser.add_argument("--detector", default="default")
    parser.add_argument("--model", default="default")
    parser.add_argument("--flip", action="store_true")
    args = parser.parse_args()
    source = Sizes(args)
    print("| small crops below | AP | MOTA | small crops | large crops |\n|---|---:|---:|---:|---:|")
    for below in BELOW:
        source.crops.clear()
        row = Row(f"below {below:.0f}", TrackConfig(cut=CUT, finish=ALL_JOINTS), at=int(below))
        figures = measure(source, row, seeds=1, bootstrap=2).figures
        small, large = source.crops[True], source.crops[False]
        print(f"| {below:.0f} px | {figures['AP']:.1f} | {figures['MOTA']:.1f} | {small} | {large} |", flush=True)


if __name__ == "__main__":
    main()
