"""Formats of annotation tools and pose programs, written and read; and what those programs themselves write."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from test_exports import INFO, folder, out, result  # noqa: F401 (fixtures)

from dettrack.errors import DettrackError, InputError
from dettrack.formats import read_tracks
from dettrack.formats.exports import export
from dettrack.formats.people import canonical
from dettrack.formats.read import read_result
from dettrack.formats.result import Result
from dettrack.skeleton import COCO17, POSETRACK15


def assert_same_poses(found, expected, atol: float) -> None:
    """The joints that both have, by name; ids, frames and what is missing."""
    np.testing.assert_array_equal(found.track_id, expected.track_id)
    np.testing.assert_array_equal(found.frame, expected.frame)
    common = [joint for joint in expected.joint_set.joints if joint in found.joint_set.joints]
    common = [joint for joint in common if np.isfinite(found.joint(joint)).any()]  # OpenPose has no such neck
    assert len(common) >= 12
    for joint in common:
        xy = expected.shown_xy[:, expected.joint_set.index(joint)]
        np.testing.assert_allclose(found.xy[:, found.joint_set.index(joint)], xy, atol=atol)


@pytest.mark.parametrize(
    ("name", "atol"),
    [("cvat", 0.0051), ("coco", 6e-4), ("posetrack18", 6e-4), ("openpose", 6e-5), ("sleap", 1e-9)],
)
def test_what_we_write_for_others_is_read_again(result: Result, out: Path, name: str, atol: float) -> None:  # noqa: F811
    if name == "sleap":
        pytest.importorskip("sleap_io")
    (path,) = export(result, [name], out)
    again = read_result(path)
    assert_same_poses(again.table, result.table, atol)
    assert len(again.times) >= result.table.frame.max() + 1


def test_cvat_as_its_importer_reads_it(result: Result, out: Path) -> None:  # noqa: F811
    """The attributes that CVAT's loader asks for, by the standard library's parser."""
    (path,) = export(result, ["cvat"], out)
    root = ElementTree.parse(path).getroot()
    labels = [label.findtext("name") for label in root.iter("label")]
    assert labels == ["person", *POSETRACK15.joints]
    assert root.findtext(".//task/size") == "42"
    for track, person in zip(root.iter("track"), result.tracks.tolist(), strict=True):
        rows = result.of(person)
        assert int(track.attrib["group_id"]) == person + 1
        poses = {int(s.attrib["frame"]): s for s in track.iter("skeleton") if s.attrib["keyframe"] == "1"}
        inside = {
            frame: [p for p in skeleton.iter("points") if p.attrib["outside"] == "0"]
            for frame, skeleton in poses.items()
        }
        assert [frame for frame, points in inside.items() if points] == rows.frame.tolist()
        ends = set((rows.frame + 1).tolist()) - set(rows.frame.tolist()) - {42}
        assert {frame for frame, points in inside.items() if not points} == ends
        for frame, xy in zip(rows.frame.tolist(), rows.xy_smooth, strict=True):
            found = {p.attrib["label"]: p.attrib["points"] for p in inside[frame]}
            assert set(found) == {j for j, p in zip(POSETRACK15.joints, xy, strict=True) if np.isfinite(p[0])}
            for joint, text in found.items():
                np.testing.assert_allclose(
                    [float(n) for n in text.split(",")], xy[POSETRACK15.index(joint)], atol=0.0051
                )


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><job><size>4</size>
<original_size><width>320</width><height>180</height></original_size></job></meta>
<track id="0" label="player" source="manual">{first}</track>
<track id="1" label="player" group_id="8" source="manual">{second}</track>
<track id="2" label="player" group_id="8" source="manual">{third}</track>
<track id="3" label="ball"><box frame="0" keyframe="1" outside="0" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4"/>
</track>
</annotations>"""


def skeleton(frame: int, x: float, outside: str = "") -> str:
    joints = ("nose", "LShoulder", "RShoulder", "left hip", "r_hip", "left_knee", "right_knee")
    points = "".join(
        f'<points label="{joint}" outside="{int(joint == outside)}" keyframe="1" occluded="0" points="{x + i},{i}"/>'
        for i, joint in enumerate(joints)
    )
    return f'<skeleton frame="{frame}" keyframe="1" z_order="0">{points}</skeleton>'


def test_cvat_files_of_people(tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    parts = {
        "first": skeleton(0, 10) + skeleton(1, 11, "LShoulder"),
        "second": skeleton(0, 100) + skeleton(2, 102),
        "third": skeleton(2, 200),  # the same group twice in a frame: two people
    }
    path.write_text(CVAT.format(**parts))
    again = read_result(path)
    assert (again.info.width, again.info.height, len(again.times)) == (320, 180, 4)
    assert again.table.frame.tolist() == [0, 0, 1, 2, 2]
    assert again.table.track_id.tolist() == [7, 8, 8, 7, 9]
    shoulder = again.table.joint("left_shoulder")
    assert shoulder[:2].tolist() == [[101, 1], [11, 1]]
    assert np.isnan(shoulder[2]).all()
    for wrong in ("", "<annotations/>", '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', path.read_text()[:300]):
        path.write_text(wrong)
        with pytest.raises(InputError, match=r"annotations\.xml"):
            read_tracks(path)


def test_npz_by_numpy(result: Result, out: Path) -> None:  # noqa: F811
    (path,) = export(result, ["npz"], out)
    data = np.load(path)
    table = result.table
    table = table[np.lexsort((table.frame, table.track_id))]
    np.testing.assert_array_equal(data["track_id"], table.track_id)
    assert data["joints"].tolist() == list(COCO17.joints)
    knee = data["keypoints"][:, COCO17.index("left_knee")]
    expected = table.xy_smooth[:, POSETRACK15.index("left_knee")]
    np.testing.assert_allclose(knee[:, :2], np.nan_to_num(expected), rtol=1e-6)
    assert (data["keypoints"][:, COCO17.index("left_eye")] == 0).all()
    assert json.loads(str(data["video"]))["fps"] == "25"
    np.testing.assert_allclose(data["bbox"], table.box, rtol=1e-6)


def test_label_studio_by_json(result: Result, out: Path) -> None:  # noqa: F811
    (path,) = export(result, ["label-studio"], out)
    (task,) = json.loads(path.read_text())
    found = task["predictions"][0]["result"]
    assert [entry["value"]["labels"] for entry in found] == [[result.name_of(t)] for t in result.tracks.tolist()]
    for entry, track in zip(found, result.tracks.tolist(), strict=True):
        rows, sequence = result.of(track), entry["value"]["sequence"]
        assert [each["frame"] - 1 for each in sequence] == rows.frame.tolist()
        left = np.array([each["x"] for each in sequence]) * INFO.width / 100
        np.testing.assert_allclose(left, rows.box[:, 0], atol=0.001)
        off = [rows.frame[i] for i, each in enumerate(sequence) if not each["enabled"]]
        assert off == [frame for frame in rows.frame.tolist() if frame + 1 not in rows.frame.tolist()]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_sleap_and_nwb_by_sleap_io(result: Result, out: Path) -> None:  # noqa: F811
    sio = pytest.importorskip("sleap_io")
    slp, nwb = export(result, ["sleap", "nwb"], out)
    labels = sio.load_slp(str(slp), open_videos=False)
    assert [track.name for track in labels.tracks] == ["person 2", "Ann [7] x (5)", "person 9"]
    points = {
        (frame.frame_idx, instance.track.name): instance.numpy()
        for frame in labels.labeled_frames
        for instance in frame.instances
    }
    names = dict(zip(result.tracks.tolist(), [track.name for track in labels.tracks], strict=True))
    table = result.table
    for i in range(len(table)):
        np.testing.assert_allclose(points[table.frame[i], names[int(table.track_id[i])]], table.xy_smooth[i])
    assert len(sio.load_nwb(str(nwb)).labeled_frames) == len(labels.labeled_frames)


def test_coco_without_ids_is_linked(tmp_path: Path) -> None:
    """Two people who walk side by side, listed in changing order."""
    rng = np.random.default_rng(0)
    shape = rng.uniform(0, 80, (17, 2))
    annotations = []
    for frame in range(6):
        people = [shape + np.array([x + 3 * frame, 50]) for x in (100, 300)]
        for person in people if frame % 2 else people[::-1]:
            points = np.c_[person, np.full(17, 2)].ravel().tolist()
            annotations.append({"id": len(annotations), "image_id": 5 - frame, "keypoints": points, "category_id": 1})
    images = [{"id": 5 - i, "file_name": f"frame_{i:03d}.png", "width": 640, "height": 480} for i in range(6)]
    path = tmp_path / "person_keypoints.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    table = read_tracks(path)
    assert table.joint_set == COCO17
    for rows in table.by_person().values():
        assert len(rows) == 6
        np.testing.assert_allclose(np.diff(rows.joint("nose"), axis=0), np.tile([3, 0], (5, 1)))
    path.write_text(json.dumps([{**entry, "score": 0.5} for entry in annotations]))
    assert len(read_tracks(path)) == 12


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LKnee", "left_knee"),
        ("RBigToe", "right_big_toe"),
        ("left knee", "left_knee"),
        ("r_hip", "right_hip"),
        ("Left-Ankle", "left_ankle"),
        ("Head", "head_top"),
        ("neck", "head_bottom"),
        ("nose", "nose"),
    ],
)
def test_names_of_joints(name: str, expected: str) -> None:
    assert canonical(name) == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "[]"),
        ("a.json", '{"annotations": [{"image_id": 1, "keypoints": [1, 2]}]}'),
        ("a.json", '{"annotations": [{"image_id": -4, "keypoints": [1, 2, 2]}]}'),
        ("a.json", '{"annotations": 7}'),
        ("a.json", '"text"'),
        ("a.json", '[{"image_id": 1e400, "keypoints": [' + "1," * 50 + "1]}]"),
        ("a.slp", "no HDF5"),
        ("a.docx", "?"),
        ("x_000000000000_keypoints.json", '{"people": [{"pose_keypoints_2d": [1, 2]}]}'),
    ],
)
def test_wrong_files_are_one_line(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DettrackError) as error:
        read_tracks(tmp_path if name.startswith("x_") else path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value) or str(tmp_path) in str(error.value)
