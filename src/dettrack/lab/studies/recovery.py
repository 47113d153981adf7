"""What tubes recover when the detector misses people, on real videos (issue: 60 % of the keyframe boxes dropped).

    python -m dettrack.lab.studies.recovery VIDEO... --detector FILE --model FILE [--frames 200] \
        [--share 0.6] [--out TABLE.md]

Every video is cut and estimated once, at S = 1, |C| = 9, with nothing dropped. A 2D model answers every frame of a tube
by itself, so a dropped box is exactly a tube taken away, and a shorter clip a shorter piece of it: all rows link and
merge the same tracklets.

The reference of a row's first figure is the undropped run at |C| = 9: its person-frames in which the detector found the
person. A person-frame survives where the row's run has a pose with OKS >= 0.5 to it, each pose serving once. The second
figure takes as reference all person-frames of the same row's own undropped run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from dettrack.associate import associate, narrow
from dettrack.config import CutConfig, DetectConfig, EstimateConfig, FinishConfig, SewConfig, TrackConfig
from dettrack.lab.ablation.tubes import lose_boxes
from dettrack.matching import match_matrix
from dettrack.oks import object_areas, pairwise_oks
from dettrack.pipeline import Pipeline
from dettrack.skeleton import JointSet
from dettrack.structures import Source, Step, TrackTable
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


def run(steps: Sequence[Step], joints: JointSet, clip: int, linking: str, bridge: int) -> TrackTable:
    """Link and merge."""
    # No track is too short here: linking frame by frame, a track ends at every miss, and would be dropped for it.
    config = TrackConfig(
        cut=CutConfig(clip_length=clip),
        sew=SewConfig(linking=linking, bridge=bridge),  # type: ignore[arg-type]
        finish=FinishConfig(min_track_frames=1, min_track_score=0.0, min_joint_score=0.0),
    )
    narrowed = narrow(steps, CutConfig(), config.cut)
    return TrackTable.concatenate((s.table for s in associate(narrowed, joints, config)), joints)


def survivors(reference: TrackTable, table: TrackTable) -> float:
    """Share of the reference's person-frames that `table` has, in percent."""
    frames = dict(table.by_frame())
    found = 0
    for frame, rows in reference.by_frame():
        if frame not in frames:
            continue
        other = frames[frame]
        has, other_has = ~np.isnan(rows.xy[..., 0]), ~np.isnan(other.xy[..., 0])
        similarity = pairwise_oks(
            rows.xy, has, object_areas(rows.box), other.xy, other_has, object_areas(other.box), rows.joint_set.sigmas
        )
        good = np.nan_to_num(similarity) >= 0.5
        found += len(match_matrix(good)[0])
    return 100 * found / max(len(reference), 1)


def table_of(video: Path, pipeline: Pipeline, args: argparse.Namespace) -> list[list[float]]:
    """Figures of one video: a row for each of `ROWS`, first/second figure one by one, then in runs."""
    with open_video(str(video), shots=False) as frames:
        steps = list(pipeline.tracklets(islice(frames, args.frames)))
    joints = pipeline.joint_set
    whole = run(steps, joints, *ROWS["tubes, C = 9"])
    reference = whole[whole.source == Source.DETECTED]
    figures = []
    for name in args.rows:
        own = run(steps, joints, *ROWS[name])
        row = []
        for runs in (1, args.runs):
            per_seed = []
            for seed in range(args.seeds):
                table = run(list(lose_boxes(steps, args.share, runs, seed)), joints, *ROWS[name])
                per_seed.append((survivors(reference, table), survivors(own, table)))
            row += list(np.mean(per_seed, axis=0))
        figures.append(row)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--detector", default="default")
    parser.add_argument("--model", default="default")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.6)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    config = TrackConfig(
        detect=DetectConfig(detector=args.detector), estimate=EstimateConfig(model=args.model, flip=False)
    )
    pipeline = Pipeline(config)
    head = ["video", "linking", "one by one", "(own)", f"runs of {args.runs}", "(own)"]
    lines = ["| " + " | ".join(head) + " |", "|---|---|---:|---:|---:|---:|"]
    every = []
    for video in args.videos:
        figures = table_of(video, pipeline, args)
        every.append(figures)
        for name, row in zip(args.rows, figures, strict=True):
            lines.append(f"| {video.name} | {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
            print(lines[-1], flush=True)
    for name, row in zip(args.rows, np.mean(every, axis=0), strict=True):
        lines.append(f"| **mean** | {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
        print(lines[-1], flush=True)
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
