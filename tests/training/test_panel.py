"""Panels of teachers: passes that agree are averaged, those that do not lower the score."""

from __future__ import annotations

import numpy as np
import pytest
from training_scenes import body

from dettrack.geometry import crop_affines
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.training.labels.panel import Panel, View, agreed, make_panel, torso_lengths
from dettrack.training.labels.teachers import Teacher


def test_what_most_passes_see_counts() -> None:
    xy = np.stack([body(50.0, 10.0, 100.0)[None]] * 3)
    xy[1, 0, 3] += [4, 0]
    xy[2, 0, 3] += [60, 0]
    xy[2, 0, 4] += [60, 0]
    score = np.full((3, 1, 15), 0.9)
    score[2, 0, 4] = 0.05
    place, sure = agreed(xy, score, np.array([10.0]))
    np.testing.assert_allclose(place[0, 3], xy[0, 0, 3] + [2, 0])
    assert sure[0, 3] == pytest.approx(0.6)  # two of three passes
    assert sure[0, 5] == pytest.approx(0.9)
    # A sure look outweighs two that agree and hardly see anything.
    score[:, 0, 3] = [0.1, 0.1, 0.9]
    place, sure = agreed(xy, score, np.array([10.0]))
    np.testing.assert_allclose(place[0, 3], xy[2, 0, 3])
    assert sure[0, 3] == pytest.approx(0.3)


def test_length_of_the_torso() -> None:
    assert torso_lengths(body(50.0, 10.0, 100.0)[None], POSETRACK15)[0] == pytest.approx(32.0)
    flat = body(50.0, 10.0, 100.0)[None].copy()
    flat[0, [POSETRACK15.index(f"{side}_hip") for side in ("left", "right")]] = flat[
        0, [POSETRACK15.index(f"{side}_shoulder") for side in ("left", "right")]
    ]
    assert torso_lengths(flat, POSETRACK15)[0] == pytest.approx(10.0)  # at least a tenth of the extent


class Knows:
    """A teacher that reads from the crops' marks where everybody is: three dots of pure colour, one a joint."""

    def __init__(self, size: tuple[int, int], off: float = 0.0) -> None:
        self.off, self.size, self.crops = off, size, 0
        self.teacher = Teacher("knows", size, self.run)

    def run(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.crops += len(crops)
        xy, score = np.zeros((len(crops), 17, 2)), np.zeros((len(crops), 17))
        for number, crop in enumerate(crops):
            for joint, channel in ((COCO17.index("left_wrist"), 0), (COCO17.index("right_wrist"), 1)):
                weight = crop[..., channel].astype(float) * (crop[..., channel] > 60)
                if weight.sum():
                    rows, columns = np.indices(weight.shape)
                    xy[number, joint] = [(weight * columns).sum(), (weight * rows).sum()] / weight.sum() + self.off
                    score[number, joint] = 0.8
        return xy, score


def test_views_lie_where_they_should() -> None:
    """Whatever size, zoom and shift a look has, the same dot of the picture is found; a mirror swaps nothing back."""
    image = np.zeros((200, 160, 3), np.uint8)
    image[88:93, 58:63, 0] = 255  # left wrist around (60, 90)
    image[118:123, 98:103, 1] = 255  # right wrist around (100, 120)
    tall, square = Knows((256, 192)), Knows((224, 224))
    views = (View(0), View(0, 1.2, (0.05, -0.04)), View(1, 0.95, (-0.03, 0.02)))
    panel = make_panel([tall.teacher, square.teacher], views)
    affines = crop_affines(np.array([[40.0, 40.0, 120.0, 160.0]]), panel.size)
    xy, score = panel(image, affines)
    np.testing.assert_allclose(xy[0, COCO17.index("left_wrist")], [60, 90], atol=0.3)
    np.testing.assert_allclose(xy[0, COCO17.index("right_wrist")], [100, 120], atol=0.3)
    assert score[0, COCO17.index("left_wrist")] == pytest.approx(0.8)
    assert (tall.crops, square.crops) == (2, 1)


def test_mirrored_passes_exchange_the_sides() -> None:
    image = np.zeros((200, 160, 3), np.uint8)
    image[88:93, 58:63, 0] = 255
    knows = Knows((256, 192))
    panel = make_panel([knows.teacher], (View(0, mirrored=True),))
    affines = crop_affines(np.array([[40.0, 40.0, 120.0, 160.0]]), panel.size)
    xy, score = panel(image, affines)
    # The mark says left; in a mirror what appears as the left is their right.
    np.testing.assert_allclose(xy[0, COCO17.index("right_wrist")], [60, 90], atol=0.3)
    assert score[0, COCO17.index("left_wrist")] == 0


def test_nobody_and_absent_teachers() -> None:
    knows = Knows((256, 192))
    panel = make_panel([knows.teacher])  # the passes of the second teacher are left out
    assert isinstance(panel, Panel)
    assert len(panel.passes) == 2
    xy, score = panel(np.zeros((10, 10, 3), np.uint8), np.zeros((0, 2, 3)))
    assert xy.shape == (0, 17, 2)
    assert score.shape == (0, 17)
