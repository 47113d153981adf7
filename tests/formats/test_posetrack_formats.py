"""PoseTrack files of 2017, 2018 and 2021: what is written is what was read, and wrong files get one clear line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError, OutputError
from dettrack.formats.posetrack import NO_ID, ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.files import pair_files, read_image_list, read_sequence, write_sequence
from dettrack.formats.posetrack.year2017 import JOINTS, annolist, read_posetrack17, write_posetrack17
from dettrack.formats.posetrack.year2018 import (
    image_id,
    parse_posetrack18,
    sequence_entries,
    write_posetrack18,
)
from dettrack.skeleton import POSETRACK15, POSETRACK17, JointSet

NAME = "000342_mpii_test"


def make(seed: int, joint_set: JointSet = POSETRACK17, year: int = 18) -> PoseSequence:
    """A sequence in which everything that a format can say is said, and everything optional is missing somewhere."""
    rng = np.random.default_rng(seed)
    n, joints = int(rng.integers(0, 9)), len(joint_set)

    def some(values: np.ndarray, share: float = 0.7) -> np.ndarray:
        keep = (rng.random(len(values)) < share).reshape(-1, *[1] * (values.ndim - 1))
        return np.where(keep, values, np.nan)

    def boxes() -> np.ndarray:
        corner = rng.uniform(0, 500, (n, 2))
        return some(np.concatenate([corner, corner + rng.uniform(1, 99, (n, 2))], 1))

    xy = rng.uniform(-20, 500, (n, joints, 2)).round(3)
    xy[rng.random((n, joints)) < 0.3] = np.nan
    there = ~np.isnan(xy[..., 0])
    scores = np.where(there, rng.normal(size=(n, joints)), np.nan if year == 17 else 0.0)
    flags = None if year == 17 else ([True, False, None])
    images = tuple(
        ImageInfo(
            f"images/val/{NAME}/{i:06d}.jpg",
            NO_ID if year == 17 else image_id(NAME, i),
            is_labeled=bool(i % 2) if flags is None else flags[i % 3],
            has_labeled_person=None if year != 21 else bool(i % 2),
            ignore_regions=(rng.uniform(0, 99, (4, 2)), rng.uniform(0, 99, (3, 2))) if i == 1 else (),
            imgnum=i + 1 if year == 17 else None,
        )
        for i in range(4)
    )
    people = People.build(
        rng.integers(0, 4, n),
        xy,
        scores=some(scores),
        visible=np.where(there, rng.integers(0, 2, (n, joints)), np.nan),
        track_id=rng.permutation(1000)[:n],
        person_id=rng.permutation(1000)[:n] if year == 21 else np.full(n, NO_ID),
        head_box=boxes(),
        box=boxes() if year != 17 else np.full((n, 4), np.nan),
        score=some(rng.random(n)),
        listed=rng.random(n) < 0.8 if year == 17 else np.ones(n, bool),
    )
    if year == 17:
        people = replace(people, xy=np.where(people.listed[:, None, None], people.xy, np.nan))
        people = replace(
            people,
            **{n: np.where(np.isnan(people.xy[..., 0]), np.nan, getattr(people, n)) for n in ("scores", "visible")},
        )
    vid = None if year == 17 else "000342"
    return PoseSequence(NAME, f"posetrack{year}", joint_set, images, people, vid, None if year == 17 else 99)


def assert_same(a: PoseSequence, b: PoseSequence) -> None:
    assert (a.name, a.format, a.joint_set, a.vid_id, a.nframes) == (b.name, b.format, b.joint_set, b.vid_id, b.nframes)
    for p, q in zip(a.images, b.images, strict=True):
        assert replace(p, ignore_regions=()) == replace(q, ignore_regions=())
        for r, s in zip(p.ignore_regions, q.ignore_regions, strict=True):
            np.testing.assert_array_equal(r, s)
    for f in fields(People):
        np.testing.assert_allclose(getattr(a.people, f.name), getattr(b.people, f.name), atol=1e-9, err_msg=f.name)


@given(seed=st.integers(0, 10**6), joint_set=st.sampled_from([POSETRACK15, POSETRACK17]))
def test_posetrack18_round_trip(seed: int, joint_set: JointSet, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("posetrack18") / f"{NAME}.json"
    sequence = make(seed, joint_set)
    write_posetrack18(sequence, path)
    assert_same(read_sequence(path), sequence)


@given(seed=st.integers(0, 10**6), ending=st.sampled_from([".json", ".mat"]))
def test_posetrack17_round_trip(seed: int, ending: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("posetrack17") / f"{NAME}{ending}"
    sequence = make(seed, POSETRACK15, 17)
    write_posetrack17(sequence, path)
    assert_same(read_sequence(path), sequence)


@given(seed=st.integers(0, 10**6))
def test_posetrack21_round_trip(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("posetrack21") / f"{NAME}.json"
    sequence = make(seed, POSETRACK17, 21)
    write_posetrack18(sequence, path, format="posetrack21")
    assert_same(read_sequence(path), sequence)
    entries = json.loads(path.read_text())
    assert all(len(image["ignore_regions_x"]) == len(image["ignore_regions_y"]) for image in entries["images"])


def content(**changes: Any) -> dict[str, Any]:
    """A right PoseTrack18 file with one person, and changes to its annotation."""
    image = {"id": 7, "file_name": f"images/val/{NAME}/000000.jpg"}
    triplets = [number for j in range(17) for number in (10.0 * j, 5.0, 1.0)]
    person = {"image_id": 7, "track_id": 3, "keypoints": triplets, "scores": [0.5] * 17} | changes
    person = {key: value for key, value in person.items() if value != "absent"}
    names = {"keypoints": list(POSETRACK17.joints)}
    return {"images": [image], "annotations": [person], "categories": [names]}


def parse(data: dict[str, Any]) -> PoseSequence:
    return parse_posetrack18(data, Path(f"{NAME}.json"))


def test_a_joint_is_missing_only_if_all_three_numbers_are_zero() -> None:
    triplets = [0.0, 0, 0] + [0.0, 0, 1] + [5.0, 0, 0] + [3.0, 4, 0] + [0.0] * 39
    xy = parse(content(keypoints=triplets)).people.xy[0]
    assert np.isnan(xy[0]).all()
    assert xy[1:4].tolist() == [[0, 0], [5, 0], [3, 4]]  # visibility 0 with a position counts
    assert np.isnan(xy[4:]).all()


@pytest.mark.parametrize("scores", ["absent", []])
def test_no_scores_are_missing_scores(scores: object) -> None:
    people = parse(content(scores=scores, score=0.9)).people
    assert np.isnan(people.scores).all()
    assert people.score.tolist() == [0.9]


def test_joints_are_found_by_name_in_any_order() -> None:
    data = content()
    order = np.random.default_rng(0).permutation(17)
    data["categories"][0]["keypoints"] = [POSETRACK17.joints[i] for i in order]
    xy = parse(data).people.xy[0]
    for place, joint in enumerate(order):
        assert xy[joint].tolist() == [10 * place, 5]


def test_unknown_joints_are_left_out_with_a_note() -> None:
    data = content()
    data["categories"][0]["keypoints"][3:5] = ["left_eye", "right_eye"]
    sequence = parse(data)
    assert sequence.joint_set == POSETRACK15
    assert "unknown joints are left out: left_eye, right_eye" in sequence.notes[0]


def test_boxes_become_corners() -> None:
    people = parse(content(bbox=[1, 2, 10, 20], bbox_head=[3, 4, 5, 6])).people
    assert people.box.tolist() == [[1, 2, 11, 22]]
    assert people.head_box.tolist() == [[3, 4, 8, 10]]
    assert np.isnan(parse(content(bbox_head=[])).people.head_box).all()


def test_ignore_regions_need_both_lists() -> None:
    data = content()
    data["images"][0]["ignore_regions_x"] = [[1, 2, 3], [4]]
    assert parse(data).images[0].ignore_regions == ()
    data["images"][0]["ignore_regions_y"] = [[5, 6], []]
    regions = parse(data).images[0].ignore_regions
    assert regions[0].tolist() == [[1, 5], [2, 6]]  # the common part
    assert len(regions[1]) == 0


def test_only_the_first_video_of_a_file_is_read() -> None:
    data = content()
    data["images"].append({"id": 8, "file_name": "images/val/000001_bonn/000000.jpg"})
    data["annotations"].append(data["annotations"][0] | {"image_id": 8})
    sequence = parse(data)
    assert (len(sequence), len(sequence.people)) == (1, 1)
    assert "2 videos in one file; only the first" in sequence.notes[0]


def test_people_are_in_the_order_of_images_then_of_the_file() -> None:
    data = content()
    data["images"].insert(0, {"id": 8, "file_name": f"images/val/{NAME}/000001.jpg"})
    data["annotations"] += [data["annotations"][0] | {"image_id": i, "track_id": t} for i, t in ((8, 9), (7, 1))]
    people = parse(data).people
    assert list(zip(people.image.tolist(), people.track_id.tolist(), strict=True)) == [(0, 9), (1, 3), (1, 1)]


def change(**changes: Any) -> Callable[[dict], None]:
    return lambda data: data.update(changes)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (content(track_id="absent"), r"annotation 0: no 'track_id'"),
        (content(image_id="absent"), r"annotation 0: no 'image_id'"),
        (content(image_id=9), r"annotation 0: image_id 9 is not among the file's images"),
        (content(keypoints=[1.0] * 45), r"annotation 0: keypoints has 45 numbers; expected 51"),
        (content(keypoints=[float("nan")] * 51), r"annotation 0: keypoints has a NaN"),
        (content(keypoints=[None] * 51), r"annotation 0: keypoints has a NaN"),
        (content(keypoints=["x"] * 51), r"keypoints must be lists of plain numbers"),
        (content(scores=[0.5] * 15), r"annotation 0: scores has 15 numbers; expected 17"),
        (content(scores=[float("inf")] * 17), r"annotation 0: scores has a NaN or infinite number"),
        (content(bbox_head=[1, 2, 3]), r"annotation 0: bbox_head has 3 numbers; expected 4"),
        (content(track_id=1.5), r"annotation 0: track_id is 1.5"),
        (content(track_id=-1), r"annotation 0: track_id is -1"),
        (content(track_id="x"), r"annotation 0: track_id is 'x'"),
        (content() | {"images": []}, r"image_id 7 is not among"),
        (content() | {"images": [], "annotations": []}, r"the list of images is empty"),
        (content() | {"images": [{"id": 7}]}, r"image 0: an image needs 'id' and 'file_name'"),
        (content() | {"images": content()["images"] * 2}, r"two images have the same id"),
        (content() | {"annotations": None}, r"no list 'annotations'"),
        (content() | {"categories": [{}]}, r"categories\[0\] has no 'keypoints'"),
        (content() | {"categories": [{"keypoints": list(POSETRACK17.joints[:15])}]}, "lacks left_ankle, right_ankle"),
        (content() | {"categories": [{"keypoints": [*POSETRACK15.joints, "left_ear"]}]}, "16 joints"),
    ],
)
def test_wrong_posetrack18_files_get_one_clear_line(data: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(data)
    assert "\n" not in str(caught.value)
    assert NAME in str(caught.value)


def rect(**changes: Any) -> dict[str, Any]:
    points = [{"id": [0], "x": [1.0], "y": [2.0], "score": [0.5]}]
    return {"track_id": [4], "x1": [0], "y1": [0], "x2": [3], "y2": [4], "annopoints": [{"point": points}]} | changes


def read17(tmp_path: Path, *rects: dict, **frame: Any) -> PoseSequence:
    path = tmp_path / f"{NAME}.json"
    image = {"image": [{"name": "a/00000001.jpg"}], "annorect": list(rects)} | frame
    path.write_text(json.dumps({"annolist": [image]}))
    return read_posetrack17(path)


def test_the_first_point_of_an_id_wins(tmp_path: Path) -> None:
    points = [{"id": [0], "x": [x], "y": [2.0]} for x in (1.0, 9.0)] + [{"id": [77], "x": [1], "y": [1]}]
    sequence = read17(tmp_path, rect(annopoints=[{"point": points}]))
    assert sequence.people.xy[0, POSETRACK15.index("right_ankle")].tolist() == [1, 2]
    assert (~np.isnan(sequence.people.xy[..., 0])).sum() == 1
    assert "1 joints are given twice" in sequence.notes[0]


def test_the_box_of_posetrack17_is_that_of_the_head(tmp_path: Path) -> None:
    people = read17(tmp_path, rect(x1=[1], y1=[2], x2=[30], y2=[40])).people
    assert people.head_box.tolist() == [[1, 2, 30, 40]]
    assert np.isnan(people.box).all()


def test_ids_of_posetrack17_are_its_15_joints() -> None:
    assert JOINTS[0] == "right_ankle"
    assert JOINTS[12:] == ("head_bottom", "nose", "head_top")
    assert {*JOINTS} == {*POSETRACK15.joints}
    xy = np.arange(30.0).reshape(1, 15, 2) + 1
    images = (ImageInfo("a.jpg"),)
    points = annolist(PoseSequence("a", "posetrack17", POSETRACK15, images, People.build([0], xy)))
    for point in points["annolist"][0]["annorect"][0]["annopoints"][0]["point"]:
        assert point["x"][0] == xy[0, POSETRACK15.index(JOINTS[point["id"][0]]), 0]


@pytest.mark.parametrize(
    ("annopoints", "listed"), [([{"point": []}], True), ([{}], False), ([], False), ([[]], False), (None, False)]
)
def test_who_has_a_list_of_joints(tmp_path: Path, annopoints: object, listed: bool) -> None:
    assert read17(tmp_path, rect(annopoints=annopoints)).people.listed.tolist() == [listed]


def test_a_point_at_the_origin_exists_in_posetrack17_and_survives_in_posetrack18(tmp_path: Path) -> None:
    origin = [{"id": [0], "x": [0], "y": [0], "is_visible": [0]}]
    sequence = read17(tmp_path, rect(annopoints=[{"point": origin}]))
    joint = POSETRACK15.index("right_ankle")
    assert sequence.people.xy[0, joint].tolist() == [0, 0]
    again = parse(sequence_entries(sequence))
    assert again.people.xy[0, again.joint_set.index("right_ankle")].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("rects", "message"),
    [
        ([rect(annopoints=[{"point": [{"id": [0], "x": [None], "y": [1]}]}])], "x is None; expected a finite number"),
        ([rect(annopoints=[{"point": [{"id": [0], "y": [1]}]}])], "x is None"),
        ([rect(annopoints=[{"point": [{"id": [0], "x": ["a"], "y": [1]}]}])], "expected an annolist entry"),
        ([rect(track_id=[-2])], "person 0: track_id is -2"),
        ([3], "expected an annolist entry"),
    ],
)
def test_wrong_posetrack17_files_get_one_clear_line(tmp_path: Path, rects: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read17(tmp_path, *rects)


def test_files_that_are_none(tmp_path: Path) -> None:
    for text, message in (("{", "not JSON"), ("[]", "a list instead of an object"), ("{}", "no list 'images'")):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InputError, match=message):
            read_sequence(tmp_path / "a.json")
    with pytest.raises(InputError, match="cannot read"):
        read_sequence(tmp_path / "none.json")
    (tmp_path / "a.mat").write_text("no")
    with pytest.raises(InputError, match=r"-v7 or older"):
        read_sequence(tmp_path / "a.mat")
    from scipy.io import savemat

    savemat(tmp_path / "b.mat", {"other": np.zeros(1)})
    with pytest.raises(InputError, match="no variable 'annolist' in it, only other"):
        read_sequence(tmp_path / "b.mat")
    for write in (write_posetrack17, write_posetrack18):
        with pytest.raises(OutputError, match="cannot write"):
            write(make(0, POSETRACK15), tmp_path / "a.json" / "b.json")


def test_a_region_without_a_number_is_refused() -> None:
    data = content()
    data["images"][0] |= {"ignore_regions_x": [[1.0, float("nan"), 2]], "ignore_regions_y": [[1, 2, 3]]}
    with pytest.raises(InputError, match="ignore region has a coordinate"):
        parse(data)


def test_files_are_paired_by_name_in_the_order_of_names(tmp_path: Path) -> None:
    gt, pred = tmp_path / "gt", tmp_path / "pred"
    for name in ("b", "a", "c"):
        write_sequence(make(0), gt / f"{name}.json")
    for name in ("c", "a", "b", "extra"):
        write_sequence(make(0), pred / f"{name}.json")
    pairs, notes = pair_files(gt, pred)
    assert [pair.name for pair in pairs] == ["a", "b", "c"]
    assert [pair.pred.name for pair in pairs] == ["a.json", "b.json", "c.json"]
    assert "extra" in notes[0]
    (pred / "b.json").unlink()
    with pytest.raises(InputError, match=r"lacks 1 of 3 prediction files: b\.json"):
        pair_files(gt, pred)
    for wrong in ((tmp_path / "none", pred), (gt, tmp_path / "none"), (tmp_path, pred), (gt, pred / "a.json")):
        with pytest.raises(InputError):
            pair_files(*wrong)
    assert pair_files(gt / "a.json", pred / "c.json")[0][0].pred.name == "c.json"


def test_annotations_as_mat_have_predictions_as_json(tmp_path: Path) -> None:
    write_posetrack17(make(1, POSETRACK15, 17), tmp_path / "gt" / f"{NAME}.mat")
    write_posetrack17(make(1, POSETRACK15, 17), tmp_path / "pred" / f"{NAME}.json")
    pairs, _ = pair_files(tmp_path / "gt", tmp_path / "pred")
    assert_same(*pairs[0].load())


@pytest.mark.parametrize("year", [17, 18])
def test_the_list_of_images_says_nothing_of_people(tmp_path: Path, year: int) -> None:
    path = tmp_path / f"{NAME}.json"
    sequence = make(5, POSETRACK15 if year == 17 else POSETRACK17, year)
    write_sequence(sequence, path)
    data = json.loads(path.read_text())
    # People that no reader would accept: they are not even looked at.
    if year == 17:
        data["annolist"][0]["annorect"] = [{"track_id": ["x"]}]
    else:
        data["annotations"] = "secret"
    path.write_text(json.dumps(data))
    listed = read_image_list(path)
    assert len(listed.people) == 0
    assert [i.file_name for i in listed.images] == [i.file_name for i in sequence.images]
    assert all(image.is_labeled is None and not image.ignore_regions for image in listed.images)
