from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.geometry import extents
from dettrack.oks import neighbours, object_areas, oks, oks_nms, oks_of_rows, pack, pairwise_oks, reach
from dettrack.skeleton import COCO17, POSETRACK15

seeds = st.integers(0, 2**32 - 1)


def slow_oks(a, a_has, b, b_has, area, sigmas, min_joints):
    values = []
    for j in range(len(sigmas)):
        if a_has[j] and b_has[j]:
            d2 = (a[j][0] - b[j][0]) ** 2 + (a[j][1] - b[j][1]) ** 2
            values.append(math.exp(-d2 / (2 * area * (2 * sigmas[j]) ** 2)))
    return sum(values) / len(values) if len(values) >= max(1, min_joints) else math.nan


def poses(rng, n, joints, spread=60.0):
    xy = rng.uniform(0, 400, (n, 1, 2)) + rng.normal(0, spread, (n, joints, 2))
    has = rng.random((n, joints)) < 0.6
    xy[~has] = np.nan
    return xy, has, rng.uniform(400, 40000, n)


@given(seeds, st.integers(0, 5), st.integers(0, 5), st.integers(1, 4))
def test_pairwise_oks_is_the_slow_formula(seed, n, m, min_joints):
    rng = np.random.default_rng(seed)
    a, a_has, a_area = poses(rng, n, 15)
    b, b_has, b_area = poses(rng, m, 15)
    got = pairwise_oks(a, a_has, a_area, b, b_has, b_area, POSETRACK15.sigmas, min_joints)
    want = [
        [
            slow_oks(a[i], a_has[i], b[j], b_has[j], (a_area[i] + b_area[j]) / 2, POSETRACK15.sigmas, min_joints)
            for j in range(m)
        ]
        for i in range(n)
    ]
    np.testing.assert_allclose(got, np.array(want).reshape(n, m), rtol=1e-12)


@given(seeds, st.sampled_from([1, 5, 40]), st.sampled_from([1, 5, 40]), st.integers(1, 4))
def test_the_packed_form_gives_the_same_values(seed, n, m, min_joints):
    rng = np.random.default_rng(seed)
    a, a_has, a_area = poses(rng, n, 17)
    b, b_has, b_area = poses(rng, m, 17)
    i, j = np.divmod(np.arange(n * m), m)
    values, known = oks_of_rows(
        pack(a, a_has, COCO17.sigmas), i, pack(b, b_has, COCO17.sigmas), j, (a_area[i] + b_area[j]) / 2, min_joints
    )
    want = pairwise_oks(a, a_has, a_area, b, b_has, b_area, COCO17.sigmas, min_joints)[i, j]
    np.testing.assert_array_equal(known, np.isfinite(want))
    np.testing.assert_allclose(values, np.nan_to_num(want), atol=1e-5)


def test_golden_value_and_the_joints_that_only_one_side_has():
    # one COCO wrist (σ = .062) off by 10 px on an object of 100 x 100 px, all other joints exact
    a = np.zeros((17, 2))
    b = a.copy()
    b[COCO17.index("left_wrist"), 0] = 10
    has = np.ones(17, bool)
    one_off = math.exp(-(10**2) / (2 * 100**2 * (2 * 0.062) ** 2))
    got = oks(a, has, b, has, np.array(1e4), COCO17.sigmas)
    assert got == pytest.approx((16 + one_off) / 17)
    # visible on the second side only: the joint must not count (the bug of HRNet's oks_iou)
    a_has = has.copy()
    a_has[COCO17.index("left_wrist")] = False
    assert oks(a, a_has, b, has, np.array(1e4), COCO17.sigmas) == 1
    assert np.isnan(oks(a, ~has, b, has, np.array(1e4), COCO17.sigmas))


@given(seeds, st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.0, 0.1, 0.3, 0.7]))
def test_neighbours_are_the_pairs_whose_extents_meet_and_no_similar_pair_is_lost(seed, n, m, floor):
    rng = np.random.default_rng(seed)
    sigmas = POSETRACK15.sigmas
    a, a_has, a_area = poses(rng, n, 15, 20)
    b, b_has, b_area = poses(rng, m, 15, 20)
    boxes = (extents(a, a_has), reach(a_area, sigmas, floor), extents(b, b_has), reach(b_area, sigmas, floor))
    i, j = neighbours(*boxes)
    want = []
    for p in range(n):
        for q in range(m):
            far = max(boxes[1][p], boxes[3][q])
            p_box, q_box = boxes[0][p], boxes[2][q]
            if a_has[p].any() and b_has[q].any():
                apart = [max(q_box[k] - p_box[k + 2], p_box[k] - q_box[k + 2]) for k in (0, 1)]
                if max(apart) <= far:
                    want.append((p, q))
    if floor > 0:  # with an infinite reach even the empty poses are listed
        assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == want
        assert (np.diff(i) >= 0).all()
    similar = pairwise_oks(a, a_has, a_area, b, b_has, b_area, sigmas)
    reached = set(zip(*np.nonzero(similar >= max(floor, 1e-9)), strict=True))
    assert reached <= set(zip(i.tolist(), j.tolist(), strict=True))


def test_neighbours_of_a_row_of_people_grow_with_the_row_not_with_its_square():
    def pairs(n):
        x = np.arange(n) * 60.0
        boxes = np.stack([x, np.zeros(n), x + 50, np.full(n, 150.0)], 1)
        return len(neighbours(boxes, np.full(n, 5.0), boxes, np.full(n, 5.0))[0])

    assert pairs(10) == 10
    assert pairs(1000) == 1000


def slow_nms(similarity, scores, threshold):
    keep = [True] * len(scores)
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    for place, i in enumerate(order):
        if keep[i]:
            for j in order[place + 1 :]:
                if similarity[i][j] > threshold:
                    keep[j] = False
    return keep


@given(seeds, st.integers(0, 10), st.booleans())
def test_nms_is_the_greedy_loop_ties_included(seed, n, ties):
    rng = np.random.default_rng(seed)
    similarity = rng.random((n, n))
    similarity = np.maximum(similarity, similarity.T)
    scores = rng.integers(0, 3, n).astype(float) if ties else rng.random(n)
    i, j = np.nonzero(similarity > 0.6)
    assert oks_nms((i, j), scores).tolist() == slow_nms(similarity, scores, 0.6)


def test_areas_of_degenerate_boxes_are_one():
    np.testing.assert_array_equal(object_areas(np.array([[0, 0, 10, 20], [5, 5, 5, 9], [9, 9, 0, 0.0]])), [200, 1, 1])
