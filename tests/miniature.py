"""PoseTrack 2017, 2018 and 2021 in miniature: their official layouts, drawn people, a few frames.

As in the real sets there are frames without annotation at the ends of a video, ignore regions with somebody in them
who is not annotated, people who leave, people of whom a wrist is all that is annotated, and a test split whose files
list images only.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.files import sequence_files, write_sequence
from dettrack.formats.posetrack.sequence import Format
from dettrack.formats.posetrack.year2018 import image_id
from dettrack.skeleton import POSETRACK15, POSETRACK17

WIDTH, HEIGHT, FRAMES, TALL = 240, 160, 8, 110
UNLABELLED = (0, FRAMES - 1)
LEAVES = 5
"""Frame from which the second person is gone."""
WRIST_ONLY = 4
"""Frame in which a wrist is all that is annotated of the first person."""

RECIPE = """
[network]
architecture = "lite"
width = 8
size = [64, 64]
[loop]
steps = 2
batch = 4
device = "cpu"
[[data]]
path = "set/annotations/train"
format = "posetrack"
images = "set"
[[stage]]
name = "2d"
network = { variant = "none", clip_length = 1 }
[[stage]]
name = "early"
network = { variant = "early", clip_length = 3 }
"""
HELD_OUT = """
[[held_out]]
path = "set/annotations/val"
format = "posetrack"
images = "set"
name = "val"
every = 3
"""
"""A training on the folder `set` of these, in two stages; with `HELD_OUT` behind it, validated."""

_VIDEOS = {
    "train": ("000101_bonn_train", "000102_mpii_train", "000103_mpiinew_train", "000104_mpii_train"),
    "val": ("000201_mpii_test", "000202_bonn_test"),
    "test": ("000301_mpii_test",),
}
_FOLDERS_17 = {"train": "bonn_mpii_train_5sec", "val": "bonn_mpii_val_5sec", "test": "bonn_mpii_test_5sec"}

# A standing person who faces us, in shares of the height: left is to the right.
_BODY = {
    "nose": (0.0, 0.08), "head_bottom": (0.0, 0.18), "head_top": (0.0, 0.0), "ear": (0.04, 0.07),
    "shoulder": (0.12, 0.2), "elbow": (0.17, 0.36), "wrist": (0.19, 0.5),
    "hip": (0.08, 0.52), "knee": (0.09, 0.76), "ankle": (0.09, 1.0),
}  # fmt: skip


def body(x: float, y: float) -> np.ndarray:
    """Joints `(15, 2)` of PoseTrack."""
    places = []
    for joint in POSETRACK15.joints:
        dx, dy = _BODY[joint if joint in _BODY else joint.rpartition("_")[2]]
        places.append((x + (-1 if joint.startswith("right_") else 1) * dx * TALL, y + dy * TALL))
    return np.array(places)


def draw(poses: list[np.ndarray], seed: int) -> np.ndarray:
    """A grainy picture, with a limb-coloured dot for each joint."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(60, 120, (HEIGHT // 8, WIDTH // 8, 3), np.uint8), (WIDTH, HEIGHT))
    for pose in poses:
        for number, (x, y) in enumerate(pose):
            cv2.circle(image, (round(x), round(y)), 5, (60 + 13 * number, 255 - 15 * number, 30 * (number % 8)), -1)
    return image


def _head(xy: np.ndarray) -> list[float]:
    low, high = xy[:3].min(0), xy[:3].max(0)  # nose, neck and top of the head
    return [low[0] - 8, low[1], high[0] + 8, high[1]]


def _file_name(year: int, split: str, name: str, frame: int) -> str:
    if year == 17:
        return f"images/{_FOLDERS_17[split]}/{name.rpartition('_')[0]}/{frame + 1:08d}.jpg"
    return f"images/{split}/{name}/{frame:06d}.jpg"


def _sequence(root: Path, year: int, split: str, name: str, seed: int) -> PoseSequence:
    joints = POSETRACK15 if year == 17 else POSETRACK17
    columns = [joints.index(joint) for joint in POSETRACK15.joints]
    images, owner, track, places, heads = [], [], [], [], []
    corner = np.array([[0.0, 120.0], [36.0, 120.0], [36.0, 159.0], [0.0, 159.0]])
    for frame in range(FRAMES):
        poses = [body(60 + 4 * frame, 25 + 3 * (seed % 3)), body(190 - 4 * frame, 20)]
        poses = poses[: 1 if frame >= LEAVES else 2]
        path = root / _file_name(year, split, name, frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        crowd = body(18, 130)  # somebody nobody annotated
        cv2.imwrite(str(path), draw([*poses, crowd], 100 * seed + frame)[..., ::-1])
        labelled = frame not in UNLABELLED
        images.append(
            ImageInfo(
                _file_name(year, split, name, frame),
                image_id(name, frame),
                is_labeled=labelled,
                has_labeled_person=labelled if year == 21 else None,
                ignore_regions=(corner,) if labelled else (),
                imgnum=frame + 1 if year == 17 else None,
            )
        )
        for who, pose in enumerate(poses if labelled else []):
            xy = np.full((len(joints), 2), np.nan)
            xy[columns] = pose
            heads.append(_head(pose))
            if frame == WRIST_ONLY and who == 0:
                xy[[i for i in range(len(joints)) if i != joints.index("left_wrist")]] = np.nan
            owner.append(frame)
            track.append(who)
            places.append(xy)
    xy = np.array(places)
    boxes = np.concatenate([np.nanmin(xy, 1) - 6, np.nanmax(xy, 1) + 6], 1)
    people = People.build(
        owner,
        xy,
        track_id=track,
        head_box=heads,
        visible=np.where(np.isnan(xy[..., 0]), np.nan, 1.0),
        **({} if year == 17 else {"box": boxes}),
        **({"person_id": [100 * seed + t for t in track]} if year == 21 else {}),
    )
    kind: Format = "posetrack17" if year == 17 else "posetrack18" if year == 18 else "posetrack21"
    stem = f"{name.rpartition('_')[0]}_relpath_5sec_{split}sub" if year == 17 else name
    number = name.partition("_")[0]
    return PoseSequence(stem, kind, joints, tuple(images), people, vid_id=number, nframes=FRAMES)


def write_posetrack(root: Path, year: int) -> Path:
    """A data set in its official layout.

    Args:
        root: Folder that image names start from; made.
        year: 17, 18 or 21.

    Returns:
        The folder of the splits' annotations.
    """
    annotations = root / ("posetrack_data" if year == 21 else "annotations")
    for split, names in _VIDEOS.items():
        if year == 21 and split == "test":  # its test split was never given out
            continue
        for number, name in enumerate(names):
            sequence = _sequence(root, year, split, name, 10 * len(split) + number)
            path = annotations / split / f"{sequence.name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            if split == "test":
                blank = tuple(replace(one, is_labeled=None, ignore_regions=()) for one in sequence.images)
                sequence = replace(sequence, people=sequence.people[:0], images=blank)
            if year == 17 and split != "test":  # annotations come as .mat
                write_sequence(sequence, path.with_suffix(".mat"))
                continue
            write_sequence(sequence, path)
            if year == 18 and split == "test":
                content = json.loads(path.read_text())
                path.write_text(json.dumps({"images": content["images"]}))
    return annotations


def write_detections(path: Path, folders: list[Path], by: str = "id", only: str = "") -> Path:
    """Boxes of everybody who is drawn, in frames with and without annotation, as a detector would write them.

    Args:
        path: The file.
        folders: Of annotations.
        by: "id": PoseTrack18's image ids; "name": an images list with names.
        only: Name of the one sequence that is in the file; "" for all.

    Returns:
        The file.
    """
    from dettrack.formats.posetrack.files import read_image_list

    images, entries = [], []
    for folder in folders:
        for file in sequence_files(folder):
            sequence = read_image_list(file)
            if only and sequence.name != only:
                continue
            seed = _seed_of(sequence.name)
            for frame, info in enumerate(sequence.images):
                number = image_id(sequence.name, frame)
                images.append({"id": len(images), "file_name": info.file_name})
                poses = [body(60 + 4 * frame, 25 + 3 * (seed % 3)), body(190 - 4 * frame, 20)]
                for k, pose in enumerate(poses[: 1 if frame >= LEAVES else 2]):
                    low, high = pose.min(0) - 4, pose.max(0) + 4
                    entries.append(
                        {
                            "image_id": number if by == "id" else images[-1]["id"],
                            "category_id": 1,
                            "bbox": [*low.tolist(), *(high - low).tolist()],
                            "score": 0.9 - 0.1 * k,
                        }
                    )
    content = entries if by == "id" else {"images": images, "annotations": entries}
    path.write_text(json.dumps(content))
    return path


def _seed_of(name: str) -> int:
    number = name.partition("_")[0]
    return next(
        10 * len(split) + i
        for split, names in _VIDEOS.items()
        for i, one in enumerate(names)
        if one.startswith(f"{number}_")
    )
