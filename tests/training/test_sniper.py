from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.errors import InputError, UsageError
from dettrack.models.detector.network import cell_centres
from dettrack.models.detector.scales import find_people_multiscale
from dettrack.training.detector.photos import IGNORE, PERSON, PhotoPack
from dettrack.training.detector.sniper import (
    SniperConfig,
    chip_labels,
    make_chips,
    negative_chips,
    positive_chips,
    valid_sizes,
)

SMALL, LARGE = (20, 40, 30, 60), (60, 10, 150, 190)
CONFIG = SniperConfig(scales=(3.0, 0.0), valid=((0.0, 80.0), (60.0, 1e9)), chip=192, grid=32)


def _scene(people: list[tuple[int, int, int, int]], size: tuple[int, int] = (200, 240)) -> tuple:
    """A grey picture with red people, small and large ones mixed."""
    image = np.full((*size, 3), 40, np.uint8)
    for x1, y1, x2, y2 in people:
        image[y1:y2, x1:x2] = (0, 0, 255)
    boxes = np.array(people, float).reshape(-1, 4)
    return "scene/a", cv2.imencode(".png", image)[1].tobytes(), size, boxes, np.full(len(people), PERSON)


def test_each_scale_is_responsible_for_its_sizes() -> None:
    chips = make_chips(pack := PhotoPack.gather([_scene([SMALL, LARGE])]), np.ones(1), CONFIG)
    for index in range(len(chips.photo)):
        scale, level = chips.scale[index], chips.level[index]
        valid = CONFIG.valid[level]
        boxes, kinds = chip_labels(pack.boxes * scale, pack.kinds, chips.corner[index], valid, CONFIG.chip)
        root = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1))
        if level == 0:  # enlarged three times: the small person counts, the large one is looked away from
            assert root[kinds == PERSON] == pytest.approx([np.sqrt(10 * 20) * 3])
            assert (kinds[root > 80] == IGNORE).all()
        else:
            assert root[kinds == PERSON] == pytest.approx([np.sqrt(90 * 180) * scale])
    assert set(chips.level.tolist()) == {0, 1}
    assert not chips.negative.any()


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 300), st.integers(8, 60), st.integers(8, 60)), max_size=12),
)
def test_every_valid_person_lies_whole_in_a_chip(people: list[tuple[int, int, int, int]]) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in people], float).reshape(-1, 4)
    boxes = np.clip(boxes, 0, [560, 360, 560, 360])
    chips = positive_chips(boxes, (360, 560), 192, 32)
    assert len(chips) <= len(boxes)
    for x1, y1, x2, y2 in boxes:
        inside = (chips[:, 0] <= x1) & (chips[:, 1] <= y1) & (chips[:, 0] + 192 >= x2) & (chips[:, 1] + 192 >= y2)
        assert inside.any()
    assert (chips >= 0).all()
    assert (chips <= [560 - 192, 360 - 192]).all()


def test_two_neighbours_share_a_chip_and_a_giant_gets_the_best_one() -> None:
    near = np.array([[10.0, 10, 40, 60], [100, 20, 150, 90]])
    assert len(positive_chips(near, (400, 400), 192, 32)) == 1
    giant = np.array([[0.0, 0, 400, 400]])
    assert len(positive_chips(giant, (400, 400), 192, 32)) == 1


def test_negative_chips_hold_false_hits_only() -> None:
    people = np.array([[10.0, 10, 60, 110]])
    positive = positive_chips(people, (600, 600), 192, 32)
    hits = np.array([[12.0, 12, 60, 110], [400, 400, 440, 480], [450, 410, 480, 470], [30, 500, 60, 560]])
    chips = negative_chips(hits, positive, people, (600, 600), CONFIG)
    assert len(chips) == 1  # the lonely hit at the lower left is one too few
    corner = chips[0]
    assert (hits[1:3, :2] >= corner).all()
    assert (hits[1:3, 2:] <= corner + 192).all()
    assert len(negative_chips(hits[:1], positive, people, (600, 600), CONFIG)) == 0


def test_negatives_are_drawn_with_their_share() -> None:
    pack = PhotoPack.gather([_scene([(20, 20, 60, 120)], (600, 600))])
    false = np.array([[400.0, 400, 420, 440], [430, 410, 450, 450]])
    config = SniperConfig(scales=(1.0,), valid=((0.0, 1e9),), chip=192)
    chips = make_chips(pack, np.ones(1), config, [false])
    assert chips.negative.tolist() == [False, True]
    assert chips.weights.tolist() == pytest.approx([1 - config.negative_share, config.negative_share])


def test_a_chip_shows_its_people_where_its_boxes_are() -> None:
    chips = make_chips(PhotoPack.gather([_scene([SMALL, LARGE])]), np.ones(1), CONFIG, degrade=0.0)
    seen = 0
    for seed in range(12):
        photo, skipped = chips.compose((192, 192), np.random.default_rng(seed))
        assert skipped == 0
        for x1, y1, x2, y2 in np.round(photo.boxes[photo.kinds == PERSON]).astype(int):
            patch = photo.image[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].astype(int)
            outside = photo.image.astype(int)
            if (outside[..., 0] == outside[..., 2]).all():
                continue  # turned grey by the bad camera
            assert (patch[..., 0] - patch[..., 1] > 60).mean() > 0.95
            seen += 1
    assert seen > 5
    with pytest.raises(UsageError, match="chips have 192 x 192"):
        chips.compose((320, 320), np.random.default_rng(0))


def test_settings_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="2 scales but 1 valid"):
        SniperConfig(scales=(1.0, 2.0), valid=((0.0, 10.0),))
    nobody = SniperConfig(scales=(1.0,), valid=((1000.0, 2000.0),), chip=192)
    with pytest.raises(InputError, match="no chip holds a person"):
        make_chips(PhotoPack.gather([_scene([SMALL])]), np.ones(1), nobody)


def test_sizes_at_the_border_belong_to_one_side() -> None:
    boxes = np.array([[0.0, 0, 80, 80], [0, 0, 79, 79]])
    assert valid_sizes(boxes, (0.0, 80.0)).tolist() == [False, True]
    assert valid_sizes(boxes, (80.0, 200.0)).tolist() == [True, False]


def test_scales_answer_for_their_sizes_and_are_merged() -> None:
    """A stand-in network finds bright squares of one size in input pixels, sure of itself at any scale."""

    def network(images: np.ndarray) -> list[np.ndarray]:
        centres, strides = cell_centres(images.shape[2], images.shape[3])
        scores = np.zeros((len(images), len(centres)), np.float32)
        distances = np.zeros((len(images), len(centres), 4), np.float32)
        for n, image in enumerate(images[:, 0]):
            count, _, stats, middles = cv2.connectedComponentsWithStats((image > 200).astype(np.uint8))
            for label in range(1, count):
                cell = int(np.abs(centres.numpy() - middles[label]).sum(1).argmin())
                x, y, w, h, _ = stats[label]
                cx, cy = centres[cell].tolist()
                scores[n, cell] = 0.9
                distances[n, cell] = np.array([cx - x, cy - y, x + w - cx, y + h - cy]) / float(strides[cell])
        return [scores, distances]

    runner = SimpleNamespace(runtime="a test", device="cpu", run=network)
    image = np.zeros((128, 128, 3), np.uint8)
    image[8:16, 8:16] = 255  # small
    image[40:120, 40:120] = 255  # large
    torch.set_num_threads(1)
    valid = [(0.0, 64.0), (48.0, 1e9)]
    found = find_people_multiscale(runner, [image], [256, 128], valid)[0]
    roots = np.sort(np.sqrt((found.xyxy[:, 2:] - found.xyxy[:, :2]).prod(1)))
    assert len(found) == 2  # each person once, though both sizes show both
    assert roots == pytest.approx([8, 80], abs=1.5)
    with pytest.raises(UsageError, match="1 input sizes but 2"):
        find_people_multiscale(runner, [image], [256], valid)
