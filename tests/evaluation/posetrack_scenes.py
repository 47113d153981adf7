"""Small hand-made sequences for the tests of the evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from dettrack.evaluation import evaluate
from dettrack.evaluation.rules import EVALUATION15
from dettrack.evaluation.tracking import COUNTS
from dettrack.formats.posetrack import NO_ID, ImageInfo, People, PoseSequence

NOSE = EVALUATION15.index("nose")
WRIST = EVALUATION15.index("left_wrist")
# A head box of 30 x 40 pixels has the size 0.6 * 50 = 30, so that a joint is right within 15 pixels.
HEAD = (0.0, 0.0, 30.0, 40.0)


def body(x: float = 100.0, y: float = 100.0, joints: tuple[int, ...] = tuple(range(15))) -> np.ndarray:
    """15 joints on a grid, 60 pixels apart, the first at (x, y); those not in `joints` are missing."""
    xy = np.full((15, 2), np.nan)
    for j in joints:
        xy[j] = x + 60 * (j % 4), y + 60 * (j // 4)
    return xy


@dataclass
class Person:
    """One person of one frame."""

    track: int
    xy: np.ndarray
    scores: np.ndarray | float | None = None
    head: tuple[float, float, float, float] | None = HEAD
    listed: bool = True
    score: float = np.nan
    visible: np.ndarray | float = np.nan
    box: tuple[float, float, float, float] | None = None


@dataclass
class Scene:
    """Frames of people, and what the images say."""

    frames: list[list[Person]]
    name: str = "000001_mpii_test"
    labeled: list[bool | None] | None = None
    regions: dict[int, list[np.ndarray]] = field(default_factory=dict)
    names: list[str] | None = None

    def build(self) -> PoseSequence:
        names = self.names or [f"images/val/{self.name}/{i:06d}.jpg" for i in range(len(self.frames))]
        images = tuple(
            ImageInfo(
                names[i],
                10000010000 + i,
                is_labeled=None if self.labeled is None else self.labeled[i],
                ignore_regions=tuple(np.asarray(r, float) for r in self.regions.get(i, [])),
            )
            for i in range(len(self.frames))
        )
        rows = [(i, person) for i, people in enumerate(self.frames) for person in people]

        def column(get, shape):
            values = [np.broadcast_to(np.asarray(get(p), float), shape) for _, p in rows]
            return np.array(values).reshape(len(rows), *shape)

        def corners(value):
            return np.full(4, np.nan) if value is None else value

        people = People.build(
            [i for i, _ in rows],
            column(lambda p: p.xy, (15, 2)),
            scores=column(lambda p: np.nan if p.scores is None else p.scores, (15,)),
            visible=column(lambda p: p.visible, (15,)),
            track_id=[p.track for _, p in rows],
            head_box=column(lambda p: corners(p.head), (4,)),
            box=column(lambda p: corners(p.box), (4,)),
            score=[p.score for _, p in rows],
            listed=[p.listed for _, p in rows],
        )
        return PoseSequence(self.name, "posetrack18", EVALUATION15, images, people)


def scene(*frames: list[Person], **options) -> PoseSequence:
    """A sequence of these frames."""
    return Scene(list(frames), **options).build()


def random_pair(rng: np.random.Generator, frames: int = 6, people: int = 3, **odd: float):
    """Random annotations and predictions in which every rule can bite.

    Args:
        rng: Source of randomness.
        frames: Number of frames.
        people: Most people in a frame.
        odd: Probabilities: `empty` frames, `miss`ing joints, `unlisted` people, `unscored` joints, `regions`.
    """
    p = {"empty": 0.15, "miss": 0.2, "unlisted": 0.1, "unscored": 0.1, "regions": 0.3, "unlabeled": 0.2} | odd
    centre = np.array([[100 + 25.0 * k, 100] for k in range(people)])

    def frame(predicted: bool) -> list[Person]:
        if rng.random() < p["empty"]:
            return []
        chosen = rng.permutation(people)[: rng.integers(1, people + 1)]
        ids = rng.permutation(people + 2)[: len(chosen)] if predicted and rng.random() < 0.4 else chosen
        out = []
        for k, track in zip(chosen, ids, strict=True):
            xy = body(*centre[k]) + (rng.normal(0, 8, (15, 2)) if predicted else 0)
            xy[rng.random(15) < p["miss"]] = np.nan
            scores = np.where(rng.random(15) < p["unscored"], np.nan, rng.random(15)) if predicted else None
            head = None if predicted else (0.0, 0.0, 30.0, 40.0 + k)
            out.append(Person(int(track), xy, scores, head, listed=rng.random() >= p["unlisted"]))
        return out

    region = [np.array([[150.0, 150], [290, 150], [290, 290], [150, 290]])]
    regions = {i: region for i in range(frames) if rng.random() < p["regions"]}
    labeled = [bool(rng.random() >= p["unlabeled"]) for _ in range(frames)]
    gt = scene(*(frame(False) for _ in range(frames)), regions=regions, labeled=labeled)
    return gt, scene(*(frame(True) for _ in range(frames)))


def without_ids(sequence: PoseSequence) -> PoseSequence:
    """The same sequence, its people having no track ids."""
    return replace(sequence, people=replace(sequence.people, track_id=np.full(len(sequence.people), NO_ID)))


FAR = body(3000, 3000)


def counts(
    gt: PoseSequence, pred: PoseSequence, joint: int = NOSE, mode: str = "official", **options
) -> dict[str, float]:
    """Tracking counts of one joint by name."""
    result = evaluate([gt], [pred], mode=mode, **options)
    return dict(zip(COUNTS, result.counts.clear[:, joint].tolist(), strict=True))


def moved(dx: float, dy: float = 0.0) -> np.ndarray:
    """A body a little off."""
    return body() + np.array([dx, dy])


def labels_of(gt: list[Person], pred: list[Person], joint: int = NOSE) -> list[bool]:
    """Which predictions of a joint are right, in a single frame."""
    labels = evaluate([scene(gt)], [scene(pred)]).sequences[0].labels
    return labels.correct[labels.joint == joint].tolist()
