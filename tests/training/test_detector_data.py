from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.geometry import box_iou
from dettrack.training.detector.data import Composer, MosaicConfig, clip_boxes, degrade
from dettrack.training.detector.photos import IGNORE, PERSON, PhotoPack

CLEAN = MosaicConfig(paste=0.0, degrade=0.0)


def _photo(name: str, size: tuple[int, int], people: list[tuple[int, int, int, int]]) -> tuple:
    """Dark grey with pure red people."""
    image = np.full((*size, 3), 30, np.uint8)
    for x1, y1, x2, y2 in people:
        image[y1:y2, x1:x2] = (0, 0, 255)
    data = cv2.imencode(".png", image)[1].tobytes()
    return name, data, size, np.array(people, float).reshape(-1, 4), np.full(len(people), PERSON)


@pytest.fixture(scope="module")
def pack() -> PhotoPack:
    rng = np.random.default_rng(0)
    photos = [_photo(f"empty/{i}", (100, 150), []) for i in range(2)]
    for i in range(6):
        x, y = rng.integers(5, 60, 2)
        photos.append(_photo(f"people/{i}", (160, 120), [(x, y, x + 30, y + 80)]))
    return PhotoPack.gather(photos)


def _red(image: np.ndarray) -> np.ndarray:
    """Pixels whose colour is a person's, whatever the light did to it."""
    return (image[..., 0].astype(int) - image[..., 1] > 60) & (image[..., 0].astype(int) - image[..., 2] > 60)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), height=st.sampled_from([96, 160]), width=st.sampled_from([96, 224]))
def test_boxes_fit_the_people_wherever_they_are_put(pack: PhotoPack, seed: int, height: int, width: int) -> None:
    composer = Composer(pack, pack.weights({"people": 1.0, "empty": 0.5}), CLEAN)
    photo, skipped = composer.compose((height, width), np.random.default_rng(seed))
    assert skipped == 0
    assert photo.image.shape == (height, width, 3)
    assert (photo.boxes[:, :2] >= 0).all()
    assert (photo.boxes[:, 2:] <= [width, height]).all()
    covered = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in photo.boxes:
        covered[max(0, int(y1) - 3) : int(y2) + 4, max(0, int(x1) - 3) : int(x2) + 4] = True
    red = cv2.erode(_red(photo.image).astype(np.uint8), np.ones((3, 3))).astype(bool)
    stray = red & ~covered
    # Nothing red without a box, but for slivers of people too cut off to be labelled at all.
    assert stray.sum() <= CLEAN.visible[1] * 4 * height * width / 4


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_a_person_fills_its_box(pack: PhotoPack, seed: int) -> None:
    config = MosaicConfig(tiles=(1.0, 0.0, 0.0), paste=0.0, degrade=0.0)
    composer = Composer(pack, pack.weights({"people": 1.0}), config)
    photo, _ = composer.compose((128, 128), np.random.default_rng(seed))
    if (photo.image[..., 0] == photo.image[..., 2]).all():
        return  # the one in ten that lost its colours
    for box in photo.boxes:
        if (box[2:] - box[:2]).min() >= 8:
            x1, y1, x2, y2 = np.round(box).astype(int)
            assert _red(cv2.GaussianBlur(photo.image, (3, 3), 0))[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].mean() > 0.9


def test_an_image_is_a_function_of_its_seed(pack: PhotoPack) -> None:
    composer = Composer(pack, pack.weights({"people": 1.0}), MosaicConfig(paste=1.0, degrade=0.5))
    a, _ = composer.compose((96, 96), np.random.default_rng(5))
    b, _ = composer.compose((96, 96), np.random.default_rng(5))
    c, _ = composer.compose((96, 96), np.random.default_rng(6))
    assert np.array_equal(a.image, b.image)
    assert np.array_equal(a.boxes, b.boxes)
    assert not np.array_equal(a.image, c.image)


def test_sizes_of_people_spread_over_octaves(pack: PhotoPack) -> None:
    composer = Composer(pack, pack.weights({"people": 1.0}), CLEAN)
    rng = np.random.default_rng(0)
    heights = np.concatenate([np.diff(composer.compose((192, 192), rng)[0].boxes[:, 1::2])[:, 0] for _ in range(80)])
    shares = np.histogram(heights, [0, 40, 80, 120, 193])[0] / len(heights)
    assert (shares > 0.05).all()


def test_pasted_people_are_labelled_and_hide_others(pack: PhotoPack) -> None:
    weights = pack.weights({"people": 1.0})
    plain = Composer(pack, weights, CLEAN)
    pasted = Composer(pack, weights, MosaicConfig(paste=1.0, degrade=0.0))
    counts = [
        [len(c.compose((160, 160), np.random.default_rng(seed))[0].boxes) for seed in range(30)]
        for c in (plain, pasted)
    ]
    assert np.mean(counts[1]) > np.mean(counts[0]) + 0.5


def test_a_crowd_stands_close_and_of_one_size_and_the_hidden_are_ignored(pack: PhotoPack) -> None:
    config = MosaicConfig(tiles=(1.0, 0.0, 0.0), paste=0.0, crowd=1.0, degrade=0.0)
    composer = Composer(pack, pack.weights({"people": 1.0}), config)
    overlaps, ratios, hidden = [], [], 0
    for seed in range(60):
        photo, _ = composer.compose((320, 320), np.random.default_rng(seed))
        people = photo.boxes[photo.kinds == PERSON]
        hidden += int((photo.kinds == IGNORE).sum())
        if len(people) < 2:
            continue
        overlap = box_iou(people.astype(float), people.astype(float))
        np.fill_diagonal(overlap, 0)
        overlaps.append(overlap.max())
        heights = people[:, 3] - people[:, 1]
        ratios.append(heights.max() / heights.min())
        # Whoever is labelled is seen: some of the box is a person's colour.
        for x1, y1, x2, y2 in people.round().astype(int):
            assert _red(photo.image[y1:y2, x1:x2]).any() or not _red(photo.image).any()  # some images are grey
    assert np.mean(np.array(overlaps) > 0.1) > 0.5
    assert max(overlaps) < 0.95
    assert np.median(ratios) < 2.5
    assert hidden > 0


def test_a_broken_photo_is_replaced_and_counted(pack: PhotoPack) -> None:
    name, data, *rest = _photo("people/x", (160, 120), [(10, 10, 40, 90)])
    broken = PhotoPack.gather([(name, data, *rest), ("people/y", b"no image", *rest)])
    composer = Composer(broken, broken.weights({"people": 1.0}), CLEAN)
    counts = [composer.compose((96, 96), np.random.default_rng(seed))[1] for seed in range(20)]
    assert sum(counts) > 5
    assert min(counts) == 0


@given(
    st.lists(st.tuples(*[st.floats(-60, 160)] * 2, *[st.floats(2, 80)] * 2), min_size=1, max_size=8),
)
def test_clipped_boxes_keep_what_is_seen(raw: list[tuple[float, float, float, float]]) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in raw], np.float32)
    kinds = np.full(len(boxes), PERSON)
    clipped, left = clip_boxes(boxes, kinds, (100, 100), CLEAN)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    inside = np.clip(np.minimum(boxes[:, 2:], 100) - np.maximum(boxes[:, :2], 0), 0, None).prod(1)
    share = inside / area
    sure = (share > 0.36) & (np.clip(boxes[:, 3], 0, 100) - np.clip(boxes[:, 1], 0, 100) > 10.01)
    assert (left == PERSON).sum() >= sure.sum()
    assert len(clipped) >= (share > 0.11).sum()
    assert len(clipped) <= (share > 0.09).sum()
    assert set(left.tolist()) <= {PERSON, IGNORE}


def test_weights_share_out_by_source(pack: PhotoPack) -> None:
    weights = pack.weights({"people": 3.0, "empty": 1.0})
    assert weights[:2].sum() == pytest.approx(0.25)
    assert weights.sum() == pytest.approx(1.0)
    with pytest.raises(InputError, match="no photo of the pack belongs to birds"):
        pack.weights({"birds": 1.0})


def test_a_pack_comes_back_from_its_file(pack: PhotoPack, tmp_path: Path) -> None:
    pack.save(tmp_path / "pack.npz")
    back = PhotoPack.load(tmp_path / "pack.npz")
    assert back.names.tolist() == pack.names.tolist()
    assert np.array_equal(back.photo(3).image, pack.photo(3).image)
    assert np.array_equal(back.labels(3)[0], pack.labels(3)[0])
    (tmp_path / "bad.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="expected a pack of photos"):
        PhotoPack.load(tmp_path / "bad.npz")
    with pytest.raises(InputError, match=r"labels\.boxes makes it"):
        PhotoPack.load(tmp_path / "none.npz")


def test_reduced_decoding_shrinks_the_boxes_too() -> None:
    image = np.full((160, 120, 3), 30, np.uint8)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    pack = PhotoPack.gather([("a/b", data, (160, 120), np.array([[8, 16, 40, 96]]), np.array([PERSON]))])
    photo = pack.photo(0, 2)
    assert photo.image.shape == (80, 60, 3)
    assert photo.boxes.tolist() == [[4, 8, 20, 48]]


@pytest.mark.parametrize("seed", range(4))
def test_degraded_pictures_keep_their_shape(seed: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    out = degrade(image, 1.0, np.random.default_rng(seed))
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert out.std() > 5
