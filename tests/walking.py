"""Folders of annotated people who walk about, for experiments without pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.year2018 import write_posetrack18
from dettrack.lab.simulate import walkers
from dettrack.skeleton import POSETRACK17


def walking(number: int, people: int = 3, frames: int = 24) -> PoseSequence:
    """A sequence of walkers in PoseTrack18's joints; the ears are not annotated."""
    truth = walkers(people, frames, seed=number, spacing=260.0)
    who, when = np.nonzero(truth.present)
    xy = np.full((len(who), 17, 2), np.nan)
    columns = [POSETRACK17.index(joint) for joint in truth.joint_set.joints]
    xy[:, columns] = truth.xy[who, when]
    xy += 500  # nobody at negative pixels
    side = truth.head[who, when] / 0.6 / np.sqrt(2)
    head = np.concatenate([xy[:, 0] - side[:, None] / 2, xy[:, 0] + side[:, None] / 2], 1)
    name = f"{number:06d}_mpii_test"
    images = tuple(
        ImageInfo(f"images/val/{name}/{t:06d}.jpg", 10_000_000_000 + number * 10_000 + t, is_labeled=True)
        for t in range(frames)
    )
    visible = np.where(np.isnan(xy[..., 0]), np.nan, 1.0)
    found = People.build(when, xy, visible=visible, track_id=who, head_box=head, box=truth.boxes[who, when] + 500)
    return PoseSequence(name, "posetrack18", POSETRACK17, images, found, vid_id=f"{number:06d}", nframes=frames)


def write_walkers(folder: Path, sequences: int = 3, **options: int) -> Path:
    """Annotation files of several sequences."""
    folder.mkdir(parents=True)
    for number in range(1, sequences + 1):
        sequence = walking(number, **options)
        write_posetrack18(sequence, folder / f"{sequence.name}.json")
    return folder


def write_study(path: Path, annotations: Path, simulate: str = "shared = 0.5") -> Path:
    """A study of simulated tubes."""
    path.write_text(
        f'name = "walkers"\nout = "{path.parent / "out"}"\ncache = "{path.parent / "cache"}"\nbootstrap = 40\n'
        f'[data]\nkind = "simulated"\nannotations = "{annotations}"\nmissed = 0.2\nmissed_run = 3\n'
        f"[simulate]\n{simulate}\n"
    )
    return path
