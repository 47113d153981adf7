"""Readers: every format becomes the same description; what is broken is said and left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from dettrack.errors import InputError
from dettrack.skeleton import COCO17, LSP14, MPII16, POSETRACK15, POSETRACK17
from dettrack.training.labels.people import save_people
from dettrack.training.labels.sets import read_set


def coco(path: Path, annotations: list[dict[str, object]], names: tuple[str, ...] = COCO17.joints) -> Path:
    content = {
        "images": [{"id": 5, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(names)}],
        "annotations": annotations,
    }
    path.write_text(json.dumps(content))
    return path


def person(image: int = 5, shift: float = 0.0, **changes: object) -> dict[str, object]:
    flat = [value for k in range(17) for value in (10 + k + shift, 20 + 2 * k, 2 if k else 0)]
    return {"id": 1, "image_id": image, "keypoints": flat, "bbox": [8, 18, 30, 50], "iscrowd": 0, **changes}


def test_coco_by_joint_names(tmp_path: Path) -> None:
    people, notes = read_set(coco(tmp_path / "c.json", [person(), person(9, 100)]), "coco", None, POSETRACK15)
    assert notes == []
    assert [Path(str(i)).name for i in people.images] == ["a.jpg", "b.jpg"]
    assert people.person_image.tolist() == [0, 1]
    np.testing.assert_allclose(people.boxes[0], [8, 18, 38, 68])
    wrist = COCO17.index("left_wrist")
    np.testing.assert_allclose(people.xy[0, POSETRACK15.index("left_wrist")], [10 + wrist, 20 + 2 * wrist])
    assert np.isnan(people.xy[:, POSETRACK15.index("nose")]).all()  # not annotated: v = 0
    assert (people.weight[:, POSETRACK15.index("head_top")] == 0).all()  # COCO has none
    assert len(set(people.track.tolist())) == 2


def test_coco_images_may_be_frames_of_videos(tmp_path: Path) -> None:
    """`vid_id` and `frame_id` make tubes; the same `track_id` in another video is somebody else."""
    path = coco(tmp_path / "c.json", [person(track_id=0), person(9, 100, track_id=0), person(9, 50)])
    content = json.loads(path.read_text())
    for image, (video, frame) in zip(content["images"], (("walk", 7), ("run", 3)), strict=True):
        image.update(vid_id=video, frame_id=frame)
    content["images"].append({"id": 11, "file_name": "still.jpg"})
    path.write_text(json.dumps(content))
    people, notes = read_set(path, "coco", None, POSETRACK15)
    assert notes == []
    assert people.video.tolist() == [1, 0, -1]
    assert people.frame.tolist() == [7, 3, 0]
    assert len(set(people.track.tolist())) == 3


def test_any_list_of_joints_in_coco_format(tmp_path: Path) -> None:
    names = ("Right Ankle", "neck", "top_head", "tail")
    entry = {"id": 1, "image_id": 5, "keypoints": [1, 9, 2, 3, 4, 1, 5, 1, 2, 7, 7, 2]}
    people, _ = read_set(coco(tmp_path / "c.json", [entry], names), "coco", None, POSETRACK15)
    np.testing.assert_allclose(people.xy[0, POSETRACK15.index("right_ankle")], [1, 9])
    np.testing.assert_allclose(people.xy[0, POSETRACK15.index("head_bottom")], [3, 4])
    np.testing.assert_allclose(people.xy[0, POSETRACK15.index("head_top")], [5, 1])
    np.testing.assert_allclose(people.boxes[0], [1, 1, 5, 9])  # no bbox: from the joints that we know
    assert people.weight[0].sum() == 3


def test_broken_annotations_are_named_and_left_out(tmp_path: Path) -> None:
    broken = [
        person(id=2, image_id=77),
        person(id=3, keypoints=[1, 2, 2]),
        person(id=4, bbox=[8, 18, 0, 50]),
        person(id=5, keypoints=[float("nan")] * 51),
        person(id=6, iscrowd=1),
    ]
    people, notes = read_set(coco(tmp_path / "c.json", [person(), *broken]), "coco", None, POSETRACK15)
    assert len(people) == 1
    assert len(notes) == 4
    for note, says in zip(notes, ("no such image", "3 keypoint numbers", "no area", "51 finite"), strict=True):
        assert says in note
    assert "annotation 3" in notes[1]


def test_mpii_and_lsp(tmp_path: Path) -> None:
    xy = np.arange(32.0).reshape(16, 2) + 5
    seen = [0] + [1] * 15
    (tmp_path / "m.json").write_text(
        json.dumps([{"image": "x.jpg", "joints": xy.tolist(), "joints_vis": seen}, {"image": "x.jpg"}])
    )
    people, notes = read_set(tmp_path / "m.json", "mpii", None, POSETRACK15)
    assert len(people) == 1
    assert len(people.images) == 1
    assert "KeyError" in notes[0]
    np.testing.assert_allclose(people.xy[0, POSETRACK15.index("head_top")], xy[MPII16.index("head_top")])
    assert np.isnan(people.xy[0, POSETRACK15.index("right_ankle")]).all()

    table = np.zeros((14, 3, 3))
    table[:, :2] = np.arange(28.0).reshape(14, 2)[:, :, None]
    table[1:, 2] = 1
    savemat(tmp_path / "joints.mat", {"joints": table})
    (tmp_path / "images").mkdir()
    for number in (1, 3, 9):
        (tmp_path / "images" / f"im{number:05d}.jpg").write_bytes(b"x")
    people, notes = read_set(tmp_path / "joints.mat", "lsp", None, POSETRACK15)
    assert [Path(str(i)).name for i in people.images] == ["im00001.jpg", "im00003.jpg"]
    assert notes == ["im00009.jpg: no joints for this image"]
    np.testing.assert_allclose(people.xy[1, POSETRACK15.index("left_wrist")], table[LSP14.index("left_wrist"), :2, 2])
    assert people.weight[0, POSETRACK15.index("right_ankle")] == 0


def posetrack18(path: Path, labelled: tuple[bool, ...], frames: tuple[int, ...]) -> None:
    images = [
        {"id": 100 + i, "file_name": f"images/val/1/{i:06d}.jpg", "is_labeled": flag, "vid_id": "1", "nframes": 3}
        for i, flag in enumerate(labelled)
    ]
    flat = [value for k in range(17) for value in (10.0 + k, 20.0 + k, 1)]
    annotations = [
        {"id": i, "image_id": 100 + frame, "track_id": 4, "keypoints": flat, "bbox": [1, 1, 9, 9], "category_id": 1}
        for i, frame in enumerate(frames)
    ]
    category = {"id": 1, "name": "person", "keypoints": list(POSETRACK17.joints)}
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))


def test_posetrack_keeps_videos_whole(tmp_path: Path) -> None:
    """Unlabelled frames are listed, because tubes need their pixels."""
    posetrack18(tmp_path / "a.json", (True, False, True), (0, 2))
    posetrack18(tmp_path / "b.json", (True, True), (0,))
    people, notes = read_set(tmp_path, "posetrack", tmp_path / "frames", POSETRACK15)
    assert notes == []
    assert people.video.tolist() == [0, 0, 0, 1, 1]
    assert people.frame.tolist() == [0, 1, 2, 0, 1]
    assert people.labelled.tolist() == [True, False, True, True, True]
    assert people.track[0] == people.track[1] != people.track[2]
    assert people.images[0] == tmp_path / "frames" / "images/val/1/000000.jpg"
    np.testing.assert_allclose(people.boxes[0], [10, 20, 26, 36])  # from the joints, not the file's box
    (tmp_path / "c.json").write_text("{")
    people, notes = read_set(tmp_path, "posetrack", None, POSETRACK15)
    assert len(people) == 3
    assert "sequence left out" in notes[0]


def test_packs_and_refusals(tmp_path: Path) -> None:
    people, _ = read_set(coco(tmp_path / "c.json", [person()]), "coco", None, POSETRACK15)
    (tmp_path / "a.jpg").write_bytes(b"1")
    (tmp_path / "b.jpg").write_bytes(b"2")
    save_people(people, tmp_path / "p.npz")
    packed, notes = read_set(tmp_path / "p.npz", "pack", None, POSETRACK15)
    assert notes == []
    assert list(packed.images) == [b"1", b"2"]
    with pytest.raises(InputError, match="pack it again"):
        read_set(tmp_path / "p.npz", "pack", None, COCO17)
    with pytest.raises(InputError, match="unknown format 'voc'"):
        read_set(tmp_path / "p.npz", "voc", None, COCO17)
    (tmp_path / "list.json").write_text("[]")
    for format in ("coco", "posetrack"):
        with pytest.raises(InputError, match=r"list\.json"):
            read_set(tmp_path / "list.json", format, None, POSETRACK15)


@pytest.mark.data
def test_the_samples_of_seven_real_sets(annotated: Path) -> None:
    root = annotated / "mmpose_tests"
    expected = {
        "coco/test_coco.json": ("coco", 12),
        "crowdpose/test_crowdpose.json": ("coco", 4),
        "ochuman/test_ochuman.json": ("coco", 5),
        "aic/test_aic.json": ("coco", 9),
        "mpii/test_mpii.json": ("mpii", 5),
        "posetrack18/annotations/val": ("posetrack", 14),
    }
    for name, (format, count) in expected.items():
        images = root / "posetrack18" if format == "posetrack" else None
        people, notes = read_set(root / name, format, images, POSETRACK15)
        assert (len(people), notes) == (count, []), name
        assert all(Path(str(image)).is_file() for image in people.images)
    people, _ = read_set(annotated / "lspet_subset" / "joints.mat", "lsp", None, POSETRACK15)
    assert len(people) == 5138
