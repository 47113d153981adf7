"""Random videos full of what breaks writers: gaps in frames and ids, empty frames, missing joints."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable, VideoInfo

Video = list[tuple[int, float, TrackTable]]


def _rows(
    rng: np.random.Generator, joints: JointSet, frame: int, time_s: float, people: int, smooth: bool
) -> TrackTable:
    shape = (people, len(joints))
    missing = rng.random(shape) < 0.3
    corner = rng.uniform(-5, 300, (people, 2))
    xy = np.where(missing[..., None], np.nan, rng.uniform(-5, 500, (*shape, 2)))
    return TrackTable(
        joints,
        frame=np.full(people, frame),
        time_s=np.full(people, time_s),
        track_id=np.sort(rng.choice(5000, people, replace=False)),
        box=np.concatenate([corner, corner + rng.uniform(1, 200, (people, 2))], 1),
        score=rng.random(people),
        xy=xy,
        joint_scores=np.where(missing, 0.0, rng.random(shape)),
        spread=np.where(missing, np.nan, rng.exponential(4, shape)),
        support=np.where(missing, 0, rng.integers(1, 10, shape)),
        source=rng.integers(0, 3, people),
        xy_smooth=xy + 1.25 if smooth else None,
    )


@pytest.fixture(scope="session")
def random_video() -> Callable[..., Video]:
    """Makes a video: every frame's index, timestamp (uneven, not from 0) and rows."""

    def make(seed: int, joints: JointSet, frames: int = 12) -> Video:
        rng = np.random.default_rng(seed)
        times = 3.2 + np.cumsum(rng.uniform(0.01, 0.1, frames))
        smooth = bool(rng.random() < 0.3)
        counts = rng.choice([0, 0, 1, 2, 5], frames)
        start = int(rng.integers(0, 50))
        return [
            (start + i, float(times[i]), _rows(rng, joints, start + i, float(times[i]), int(counts[i]), smooth))
            for i in range(frames)
        ]

    return make


@pytest.fixture(scope="session")
def info() -> VideoInfo:
    return VideoInfo("match", "clips/match.mp4", 640, 480, Fraction(30000, 1001), 12)


@pytest.fixture(scope="session")
def write_all() -> Callable[..., None]:
    """Sends a video through a writer."""

    def run(writer, video: Video) -> None:
        for frame_index, time_s, rows in video:
            writer.write(frame_index, time_s, rows)
        writer.close()

    return run
