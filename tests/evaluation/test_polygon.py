"""Points in polygons against rational arithmetic and against the library that the official evaluator asks."""

from __future__ import annotations

import numpy as np
import pytest
import slow_posetrack as slow
from hypothesis import given
from hypothesis import strategies as st

from dettrack.evaluation.polygon import contains, in_any

SQUARE = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
# Whole numbers meet corners, edges and crossings; tenths are not exact in binary and nearly meet them.
corner = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda p: (p[0] / 10, p[1] / 10))
whole = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda p: (float(p[0]), float(p[1])))


def test_inside_outside_border_and_corners() -> None:
    points = np.array([[2.0, 2], [5, 2], [4, 2], [0, 0], [4, 4], [2, 0], [2, 4], [-1, 0], [np.nan, 2]])
    assert contains(SQUARE, points).tolist() == [True] + [False] * 8


def test_a_polygon_that_crosses_itself_is_filled_by_the_even_odd_rule() -> None:
    star = np.array([[0.0, 3], [6, 3], [1, 0], [3, 5], [5, 0]])
    assert contains(star, np.array([[3.0, 2], [3, 4], [1.2, 0.3]])).tolist() == [False, True, True]


@pytest.mark.parametrize("corners", [0, 1, 2])
def test_less_than_a_triangle_contains_nothing(corners: int) -> None:
    assert not contains(SQUARE[:corners], SQUARE / 2).any()


@given(
    polygon=st.lists(corner | whole, min_size=3, max_size=9), points=st.lists(corner | whole, min_size=1, max_size=9)
)
def test_exact(polygon: list, points: list) -> None:
    assert contains(np.array(polygon), np.array(points)).tolist() == [slow.inside(polygon, p) for p in points]


@given(
    a=st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    b=st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    t=st.floats(0, 1),
    ulps=st.integers(-2, 2),
)
def test_a_hair_off_an_edge(a: tuple, b: tuple, t: float, ulps: int) -> None:
    polygon = [(a[0] / 7, a[1] / 7), (b[0] / 7, b[1] / 7), (200.3, -333.1)]
    x = polygon[0][0] + t * (polygon[1][0] - polygon[0][0])
    y = polygon[0][1] + t * (polygon[1][1] - polygon[0][1])
    point = (x + ulps * np.spacing(x), y)
    assert contains(np.array(polygon), np.array([point])).item() == slow.inside(polygon, point)


@given(
    polygon=st.lists(whole, min_size=3, max_size=8, unique=True),
    points=st.lists(corner | whole, min_size=1, max_size=8),
)
def test_as_the_geometry_library_of_the_official_evaluator(polygon: list, points: list) -> None:
    shapely = pytest.importorskip("shapely")
    expected = [shapely.Polygon(polygon).contains(shapely.Point(point)) for point in points]
    assert contains(np.array(polygon), np.array(points)).tolist() == expected


def test_any_of_several_in_any_shape() -> None:
    points = np.array([[[2.0, 2], [12, 2]], [[22, 2], [np.nan, np.nan]]])
    assert in_any((SQUARE, SQUARE + np.array([10, 0]), np.zeros((0, 2))), points).tolist() == [
        [True, True],
        [False, False],
    ]
    assert not in_any((), points).any()
