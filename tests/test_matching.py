"""Assignments against all permutations, and against the greedy loop."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.matching import match, match_greedily, match_matrix, runners_up

seeds = st.integers(0, 2**32 - 1)


def random_scores(seed, n, m, density=0.6):
    rng = np.random.default_rng(seed)
    return rng.random((n, m)) * (rng.random((n, m)) < density)


def best_sum(scores):
    """The greatest sum of any assignment, by trying them all."""
    n, m = scores.shape
    if n > m:
        return best_sum(scores.T)
    return max((scores[range(n), list(columns)].sum() for columns in permutations(range(m), n)), default=0.0)


@given(seeds, st.integers(0, 4), st.integers(0, 5))
def test_no_permutation_is_better(seed, n, m):
    scores = random_scores(seed, n, m)
    rows, columns = match_matrix(scores)
    assert (scores[rows, columns] > 0).all()
    assert (np.diff(rows) > 0).all()
    assert len(set(columns.tolist())) == len(columns)
    assert scores[rows, columns].sum() == pytest.approx(best_sum(scores))
    i, j = np.nonzero(scores)
    chosen = match(i, j, scores[i, j], (n, m))
    assert scores[i, j][chosen].sum() == pytest.approx(best_sum(scores))


@settings(max_examples=50)
@given(seeds, st.sampled_from([1, 3, 12, 60]), st.sampled_from([1, 4, 12, 60]), st.floats(0, 1))
def test_the_sparse_assignment_is_as_good_as_the_dense_one(seed, n, m, density):
    scores = random_scores(seed, n, m, density * 6 / m)
    i, j = np.nonzero(scores)
    for matcher in (match, match_greedily):
        chosen = matcher(i, j, scores[i, j], (n, m))
        assert len(set(i[chosen])) == len(set(j[chosen])) == len(chosen)
    total = scores[i, j][match(i, j, scores[i, j], (n, m))].sum()
    assert total == pytest.approx(scores[match_matrix(scores)].sum())


@given(seeds, st.integers(0, 6), st.integers(0, 6))
def test_greedy_is_the_loop_over_the_best_pair_left(seed, n, m):
    scores = np.round(random_scores(seed, n, m), 1)  # with ties
    i, j = np.nonzero(scores)
    left, want = scores.copy(), []
    while left.any():
        row, column = np.unravel_index(left.argmax(), left.shape)
        want.append((int(row), int(column)))
        left[row], left[:, column] = 0, 0
    chosen = match_greedily(i, j, scores[i, j], (n, m))
    assert list(zip(i[chosen].tolist(), j[chosen].tolist(), strict=True)) == sorted(want)


def test_greedy_takes_the_most_similar_first_and_the_assignment_the_greatest_sum() -> None:
    rows, columns = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    similarity = np.array([0.9, 0.8, 0.85, 0.1])
    assert match_greedily(rows, columns, similarity, (2, 2)).tolist() == [0, 3]
    assert match(rows, columns, similarity, (2, 2)).tolist() == [1, 2]


def test_yes_and_no_are_scores_as_well() -> None:
    rows, columns = match_matrix(np.array([[True, True], [True, False], [False, False]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])


@given(seed=st.integers(0, 300), density=st.floats(0.1, 1))
def test_runners_up_are_what_a_search_over_all_pairs_finds(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
    rows, columns = np.nonzero(rng.random(shape) < density)
    similarity = rng.random(len(rows)) + 0.01
    chosen = match(rows, columns, similarity, shape)
    for pair, other in zip(chosen, runners_up(rows, columns, similarity, chosen), strict=True):
        rivals = [k for k in range(len(rows)) if k != pair and (rows[k] == rows[pair] or columns[k] == columns[pair])]
        assert other == max(rivals, key=lambda k: similarity[k], default=-1)
