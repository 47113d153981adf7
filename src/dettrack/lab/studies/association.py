"""Association and merging by themselves: how long they take, and what they are worth.

    python -m dettrack.lab.studies.association time [--people 30] [--plain-frames 3] [--out TABLE.md]
    python -m dettrack.lab.studies.association quality FOLDER [--seeds 3] [--out TABLE.md]
    python -m dettrack.lab.studies.association heads FILE_OR_FOLDER...

`time`: sew + polish of simulated walkers at S = 1, |C| = 9 on one core, beside a plain version (scikit-learn's
MeanShift and a Dijkstra with a heap, joint by joint) in the same run, on a few frames. Times are CPU seconds of the
process, the least of several runs frame by frame, because a shared machine only ever makes them longer.

`quality`: annotated trajectories in PoseTrack's format (the Bonn trajectories of Iqbal, Milan and Gall, CVPR 2017),
tubes simulated on them (`lab.simulate`: noise, hidden joints, jumps at crossings, missed boxes). A person-frame is
recalled where a pose with OKS >= 0.5 to it exists, each pose serving once. An identity switch: a person's recalled
poses carry another track id than the one before (a fitting track is kept, as in CLEAR MOT); the sum over all videos.
PCKh: joints of recalled people within half a head size. AP and MOTA: the PoseTrack evaluator's, without thresholds.

`heads`: the constants of head size in `dettrack.polish.hypotheses`, from annotations with head boxes.
"""

# ruff: noqa: E402
from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # before NumPy is loaded: one core

import numpy as np
import tyro

from dettrack.config import PolishConfig, SewConfig, TrackConfig
from dettrack.evaluation import evaluate
from dettrack.formats.posetrack import PoseSequence, head_box_sizes
from dettrack.formats.posetrack.files import prediction_sequence, read_sequence, sequence_files
from dettrack.lab.ablation.sources import with_heads
from dettrack.lab.simulate import SimulateConfig, Trajectories, simulate, trajectories_of, walkers
from dettrack.lab.studies import run_command
from dettrack.lab.studies.sequences import ALL_JOINTS, S1, linked, write_table
from dettrack.matching import match_matrix
from dettrack.oks import object_areas, pairwise_oks
from dettrack.polish import Polisher
from dettrack.polish.hypotheses import HypothesisBuffer, head_sizes
from dettrack.sew.sewer import Sewer
from dettrack.structures import TrackletBatch, TrackTable

# row -> clip length, linking, merge; the rows in BRIDGED also join tracks across gaps of up to 16 frames
ROWS: dict[str, tuple[int, str, str]] = {
    "full method": (9, "tubes", "spatial-temporal"),
    "full method, bridged": (9, "tubes", "spatial-temporal"),
    "spatial merge": (9, "tubes", "spatial"),
    "temporal merge": (9, "tubes", "temporal"),
    "keyframe merge": (9, "tubes", "keyframe"),
    "baseline merge": (9, "tubes", "baseline"),
    "oks-velocity": (1, "oks-velocity", "baseline"),
    "oks-gbm": (1, "oks-gbm", "baseline"),
}
BRIDGED = {"full method, bridged": 16}


def seconds_per_frame(batches: Sequence[TrackletBatch], truth: Trajectories, repeats: int) -> tuple[float, float]:
    """CPU seconds of sew and of polish in the mean frame with full clips on both sides.

    Args:
        batches: Tracklet batches of one video, in order.
        truth: True paths of the people.
        repeats: How often; the fastest counts.

    Returns:
        Of sew and of polish.
    """
    best = np.full((len(batches), 2), np.inf)
    for _ in range(repeats):
        sewer, polisher = Sewer(SewConfig(), truth.joint_set, 9), Polisher(PolishConfig(), truth.joint_set)
        for n, batch in enumerate(batches):
            start = time.process_time()
            ids = sewer.add(batch.tracklets[0])
            middle = time.process_time()
            polisher.collect(batch.tracklets[0], ids)
            polisher.pop(batch.final_before)
            best[n] = np.minimum(best[n], [middle - start, time.process_time() - middle])
    sew, polish = best[10:-10].mean(0)
    return float(sew), float(polish)


def _plain_seconds_per_frame(batches: Sequence[TrackletBatch], truth: Trajectories, frames: int) -> float:
    """CPU seconds of the plain merge in the mean frame, over `frames` frames in the middle of the video."""
    from sklearn.cluster import MeanShift

    sewer, buffer = Sewer(SewConfig(), truth.joint_set, 9), HypothesisBuffer()
    for batch in batches:
        buffer.add(batch.tracklets[0], sewer.add(batch.tracklets[0]))
    middle = len(batches) // 2
    layers: dict[tuple[int, int], list[list[tuple[int, int, np.ndarray]]]] = {}
    start = time.process_time()
    for frame in range(middle, middle + frames):
        found = buffer.take(frame)
        radius = 0.5 * np.nan_to_num(head_sizes(found, truth.joint_set), nan=20.0)
        for person, track in enumerate(found.ids.tolist()):
            for joint in range(found.xy.shape[1]):
                points = found.xy[person, joint]
                points = points[np.isfinite(points).all(1)]
                shift = MeanShift(bandwidth=radius[person]).fit(points)
                sizes = np.bincount(shift.labels_)
                nodes = [(len(points), int(n), c) for n, c in zip(sizes, shift.cluster_centers_, strict=True)]
                layers.setdefault((track, joint), []).append(nodes)
    for chain in layers.values():
        plain_dijkstra(chain, 0.1)
    return (time.process_time() - start) / frames


def plain_dijkstra(layers: Sequence[Sequence[tuple[int, int, np.ndarray]]], lam: float) -> float:
    """Cost of the shortest path through layers of (|H|, |c|, centre).

    Args:
        layers: For each frame, its clusters.
        lam: Weight of the distance.

    Returns:
        Of the best path.
    """
    queue, done = [(0.0, 0, k) for k in range(len(layers[0]))], set()
    heapq.heapify(queue)
    while queue:
        cost, t, k = heapq.heappop(queue)
        if (t, k) in done:
            continue
        done.add((t, k))
        if t == len(layers) - 1:
            return cost
        h, c, centre = layers[t][k]
        for m, (h2, c2, centre2) in enumerate(layers[t + 1]):
            step = (h - c) + (h2 - c2) + lam * float(np.linalg.norm(centre - centre2))
            heapq.heappush(queue, (cost + step, t + 1, m))
    raise AssertionError("every layer has a cluster")


def _time_tables(people: int, plain_frames: int, repeats: int) -> Iterator[str]:
    yield "| people | frames | sew, ms a frame | polish, ms a frame | together |"
    yield "|---:|---:|---:|---:|---:|"
    for n, frames in ((5, 120), (people, 120), (people, 480), (2 * people, 120), (4 * people, 120), (8 * people, 60)):
        truth = walkers(n, frames)
        batches = list(simulate(truth, SimulateConfig()))
        sew, polish = seconds_per_frame(batches, truth, repeats)
        yield f"| {n} | {frames} | {1e3 * sew:.2f} | {1e3 * polish:.2f} | {1e3 * (sew + polish):.2f} |"
        if (n, frames) == (people, 120):
            ours = sew + polish
            plain = _plain_seconds_per_frame(batches, truth, plain_frames) if plain_frames else 0.0
    if plain_frames:
        yield ""
        yield (
            f"Plain merge of {people} people (scikit-learn MeanShift, Dijkstra with a heap; {plain_frames} frames): "
            f"{1e3 * plain:.0f} ms a frame, {plain / ours:.0f} times as long as sew and polish together."
        )


def track(truth: Trajectories, errors: SimulateConfig, name: str, seed: int) -> TrackTable:
    """One simulated video through one row's method; nothing is dropped afterwards but too short tracks.

    Args:
        truth: True paths of the people.
        errors: Errors of the simulated tubes.
        name: Of the row in `ROWS`.
        seed: Of the random choices.

    Returns:
        All poses of the video.
    """
    clip, linking, merge = ROWS[name]
    errors = SimulateConfig(**{**vars(errors), "clip_length": clip})
    config = TrackConfig(
        cut=replace(S1, clip_length=clip),
        sew=SewConfig(linking=linking, bridge=BRIDGED.get(name, 0)),  # type: ignore[arg-type]
        polish=PolishConfig(merge=merge),  # type: ignore[arg-type]
        finish=ALL_JOINTS,
    )
    return linked(simulate(truth, errors, seed), truth.joint_set, config)


def count(truth: Trajectories, table: TrackTable) -> dict[str, int]:
    """What was found of the people of one video.

    Args:
        truth: True paths of the people.
        table: What was found.

    Returns:
        Sums over the frames, by name.
    """
    total = dict.fromkeys(("people", "recalled", "poses", "switches", "joints", "right"), 0)
    total["poses"] = len(table)
    last: dict[int, int] = {}
    edges = np.searchsorted(table.frame, np.arange(truth.xy.shape[1] + 1))
    for t in range(truth.xy.shape[1]):
        who = np.flatnonzero(truth.present[:, t])
        total["people"] += len(who)
        found = table[int(edges[t]) : int(edges[t + 1])]
        if not len(who) or not len(found):
            continue
        true = truth.xy[who, t]
        known = np.isfinite(true).all(-1)
        there = np.isfinite(found.xy).all(-1)
        areas = object_areas(truth.boxes[who, t]), object_areas(found.box)
        similar = pairwise_oks(true, known, areas[0], found.xy, there, areas[1], truth.joint_set.sigmas)
        similar = np.where(similar >= 0.5, similar, 0.0)
        # As in CLEAR MOT, a person keeps the track of before where that still fits.
        kept = np.array([[last.get(int(person)) == track for track in found.track_id.tolist()] for person in who])
        for i, j in zip(*match_matrix(similar + 10.0 * (kept & (similar > 0))), strict=True):
            person, track_id = int(who[i]), int(found.track_id[j])
            total["recalled"] += 1
            total["switches"] += last.get(person, track_id) != track_id
            last[person] = track_id
            off = np.linalg.norm(found.xy[j] - true[i], axis=-1)
            total["joints"] += int(known[i].sum())
            total["right"] += int((off[known[i]] <= 0.5 * truth.head[person, t]).sum())
    return total


def _quality_row(
    sequences: Sequence[PoseSequence], truths: Sequence[Trajectories], errors: SimulateConfig, name: str, seeds: int
) -> str:
    """One method over all videos and seeds; AP and MOTA are those of the PoseTrack evaluator."""
    sums: dict[str, int] = {}
    scores = []
    for seed in range(seeds):
        predictions = []
        for number, (truth, sequence) in enumerate(zip(truths, sequences, strict=True)):
            table = track(truth, errors, name, 1000 * seed + number)
            for key, value in count(truth, table).items():
                sums[key] = sums.get(key, 0) + value
            predictions.append(prediction_sequence(sequence, table)[0])
        figures = evaluate(sequences, predictions, mode="official")
        annotated = np.isfinite(figures.MOT["mota"][:-1])  # the Bonn trajectories have no nose
        scores.append([figures.AP["AP"][:-1][annotated].mean(), figures.MOT["mota"][:-1][annotated].mean()])
    precise, mota = np.mean(scores, 0)
    recall, precision = sums["recalled"] / sums["people"], sums["recalled"] / max(sums["poses"], 1)
    pckh = sums["right"] / max(sums["joints"], 1)
    switches = sums["switches"] / seeds
    return f"| {name} | {recall:.1%} | {precision:.1%} | {switches:.1f} | {pckh:.1%} | {precise:.1f} | {mota:.1f} |"


def quality_tables(folder: Path, seeds: int) -> Iterator[str]:
    """Tables in Markdown: what each linker makes of simulated errors on true paths.

    Args:
        folder: Annotations of real people.
        seeds: How often errors are drawn.

    Yields:
        Lines.
    """
    sequences = [read_sequence(path) for path in sequence_files(folder)]
    truths = [trajectories_of(sequence) for sequence in sequences]
    sequences = [with_heads(sequence, truth) for sequence, truth in zip(sequences, truths, strict=True)]
    frames = sum(truth.xy.shape[1] for truth in truths)
    people = sum(int(truth.present.sum()) for truth in truths)
    yield f"{len(truths)} videos, {frames} frames, {people} person-frames, {seeds} seeds."
    for missed, run in ((0.0, 1), (0.3, 1), (0.6, 1), (0.6, 10)):
        yield ""
        how = "in runs of 10 keyframes" if run > 1 else "at random"
        yield f"**{missed:.0%} of the boxes missed{'' if not missed else ', ' + how}**"
        yield ""
        yield "| method | recall | precision | identity switches | PCKh of recalled | AP | MOTA |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for name in ROWS:
            yield _quality_row(sequences, truths, SimulateConfig(missed=missed, run=run), name, seeds)


def head_lines(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        by_joints, by_box = [], []
        for file in sequence_files(path):
            sequence = read_sequence(file)
            people, index = sequence.people, sequence.joint_set.index
            size = head_box_sizes(people.head_box)
            length = np.linalg.norm(people.xy[:, index("head_top")] - people.xy[:, index("head_bottom")], axis=1)
            height = people.box[:, 3] - people.box[:, 1]
            known = np.isfinite(people.xy).all(-1)
            whole = known.sum(1) >= known.any(0).sum()
            with np.errstate(invalid="ignore", divide="ignore"):
                by_joints.append((size / length)[(size > 0) & (length > 0)])
                by_box.append((size / height)[(size > 0) & (height > 0) & whole])
        for name, parts in (("head top to head bottom", by_joints), ("height of the box, all joints known", by_box)):
            values = np.concatenate(parts)
            if len(values):
                low, middle, high = np.percentile(values, [5, 50, 95])
                yield f"{path.name}: head size / {name}: median {middle:.3f} ({low:.3f} to {high:.3f}) of {len(values)}"


def time_study(people: int = 30, plain_frames: int = 3, repeats: int = 5, out: Path | None = None) -> None:
    """Processor time of sew and polish, beside a plain version.

    Args:
        people: People of the larger rows.
        plain_frames: Frames for the plain version; 0 leaves it out.
        repeats: Runs, of which the fastest counts.
        out: Also write the table to this Markdown file.
    """
    write_table(_time_tables(people, plain_frames, repeats), out)


def quality_study(folder: tyro.conf.Positional[Path], seeds: int = 3, out: Path | None = None) -> None:
    """What linking and merging are worth on annotated trajectories.

    Args:
        folder: With one PoseTrack file per sequence.
        seeds: Draws of the simulated errors.
        out: Also write the tables to this Markdown file.
    """
    write_table(quality_tables(folder, seeds), out)


def heads_study(paths: tyro.conf.Positional[tuple[Path, ...]]) -> None:
    """Head sizes against joints and boxes.

    Args:
        paths: Annotation files, or folders of them.
    """
    write_table(head_lines(paths), None)


if __name__ == "__main__":
    studies: dict[str, Callable[..., None]] = {"time": time_study, "quality": quality_study, "heads": heads_study}
    run_command(studies, __doc__)
