"""Time and memory of the evaluation on data of the size of PoseTrack18's validation set, on one core.

    OMP_NUM_THREADS=1 python -m dettrack.lab.studies.evaluation [--sequences 50] [--frames 100] [--people 10] [--hota]

Makes annotations and predictions (noise, missed and false people, identity switches, ignore regions), writes them as
PoseTrack18 files, then reads and evaluates them sequence by sequence.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from dettrack.evaluation import evaluate
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.files import pair_files, read_sequence, write_sequence
from dettrack.formats.posetrack.year2018 import image_id
from dettrack.lab.studies import run_command
from dettrack.skeleton import POSETRACK17

WIDTH, HEIGHT, HEAD = 1920, 1080, 40.0


def make_pair(number: int, frames: int, people: int, seed: int) -> tuple[PoseSequence, PoseSequence]:
    """Annotations and predictions of one sequence of walking people.

    Args:
        number: Of the sequence.
        frames: How many frames.
        people: How many people.
        seed: Of the random choices.

    Returns:
        Annotations and predictions.
    """
    rng = np.random.default_rng((seed, number))
    name = f"{number:06d}_mpii_test"
    region = np.array([[1700, 0], [1920, 0], [1920, 300], [1750, 260]], float)
    images = tuple(
        ImageInfo(f"images/val/{name}/{i:06d}.jpg", image_id(name, i), is_labeled=True, ignore_regions=(region,))
        for i in range(frames)
    )
    start = rng.uniform((100, 200), (WIDTH - 100, HEIGHT - 200), (people, 2))
    path = start[None] + np.cumsum(rng.normal(0, 4, (frames, people, 2)), 0)
    body = rng.normal(0, 60, (people, len(POSETRACK17), 2))
    xy = path[:, :, None] + body[None] + rng.normal(0, 2, (frames, people, len(POSETRACK17), 2))
    frame, person = (axis.ravel() for axis in np.indices((frames, people)))
    head = np.concatenate([path - HEAD / 2, path + HEAD / 2], -1)
    truth = np.where(rng.random((*xy.shape[:3], 1)) < 0.1, np.nan, xy)
    truth[:, :, POSETRACK17.index("left_ear")] = truth[:, :, POSETRACK17.index("right_ear")] = np.nan
    rows = frames * people
    annotated = People.build(frame, truth.reshape(rows, -1, 2), track_id=person, head_box=head.reshape(rows, 4))
    noise = rng.normal(0, 8, xy.shape) * np.where(rng.random((*xy.shape[:3], 1)) < 0.1, 6, 1)
    found = rng.random(rows) > 0.1
    ids = (person + people * (rng.random(rows) < 0.02).cumsum() % 900) % 1000
    ids = np.where(found, ids, -1)
    predicted = People.build(
        frame,
        (xy + noise).reshape(rows, -1, 2),
        scores=rng.random((rows, len(POSETRACK17))),
        track_id=ids,
    )[found]
    gt = PoseSequence(name, "posetrack18", POSETRACK17, images, annotated, vid_id=name[:6], nframes=frames)
    return gt, replace(gt, people=_unique_ids(predicted))


def _unique_ids(people: People) -> People:
    """Give a person whose id is taken in its frame another one."""
    ids = people.track_id.copy()
    for image in np.unique(people.image):
        rows = np.flatnonzero(people.image == image)
        first = np.unique(ids[rows], return_index=True)[1]
        again = np.setdiff1d(np.arange(len(rows)), first)
        ids[rows[again]] = 950 + np.arange(len(again))
    return replace(people, track_id=ids)


def _write_data(folder: Path, sequences: int, frames: int, people: int, seed: int = 0) -> None:
    """Files for `sequences` sequences in `folder/gt` and `folder/pred`."""
    for number in range(1, sequences + 1):
        gt, pred = make_pair(number, frames, people, seed)
        write_sequence(gt, folder / "gt" / f"{gt.name}.json")
        write_sequence(pred, folder / "pred" / f"{gt.name}.json")


def measure(folder: Path, hota: bool) -> dict[str, float]:
    """Seconds for reading and evaluating, and the process's peak memory in MB.

    `cpu_seconds` is what one core is busy: on a machine that does other things too it is the figure to compare.

    Args:
        folder: With `gt` and `pred`.
        hota: Compute HOTA too.

    Returns:
        By name.
    """
    pairs, _ = pair_files(folder / "gt", folder / "pred")
    start = time.process_time()
    content = [(read_sequence(pair.gt), read_sequence(pair.pred)) for pair in pairs[:5]]
    reading = (time.process_time() - start) / len(content) * len(pairs)
    del content
    start, cpu_start = time.perf_counter(), time.process_time()
    result = evaluate((read_sequence(p.gt) for p in pairs), (read_sequence(p.pred) for p in pairs), hota=hota)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"AP": result.ap, "MOTA": result.mota, "seconds": seconds, "cpu_seconds": cpu}
    return {**figures, "of_which_reading": reading, "peak_mb": peak}


def main(sequences: int = 50, frames: int = 100, people: int = 10, hota: bool = False) -> None:
    """Figures as JSON.

    Args:
        sequences: How many.
        frames: Of each.
        people: In each frame.
        hota: HOTA too.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write_data(Path(folder), sequences, frames, people)
        figures = measure(Path(folder), hota)
    about = {"sequences": sequences, "frames": frames, "people": people, "hota": hota}
    print(json.dumps(about | {key: round(value, 2) for key, value in figures.items()}, indent=1))


if __name__ == "__main__":
    run_command(main, __doc__)
