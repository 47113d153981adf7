"""The bootstrap against evaluating the drawn sequences from scratch."""

from __future__ import annotations

import numpy as np
import pytest
from posetrack_scenes import FAR, Person, body, random_pair, scene

from dettrack.errors import InputError
from dettrack.evaluation import evaluate
from dettrack.evaluation.bootstrap import compare, draws, intervals, resampled


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(5)
    return [random_pair(rng, frames=5, regions=0.1, unscored=0) for _ in range(4)]


@pytest.mark.parametrize("mode", ["official", "clean"])
def test_a_draw_is_what_evaluating_the_drawn_sequences_gives(pairs, mode: str) -> None:
    result = evaluate([a for a, _ in pairs], [b for _, b in pairs], mode=mode, hota=True)
    times = np.array([[1, 1, 1, 1], [2, 0, 1, 1], [0, 4, 0, 0], [1, 0, 3, 0]])
    found = resampled(result, times)
    for b, row in enumerate(times):
        drawn = [pair for pair, n in zip(pairs, row, strict=True) for _ in range(n)]
        # A sequence drawn twice has every score twice: official ties have no order, so only clean AP is compared then.
        alone = evaluate([a for a, _ in drawn], [p for _, p in drawn], mode=mode, hota=True)
        if mode == "clean" or row.max() == 1:
            assert found["AP"][b] == pytest.approx(alone.ap)
        assert found["MOTA"][b] == pytest.approx(alone.mota)
        assert found["IDF1"][b] == pytest.approx(alone.MOT["idf1"][15])
        assert found["HOTA"][b] == pytest.approx(100 * alone.HOTA["HOTA"][15])


def test_draws_are_seeded_and_as_many_as_there_are_sequences() -> None:
    times = draws(7, 50, seed=3)
    assert (times.sum(1) == 7).all()
    np.testing.assert_array_equal(times, draws(7, 50, seed=3))
    assert (times != draws(7, 50, seed=4)).any()
    assert abs(draws(7, 4000).mean(0) - 1).max() < 0.1


def good(k: int):
    return scene(*([Person(0, body(), 0.5)] for _ in range(4)), name=f"{k:06d}_mpii_test")


def bad(k: int, wrong: int):
    return scene(*([Person(0, FAR if i < wrong else body(), 0.5)] for i in range(4)), name=f"{k:06d}_mpii_test")


def test_intervals_hold_the_value_and_vanish_without_spread() -> None:
    same = intervals(evaluate([good(1), good(2)], [good(1), good(2)]), samples=50)
    assert (same["MOTA"].low, same["MOTA"].value, same["MOTA"].high) == (100, 100, 100)
    spread = intervals(evaluate([good(k) for k in range(5)], [bad(k, k % 3) for k in range(5)]), samples=300)
    assert spread["MOTA"].low < spread["MOTA"].value < spread["MOTA"].high


def test_pairing_takes_out_what_both_share() -> None:
    gt = [good(k) for k in range(6)]
    a = evaluate(gt, [bad(k, k % 3) for k in range(6)])
    b = evaluate(gt, [bad(k, k % 3 + 1) for k in range(6)])
    found = compare(a, b, samples=200)["MOTA"]
    # Each sequence of B has one more miss and false positive in 3 frames: the difference has no spread at all.
    assert (found.b - found.a, found.low, found.high) == pytest.approx((-200 / 3,) * 3)
    assert found.p == pytest.approx(2 / 201)
    itself = compare(a, a, samples=200)["AP"]
    assert (itself.low, itself.high, itself.p) == (0, 0, 1)


def test_too_little_or_other_data_is_refused() -> None:
    result = evaluate([good(1)], [good(1)])
    with pytest.raises(InputError, match="needs at least 2"):
        intervals(result)
    with pytest.raises(InputError, match="different sequences"):
        compare(result, evaluate([good(2)], [good(2)]))
