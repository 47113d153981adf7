from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import MeanShift

from dettrack.polish.meanshift import cluster

seeds = st.integers(0, 2**32 - 1)


def slow_cluster(points, scores, radius):
    """The definition, point by point; returns centres, strongest first, and labels."""
    modes = []
    for start in points:
        mode = start
        while True:
            inside = [p for p in points if np.hypot(*(p - mode)) <= radius]
            mean = np.mean(inside, 0)
            again = [p for p in points if np.hypot(*(p - mean)) <= radius]
            mode = mean
            if len(again) == len(inside) and all((a == b).all() for a, b in zip(again, inside, strict=True)):
                break
        modes.append(mode)

    def strength(n):
        inside = [k for k, p in enumerate(points) if np.hypot(*(p - modes[n])) <= radius]
        return (-len(inside), -round(sum(scores[k] for k in inside), 9), n)

    kept = []
    for n in sorted(range(len(points)), key=strength):
        if all(np.hypot(*(modes[n] - other)) > radius for other in kept):
            kept.append(modes[n])
    labels = [int(np.argmin([np.hypot(*(p - centre)) for centre in kept])) for p in points]
    return np.array(kept), labels


def random_joints(seed, batch, h, groups=3):
    rng = np.random.default_rng(seed)
    middle = rng.uniform(0, 100, (batch, groups, 2))
    xy = middle[np.arange(batch)[:, None], rng.integers(0, groups, (batch, h))] + rng.normal(0, 4, (batch, h, 2))
    has = rng.random((batch, h)) < 0.8
    xy[~has] = np.nan
    return xy, has, rng.random((batch, h)), rng.uniform(3, 40, batch)


@settings(max_examples=60)
@given(seeds, st.integers(1, 9))
def test_clusters_are_those_of_the_definition(seed, h):
    xy, has, scores, radius = random_joints(seed, 6, h)
    found = cluster(xy, has, scores, radius)
    for b in range(len(xy)):
        k = int((found.sizes[b] > 0).sum())
        assert (found.labels[b][~has[b]] == -1).all()
        if not has[b].any():
            assert k == 0
            assert np.isnan(found.centres[b]).all()
            continue
        centres, labels = slow_cluster(xy[b][has[b]], scores[b][has[b]], radius[b])
        shown = np.isfinite(found.centres[b]).all(-1)
        np.testing.assert_allclose(found.centres[b][shown], centres, atol=1e-9)
        assert found.labels[b][has[b]].tolist() == labels
        assert found.sizes[b].sum() == has[b].sum()
        assert found.sizes[b][: len(centres)].tolist() == [labels.count(c) for c in range(len(centres))]


@settings(max_examples=60)
@given(seeds)
def test_well_separated_clusters_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    middle = np.array([[0, 0], [100, 0], [0, 100]])
    points = (middle[rng.integers(0, 3, 9)] + rng.uniform(-6, 6, (9, 2)))[None]
    found = cluster(points, np.ones((1, 9), bool), np.ones((1, 9)), np.array([20.0]))
    theirs = MeanShift(bandwidth=20.0).fit(points[0])
    ours = found.centres[0][np.isfinite(found.centres[0, :, 0])]
    np.testing.assert_allclose(
        ours[np.lexsort(ours.T)], theirs.cluster_centers_[np.lexsort(theirs.cluster_centers_.T)], atol=1e-6
    )


@given(seeds)
def test_the_order_of_the_joints_in_a_batch_and_padding_change_nothing(seed):
    xy, has, scores, radius = random_joints(seed, 5, 7)
    alone = [cluster(xy[b : b + 1], has[b : b + 1], scores[b : b + 1], radius[b : b + 1]) for b in range(5)]
    wide = [np.pad(a, ((0, 0), (0, 3), *((0, 0),) * (a.ndim - 2))) for a in (xy, has, scores)]
    together = cluster(*wide, radius)
    for b in range(5):
        k = alone[b].sizes.shape[1]
        np.testing.assert_array_equal(together.sizes[b, :k], alone[b].sizes[0])
        np.testing.assert_allclose(together.centres[b, :k], alone[b].centres[0], atol=1e-9)


def test_of_equal_clusters_the_one_with_the_higher_scores_comes_first():
    xy = np.array([[[0, 0], [1, 0], [50, 0], [51, 0]]], float)
    for scores, first in (([0.9, 0.9, 0.1, 0.1], 0.5), ([0.1, 0.1, 0.9, 0.9], 50.5), ([0.5] * 4, 0.5)):
        found = cluster(xy, np.ones((1, 4), bool), np.array([scores]), np.array([10.0]))
        assert found.centres[0, 0].tolist() == [first, 0]
        assert found.sizes.tolist() == [[2, 2]]


def test_no_hypothesis_at_all():
    found = cluster(np.full((2, 3, 2), np.nan), np.zeros((2, 3), bool), np.zeros((2, 3)), np.ones(2))
    assert found.sizes.tolist() == [[0], [0]]
    assert np.isnan(found.centres).all()
    assert cluster(np.zeros((0, 3, 2)), np.zeros((0, 3), bool), np.zeros((0, 3)), np.ones(0)).sizes.shape == (0, 1)
