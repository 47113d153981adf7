from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dettrack.models.detector.letterbox import Letterbox, fit_size

sides = st.integers(1, 3000)
canvases = st.tuples(st.integers(32, 1280), st.integers(32, 1280))


@given(st.tuples(sides, sides), canvases, st.booleans(), st.integers(0, 2**32 - 1))
def test_boxes_go_there_and_back(source, canvas, stretch, seed):
    place = Letterbox.fit(source, canvas, stretch=stretch)
    boxes = np.random.default_rng(seed).uniform(-50, 3000, (5, 4))
    np.testing.assert_allclose(place.undo(place.forward(boxes)), boxes, atol=1e-6)


@given(st.tuples(sides, sides), canvases)
def test_the_frame_fits_and_touches_a_side(source, canvas):
    place = Letterbox.fit(source, canvas)
    assert place.scaled[0] <= canvas[0]
    assert place.scaled[1] <= canvas[1]
    assert place.scaled[0] == canvas[0] or place.scaled[1] == canvas[1]


@given(st.tuples(sides, sides), st.integers(32, 1280))
def test_fitted_canvas_is_tight_and_divisible(source, longer):
    height, width = fit_size(source, longer)
    assert height % 32 == width % 32 == 0
    assert max(height, width) < longer + 32
    assert max(height, width) >= longer


def test_the_pixels_land_where_the_boxes_say():
    image = np.zeros((100, 200, 3), np.uint8)
    image[30:50, 60:100] = 255  # pixel centres 60..99 and 30..49
    place = Letterbox.fit((100, 200), (416, 416))
    canvas = place.apply(image, 114)
    assert (canvas[place.scaled[0] :] == 114).all()
    inside = canvas[: place.scaled[0], :, 0] > 127
    y, x = np.nonzero(inside)
    edges = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], float)
    np.testing.assert_allclose(place.undo(edges), [[59.5, 29.5, 99.5, 49.5]], atol=0.3)


def test_boxes_stay_inside_the_frame():
    place = Letterbox.fit((100, 200), (416, 416))
    np.testing.assert_allclose(place.to_frame(np.array([[-20.0, -3, 500, 600]])), [[0, 0, 199, 99]])


def test_a_wide_frame_takes_a_wide_canvas():
    assert fit_size((1080, 1920), 640) == (384, 640)
    assert fit_size((576, 768), 640) == (480, 640)
    assert fit_size((1280, 720), 320) == (320, 192)
