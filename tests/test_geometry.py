"""Boxes and crops against the definitions, written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.geometry import (
    box_areas,
    box_iou,
    box_nms,
    boxes_at,
    boxes_with_joints,
    crop_affines,
    extents,
    inside_shares,
    intersections,
    rotation,
    to_crop,
    to_image,
)

seeds = st.integers(0, 2**32 - 1)
corner = st.floats(-2000, 4000)
side = st.floats(0, 3000)


def random_boxes(seed: int, n: int, extent: float = 100.0):
    """Boxes of which some are empty or inverted, and scores with ties."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, extent, (n, 2))
    size = np.where(rng.random((n, 2)) < 0.1, rng.uniform(-20, 0, (n, 2)), rng.uniform(5, 60, (n, 2)))
    return np.concatenate([low, low + size], 1), rng.integers(0, 8, n) / 8


def slow_area(a):
    return max(0.0, a[2] - a[0]) * max(0.0, a[3] - a[1])


def slow_shared(a, b):
    return slow_area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])


def slow_iou(a, b):
    union = slow_area(a) + slow_area(b) - slow_shared(a, b)
    return slow_shared(a, b) / union if union > 0 else 0.0


def slow_nms(xyxy, scores, max_iou):
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(slow_iou(xyxy[i], xyxy[k]) <= max_iou for k in kept):
            kept.append(int(i))
    return sorted(kept)


@given(seeds, st.integers(0, 12), st.integers(0, 12))
def test_overlap_of_all_pairs_is_that_of_each_pair(seed, n, m):
    (a, _), (b, _) = random_boxes(seed, n), random_boxes(seed + 1, m)
    pairs = [[(x, y) for y in b] for x in a]

    def each(function):
        return np.array([[function(x, y) for x, y in row] for row in pairs]).reshape(n, m)

    np.testing.assert_allclose(box_areas(a), [slow_area(x) for x in a])
    np.testing.assert_allclose(intersections(a, b), each(slow_shared))
    np.testing.assert_allclose(box_iou(a, b), each(slow_iou), atol=1e-12)
    shares = each(lambda x, y: slow_shared(x, y) / slow_area(x) if slow_area(x) else 0.0)
    np.testing.assert_allclose(inside_shares(a, b), shares, atol=1e-12)


@given(seeds, st.integers(1, 8))
def test_overlap_is_symmetric_and_one_with_itself(seed, n):
    a, _ = random_boxes(seed, n)
    iou = box_iou(a, a)
    np.testing.assert_array_equal(iou, iou.T)
    assert ((iou >= 0) & (iou <= 1)).all()
    np.testing.assert_array_equal(np.diag(iou), (box_areas(a) > 0).astype(float))


def test_overlap_by_hand() -> None:
    other = np.array([[0.0, 0, 10, 5], [5, 5, 15, 15], [20, 20, 30, 30], [3, 3, 3, 3], [np.nan] * 4])
    assert box_iou(np.array([[0.0, 0, 10, 10]]), other)[0] == pytest.approx([0.5, 25 / 175, 0, 0, 0])
    nothing = np.array([[3.0, 3, 3, 3]])
    assert box_iou(nothing, nothing) == 0


@given(seeds, st.integers(0, 40), st.sampled_from([0.0, 0.2, 0.5, 0.8]))
def test_nms_equals_the_greedy_loop(seed, n, max_iou):
    xyxy, scores = random_boxes(seed, n)
    assert np.flatnonzero(box_nms(xyxy, scores, max_iou)).tolist() == slow_nms(xyxy, scores, max_iou)


@given(seeds, st.integers(0, 5), st.sampled_from([(), (3,), (2, 4), (0,)]))
def test_extents_are_the_least_and_greatest_coordinates(seed, n, points):
    rng = np.random.default_rng(seed)
    xy, has = rng.uniform(-9, 9, (n, *points, 2)), rng.random((n, *points)) < 0.6
    xy[~has] = np.nan
    count = math.prod(points)
    for box, mine, exists in zip(extents(xy, has), xy.reshape(n, count, 2), has.reshape(n, count), strict=True):
        there = mine[exists]
        want = [*there.min(0), *there.max(0)] if len(there) else [math.inf, math.inf, -math.inf, -math.inf]
        assert box.tolist() == want


@given(
    st.lists(st.tuples(corner, corner, side, side), min_size=1, max_size=4),
    st.sampled_from([(256, 192), (384, 288), (64, 192)]),
    st.floats(1, 2),
    st.lists(st.tuples(st.floats(-100, 500), st.floats(-100, 500)), min_size=1, max_size=5),
    st.none() | st.floats(-4, 4),
)
def test_a_point_goes_there_and_back(corners, size, enlarge, points, angle):
    xyxy = np.array([(x, y, x + w, y + h) for x, y, w, h in corners])
    turns = None if angle is None else rotation(np.full(len(corners), angle))
    affines = crop_affines(xyxy, size, enlarge, turns)
    xy = np.broadcast_to(np.array(points), (len(corners), 2, len(points), 2)).copy()
    np.testing.assert_allclose(to_crop(to_image(xy, affines), affines), xy, atol=1e-3)
    np.testing.assert_allclose(to_image(to_crop(xy, affines), affines), xy, atol=1e-3)
    slow = np.array([[affines[0] @ [x, y, 1] for x, y in points]] * 2)
    np.testing.assert_allclose(to_crop(xy, affines)[0], slow, atol=1e-6)


@given(corner, corner, st.floats(2, 3000), st.floats(2, 3000), st.floats(1, 2))
def test_the_crop_is_the_enlarged_box_at_the_networks_aspect(x, y, w, h, enlarge):
    affines = crop_affines(np.array([[x, y, x + w, y + h]]), (256, 192), enlarge)
    edges = to_image(np.array([[[-0.5, -0.5], [191.5, 255.5]]]), affines)[0]
    width, height = edges[1] - edges[0]
    assert width / height == pytest.approx(192 / 256)
    # the direction that decides is enlarged exactly, the other by more
    assert width >= enlarge * w - 1e-6
    assert height >= enlarge * h - 1e-6
    assert min(width / (enlarge * w), height / (enlarge * h)) == pytest.approx(1)
    np.testing.assert_allclose(edges.mean(0), [x + w / 2, y + h / 2], atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.7, 3.1])
def test_a_turned_crop_keeps_the_centre_and_turns_clockwise(angle) -> None:
    affine = crop_affines(np.array([[10.0, 20, 40, 100]]), (256, 192), 1.25, rotation(np.array([angle])))[0]
    np.testing.assert_allclose(affine @ [25, 60, 1], [(192 - 1) / 2, (256 - 1) / 2])
    right = affine @ [26, 60, 1] - affine @ [25, 60, 1]  # what points right points down after a quarter turn
    np.testing.assert_allclose(right, 256 / (1.25 * 80) * np.array([math.cos(angle), math.sin(angle)]), atol=1e-9)


def test_degenerate_boxes_still_have_an_inverse_and_nan_corners_are_refused() -> None:
    affines = crop_affines(np.array([[10.0, 10, 10, 10], [30, 10, 20, 5]]), (64, 48))
    np.testing.assert_allclose(to_image(to_crop(np.full((2, 1, 2), 7.0), affines), affines), 7.0)
    with pytest.raises(InputError, match=r"box 0 .* finite"):
        crop_affines(np.array([[0.0, 0, float("nan"), 5]]), (64, 48))


@given(seeds, st.integers(0, 3), st.integers(1, 5), st.integers(1, 4))
def test_boxes_move_with_the_joints_that_both_frames_have(seed, n, clip, joints):
    rng = np.random.default_rng(seed)
    xyxy, _ = random_boxes(seed, n)
    xy, scores = rng.uniform(0, 100, (n, clip, joints, 2)), rng.choice([0.0, 0.5, 1.0], (n, clip, joints))
    xy[rng.random((n, clip, joints)) < 0.3] = np.nan
    key = int(rng.integers(clip))
    moved = boxes_with_joints(xyxy, xy, scores, key)
    for person in range(n):
        for t in range(clip):
            shift, total = np.zeros(2), 0.0
            for j in range(joints):
                weight = min(scores[person, t, j], scores[person, key, j])
                if np.isfinite(xy[person, [t, key], j]).all():
                    shift, total = shift + weight * (xy[person, t, j] - xy[person, key, j]), total + weight
            shift = shift / total if total else np.zeros(2)
            np.testing.assert_allclose(moved[person, t], xyxy[person] + [*shift, *shift], atol=1e-9)


@given(st.integers(0, 50), st.integers(1, 9), st.lists(st.integers(-20, 80), max_size=6))
def test_beyond_the_clip_boxes_go_on_with_their_speed(first, clip, frames):
    at = np.array([[3.0, -1, 3, -1]])
    moved = np.array([[10.0, 20, 40, 90]])[:, None] + np.arange(first, first + clip)[None, :, None] * at
    want = np.array([[10.0, 20, 40, 90]])[:, None] + np.array(frames, int)[None, :, None] * at
    if clip == 1:  # of one frame there is no speed
        want = np.repeat(moved, len(frames), 1)
    np.testing.assert_allclose(boxes_at(moved, first, np.array(frames, int)), want)
