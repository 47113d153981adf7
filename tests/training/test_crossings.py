"""Crossings: pixels and labels change where the walker is, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_scenes import JOINTS, body, make_set

from dettrack.training.pose.augment import NO_AUGMENTATION
from dettrack.training.pose.crossings import Labels, Walker, cross, silhouette
from dettrack.training.pose.tubes import TubeConfig, TubeMaker

CLIP = 9
SIZE = (96, 80)


def labels(x: float = 40.0) -> Labels:
    xy = np.stack([body(x, 20, 60)] * CLIP)
    return Labels(xy, np.ones(xy.shape[:2]), np.ones(xy.shape[:2]))


def walker() -> Walker:
    """All white, so that what they cover can be seen."""
    return Walker([np.full((100, 120, 3), 255, np.uint8)] * CLIP, np.stack([body(50, 20, 60)] * CLIP))


def crossed(seed: int) -> tuple[np.ndarray, Labels]:
    crops = np.zeros((CLIP, *SIZE, 3), np.uint8)
    return cross(crops, labels(), walker(), JOINTS, np.random.default_rng(seed))


def test_covered_joints_count_little_and_hidden_people_are_gone() -> None:
    """In front: where a joint is white it is covered; where hardly one is not, every target is empty."""
    gone = covered = 0
    for seed in range(40):
        pixels, out = crossed(seed)
        if (out.weight == 1).all() and (out.height == 1).all():
            continue  # behind, or beside
        for t in range(CLIP):
            column, row = labels().xy[t].round().astype(int).T
            inside = (row >= 0) & (row < SIZE[0])
            white = np.zeros(len(JOINTS), bool)
            white[inside] = pixels[t, row[inside], column[inside], 0] > 127
            if (out.height[t] == 0).any():
                gone += 1
                assert (out.height[t] == 0).all()
                assert (out.weight[t] == 1).all()
                assert white.mean() > 0.7
            else:
                covered += int(white.any())
                assert (out.weight[t] == np.where(white, 0.3, 1.0)).mean() > 0.95
        assert np.array_equal(out.xy, labels().xy)
    assert gone > 5
    assert covered > 20


def test_who_walks_behind_covers_nothing() -> None:
    seen = 0
    for seed in range(40):
        pixels, out = crossed(seed)
        if (out.weight < 1).any() or (out.height < 1).any():
            continue
        own = silhouette(labels().xy[0], JOINTS, SIZE) > 0.95
        assert pixels[:, own].max() < 40
        seen += int(pixels.max() > 200)
    assert seen > 5


def test_the_walker_goes_from_one_side_to_the_other() -> None:
    """The middle of what is white moves steadily, and the same seed gives the same crossing."""
    pixels, _ = crossed(3)
    again, _ = crossed(3)
    assert np.array_equal(pixels, again)
    mass = (pixels[..., 0] > 127).sum(1)
    there = mass.sum(1) > 60
    middles = (mass * np.arange(SIZE[1])).sum(1)[there] / mass.sum(1)[there]
    assert (np.diff(middles) > 0).all() or (np.diff(middles) < 0).all()


@pytest.mark.parametrize("part", ["own", "other"])
def test_unknown_people_cross_nothing(part: str) -> None:
    crops, own, other = np.zeros((CLIP, *SIZE, 3), np.uint8), labels(), walker()
    if part == "own":
        own = replace(own, weight=own.weight * 0)
    else:
        other = replace(other, xy=other.xy * np.nan)
    pixels, out = cross(crops, own, other, JOINTS, np.random.default_rng(0))
    assert pixels is crops
    assert out is own


def test_tubes_have_crossings_where_they_are_asked_for() -> None:
    """And none, and no other samples than before, where they are not."""
    people = make_set(videos=2, frames=CLIP)
    plain = TubeConfig((64, 64), CLIP, augment=NO_AUGMENTATION)
    maker, other = (
        TubeMaker(people, replace(plain, augment=replace(NO_AUGMENTATION, crossing=share))) for share in (0.0, 1.0)
    )
    same = [np.array_equal(maker(1, i).crops, other(1, i).crops) for i in range(8)]
    assert sum(same) <= 2
    still = TubeMaker(people, replace(plain, clip_length=1, augment=replace(NO_AUGMENTATION, crossing=1.0)))
    assert still(1, 0).crops.shape[0] == 1
    weights = np.stack([other(1, i).weight for i in range(8)])
    assert (weights < 1).any()
