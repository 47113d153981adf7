"""COCO, MOT, PoseTrack18 (streamed), OpenPose and TRC: read back with plain code, against the rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.config import DetectConfig
from dettrack.formats.coco import CocoWriter
from dettrack.formats.mot import MotWriter
from dettrack.formats.openpose import BODY_25, OpenPoseWriter, to_body_25
from dettrack.formats.posetrack.files import PoseTrackWriter
from dettrack.formats.posetrack.year2018 import read_posetrack18
from dettrack.formats.trc import TrcWriter, marker_name
from dettrack.models.detector import load_detector
from dettrack.skeleton import COCO17, JOINT_SETS, POSETRACK15
from dettrack.structures import Frame, TrackTable

seeds = st.integers(0, 10_000)


@settings(max_examples=30)
@given(seed=seeds, joints=st.sampled_from(sorted(JOINT_SETS)))
def test_coco(tmp_path_factory, random_video, write_all, info, seed, joints):
    path = tmp_path_factory.mktemp("coco") / "coco.json"
    video = random_video(seed, JOINT_SETS[joints])
    write_all(CocoWriter(path, JOINT_SETS[joints], info), video)
    content = json.loads(path.read_text())
    assert [image["id"] for image in content["images"]] == [frame for frame, _, _ in video]
    assert content["images"][0]["file_name"] == f"match/{video[0][0]:06d}.jpg"
    (category,) = content["categories"]
    assert category["keypoints"] == list(JOINT_SETS[joints].joints)
    assert np.array(category["skeleton"]).max() <= len(category["keypoints"])
    rows = TrackTable.concatenate([rows for _, _, rows in video], JOINT_SETS[joints])
    entries = content["annotations"]
    assert [entry["id"] for entry in entries] == list(range(1, len(rows) + 1))
    assert [entry["image_id"] for entry in entries] == rows.frame.tolist()
    assert [entry["track_id"] for entry in entries] == rows.track_id.tolist()
    for entry, xy, box in zip(entries, rows.shown_xy, rows.box, strict=True):
        triplets = np.array(entry["keypoints"]).reshape(-1, 3)
        present = ~np.isnan(xy[:, 0])
        assert entry["num_keypoints"] == present.sum()
        np.testing.assert_allclose(triplets[present], np.c_[xy[present], np.full(present.sum(), 2)], atol=1e-3)
        assert (triplets[~present] == 0).all()
        np.testing.assert_allclose(np.array(entry["bbox"])[2:], box[2:] - box[:2], atol=2e-3)


@pytest.mark.parametrize("kind", ["coco", "mot"])
def test_our_boxes_can_be_read_as_detections(tmp_path, random_video, write_all, info, kind):
    """What one run writes, another takes as `--detector`."""
    video = random_video(8, POSETRACK15, frames=20)
    path = tmp_path / ("coco.json" if kind == "coco" else "mot.txt")
    write_all(CocoWriter(path, POSETRACK15, info) if kind == "coco" else MotWriter(path), video)
    detector = load_detector(DetectConfig(detector=str(path)))
    blank = np.zeros((2, 2, 3), np.uint8)
    for frame, _, rows in video:
        name = f"match/{frame:06d}.jpg" if kind == "coco" else ""
        (boxes,) = detector.detect([Frame(frame, 0.0, blank, name=name)])
        order = np.argsort(-rows.score)
        np.testing.assert_allclose(boxes.xyxy, rows.box[order], atol=0.02)
        np.testing.assert_allclose(boxes.scores, rows.score[order], atol=1e-4)


@settings(max_examples=30)
@given(seed=seeds)
def test_mot(tmp_path_factory, random_video, write_all, seed):
    path = tmp_path_factory.mktemp("mot") / "mot.txt"
    video = random_video(seed, POSETRACK15)
    write_all(MotWriter(path), video)
    rows = TrackTable.concatenate([rows for _, _, rows in video], POSETRACK15)
    lines = np.array([line.split(",") for line in path.read_text().splitlines()], float).reshape(-1, 10)
    np.testing.assert_array_equal(lines[:, 0], rows.frame + 1)
    np.testing.assert_array_equal(lines[:, 1], rows.track_id)
    np.testing.assert_allclose(lines[:, 2:4] + lines[:, 4:6], rows.box[:, 2:], atol=0.011)
    assert (lines[:, 7:] == -1).all()


def test_mot_leaves_out_boxes_that_are_not_there(tmp_path, random_video, write_all):
    frame, time_s, rows = next(frame for frame in random_video(3, POSETRACK15, frames=40) if len(frame[2]) > 1)
    rows.box[0] = np.nan
    write_all(MotWriter(tmp_path / "mot.txt"), [(frame, time_s, rows)])
    assert len((tmp_path / "mot.txt").read_text().splitlines()) == len(rows) - 1


@settings(max_examples=30)
@given(seed=seeds)
def test_posetrack18(tmp_path_factory, random_video, write_all, info, seed):
    path = tmp_path_factory.mktemp("posetrack") / "posetrack18.json"
    video = random_video(seed, POSETRACK15)
    write_all(PoseTrackWriter(path, info), video)
    sequence = read_posetrack18(path)
    assert len(sequence) == len(video)
    people = sequence.with_joints(POSETRACK15).people
    rows = TrackTable.concatenate([rows for _, _, rows in video], POSETRACK15)
    np.testing.assert_array_equal(people.image + video[0][0], rows.frame)
    np.testing.assert_array_equal(people.track_id, rows.track_id)
    np.testing.assert_allclose(people.xy, rows.shown_xy, atol=1e-3)


def test_posetrack18_takes_image_names(tmp_path, info):
    writer = PoseTrackWriter(tmp_path / "p.json", info)
    writer.write(0, 0.0, TrackTable.empty(POSETRACK15), name="images/val/000342_mpii_test/000000.jpg")
    writer.close()
    content = json.loads((tmp_path / "p.json").read_text())
    assert content["images"][0]["file_name"] == "images/val/000342_mpii_test/000000.jpg"


def test_openpose(tmp_path, random_video, write_all, info):
    video = random_video(5, COCO17)
    write_all(OpenPoseWriter(tmp_path / "openpose", info), video)
    files = sorted((tmp_path / "openpose").iterdir())
    assert [path.name for path in files] == [f"match_{frame:012d}_keypoints.json" for frame, _, _ in video]
    for path, (_, _, rows) in zip(files, video, strict=True):
        content = json.loads(path.read_text())
        assert [person["person_id"] for person in content["people"]] == [[track] for track in rows.track_id.tolist()]
        for person, expected in zip(content["people"], to_body_25(rows), strict=True):
            np.testing.assert_allclose(np.reshape(person["pose_keypoints_2d"], (25, 3)), expected, atol=1e-4)


def test_body_25_is_by_name_and_missing_is_zero(random_video):
    _, _, rows = next(frame for frame in random_video(6, POSETRACK15, frames=40) if len(frame[2]) > 2)
    points = to_body_25(rows)
    for name in ("nose", "left_knee", "right_wrist"):
        xy, ours = points[:, BODY_25.index(name), :2], rows.shown_xy[:, POSETRACK15.index(name)]
        np.testing.assert_allclose(xy, np.nan_to_num(ours))
    hips = rows.shown_xy[:, [POSETRACK15.index("left_hip"), POSETRACK15.index("right_hip")]].mean(1)
    np.testing.assert_allclose(points[:, BODY_25.index("mid_hip"), :2], np.nan_to_num(hips))
    assert (points[:, BODY_25.index("left_eye")] == 0).all()


def parse_trc(path):
    lines = path.read_text().split("\n")
    assert lines[0].split("\t") == ["PathFileType", "4", "(X/Y/Z)", f"{path.name} (1 mm = 1 pixel)"]
    head = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    names = lines[3].split("\t")[2::3]
    body = [line.split("\t") for line in lines[6:-1]]
    assert lines[5] == ""
    assert all(len(cells) == 2 + 3 * len(names) for cells in body)
    values = np.array([[float(cell) if cell else np.nan for cell in cells] for cells in body])
    return head, [name for name in names if name], values


@settings(max_examples=20)
@given(seed=seeds, few=st.integers(1, 4), at_once=st.sampled_from([1, 7, 4096]))
def test_trc(tmp_path_factory, random_video, write_all, info, seed, few, at_once):
    folder = tmp_path_factory.mktemp("trc")
    video = []
    for frame, time_s, rows in random_video(seed, POSETRACK15, frames=30):
        _, first = np.unique(rows.track_id % few, return_index=True)
        rows = rows[first]
        video.append((frame, time_s, TrackTable(**{**vars(rows), "track_id": rows.track_id % few})))
    import dettrack.formats.trc as module

    before, module._LINES_AT_ONCE = module._LINES_AT_ONCE, at_once
    try:
        write_all(TrcWriter(folder, info), video)
    finally:
        module._LINES_AT_ONCE = before
    table = TrackTable.concatenate([rows for _, _, rows in video], POSETRACK15)
    assert {path.name for path in folder.iterdir()} == {f"person_{track:03d}.trc" for track in set(table.track_id)}
    for track in set(table.track_id.tolist()):
        rows = table[table.track_id == track]
        head, names, values = parse_trc(folder / f"person_{track:03d}.trc")
        assert names == [marker_name(joint) for joint in POSETRACK15.joints]
        assert head["Units"] == "mm"
        assert float(head["DataRate"]) == pytest.approx(29.97, abs=0.01)
        assert int(head["NumFrames"]) == len(values)
        np.testing.assert_array_equal(values[:, 0], np.arange(rows.frame[0], rows.frame[-1] + 1) + 1)
        assert (np.diff(values[:, 1]) > 0).all()
        at = rows.frame - rows.frame[0]
        np.testing.assert_allclose(values[at, 1], rows.time_s, atol=1e-6)
        xyz = values[:, 2:].reshape(len(values), -1, 3)
        np.testing.assert_allclose(xyz[at, :, 0], rows.shown_xy[..., 0], atol=1e-3)
        np.testing.assert_allclose(xyz[at, :, 1], 479 - rows.shown_xy[..., 1], atol=1e-3)
        assert np.isnan(xyz[np.setdiff1d(np.arange(len(values)), at)]).all()
