"""Do temporal filters help on real tubes? Networks on the same annotated people, at the keyframe and at both ends.

    python -m dettrack.lab.studies.real_tubes --models none.safetensors early.safetensors --sets jhmdb.npz felix.npz

Every tube is cut at the keyframe's box and read at the keyframe and at its ends, as tracking does it. PCKh@0.5 over the
limb joints, all sets pooled by joint. Right person: where somebody else's box overlaps in the frame that is read, how
often the answer is nearer to the keyframe's person than to the other. Differences to the first model have 95 %
intervals (bootstrap over tracks). Sets are packs with videos (`dettrack data pack`), of people not trained on.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from dettrack.errors import InputError
from dettrack.geometry import box_iou
from dettrack.lab.studies import run_command
from dettrack.models.pose.checkpoint import load_checkpoint
from dettrack.models.pose.heatmap import decode_heatmaps, flip_averaged
from dettrack.training.labels.people import PeopleSet, concatenate, load_people
from dettrack.training.pose.augment import NO_AUGMENTATION
from dettrack.training.pose.score import head_sizes, limb_columns, limb_head_sizes, limb_pck, predict, to_input
from dettrack.training.pose.tubes import TubeConfig, TubeMaker

OVERLAP = 0.1  # IoU from which somebody else is in the way
FAR = 3.0  # head sizes: a joint cannot be more wrong than this when people are told apart


@dataclass(frozen=True)
class Answer:
    """One model at one place of the tubes.

    Attributes:
        right: Joints within half a head, of each person.
        counted: Joints that count.
        own: Where somebody is in the way, whether the answer is nearer to the keyframe's person (0 or 1); else NaN.
    """

    right: Float[np.ndarray, " people"]
    counted: Float[np.ndarray, " people"]
    own: Float[np.ndarray, " people"]


def in_the_way(people: PeopleSet) -> Int[np.ndarray, " people"]:
    """For each person, who else overlaps most in the same image; -1 where nobody does."""
    other = np.full(len(people), -1)
    for image in np.unique(people.person_image):
        rows = np.flatnonzero(people.person_image == image)
        overlap = box_iou(people.boxes[rows], people.boxes[rows])
        np.fill_diagonal(overlap, 0)
        best = overlap.argmax(1)
        crowded = overlap[np.arange(len(rows)), best] >= OVERLAP
        other[rows[crowded]] = rows[best[crowded]]
    return other


def nearer_to_own(
    xy: Float[np.ndarray, "people joints 2"], people: PeopleSet, other: Int[np.ndarray, " people"]
) -> Float[np.ndarray, " people"]:
    """Whether each answer is nearer to its own person than to the one in the way.

    Args:
        xy: Answers in pixels; NaN where there is none.
        people: With labels.
        other: See `in_the_way`.

    Returns:
        0 or 1; NaN where nobody is in the way, or where fewer than three limb joints of both are known.
    """
    columns = limb_columns(people.joint_set)
    known = (people.weight[:, columns] > 0) & np.isfinite(people.xy[:, columns]).all(-1)
    both = known & known[other] & np.isfinite(xy[:, columns]).all(-1) & (other >= 0)[:, None]
    sizes = np.maximum(head_sizes(people), 1.0)[:, None]

    def distance(target: np.ndarray) -> np.ndarray:
        gap = np.minimum(np.linalg.norm(xy[:, columns] - target[:, columns], axis=-1) / sizes, FAR)
        return np.where(both, gap, 0).sum(1)

    told = (both.sum(1) >= 3) & (distance(people.xy[other]) != distance(people.xy))
    return np.where(told, distance(people.xy) < distance(people.xy[other]), np.nan)


def with_whole_tubes(people: PeopleSet, offset: int, clip_length: int) -> Bool[np.ndarray, " people"]:
    """Who can be read `offset` frames from a keyframe in which they are labelled, in a tube without missing frames.

    Args:
        people: The people.
        offset: Frames from the keyframe.
        clip_length: |C|.

    Returns:
        For each person.
    """
    frames = set(zip(people.video.tolist(), people.frame.tolist(), strict=True))
    video, frame = people.video[people.person_image], people.frame[people.person_image]
    seen = set(zip(people.track.tolist(), video.tolist(), frame.tolist(), strict=True))
    reach = range(-(clip_length // 2), clip_length // 2 + 1)
    rows = zip(people.track.tolist(), video.tolist(), (frame - offset).tolist(), strict=True)
    return np.array([v >= 0 and (t, v, f) in seen and all((v, f + d) in frames for d in reach) for t, v, f in rows])


def answers(
    model: Path, people: PeopleSet, asked: Bool[np.ndarray, " people"], offset: int, size: tuple[int, int]
) -> Answer:
    """A model's answers at one place of its tubes.

    Args:
        model: Checkpoint.
        people: The people.
        asked: Who of them is read.
        offset: Frames from the keyframe.
        size: Height and width of the crops; 0 0 for the model's own.

    Returns:
        The answers.
    """
    checkpoint = load_checkpoint(model)
    spec = replace(checkpoint.spec, size=size) if all(size) else checkpoint.spec
    rows = np.flatnonzero(asked)
    xy = np.full((len(people), len(people.joint_set), 2), np.nan)
    xy[rows] = predict(checkpoint.network, people, spec, rows=rows, offset=offset).xy
    right, counted = limb_pck(xy, people, head_sizes(people))
    own = nearer_to_own(xy, people, in_the_way(people))
    return Answer(right.sum(1).astype(float), counted.sum(1).astype(float), own)


def crossed(
    model: Path, people: PeopleSet, size: tuple[int, int], count: int, clip_length: int
) -> tuple[float, float, float]:
    """How a model answers where people of the set walk across its tubes (`training.pose.crossings`).

    Args:
        model: Checkpoint.
        people: The people.
        size: Height and width of the crops; 0 0 for the model's own.
        count: Tubes; the same ones for every model.
        clip_length: |C| of the tubes; a temporal model must have the same.

    Returns:
        PCKh@0.5 of the joints that are seen, over all frames, in percent; the mean of the highest joint score in frames
        in which the tube's person is hidden, and in the others.
    """
    checkpoint = load_checkpoint(model)
    spec = replace(checkpoint.spec, size=size) if all(size) else checkpoint.spec
    config = TubeConfig(spec.size, clip_length, absent="unknown", augment=replace(NO_AUGMENTATION, crossing=1.0))
    make = TubeMaker(people, config)
    columns, right, counted = limb_columns(people.joint_set), 0, 0
    best: dict[bool, list[float]] = {True: [], False: []}

    def run(crops: np.ndarray) -> np.ndarray:
        return checkpoint.network(to_input(torch.from_numpy(crops), spec)).numpy()

    for index in range(count):
        tube = make(0, index)
        rows = tube.crops[None] if spec.variant != "none" else tube.crops[:, None]
        with torch.no_grad():
            maps = flip_averaged(run, rows, people.joint_set.flip_permutation, stride=spec.stride)
        xy, scores = decode_heatmaps(maps.reshape(clip_length, *maps.shape[2:]), spec.decoding, stride=spec.stride)
        hidden = (tube.weight >= 1).any(1) & (tube.targets.reshape(*tube.weight.shape, -1).max(-1) == 0).all(1)
        for t in range(clip_length):
            best[bool(hidden[t])].append(float(scores[t].max()))
        known = ((tube.weight >= 1) & np.isfinite(tube.xy).all(-1) & ~hidden[:, None])[:, columns]
        gap = np.linalg.norm(xy[:, columns] - tube.xy[:, columns], axis=-1)
        reach = 0.5 * limb_head_sizes(tube.xy, people.joint_set)[:, None]
        right, counted = right + int((known & (gap <= reach)).sum()), counted + int(known.sum())
    means = [float(np.mean(best[gone])) if best[gone] else float("nan") for gone in (True, False)]
    return 100 * right / max(counted, 1), means[0], means[1]


def figures(answer: Answer, rows: Int[np.ndarray, " n"]) -> tuple[float, float]:
    """PCKh@0.5 and the share of right people, in percent.

    Args:
        answer: Of all people.
        rows: Which of them count, and how often.

    Returns:
        NaN where nobody counts.
    """
    own = answer.own[rows]
    told = np.isfinite(own)
    counted = answer.counted[rows].sum()
    return (
        100 * float(answer.right[rows].sum() / counted) if counted else float("nan"),
        100 * float(own[told].mean()) if told.any() else float("nan"),
    )


def resampled(track: Int[np.ndarray, " people"], repeats: int, seed: int = 0) -> list[Int[np.ndarray, " n"]]:
    """People of tracks drawn with replacement: one draw of the bootstrap each.

    Args:
        track: Of each person.
        repeats: Draws.
        seed: Of the draws.

    Returns:
        Rows of the people.
    """
    members = [np.flatnonzero(track == one) for one in np.unique(track)]
    rng = np.random.default_rng(seed)
    return [np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))]) for _ in range(repeats)]


def main(
    models: tuple[Path, ...],
    sets: tuple[Path, ...],
    offsets: tuple[int, ...] = (0, -4, 4),
    size: tuple[int, int] = (0, 0),
    every: int = 1,
    repeats: int = 500,
    crossings: int = 0,
) -> None:
    """A row for each model and place.

    Args:
        models: Checkpoints; the others are compared with the first.
        sets: Packs with videos.
        offsets: Frames from the keyframe.
        size: Height and width of the crops; 0 0 for each model's own.
        every: Every so many-th person is read only.
        repeats: Draws of the bootstrap.
        crossings: Tubes across which other people walk; 0 for none.
    """
    people = concatenate([load_people(path) for path in sets])
    if not (people.video >= 0).any():
        raise InputError(f"{', '.join(map(str, sets))}: no videos in it, and tubes need them")
    longest = max(load_checkpoint(model).spec.clip_length for model in models)
    print("| model | frame | people | PCKh@0.5 | difference | in the way | right person | difference |")
    print("|---|---:|---:|---:|---|---:|---:|---|")
    draws, whole = resampled(people.track, repeats), np.arange(len(people))
    for offset in offsets:
        asked = with_whole_tubes(people, offset, longest)
        asked[np.flatnonzero(asked)[np.arange(asked.sum()) % every > 0]] = False
        first: Answer | None = None
        for model in models:
            answer = answers(model, people, asked, offset, size)
            first = first or answer
            gained = [np.subtract(figures(answer, rows), figures(first, rows)) for rows in draws]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # nobody in the way in any draw: NaN says so
                low, high = np.nanpercentile(gained, [2.5, 97.5], axis=0)
            reached = figures(answer, whole)
            more = np.subtract(reached, figures(first, whole))
            said = [f"{more[i]:+.1f} ({low[i]:+.1f} to {high[i]:+.1f})" if model != models[0] else "" for i in (0, 1)]
            counts = int((answer.counted > 0).sum()), int(np.isfinite(answer.own).sum())
            print(
                f"| {model.parent.name} | {offset:+d} | {counts[0]} | {reached[0]:.1f} | {said[0]} "
                f"| {counts[1]} | {reached[1]:.1f} | {said[1]} |",
                flush=True,
            )

    if crossings:
        print("| model | crossed tubes | PCKh@0.5 | highest score, person hidden | seen |\n|---|---:|---:|---:|---:|")
        for model in models:
            pck, gone, there = crossed(model, people, size, crossings, longest)
            print(f"| {model.parent.name} | {crossings} | {pck:.1f} | {gone:.2f} | {there:.2f} |", flush=True)


if __name__ == "__main__":
    run_command(main, __doc__)
