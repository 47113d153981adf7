from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from dettrack.models.pose.heatmap import decode_heatmaps, gaussian_heatmaps, mirror_crops, unmirror_heatmaps
from dettrack.skeleton import COCO17, POSETRACK15

SIZE = (64, 48)


def slow_gaussians(xy: np.ndarray, sigma: float = 2.0, size=SIZE) -> np.ndarray:
    """Pixel by pixel, as eq. 1's target is defined."""
    maps = np.zeros((len(xy), *size))
    for j, (x, y) in enumerate(xy):
        for row in range(size[0]):
            for column in range(size[1]):
                maps[j, row, column] = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma**2))
    return maps


def render(xy: np.ndarray, sigma: float = 2.0, size=SIZE) -> np.ndarray:
    return gaussian_heatmaps(xy, np.ones(len(xy), bool), size, sigma=sigma)[0]


places = st.tuples(st.floats(0, 47), st.floats(0, 63))
inner = st.tuples(st.floats(8, 39), st.floats(8, 55))


@given(place=places, sigma=st.floats(1, 3))
@settings(max_examples=30)
def test_targets_equal_the_definition(place, sigma):
    xy = np.array([place])
    maps, weight = gaussian_heatmaps(xy, np.ones(1, bool), SIZE, sigma=sigma)
    np.testing.assert_allclose(maps, slow_gaussians(xy, sigma), atol=1e-12)
    assert weight.tolist() == [1]


def test_hidden_unknown_and_far_joints():
    xy = np.array([[10, 10], [10, 10], [np.nan, np.nan], [np.nan, np.nan], [-30, 10], [-3, 10]], float)
    visible = np.array([True, False, True, False, True, True])
    maps, weight = gaussian_heatmaps(xy, visible, SIZE)
    assert np.isfinite(maps).all()
    assert [bool((m > 1e-3).any()) for m in maps] == [True, False, False, False, False, True]
    # Hidden or gone teaches "no answer" (3.1); visible at an unknown place teaches nothing.
    assert weight.tolist() == [1, 1, 0, 1, 0, 1]


@given(place=inner, sigma=st.floats(1.5, 3), peak=st.floats(0.2, 1))
@settings(max_examples=100)
def test_dark_finds_the_subpixel_place(place, sigma, peak):
    xy, score = decode_heatmaps(peak * render(np.array([place]), sigma), "dark", stride=1)
    assert np.abs(xy - place).max() < 0.002
    # The highest pixel is at most half a pixel away in both directions.
    assert peak * np.exp(-0.25 / sigma**2) - 1e-9 <= score[0] <= peak


@given(place=inner)
@settings(max_examples=100)
def test_quarter_is_within_a_quarter(place):
    xy, _ = decode_heatmaps(render(np.array([place])), "quarter", stride=1)
    assert np.abs(xy - place).max() < 0.25 + 1e-6


@given(place=places)
@settings(max_examples=100)
@pytest.mark.parametrize("decoding", ["quarter", "dark"])
def test_at_the_border_it_stays_within_a_pixel(place, decoding):
    xy, _ = decode_heatmaps(render(np.array([place])), decoding, stride=1)
    assert np.abs(xy - place).max() < 1.0


@pytest.mark.parametrize("decoding", ["quarter", "dark"])
def test_torch_and_numpy_agree_on_real_looking_maps(decoding):
    maps = np.random.default_rng(0).random((2, 3, 15, 24, 18)).astype(np.float32)
    xy, scores = decode_heatmaps(maps, decoding)
    other_xy, other_scores = decode_heatmaps(torch.from_numpy(maps), decoding)
    np.testing.assert_allclose(other_xy.numpy(), xy, atol=1e-3)
    np.testing.assert_allclose(other_scores.numpy(), scores)
    assert xy.shape == (2, 3, 15, 2)


@pytest.mark.parametrize("decoding", ["quarter", "dark"])
def test_flat_negative_and_empty_maps(decoding):
    for value in (0.0, -1.0, 3.0):
        xy, scores = decode_heatmaps(np.full((1, 2, 8, 8), value), decoding)
        assert np.isfinite(xy).all()
        assert ((scores >= 0) & (scores <= 1)).all()
    xy, scores = decode_heatmaps(np.zeros((0, 15, 8, 8)), decoding)
    assert xy.shape == (0, 15, 2)
    assert scores.shape == (0, 15)


def stride_4_network(crops: np.ndarray) -> np.ndarray:
    """A network that only looks at every fourth pixel: heatmap pixel x lies at crop pixel 4x exactly."""
    return crops[..., ::4, ::4, :].transpose(0, 3, 1, 2)


@given(seed=st.integers(0, 99))
@settings(max_examples=20)
def test_heatmaps_of_the_mirror_image_fall_into_place(seed):
    rng = np.random.default_rng(seed)
    xy = rng.uniform((26, 26), (70, 102), (15, 2))
    crop = render(xy, sigma=8.0, size=(128, 96)).transpose(1, 2, 0)[None]  # one channel per joint
    swapped = crop[..., POSETRACK15.flip_permutation]  # a mirror swaps left and right
    plain = stride_4_network(crop)
    mirrored = unmirror_heatmaps(stride_4_network(mirror_crops(swapped, stride=4)), POSETRACK15.flip_permutation)
    np.testing.assert_allclose(mirrored[..., 1:], plain[..., 1:], atol=1e-12)
    # The plain mirror is off by three crop pixels.
    off = unmirror_heatmaps(stride_4_network(mirror_crops(swapped)), POSETRACK15.flip_permutation)
    shift = decode_heatmaps(off)[0][..., 0] - decode_heatmaps(plain)[0][..., 0]
    np.testing.assert_allclose(shift, -3, atol=0.2)


def test_mirroring_twice_is_nothing():
    crops = np.random.default_rng(0).integers(0, 255, (2, 8, 12, 3)).astype(np.uint8)
    assert (mirror_crops(mirror_crops(crops)) == crops).all()
    for stride in (1, 4):
        moved = mirror_crops(torch.from_numpy(crops), stride=stride)
        np.testing.assert_array_equal(moved.numpy(), mirror_crops(crops, stride=stride))
    np.testing.assert_array_equal(mirror_crops(crops, stride=4)[..., :9, :], crops[..., 8::-1, :])
    np.testing.assert_array_equal(mirror_crops(crops, stride=4)[..., 9:, :], crops[..., :1, :].repeat(3, -2))
    maps = torch.rand(2, 17, 4, 6)
    twice = unmirror_heatmaps(unmirror_heatmaps(maps, COCO17.flip_permutation), COCO17.flip_permutation)
    assert torch.equal(twice, maps)
