"""Oracles repair what they are named after, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posetrack_scenes import FAR, HEAD, Person, body, moved, random_pair, scene

from dettrack.evaluation import evaluate
from dettrack.evaluation.oracles import (
    oracles,
    paired_rows,
    perfect_association,
    perfect_boxes,
    perfect_poses,
)
from dettrack.evaluation.tracking import COUNTS

SWITCHES = COUNTS.index("num_switches")


def crowd(*tracks: int, dx: float = 0.0, score: float | None = None) -> list[Person]:
    return [Person(track, moved(500.0 * k + dx), score, HEAD) for k, track in enumerate(tracks)]


def test_people_are_paired_one_to_one() -> None:
    # Greedily both predictions would go to the first person, who lies within reach of both.
    gt = scene([Person(0, body()), Person(1, moved(8))])
    pred = scene([Person(5, moved(8), 0.5), Person(6, body(), 0.5), Person(7, FAR, 0.5)])
    assert paired_rows(gt, pred).tolist() == [1, 0, -1]


def test_perfect_association_removes_switches_only() -> None:
    gt = scene(crowd(0, 1), crowd(0, 1), crowd(0, 1), crowd(0, 1))
    pred = scene(*([*crowd(a, b, dx=3, score=0.5), Person(9, FAR, 0.4)] for a, b in ((5, 6), (6, 5), (5, 6), (6, 5))))
    before, after = evaluate([gt], [pred]), evaluate([gt], [perfect_association(gt, pred)])
    assert before.counts.clear[SWITCHES].sum() == 4 * 15
    assert after.counts.clear[SWITCHES].sum() == 0
    np.testing.assert_array_equal(before.AP["AP"], after.AP["AP"])
    np.testing.assert_array_equal(
        np.delete(before.counts.clear, SWITCHES, 0), np.delete(after.counts.clear, SWITCHES, 0)
    )


def test_perfect_poses_keep_identities_and_false_people() -> None:
    gt = scene(crowd(0, 1), crowd(0, 1))
    pred = scene([*crowd(5, 6, dx=9, score=0.5), Person(9, FAR, 0.4)], crowd(5, 6, dx=9, score=0.5))
    fixed = perfect_poses(gt, pred)
    assert fixed.people.track_id.tolist() == pred.people.track_id.tolist()
    result = evaluate([gt], [fixed])
    assert result.MOT["motp"][15] == 100
    assert result.counts.clear[COUNTS.index("num_false_positives")].tolist() == [1] * 15


def test_perfect_boxes_drop_false_people_and_add_missed_ones() -> None:
    gt = scene(crowd(0, 1), crowd(0, 1), crowd(0, 1))
    pred = scene(
        crowd(5, 6, dx=3, score=0.5), [*crowd(5, dx=3, score=0.5), Person(9, FAR, 0.4)], crowd(5, 6, dx=3, score=0.5)
    )
    fixed = perfect_boxes(gt, pred)
    # The missed person gets the identity that it has elsewhere.
    assert fixed.people.track_id.tolist() == [5, 6, 5, 6, 5, 6]
    assert evaluate([gt], [fixed]).mota == 100


def test_an_identity_in_use_is_not_given_twice() -> None:
    gt = scene(crowd(0, 1), crowd(0, 1))
    pred = scene(crowd(5, 6, score=0.5), crowd(6, score=0.5))  # in frame 1 person 0 has taken 6
    ids = perfect_boxes(gt, pred).people.track_id.tolist()
    assert ids[:3] == [5, 6, 6]
    assert ids[3] not in (5, 6)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_all_oracles_run_on_anything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = [random_pair(rng) for _ in range(2)]
    results = oracles([a for a, _ in pairs], [b for _, b in pairs])
    ours = evaluate([a for a, _ in pairs], [b for _, b in pairs])
    assert list(results) == ["ours", "perfect association", "perfect poses", "perfect boxes (bound)"]
    assert results["ours"].mota == pytest.approx(ours.mota, nan_ok=True)
    assert results["perfect association"].ap == pytest.approx(ours.ap, nan_ok=True)
