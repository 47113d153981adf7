import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.video.orientation import UPRIGHT, Orientation

RIGHT_ANGLES = [((a, 0), (0, d)) for a, d in itertools.product((1, -1), repeat=2)] + [
    ((0, b), (c, 0)) for b, c in itertools.product((1, -1), repeat=2)
]


def matrix_of(linear):
    full = np.zeros((3, 3), np.int64)
    full[:2, :2] = np.array(linear) * 65536
    full[2, 2] = 1 << 30
    return full


def moved_pixel_by_pixel(image, linear):
    """Every pixel goes where the matrix sends its centre; then the picture is shifted back to the origin."""
    height, width = image.shape[:2]
    places = {tuple(np.array([x, y]) @ np.array(linear)): image[y, x] for y in range(height) for x in range(width)}
    left, top = np.min(list(places), axis=0)
    right, bottom = np.max(list(places), axis=0)
    out = np.zeros((bottom - top + 1, right - left + 1, 3), np.uint8)
    for (x, y), value in places.items():
        out[y - top, x - left] = value
    return out


@pytest.mark.parametrize("linear", RIGHT_ANGLES, ids=str)
def test_all_eight_orientations_move_every_pixel_where_the_matrix_says(linear):
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    got = Orientation.from_matrix(matrix_of(linear)).apply(image)
    np.testing.assert_array_equal(got, moved_pixel_by_pixel(image, linear))


@given(st.sampled_from(RIGHT_ANGLES), st.floats(-44, 44), st.floats(0.1, 3))
def test_scale_and_a_crooked_angle_go_to_the_nearest_right_angle(linear, degrees, scale):
    angle = np.radians(degrees)
    tilt = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = matrix_of(linear)
    matrix[:2, :2] = matrix[:2, :2] @ tilt * scale
    assert Orientation.from_matrix(matrix) == Orientation.from_matrix(matrix_of(linear))


def test_a_matrix_of_zeros_changes_nothing():
    assert Orientation.from_matrix(np.zeros((3, 3), np.int64)) == UPRIGHT
