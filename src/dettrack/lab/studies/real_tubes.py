"""Do temporal filters help on real tubes? Networks on the same annotated people, at the keyframe and at both ends.

    python -m dettrack.lab.studies.real_tubes --models none.safetensors early.safetensors --sets jhmdb.npz felix.npz

Every tube is cut at the keyframe's box and read at the keyframe and at its ends, as tracking does it. PCKh@0.5 over the
limb joints, all sets pooled by joint. Right person: where somebody else's box overlaps in the frame that is read, how
often the answer is nearer to the keyframe's person than to the other. Differences to the first model have 95 %
intervals (bootstrap over tracks). Sets are packs with videos (`dettrack data pack`), of people not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.errors import InputError
from dettrack.geometry import box_iou
from dettrack.lab.studies import run_command
from dettrack.models.pose.checkpoint import load_checkpoint
from dettrack.training.labels.people import PeopleSet, concatenate, load_people
from dettrack.training.pose.score import head_sizes, limb_columns, limb_pck, predict

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
    xy = predict(checkpoint.network, people, spec, offset=offset, asked=asked).xy
    right, counted = limb_pck(xy, people, head_sizes(people))
    own = nearer_to_own(xy, people, in_the_way(people))
    return Answer(right.sum(1).astype(float), counted.sum(1).astype(float), own)


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
) -> None:
    """A row for each model and place.

    Args:
        models: Checkpoints; the others are compared with the first.
        sets: Packs with videos.
        offsets: Frames from the keyframe.
        size: Height and width of the crops; 0 0 for each model's own.
        every: Every so many-th person is read only.
        repeats: Draws of the bootstrap.
    """
    people = concatenate([load_people(path) for path in sets])
    if not (people.video >= 0).any():
        raise InputError(f"{', '.join(map(str, sets))}: no videos in it, and tubes need them")
    asked = np.arange(len(people)) % every == 0
    print("| model | frame | people | PCKh@0.5 | difference | in the way | right person | difference |")
    print("|---|---:|---:|---:|---|---:|---:|---|")
    draws, whole = resampled(people.track, repeats), np.arange(len(people))
    for offset in offsets:
        first: Answer | None = None
        for model in models:
            answer = answers(model, people, asked, offset, size)
            first = first or answer
            gained = [np.subtract(figures(answer, rows), figures(first, rows)) for rows in draws]
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


if __name__ == "__main__":
    run_command(main, __doc__)
