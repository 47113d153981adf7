"""Boxes, settings and training data that people and other programs write."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from reader import Reader, text, within
from sample_videos import numbered

from dettrack.config import load_config
from dettrack.evaluation.boxes import read_detections
from dettrack.files.toml import read_joint_thresholds, read_toml
from dettrack.formats.mat import load_mat
from dettrack.models.detector.file_boxes import FileBoxes
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.training.detector.coco import coco_people
from dettrack.training.detector.photos import PERSON, PhotoPack
from dettrack.training.detector.run import detector_recipe
from dettrack.training.labels.harmony4d import read_poses
from dettrack.training.labels.known_people import read_known
from dettrack.training.labels.people import PeopleSet, load_people, save_people
from dettrack.training.labels.sets import read_set
from dettrack.training.pose.recipe import stages

_BOXES = [{"image_id": i, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5} for i in range(3)]
_COCO = {
    "images": [{"id": i, "file_name": f"frame_{i:06d}.png"} for i in range(3)],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": _BOXES,
}
_KEYPOINTS = {
    "images": [{"id": 5, "file_name": "a.png", "width": 48, "height": 36, "vid_id": "v", "frame_id": 0}],
    "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}],
    "annotations": [
        {"id": 1, "image_id": 5, "category_id": 1, "iscrowd": 0, "track_id": 2, "bbox": [1, 2, 30, 30]}
        | {"keypoints": [v for i in range(17) for v in (i + 1, i + 3, 2)]}
    ],
}
_MPII = [{"image": "a.png", "joints": [[i, i + 1] for i in range(16)], "joints_vis": [1] * 16}]
_MOT = "".join(f"{frame},{i},10,20,30,40,0.9,1,1\n" for frame in range(1, 4) for i in range(2))
_CONFIG = '[cut]\nclip_length = 9\nstep = 4\n[detect]\ndetector_threshold = 0.3\n[finish]\nsmooth = "none"\n'
_THRESHOLDS = "[thresholds]\n" + "".join(f"{joint} = 0.4\n" for joint in POSETRACK15.joints)
_POSE = """
sizes = [[256, 192], [128, 96]]
[network]
architecture = "lite"
width = 8
[[data]]
path = "a.npz"
share = 0.5
[loop]
steps = 100
lr = 1e-3
[[stage]]
name = "one"
[[stage]]
name = "two"
epochs = 2.5
start.stage = "one"
"""
_DETECTOR = (
    '[detector]\nphotos = "a.npz"\nsizes = [[320, 320]]\nsize_shares = [1.0]\n[detector.spec]\nwidth = 96\n'
    "[detector.sources]\nlsp = 0.5\n[loop]\nsteps = 100\nbatch = 8\n"
)


def _people(folder: Path) -> list[Path]:
    joints = len(POSETRACK15)
    people = PeopleSet(
        POSETRACK15,
        [cv2.imencode(".png", numbered(0, 48, 36))[1].tobytes()],
        video=np.full(1, -1),
        frame=np.zeros(1, np.int64),
        labelled=np.ones(1, bool),
        person_image=np.zeros(1, np.int64),
        track=np.zeros(1, np.int64),
        boxes=np.array([[1.0, 2, 30, 40]]),
        xy=np.ones((1, joints, 2)),
        height=np.ones((1, joints)),
        weight=np.ones((1, joints)),
    )
    save_people(people, folder / "people.npz")
    return [folder / "people.npz"]


def _photos(folder: Path) -> list[Path]:
    coded = cv2.imencode(".jpg", numbered(0, 48, 36))[1].tobytes()
    one = (coded, (36, 48), np.array([[1.0, 2, 20, 30]]), np.array([PERSON]))
    PhotoPack.gather([("a/1", *one), ("a/2", *one)]).save(folder / "photos.npz")
    return [folder / "photos.npz"]


def _read_photos(path: Path) -> object:
    pack = PhotoPack.load(path)
    return [pack.photo(i) for i in range(len(pack))], pack.entries()


def _mat(folder: Path) -> list[Path]:
    from scipy.io import savemat

    savemat(folder / "joints.mat", {"joints": np.ones((14, 3, 4)), "annolist": np.array([{"a": 1}], object)})
    return [folder / "joints.mat"]


def _pictured(folder: Path) -> None:
    cv2.imwrite(str(folder / "a.png"), numbered(0, 48, 36))
    (folder / "coco.json").write_text(json.dumps(_KEYPOINTS))


def _harmony(folder: Path) -> list[Path]:
    np.save(folder / "a.npy", {"aria01": np.ones((17, 3)), "aria02": np.ones((17, 3))}, allow_pickle=True)
    return [folder / "a.npy"]


READERS = {
    "boxes": Reader(text("a.json", json.dumps(_COCO), json.dumps(_BOXES)), FileBoxes),
    "mot": Reader(text("a.txt", _MOT), FileBoxes),
    "detections": Reader(text("a.json", json.dumps(_BOXES)), read_detections),
    "config": Reader(text("a.toml", _CONFIG), load_config),
    "thresholds": Reader(text("a.toml", _THRESHOLDS), lambda path: read_joint_thresholds(path, POSETRACK15.joints)),
    "pose_recipe": Reader(text("a.toml", _POSE), lambda path: stages(read_toml(path), str(path))),
    "detector_recipe": Reader(text("a.toml", _DETECTOR), lambda path: detector_recipe(read_toml(path), str(path))),
    "people": Reader(_people, load_people),
    "photos": Reader(_photos, _read_photos),
    "coco_set": Reader(text("a.json", json.dumps(_KEYPOINTS)), lambda path: read_set(path, "coco", None, POSETRACK15)),
    "coco_people": Reader(text("a.json", json.dumps(_KEYPOINTS)), lambda path: coco_people(path, path.parent)),
    "known_people": within(_pictured, "coco.json", lambda folder: list(read_known(folder / "coco.json", folder))),
    "mpii": Reader(text("a.json", json.dumps(_MPII)), lambda path: read_set(path, "mpii", None, POSETRACK15)),
    "mat": Reader(_mat, lambda path: load_mat(path, "joints")),
    "harmony4d": Reader(_harmony, read_poses),
}
