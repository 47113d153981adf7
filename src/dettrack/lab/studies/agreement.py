"""How far two runs agree: one as truth, AP and MOTA of the other over the twelve limb joints, by the official rules.

    dettrack track VIDEO --preset accurate --end 20 --min-joint-score 0 --out truth --detector rtmdet.onnx \
        --model tinypose.xml
    dettrack track VIDEO --preset accurate --end 20 --out ours
    python -m dettrack.lab.studies.agreement --truth truth --found ours

Where a video is not annotated, strong models stand in: the figures say how near weak ones come to them, no more. A
person of the truth counts with a mean limb score above .35, and a joint with a score above .3.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dettrack.errors import InputError
from dettrack.evaluation.summary import Evaluation, evaluate
from dettrack.formats import read_tracks
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.lab.studies import run_command
from dettrack.skeleton import POSETRACK15
from dettrack.structures import TrackTable
from dettrack.training.pose.ap import head_boxes
from dettrack.training.pose.score import LIMBS, limb_head_sizes

COLUMNS = [POSETRACK15.index(joint) for joint in LIMBS]
PERSON_SCORE, JOINT_SCORE, LEAST_JOINTS = 0.35, 0.3, 4


def _sequence(name: str, table: TrackTable, frames: int, *, truth: bool) -> PoseSequence:
    """A run's limb joints as a sequence of annotations or of predictions."""
    xy = np.full_like(table.xy, np.nan)
    xy[:, COLUMNS] = table.xy[:, COLUMNS]
    sizes = limb_head_sizes(xy, POSETRACK15)
    keep = np.ones(len(table.frame), bool)
    if truth:
        keep = table.joint_scores[:, COLUMNS].mean(1) > PERSON_SCORE
        xy[table.joint_scores < JOINT_SCORE] = np.nan
    keep &= np.isfinite(xy).all(-1).sum(1) >= (LEAST_JOINTS if truth else 1)
    columns = {"head_box": head_boxes(sizes)} if truth else {"scores": table.joint_scores, "score": table.score}
    people = People.build(
        table.frame[keep], xy[keep], track_id=table.track_id[keep], **{key: v[keep] for key, v in columns.items()}
    )
    images = tuple(ImageInfo(f"{frame}.jpg", frame, is_labeled=True) for frame in range(frames))
    return PoseSequence(name, "posetrack18", POSETRACK15, images, people)


def limbs(result: Evaluation) -> tuple[float, float]:
    """Mean AP and MOTA of the limb joints."""
    return float(np.nanmean(result.AP["AP"][COLUMNS])), float(np.nanmean(result.MOT["mota"][COLUMNS]))


def main(truth: Path, found: Path) -> None:
    """A line for each video, and the mean.

    Args:
        truth: Folder of runs that stand in for annotations.
        found: Folder of runs of the same videos.
    """
    print(f"{'video':<40}     AP   MOTA  tracks: truth, found")
    rows = []
    for run in sorted(found.glob("*.dettrack")):
        if not (truth / run.name).is_dir():
            continue
        tables = read_tracks(truth / run.name), read_tracks(run)
        frames = max(int(table.frame.max(initial=0)) for table in tables) + 1
        pair = [_sequence(run.stem, table, frames, truth=table is tables[0]) for table in tables]
        rows.append(limbs(evaluate(pair[:1], pair[1:], mode="clean")))
        counts = [len(np.unique(table.track_id)) for table in tables]
        print(f"{run.stem:<40} {rows[-1][0]:6.1f} {rows[-1][1]:6.1f}  {counts[0]:6} {counts[1]:6}", flush=True)
    if not rows:
        raise InputError(f"no video of {found} has a run in {truth}: expected NAME.dettrack in both folders")
    print(f"{'mean':<40} {np.mean([ap for ap, _ in rows]):6.1f} {np.mean([mota for _, mota in rows]):6.1f}")


if __name__ == "__main__":
    run_command(main, __doc__)
