import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.view.drawing.colours import PALETTE, pale, text_colour, track_colour

# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}


def lab(colours, sight):
    values = np.array(colours) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1)
    seen = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(seen.astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]


@pytest.mark.parametrize("sight", SIGHT)
def test_consecutive_ids_look_different_to_everyone(sight):
    seen = lab([track_colour(track_id) for track_id in range(2 * len(PALETTE))], sight)
    assert np.linalg.norm(np.diff(seen, axis=0), axis=1).min() > 18
    assert np.linalg.norm(seen[2:] - seen[:-2], axis=1).min() > 17


@given(st.integers(0, 2**40))
def test_a_colour_depends_on_the_id_alone(track_id):
    assert track_colour(track_id) == track_colour(track_id + len(PALETTE))
    assert track_colour(track_id) in PALETTE


@pytest.mark.parametrize("colour", PALETTE)
def test_text_is_readable_on_every_colour_and_the_right_side_is_lighter(colour):
    light = lab([colour, text_colour(colour), pale(colour)], "normal")[:, 0]
    assert abs(light[0] - light[1]) > 35
    assert light[2] > light[0]
