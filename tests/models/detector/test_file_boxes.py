from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.config import DetectConfig
from dettrack.errors import InputError
from dettrack.models.detector import load_detector
from dettrack.models.detector.file_boxes import FileBoxes
from dettrack.structures import Boxes, Frame

BLANK = np.zeros((2, 2, 3), np.uint8)


def frame(index: int = 0, name: str = "") -> Frame:
    return Frame(index, index / 25, BLANK, name=name)


def found(detector: FileBoxes, index: int = 0, name: str = "") -> Boxes:
    (boxes,) = detector.detect([frame(index, name)])
    return boxes


def entry(image_id, x=10.0, score=0.5, **more):
    return {"image_id": image_id, "category_id": 1, "bbox": [x, 20, 30, 40], "score": score, **more}


@pytest.fixture
def coco(tmp_path):
    def write(content) -> FileBoxes:
        path = tmp_path / "boxes.json"
        path.write_text(json.dumps(content))
        return FileBoxes(path)

    return write


def test_numbers_are_frame_indices_best_first(coco):
    detector = coco([entry(7, 1, 0.2), entry(0), entry(7, 2, 0.9), entry(7, 3, category_id=18)])
    np.testing.assert_allclose(found(detector, 7).xyxy, [[2, 20, 32, 60], [1, 20, 31, 60]])
    np.testing.assert_allclose(found(detector, 7).scores, [0.9, 0.2])
    assert len(found(detector, 1)) == 0
    assert "3 boxes in 2 frames" in detector.description


def test_images_are_found_by_name_or_place(coco):
    images = [
        {"id": 501, "file_name": "a/x.jpg"},
        {"id": 77, "file_name": "a/y.jpg"},
        {"id": 5, "file_name": "b/y.jpg"},
    ]
    detector = coco({"images": images, "annotations": [entry(501, 1), entry(77, 2), entry(5, 3)]})
    assert [found(detector, i).xyxy[0, 0] for i in range(3)] == [1, 2, 3]  # a video: place in the list
    assert found(detector, 9, "x.jpg").xyxy[0, 0] == 1  # names win over places
    assert found(detector, 0, "a/y.jpg").xyxy[0, 0] == 2
    assert found(detector, 0, "b\\y.jpg").xyxy[0, 0] == 3
    assert len(found(detector, 0, "y.jpg")) == 0  # two images bear this name
    assert len(found(detector, 0, "z.jpg")) == 0  # never the place, where names are known


def test_boxes_of_other_images_are_refused(coco):
    images = [{"id": 1, "file_name": "a/x.jpg"}, {"id": 2, "file_name": "a/y.jpg"}]
    with pytest.raises(InputError, match=r"has no 0001\.png \(but, for example, a/x\.jpg\)"):
        found(coco({"images": images, "annotations": [entry(1)]}), 0, "0001.png")
    detector = coco({"images": images, "annotations": [entry(1)]})
    assert len(found(detector, 1, "y.jpg")) == 0
    assert len(found(detector, 2, "z.jpg")) == 0  # a list may stop early


def test_text_ids_are_names(coco):
    detector = coco([entry("dir/x.jpg", 4)])
    assert found(detector, 3, "dir/x.jpg").xyxy[0, 0] == 4
    assert len(found(detector, 0, "dir/other.jpg")) == 0


def test_posetrack_ids(coco):
    one = coco([entry(10003420007, 1), entry(10003420012, 2)])
    assert found(one, 3, "images/val/000342_mpii_test/000012.jpg").xyxy[0, 0] == 2
    assert found(one, 7).xyxy[0, 0] == 1
    two = coco([entry(10003420007, 1), entry(10005220007, 2)])
    assert found(two, 0, "images/val/000522_mpii_test/000007.jpg").xyxy[0, 0] == 2
    assert found(two, 0, "000342_mpii_test/000007.jpg").xyxy[0, 0] == 1
    with pytest.raises(InputError, match="2 sequences"):
        found(two, 7)


def test_a_missing_score_is_one(coco):
    assert found(coco([{"image_id": 0, "bbox": [0, 0, 2, 2]}])).scores == [1.0]


def test_nothing_found_is_a_valid_file(coco):
    assert len(found(coco([]))) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"people": []}, "expected a list of detections"),
        ([[1, 2, 3]], "expected a list of detections"),
        ([entry(0), {"image_id": 0, "score": 0.4}], "detection 1 needs bbox"),
        ([entry(0) | {"bbox": [1, 2, 3]}], "detection 0 needs bbox"),
        ([entry(0) | {"bbox": "wide"}], "detection 0 needs bbox"),
        ([{"bbox": [1, 2, 3, 4]}], "detection 0 has no image_id"),
        ([entry(0, score=87.0)], r"scores must lie in \[0, 1\], got 87"),
        ([entry(0, category_id=3)], r"no detection of category 1 \(person\); it has categories 3"),
        ([entry(-4)], "image_id must be whole numbers"),
        ([entry(0), entry("a.jpg")], "image_id must be whole numbers"),
        ({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [entry(2)]}, "not in its images list"),
        ([entry(0, x=float("inf"))], "not finite"),
    ],
)
def test_wrong_json_gets_one_line(coco, content, message):
    with pytest.raises(InputError, match=message) as error:
        coco(content)
    assert "\n" not in str(error.value)
    assert "boxes.json" in str(error.value)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 9), st.integers(-1, 5), st.floats(-9, 900), st.floats(-9, 900), st.floats(0, 500),
            st.floats(0, 500), st.floats(0, 1),
        ),
        max_size=12,
    ),
    st.sampled_from([",", ", ", " "]),
    st.sampled_from(["", ",-1,-1,-1"]),
)  # fmt: skip
def test_mot_there_and_back(tmp_path_factory, lines, between, tail):
    path = tmp_path_factory.mktemp("mot") / "det.txt"
    path.write_text("".join(between.join(map(repr, line)) + tail.replace(",", between) + "\n" for line in lines))
    detector = FileBoxes(path)
    for index in range(9):
        here = [line for line in lines if line[0] == index + 1]
        here.sort(key=lambda line: -line[6])
        expected = [[x, y, x + w, y + h] for _, _, x, y, w, h, _ in here]
        np.testing.assert_allclose(found(detector, index).xyxy, np.reshape(expected, (-1, 4)))
        np.testing.assert_allclose(found(detector, index).scores, [line[6] for line in here])


def test_mot_ground_truth_header_and_missing_confidence(tmp_path):
    path = tmp_path / "gt.csv"
    path.write_text(
        "frame,id,x,y,w,h,conf,class,vis\n1,1,5,5,9,9,1,1,0.8\n1,2,6,6,9,9,1,7,0.8\n\n2,3,1,1,4,4,-1,-1,-1\n"
    )
    detector = load_detector(DetectConfig(detector=str(path)))
    np.testing.assert_allclose(found(detector, 0).xyxy, [[5, 5, 14, 14]])
    np.testing.assert_allclose(found(detector, 1).scores, [1.0])
    path.write_text("4,-1,1,2,3,4\n")
    np.testing.assert_allclose(found(FileBoxes(path), 3).scores, [1.0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,2,3,4,5,0.5\n", "count from 1"),
        ("1,1,2,3\n", "line 1: expected frame"),
        ("1,1,2,3,4,5\n1,1,2,x,4,5\n", "line 2: expected frame"),
        ("1,1,2,3,4,5,33\n", r"scores must lie in \[0, 1\], got 33"),
        ("1,1,2,nan,4,5,0.3\n", "not finite"),
    ],
)
def test_wrong_mot_gets_one_line(tmp_path, text, message):
    path = tmp_path / "det.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        FileBoxes(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["boxes.json", "boxes.csv"])
def test_unreadable_files_get_one_line(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(InputError, match=name):
        FileBoxes(path)
    if name.endswith("json"):
        path.write_text("[{")
        with pytest.raises(InputError, match="not JSON"):
            FileBoxes(path)


@pytest.mark.data
def test_real_posetrack_detections(annotated):
    """MMPose's sample detections: three images of three sequences, by PoseTrack18 image id."""
    path = annotated / "mmpose_tests/posetrack18/annotations/test_posetrack18_human_detections.json"
    detector = FileBoxes(path)
    entries = json.loads(path.read_text())
    image_id = entries[0]["image_id"]
    same = [e for e in entries if e["image_id"] == image_id]
    video, number = (image_id - 10**10) // 10000, image_id % 10000
    assert len(found(detector, 0, f"images/val/{video:06d}_mpii_test/{number:06d}.jpg")) == len(same)
