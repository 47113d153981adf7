"""Packs of photos: what goes in comes out, shares are shares, broken files are one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.training.detector.photos import IGNORE, PERSON, PhotoPack

NAMES = ["coco/a", "coco/b", "video/one/00001", "video/one/00002", "video/two/00001", "cocoa/x"]


def picture(width: int, height: int, level: int = 90) -> bytes:
    return cv2.imencode(".png", np.full((height, width, 3), level, np.uint8))[1].tobytes()


def entry(name: str, people: int, ignored: int = 0, size: tuple[int, int] = (40, 60)) -> tuple:
    boxes = np.arange(4.0 * (people + ignored)).reshape(-1, 4) / 8
    boxes[:, 2:] += 10
    kinds = np.array([PERSON] * people + [IGNORE] * ignored, np.int64)
    return name, picture(size[1], size[0]), size, boxes, kinds


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=6))
def test_a_pack_keeps_every_photo_with_its_own_boxes(
    tmp_path_factory: pytest.TempPathFactory, counts: list[tuple[int, int]]
) -> None:
    entries = [entry(NAMES[i], *count, size=(20 + i, 30 + i)) for i, count in enumerate(counts)]
    path = tmp_path_factory.mktemp("pack") / "new" / "pack.npz"
    PhotoPack.gather(entries).save(path)
    pack = PhotoPack.load(path)
    assert len(pack) == len(entries)
    for index, (name, data, size, boxes, kinds) in enumerate(entries):
        assert pack.names[index] == name
        found = pack.photo(index)
        assert found is not None
        assert found.image.shape == (*size, 3)
        np.testing.assert_allclose(found.boxes, boxes, atol=1e-6)
        np.testing.assert_array_equal(found.kinds, kinds)
        again = pack.entries()[index]
        assert again[:3] == (name, data, size)
    assert PhotoPack.gather(pack.entries()).names.tolist() == pack.names.tolist()


def test_a_smaller_photo_has_smaller_boxes() -> None:
    data = cv2.imencode(".jpg", np.full((80, 64, 3), 90, np.uint8))[1].tobytes()
    pack = PhotoPack.gather([("a/1", data, (80, 64), np.array([[8.0, 16, 40, 72]]), np.array([PERSON]))])
    for reduce in (1, 2, 4, 8):
        photo = pack.photo(0, reduce)
        assert photo is not None
        assert photo.image.shape == (80 // reduce, 64 // reduce, 3)
        np.testing.assert_allclose(photo.boxes, np.array([[8, 16, 40, 72]]) / reduce)


def test_colours_are_red_green_blue() -> None:
    bgr = np.zeros((8, 8, 3), np.uint8)
    bgr[..., 2] = 200
    pack = PhotoPack.gather([("a", cv2.imencode(".png", bgr)[1].tobytes(), (8, 8), np.zeros((0, 4)), np.zeros(0))])
    photo = pack.photo(0)
    assert photo is not None
    assert photo.image[0, 0].tolist() == [200, 0, 0]


def test_shares_are_those_of_the_sources_and_even_within() -> None:
    pack = PhotoPack.gather([entry(name, 1) for name in NAMES])
    weights = pack.weights({"coco": 3.0, "video": 1.0})
    np.testing.assert_allclose(weights, [3 / 8, 3 / 8, 1 / 12, 1 / 12, 1 / 12, 0])
    np.testing.assert_allclose(pack.weights({"video/one": 1.0}), [0, 0, 0.5, 0.5, 0, 0])
    np.testing.assert_allclose(pack.weights({"coco/a": 1.0, "absent": 5.0}), [1, 0, 0, 0, 0, 0])
    with pytest.raises(InputError, match="no photo of the pack belongs to lsp"):
        pack.weights({"lsp": 1.0})


def test_a_broken_photo_is_none_and_a_broken_pack_one_line(tmp_path: Path) -> None:
    pack = PhotoPack.gather([("a/1", b"no jpeg", (4, 4), np.zeros((0, 4)), np.zeros(0)), entry("a/2", 1)])
    assert pack.photo(0) is None
    assert pack.photo(1) is not None
    with pytest.raises(InputError, match="does not exist"):
        PhotoPack.load(tmp_path / "absent.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    np.savez(tmp_path / "other.npz", jpeg=np.zeros(3))
    for name in ("broken.npz", "other.npz"):
        with pytest.raises(InputError, match=r"(not|expected) a pack of photos"):
            PhotoPack.load(tmp_path / name)
    with pytest.raises(InputError, match="no photo to train on"):
        PhotoPack.gather([])
