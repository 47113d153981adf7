"""What smaller crops for small people cost and save (`--small-crops-below`).

    python -m dettrack.lab.studies.crop_sizes --annotations DIR --images DIR [--sequences 8] [--model default] [--flip]

Every sequence is cut at S = 8 twice, all people at the network's own size, and all at two thirds of it. The detector
gives both the same boxes, so that every threshold between is made of the two: a person below it has the small tube.
Figures are official AP and MOTA (thresholds learned on the other half of the sequences), and crops by size.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from dettrack.config import CutConfig, DetectConfig, EstimateConfig, TrackConfig
from dettrack.cut.estimate import small_people
from dettrack.formats.posetrack import PoseSequence
from dettrack.lab.ablation.rows import Row
from dettrack.lab.studies import run_command
from dettrack.lab.studies.sequences import MadeSequences, MadeTubes, image_list, read_sequences
from dettrack.models.pose.load import smaller
from dettrack.pipeline import Pipeline
from dettrack.structures import TrackletBatch, Tracklets
from dettrack.video import open_video

BELOW = (0.0, 60.0, 80.0, 100.0, 130.0, 160.0, 1e4)
CUT = CutConfig(step=8, adaptive=False)


class TwoSizes:
    """Both sizes' tubes of annotated sequences; a row's `at` is its threshold.

    Attributes:
        crops: Crops of the last rows, small (True) and large.
    """

    def __init__(self, sequences: list[PoseSequence], images: Path, detect: DetectConfig, estimate: EstimateConfig):
        self._made: dict[tuple[str, bool], list[TrackletBatch]] = {}
        self.crops: Counter[bool] = Counter()
        for small in (False, True):
            sized = replace(estimate, small_crops_below=1e4 if small else 0.0)
            pipeline = Pipeline(TrackConfig(cut=CUT, detect=detect, estimate=sized))
            for sequence in sequences:
                with open_video(image_list(sequence, images), shots=False) as video:
                    self._made[sequence.name, small] = list(pipeline.tracklets(video))
        self._joints, self._size = pipeline.joint_set, pipeline.estimator.size

    def tubes(self, sequence: PoseSequence, row: Row) -> MadeTubes:
        """With small tubes for those below the threshold.

        Args:
            sequence: The annotated sequence.
            row: The setting.

        Returns:
            The tubes.
        """
        mixed = []
        for a, b in zip(self._made[sequence.name, False], self._made[sequence.name, True], strict=True):
            pairs = zip(a.tracklets, b.tracklets, strict=True)
            mixed.append(replace(a, tracklets=tuple(self._mixed(x, y, float(row.at or 0)) for x, y in pairs)))
        return MadeTubes(self._joints, CUT, mixed)

    def _mixed(self, large: Tracklets, small: Tracklets, below: float) -> Tracklets:
        rows = small_people(large.boxes, smaller(self._size) or self._size, below)
        self.crops.update({True: int(rows.sum()) * len(large.frames), False: int((~rows).sum()) * len(large.frames)})
        pick = rows[:, None, None]
        scores = np.where(pick, small.scores, large.scores)
        return replace(large, xy=np.where(pick[..., None], small.xy, large.xy), scores=scores)


def main(
    annotations: Path,
    images: Path,
    sequences: int = 0,
    detector: str = "default",
    model: str = "default",
    flip: bool = False,
) -> None:
    """A row for each threshold.

    Args:
        annotations: Folder with one PoseTrack file per sequence.
        images: Folder that the image names in them start from.
        sequences: Only the first so many; 0 for all.
        detector: As for `dettrack track`.
        model: As for `dettrack track`.
        flip: Average with the mirrored crop.
    """
    read = read_sequences(annotations, sequences)
    sizes = TwoSizes(
        read, images, DetectConfig(detector=detector), EstimateConfig(model=model, flip=flip, precision="auto")
    )
    source = MadeSequences(read, sizes.tubes)
    print("| small crops below | AP | MOTA | small crops | large crops |\n|---|---:|---:|---:|---:|")
    for below in BELOW:
        sizes.crops.clear()
        figures = source.figures(f"below {below:.0f}", CUT, at=int(below))
        small, large = sizes.crops[True], sizes.crops[False]
        print(f"| {below:.0f} px | {figures['AP']:.1f} | {figures['MOTA']:.1f} | {small} | {large} |", flush=True)


if __name__ == "__main__":
    run_command(main, __doc__)
