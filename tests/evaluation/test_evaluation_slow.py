"""The fast evaluation against the slow and obvious one, on random scenes in which every rule can bite."""

from __future__ import annotations

import numpy as np
import pytest
import slow_posetrack as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from posetrack_scenes import random_pair

from dettrack.evaluation import evaluate

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=30)
@given(seed=seeds, people=st.integers(1, 4), sequences=st.integers(1, 3))
def test_ap_and_mota_are_those_of_the_slow_version(seed: int, people: int, sequences: int) -> None:
    rng = np.random.default_rng(seed)
    # Equal scores have no defined order officially, so every joint has a score of its own here.
    pairs = [random_pair(rng, people=people, unscored=0) for _ in range(sequences)]
    result = evaluate([gt for gt, _ in pairs], [pred for _, pred in pairs])
    frames = [slow.clean_up(slow.load(gt), slow.load(pred)) for gt, pred in pairs]
    found, annotated = slow.labels([frame for part in frames for frame in part])
    for j in range(15):
        expected = slow.average_precision(found[j], annotated[j])
        assert result.AP["AP"][j] == pytest.approx(expected, abs=1e-9, nan_ok=True)
        counts = [slow.track(part, j) for part in frames]
        total = [sum(count[name] for count in counts) for name in counts[0]]
        assert result.counts.clear[:, j] == pytest.approx(total, abs=1e-9)


@settings(max_examples=10)
@given(seed=seeds)
def test_a_prediction_equal_to_the_annotation_is_perfect(seed: int) -> None:
    gt, _ = random_pair(np.random.default_rng(seed), empty=0, unlisted=0, unlabeled=0, regions=0, miss=0)
    for mode in ("official", "clean"):
        result = evaluate([gt], [gt], mode=mode)
        assert result.ap == 100
        assert result.mota == 100
        assert result.MOT["idf1"][15] == 100


@settings(max_examples=10)
@given(seed=seeds)
def test_names_of_tracks_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gt, pred = random_pair(rng)
    from dataclasses import replace

    new = rng.permutation(1000)
    renamed = replace(pred, people=replace(pred.people, track_id=new[pred.people.track_id]))
    a, b = (evaluate([gt], [p], hota=True) for p in (pred, renamed))
    np.testing.assert_allclose(a.counts.clear, b.counts.clear)
    np.testing.assert_allclose(a.counts.identity, b.counts.identity)
    np.testing.assert_allclose(a.HOTA["HOTA"], b.HOTA["HOTA"])
