"""Other people laid over a sample: where they go, and what it does to the weights."""

from __future__ import annotations

import numpy as np
from training_scenes import body, make_set

from dettrack.training.pose.augment import NO_AUGMENTATION, AugmentConfig
from dettrack.training.pose.distractors import lay_over
from dettrack.training.pose.tubes import TubeConfig, TubeMaker


def test_covered_joints_count_less() -> None:
    people = make_set()
    crops = np.zeros((2, 128, 96, 3), np.uint8)
    xy, weight = np.stack([body(48.0, 14.0, 100.0)] * 2), np.ones((2, 15))
    changed = 0
    for seed in range(20):
        out, found = lay_over(crops, xy, weight, people, np.random.default_rng(seed))
        assert out.shape == crops.shape
        assert (out[0] == out[1]).all()
        laid = out[0].any(-1)
        assert 0 < laid.mean() < 0.75
        covered = found[0] < 1
        for joint, (x, y) in enumerate(xy[0]):
            if 1 < x < 94 and 1 < y < 126 and not laid[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].any():
                assert not covered[joint]
        changed += int(covered.any())
    assert changed > 3


def test_nobody_known_stays_as_it_is() -> None:
    crops = np.full((1, 64, 64, 3), 7, np.uint8)
    xy, weight = np.full((1, 15, 2), np.nan), np.zeros((1, 15))
    out, found = lay_over(crops, xy, weight, make_set(), np.random.default_rng(0))
    assert out is crops
    assert found is weight


def test_samples_of_earlier_recipes_stay_the_same() -> None:
    people = make_set()
    plain = TubeMaker(people, TubeConfig((64, 64), 1, augment=AugmentConfig()))(3, 5)
    again = TubeMaker(people, TubeConfig((64, 64), 1, augment=AugmentConfig(distractor=0.0)))(3, 5)
    assert (plain.crops == again.crops).all()
    with_others = AugmentConfig(**{**vars(NO_AUGMENTATION), "distractor": 1.0})
    quiet = TubeMaker(people, TubeConfig((64, 64), 1, augment=NO_AUGMENTATION))
    loud = TubeMaker(people, TubeConfig((64, 64), 1, augment=with_others))
    assert sum((quiet(0, i).crops != loud(0, i).crops).any() for i in range(5)) == 5
