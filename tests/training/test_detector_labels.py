from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from dettrack.errors import InputError
from dettrack.structures import Boxes, Frame
from dettrack.training.detector.photos import IGNORE, PERSON
from dettrack.training.labels.boxes import LabelConfig, athlete_boxes, by_score, in_tiles, label, merge_opinions

BOX, OTHER, FAR = [10.0, 10, 30, 60], [12.0, 11, 31, 61], [80.0, 10, 100, 60]


def _boxes(*rows: tuple[list[float], float]) -> Boxes:
    return Boxes(np.array([row[0] for row in rows]).reshape(-1, 4), np.array([row[1] for row in rows]))


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (0.9, None, PERSON),
        (0.65, 0.0, PERSON),
        (0.55, 0.3, PERSON),
        (0.4, 0.7, PERSON),
        (0.4, 0.3, IGNORE),
        (0.27, 0.3, IGNORE),
        (0.27, 0.1, None),
        (0.2, 0.9, None),
        (0.45, 0.1, None),  # half-believed by one, in a picture where neither finds anybody
    ],
)
def test_two_opinions_make_a_label(first: float, second: float | None, kind: int | None) -> None:
    other = None if second is None else _boxes((OTHER, second))
    boxes, kinds = merge_opinions(_boxes((BOX, first)), other)
    assert kinds.tolist() == ([] if kind is None else [kind])
    assert len(boxes) == len(kinds)


def test_doubt_beside_a_person_is_ignored_but_not_its_parts() -> None:
    part = [12.0, 12, 28, 35]
    boxes, kinds = merge_opinions(_boxes((BOX, 0.9), (FAR, 0.4), (part, 0.4)), _boxes((OTHER, 0.9)))
    assert boxes.tolist() == [BOX, FAR]
    assert kinds.tolist() == [PERSON, IGNORE]


def test_scores_alone_and_boxes_by_hand_make_labels() -> None:
    near, weak = [81.0, 11, 101, 61], [50.0, 10, 70, 60]
    first = _boxes((OTHER, 0.9), (FAR, 0.45), (weak, 0.2), (near, 0.2), ([0.0, 0, 9, 9], 0.1))
    boxes, kinds = by_score(first, 0.42, np.array([BOX]))
    assert boxes.tolist() == [BOX, FAR, weak]  # by hand, in place of the teacher's; no duplicate of a person
    assert kinds.tolist() == [PERSON, PERSON, IGNORE]
    boxes, kinds = by_score(_boxes((BOX, 0.25), (FAR, 0.35)), 0.42, np.zeros((0, 4)))
    assert boxes.tolist() == [FAR]
    assert kinds.tolist() == [IGNORE]


def test_athletes_come_from_their_joints(tmp_path: Path) -> None:
    joints = np.zeros((14, 3, 2))
    joints[:8, 0, 0], joints[:8, 1, 0], joints[:8, 2, 0] = np.linspace(10, 30, 8), np.linspace(20, 70, 8), 1
    savemat(tmp_path / "joints.mat", {"joints": joints})
    boxes = athlete_boxes(tmp_path / "joints.mat")
    assert list(boxes) == ["im00001"]  # the second has no visible joint
    assert boxes["im00001"].tolist() == [5, 15, 35, 75]
    (tmp_path / "no.mat").write_bytes(b"nothing")
    with pytest.raises(InputError, match="-v7 or older"):
        athlete_boxes(tmp_path / "no.mat")


class _FindsBlobs:
    """Everything that is not black is somebody."""

    description = "blobs"

    def detect(self, frames: list[Frame]) -> list[Boxes]:
        found = []
        for frame in frames:
            stats = cv2.connectedComponentsWithStats((frame.image[..., 0] > 0).astype(np.uint8))[2][1:, :4]
            xyxy = np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:] - 1], 1).astype(float)
            found.append(Boxes(xyxy, np.full(len(xyxy), 0.9)))
        return found


def test_pieces_of_a_picture_give_whole_small_people_only() -> None:
    small, middle, large = (10, 10, 19, 29), (95, 70, 104, 89), (130, 5, 159, 85)
    image = np.zeros((100, 200, 3), np.uint8)
    for x1, y1, x2, y2 in (small, middle, large):
        image[y1 : y2 + 1, x1 : x2 + 1] = 255
    pieces = in_tiles(_FindsBlobs(), Frame(0, 0.0, image), 2)
    assert len(pieces) == 4
    found = {tuple(int(v) for v in box) for boxes in pieces for box in boxes.xyxy}
    assert found == {small, middle}  # the large one is cut by the pieces' borders, or too high for them
    whole = in_tiles(_FindsBlobs(), Frame(0, 0.0, image), 1)[0]
    assert {tuple(int(v) for v in box) for box in whole.xyxy} == {small, middle}


def test_sources_of_an_earlier_pack_stay_unless_labelled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[10:40, 20:30] = 255
    for source, names in (("a", ("1.png", "2.png")), ("b", ("3.png",))):
        (tmp_path / source).mkdir()
        for name in names:
            cv2.imwrite(str(tmp_path / source / name), image)
    monkeypatch.setattr("dettrack.training.labels.boxes._detector", lambda *_: _FindsBlobs())
    both = label(LabelConfig(tmp_path / "x.npz", "any", photos=(tmp_path / "a", tmp_path / "b"), longest=40))
    both.save(tmp_path / "x.npz")
    again = LabelConfig(tmp_path / "y.npz", "any", photos=(tmp_path / "a",), keep=tmp_path / "x.npz", tiles=2)
    pack = label(again)
    assert pack.names.tolist() == ["b/3.png", "a/1.png", "a/2.png"]
    assert pack.sizes.tolist() == [[30, 40], [60, 80], [60, 80]]
    assert (pack.kinds == PERSON).all()
    np.testing.assert_allclose(pack.labels(0)[0], [[10.25, 5.25, 14.75, 19.75]])
    np.testing.assert_allclose(pack.labels(1)[0], [[20.5, 10.5, 29.5, 39.5]])


def test_lists_give_photos_and_boxes_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dettrack.training.labels.boxes._detector", lambda *_: _FindsBlobs())
    image = np.zeros((60, 80, 3), np.uint8)
    image[10:40, 20:35] = 255
    (tmp_path / "a").mkdir()
    for name in ("x.png", "y.png"):
        cv2.imwrite(str(tmp_path / "a" / name), image)
    images = [{"id": 1, "file_name": "a/x.png"}, {"id": 2, "file_name": str(tmp_path / "a" / "y.png")}]
    drawn = {"image_id": 1, "bbox": [50.0, 10.0, 20.0, 40.0]}
    (tmp_path / "people.json").write_text(json.dumps({"images": images, "annotations": [drawn]}))
    lists = (tmp_path / "people.json",)
    pack = label(LabelConfig(tmp_path / "p.npz", "any", lists=lists, sure=0.42))
    assert pack.names.tolist() == ["people/a_x.png", "people/a_y.png"]
    assert pack.boxes.tolist() == [[50, 10, 70, 50], [20.5, 10.5, 34.5, 39.5], [20.5, 10.5, 34.5, 39.5]]
    assert (pack.kinds == PERSON).all()
    assert len(label(LabelConfig(tmp_path / "p.npz", "any", lists=lists, most=(1,), sure=0.42))) == 1
    with pytest.raises(InputError, match="2 numbers in --most"):
        label(LabelConfig(tmp_path / "p.npz", "any", lists=lists, most=(1, 2), sure=0.42))


@pytest.mark.data
def test_a_real_photo_is_labelled_and_an_excluded_one_is_not(
    weights: Path, annotated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    source = annotated / "mmpose_tests" / "coco"
    for name in ("000000000785.jpg", "000000196141.jpg"):
        (photos / name).write_bytes((source / name).read_bytes())
    (photos / "broken.jpg").write_bytes(b"no photo")
    excluded = tmp_path / "excluded"
    excluded.mkdir()
    (excluded / "000000196141.jpg").touch()
    teacher = str(weights / "rtmdet_nano_person.onnx")
    config = LabelConfig(tmp_path / "pack.npz", teacher, photos=(photos,), exclude=(excluded,), longest=320)
    pack = label(config)
    assert pack.names.tolist() == ["photos/000000000785.jpg"]
    assert max(pack.sizes[0]) == 320
    assert (pack.kinds == PERSON).sum() == 1  # a skier
    box = pack.boxes[pack.kinds == PERSON][0]
    assert 80 < box[3] - box[1] < 320
    assert "broken.jpg: not a readable image" in capsys.readouterr().err
    image = pack.photo(0).image
    assert cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std() > 10
