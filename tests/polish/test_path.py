from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from dettrack.polish.path import OnlinePaths

seeds = st.integers(0, 2**32 - 1)


def random_frames(seed, n_frames, joints=2, max_k=4, ties=False):
    """Frames of (ids, spatial, centres, unit): tracks come and go, joints are missing, k changes."""
    rng = np.random.default_rng(seed)
    lives = {int(i) * 7 + 3: sorted(rng.integers(0, n_frames + 1, 2)) for i in range(rng.integers(1, 4))}
    frames = []
    for t in range(n_frames):
        ids = np.array([i for i, (start, stop) in lives.items() if start <= t < stop and rng.random() < 0.9], int)
        k = int(rng.integers(1, max_k + 1))
        spatial = rng.integers(0, 3 if ties else 9, (len(ids), joints, k)).astype(float)
        spatial[rng.random(spatial.shape) < 0.3] = np.inf
        centres = rng.integers(0, 3 if ties else 100, (len(ids), joints, k, 2)).astype(float)
        centres[np.isinf(spatial)] = np.nan
        frames.append((ids, spatial, centres, np.full(len(ids), 1.0)))
    return frames


def run(frames, lam, squared=False, max_lag=10**6, end=True):
    paths = OnlinePaths(lam, squared, max_lag)
    choices, held = [], 0
    for frame in frames:
        paths.push(*frame)
        choices += paths.pop()
        held = max(held, len(paths))
    if end:
        paths.end()
        choices += paths.pop()
        assert len(paths) == 0
    return choices, held


def chains(frames, joint):
    """Longest runs of consecutive frames in which a track's joint has clusters: lists of (frame, row)."""
    runs, going = [], {}
    for t, (ids, spatial, _, _) in enumerate(frames):
        now = {int(i): row for row, i in enumerate(ids) if np.isfinite(spatial[row, joint]).any()}
        runs += [going.pop(i) for i in list(going) if i not in now]
        for i, row in now.items():
            going.setdefault(i, []).append((t, row))
    return runs + list(going.values())


def edge(frames, joint, a, b, lam, squared):
    """φ between nodes (frame, row, k), None for the source and the sink."""
    spatial = sum(frames[n[0]][1][n[1], joint, n[2]] for n in (a, b) if n is not None)
    if a is None or b is None:
        return spatial
    distance = np.linalg.norm(frames[a[0]][2][a[1], joint, a[2]] - frames[b[0]][2][b[1], joint, b[2]])
    return spatial + lam * (distance**2 if squared else distance)


def dijkstra_cost(frames, joint, chain, lam, squared):
    layers = [[None]]
    layers += [[(t, row, int(k)) for k in np.flatnonzero(np.isfinite(frames[t][1][row, joint]))] for t, row in chain]
    layers += [[None]]
    number = {(n, node): i for i, (n, node) in enumerate((n, node) for n, layer in enumerate(layers) for node in layer)}
    edges = []
    for n in range(len(layers) - 1):
        # scipy takes a stored 0 for "no edge" in places: one is added to each edge and taken off again
        edges += [
            (number[n, a], number[n + 1, b], 1 + edge(frames, joint, a, b, lam, squared))
            for a, b in itertools.product(layers[n], layers[n + 1])
        ]
    rows, columns, weights = zip(*edges, strict=True)
    graph = coo_array((weights, (rows, columns)), (len(number),) * 2).tocsr()
    return dijkstra(graph, indices=0)[len(number) - 1] - (len(layers) - 1)


def path_cost(frames, choices, joint, chain, lam, squared):
    nodes = [None, *[(t, row, int(choices[t][row, joint])) for t, row in chain], None]
    return sum(edge(frames, joint, a, b, lam, squared) for a, b in itertools.pairwise(nodes))


@given(seeds, st.integers(1, 14), st.booleans(), st.sampled_from([0.0, 0.1, 1.0]), st.booleans())
def test_the_online_path_costs_what_dijkstras_does(seed, n_frames, ties, lam, squared):
    frames = random_frames(seed, n_frames, ties=ties)
    choices, _ = run(frames, lam, squared)
    assert len(choices) == n_frames
    for joint in range(2):
        for row_chain in chains(frames, joint):
            best = dijkstra_cost(frames, joint, row_chain, lam, squared)
            assert path_cost(frames, choices, joint, row_chain, lam, squared) == pytest.approx(best, abs=1e-6)
    for (_, spatial, _, _), choice in zip(frames, choices, strict=True):
        exists = np.isfinite(spatial)
        np.testing.assert_array_equal(choice == -2, ~exists.any(-1))
        person, joint = np.nonzero(choice >= 0)
        assert exists[person, joint, choice[person, joint]].all()


@given(seeds, st.integers(1, 20), st.integers(0, 19), st.booleans())
def test_a_decision_does_not_depend_on_what_comes_later(seed, n_frames, cut, ties):
    frames = random_frames(seed, n_frames, ties=ties)
    early, _ = run(frames[:cut], 0.3, end=False)
    whole, _ = run(frames, 0.3)
    for a, b in zip(early, whole, strict=False):
        np.testing.assert_array_equal(a, b)


@given(seeds, st.integers(1, 40), st.integers(1, 6))
def test_the_lag_is_bounded_and_forced_decisions_are_still_ways_through_clusters(seed, n_frames, max_lag):
    frames = random_frames(seed, n_frames)
    choices, held = run(frames, 1.0, max_lag=max_lag)
    assert held <= max_lag
    assert len(choices) == n_frames
    for (_, spatial, _, _), choice in zip(frames, choices, strict=True):
        person, joint = np.nonzero(choice >= 0)
        assert np.isfinite(spatial[person, joint, choice[person, joint]]).all()


def parallel(n_frames):
    """Two clusters side by side for ever: neither way is ever given up."""
    spatial, centres = np.zeros((1, 1, 2)), np.array([[[[0.0, 0.0], [50.0, 0.0]]]])
    return [(np.array([4]), spatial + np.array([0, 0.001]), centres, np.ones(1)) for _ in range(n_frames)]


def test_two_ways_that_never_meet_are_decided_after_the_lag_and_stay_on_one_of_them():
    choices, held = run(parallel(500), 1.0, max_lag=64)
    assert held <= 64
    assert {int(choice[0, 0]) for choice in choices} == {0}
    choices, held = run(parallel(500), 1.0)
    assert held == 500
    assert {int(choice[0, 0]) for choice in choices} == {0}


def test_a_single_cluster_decides_everything_before_it_at_once():
    frames = parallel(20)
    one = (np.array([4]), np.zeros((1, 1, 1)), np.array([[[[50.0, 0.0]]]]), np.ones(1))
    paths = OnlinePaths(1.0)
    for frame in frames:
        paths.push(*frame)
    assert paths.pop() == []
    for _ in range(4):  # the look back is not made at every frame once the past is long
        paths.push(*one)
    choices = paths.pop()
    assert [int(choice[0, 0]) for choice in choices] == [1] * 20 + [0] * len(choices[20:])
    assert len(choices) >= 20


def test_distances_are_measured_in_the_given_unit():
    spatial = np.array([[[0.0]]]), np.array([[[0.0, 1.0]]])
    centres = np.zeros((1, 1, 1, 2)), np.array([[[[30.0, 0.0], [0.0, 0.0]]]])
    for unit, chosen in ((10.0, 1), (100.0, 0)):
        paths = OnlinePaths(1.0)
        for s, c in zip(spatial, centres, strict=True):
            paths.push(np.array([0]), s, c, np.array([unit]))
        paths.end()
        assert int(paths.pop()[1][0, 0]) == chosen
