from __future__ import annotations

import json

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model
from hypothesis import given
from hypothesis import strategies as st

from dettrack.config import DetectConfig, EstimateConfig, TrackConfig
from dettrack.errors import InputError
from dettrack.models.detector import load_detector
from dettrack.models.detector.file_boxes import FileBoxes
from dettrack.models.detector.protocol import PerVideo, on_video
from dettrack.pipeline import Pipeline
from dettrack.structures import Boxes, Frame
from dettrack.video import open_video

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


def listed(*names, ids=None, first=0, **more):
    """A file with one box for each image, at x = 0, 10, ...; `more` is beside images and annotations."""
    ids = ids or range(first, first + len(names))
    images = [{"id": i, "file_name": name} for i, name in zip(ids, names, strict=True)]
    return {"images": images, "annotations": [entry(i, 10.0 * n) for n, i in enumerate(ids)], **more}


@pytest.mark.parametrize(
    ("categories", "person", "others"),
    [
        ([{"id": 0, "name": "person"}], 0, []),
        ([{"id": 1, "name": "car"}, {"id": 2, "name": "Person"}], 2, [1]),
        ([{"id": "7", "name": "pedestrian"}, {"id": 1, "name": "bicycle"}], 7, [1, 1]),
        (None, 0, []),
        (None, 1, [3]),
    ],
)
def test_the_file_says_which_category_is_the_person(coco, categories, person, others):
    content = [entry(0, 5, category_id=person), *(entry(0, 9, category_id=other) for other in others)]
    detector = coco({"annotations": content, "categories": categories} if categories else content)
    assert found(detector).xyxy[:, 0].tolist() == [5]
    assert (f"{len(others)} detections of other categories left out" in detector.description) == bool(others)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"annotations": [entry(0)], "categories": [{"id": 1, "name": "car"}]},
            "none of its categories is named person",
        ),
        ([entry(0, category_id=0), entry(0, category_id=1)], "which one is the person is not said"),
    ],
)
def test_cars_are_never_taken_for_people(coco, content, message):
    with pytest.raises(InputError, match=message):
        coco(content)


@pytest.mark.parametrize(
    ("names", "indices"),
    [
        (["frame_000000.PNG", "frame_000004.PNG", "frame_000008.PNG"], [0, 4, 8]),
        (["frame_000012.PNG", "frame_000004.PNG"], [12, 4]),
        (["v/00007.jpg", "v/00000.jpg"], [7, 0]),
        (["0001.jpg", "0002.jpg", "0003.jpg"], [0, 1, 2]),
        (["img3.jpg", "img1.jpg", "img2.jpg"], [2, 0, 1]),
        (["a.jpg", "b.jpg"], [0, 1]),
    ],
)
def test_images_of_a_video_are_the_frames_that_their_names_say(coco, names, indices):
    detector = coco(listed(*names, first=1))
    for n, (name, index) in enumerate(zip(names, indices, strict=True)):
        assert found(detector, index).xyxy[:, 0].tolist() == [10.0 * n]
        assert found(detector, 99, name).xyxy[:, 0].tolist() == [10.0 * n]
    assert len(found(detector, 5)) == 0


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0005.jpg", "0009.jpg"], r"cannot be told from names like '0005\.jpg'"),
        (["0000.jpg", "last.jpg"], "cannot be told"),
        (["a/0000.jpg", "b/0000.jpg"], "several of its images are the same frame"),
    ],
)
def test_a_list_that_does_not_say_its_frames_is_refused_for_a_video_only(coco, names, message):
    detector = coco(listed(*names))
    assert found(detector, 3, names[0]).xyxy[:, 0].tolist() == [0]
    with pytest.raises(InputError, match=message):
        found(coco(listed(*names)), 0)


def test_ids_as_text_or_padded_are_the_numbers_that_they_say(coco):
    detector = coco([entry("000007", 1), entry("0", 2), entry(3.0, 3)])
    assert [found(detector, i).xyxy[0, 0] for i in (7, 0, 3)] == [1, 2, 3]
    images = [{"id": "01", "file_name": "frame_000000.png"}, {"id": 2, "file_name": "frame_000004.png"}]
    detector = coco({"images": images, "annotations": [entry(1, 1), entry("2", 2)]})
    assert [found(detector, i).xyxy[0, 0] for i in (0, 4)] == [1, 2]
    detector = coco([entry("frame_000004.png", 4)])
    assert found(detector, 4).xyxy[0, 0] == 4


def test_crowd_regions_are_left_out_and_counted(coco):
    detector = coco([entry(0, 1), entry(0, 2, iscrowd=1), entry(0, 3, iscrowd=0)])
    assert found(detector).xyxy[:, 0].tolist() == [1, 3]
    assert "2 boxes in 1 frames; 1 crowd regions left out" in detector.description


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(tmp_path, encoding, between):
    path = tmp_path / "boxes.csv"
    cells = ["1", "-1", "10.5", "20", "30", "40", "0.5"]
    line = between.join(cells).replace(".", "," if between == ";" else ".")
    path.write_text(line + "\n", encoding=encoding)
    assert found(FileBoxes(path)).xyxy[0].tolist() == [10.5, 20, 40.5, 60]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([entry(0)]), encoding=encoding)
    assert found(FileBoxes(path)).scores == [0.5]


@pytest.mark.parametrize(
    ("classes", "kept"), [([0, 0], 2), ([1, 1], 2), ([-1, -1], 2), ([1, 7], 1), ([10.25, 3], 2), ([1, -1], 2)]
)
def test_mot_classes(tmp_path, classes, kept):
    path = tmp_path / "det.txt"
    path.write_text("".join(f"1,-1,1,2,3,4,0.5,{kind},-1\n" for kind in classes))
    detector = FileBoxes(path)
    assert len(found(detector)) == kept
    assert ("1 boxes of other classes left out" in detector.description) == (kept == 1)


@pytest.mark.parametrize("classes", [[3], [0, 1], [0, 2, 5]])
def test_mot_classes_that_do_not_say_who_is_a_person_are_refused(tmp_path, classes):
    path = tmp_path / "det.txt"
    path.write_text("".join(f"1,-1,1,2,3,4,0.5,{kind},-1\n" for kind in classes))
    with pytest.raises(InputError, match=f"it has classes {', '.join(map(str, classes))}: leave"):
        FileBoxes(path)


def test_boxes_that_belong_to_no_frame_are_an_error_for_every_video(coco):
    detector = coco([entry(5000 + i) for i in range(48)])
    assert isinstance(detector, PerVideo)

    def run(first, last, name="", detector=detector):
        with on_video(detector) as mine:
            for index in range(first, last, 8):
                mine.detect([frame(index, name and f"{index:04d}.jpg")])

    run(4990, 5010)
    for _ in range(2):  # the second video is checked as the first
        with pytest.raises(InputError, match=r"none of 48 boxes belongs to a frame of this video \(frames 0 to 16\)"):
            run(0, 24)
    with pytest.raises(InputError, match=r"none of 1 boxes is of a frame .*frame 5: use --step 1"):
        run(0, 24, detector=coco([entry(5)]))
    run(5047, 5050)
    images = coco(listed("0000.jpg", "0001.jpg"))
    run(0, 1, "named", images)
    with pytest.raises(InputError, match=r"has no 0008\.jpg"):
        run(8, 9, "named", images)
    with pytest.raises(RuntimeError, match="broke off"), on_video(detector):  # and is not judged
        raise RuntimeError("broke off")


def test_a_file_without_boxes_fits_every_video(coco):
    detector = coco([])
    with on_video(detector):
        assert len(found(detector)) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": [[[0]]], "annotations": [entry(0)]}, "expected images to be a list of objects"),
        ({"images": [{"id": 0, "frame_index": [0]}], "annotations": [entry(0)]}, "image 0 needs a frame_index"),
        ({"images": [{"id": [0]}], "annotations": [entry(0)]}, "image 0 of its images list needs an id"),
        ({"images": [{"id": 0}, {"id": "0"}], "annotations": [entry(0)]}, "image 1 of its images list needs an id"),
        ({"annotations": [entry(0)], "categories": [1]}, "expected categories"),
        ([entry([0])], "image_id must be whole numbers"),
        ([entry(0, x=10**400)], "detection 0 needs bbox"),
        ([entry(0, x=1e12)], "box of 1e[+]12 pixels"),
        ([entry(0, score=None)], "scores must lie in .*, got nan"),
        ([entry(0, score="high")], "detection 0 needs bbox"),
    ],
)
def test_entries_of_the_wrong_type_get_one_line(coco, content, message):
    with pytest.raises(InputError, match=message) as error:
        coco(content)
    assert "\n" not in str(error.value)


def test_json_nested_without_end_gets_one_line(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="not JSON") as error:
        FileBoxes(path)
    assert "\n" not in str(error.value)


def test_a_run_ends_with_that_error_for_each_of_its_videos(tmp_path):
    video = draw_scene(tmp_path / "video", np.array([[40.0, 30.0]]), np.array([[4.0, 0.0]]), 9)
    write_model(tmp_path / "dots.onnx")
    boxes = write_boxes(tmp_path / "boxes.json", video, None)
    entries = json.loads(boxes.read_text())
    boxes.write_text(json.dumps([{**each, "image_id": each["image_id"] + 500} for each in entries]))
    config = TrackConfig(
        detect=DetectConfig(detector=str(boxes)),
        estimate=EstimateConfig(model=str(tmp_path / "dots.onnx"), flip=False, joints="coco17"),
    )
    pipeline = Pipeline(config)
    for _ in range(2):
        with open_video(video.folder) as frames, pytest.raises(InputError, match="none of 9 boxes belongs to a frame"):
            list(pipeline.track(frames))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "frames", "people"),
    [
        ("boxes_category_list/cat0_named.json", range(24), 2),
        ("boxes_category_list/cat2_named.json", range(24), 2),
        ("boxes_cvat_subset/cvat_every4.json", range(0, 24, 4), 2),
        ("boxes_match_nothing/elsewhere.json", [], 0),
        ("boxes_match_nothing/mot_class0.txt", range(24), 2),
        ("boxes_iscrowd/crowd.json", range(24), 2),
        ("boxes_bom/bom.json", range(24), 2),
        ("boxes_bom/mot_bom.txt", range(24), 2),
    ],
)
def test_real_files_of_other_programs(cases, name, frames, people):
    detector = FileBoxes(cases / name)

    def track():
        with on_video(detector) as mine:
            return [len(boxes) for boxes in mine.detect([frame(index) for index in range(24)])]

    if not people:
        with pytest.raises(InputError, match="none of 48 boxes belongs to a frame of this video"):
            track()
        return
    assert track() == [people if index in frames else 0 for index in range(24)]
    # the two people walk on: no box jumps from one frame to the next
    left = [boxes.xyxy[:, 0].min() for boxes in detector.detect([frame(index) for index in frames])]
    assert np.abs(np.diff(left)).max() < 12


@pytest.mark.data
def test_mutated_files_get_one_line(cases):
    files = sorted((cases / "mutants").glob("boxes_json_*"))
    assert files
    for path in files:
        with pytest.raises(InputError) as error, on_video(detector := FileBoxes(path)):
            detector.detect([frame(index) for index in range(24)])
        assert "\n" not in str(error.value)


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
