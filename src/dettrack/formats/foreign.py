"""Poses that other programs wrote, as rows: so that they can be viewed, corrected, exported and evaluated like ours.

| file | made by |
|---|---|
| folder of `*_keypoints.json` | OpenPose and what writes like it |
| `.json` with `images` and `annotations`, or a list of results | COCO key points |
| `.json` of PoseTrack, `.mat` | PoseTrack17, 18, 21 |
| `.xml` | CVAT for video 1.1 |
| `.slp` | SLEAP |

Joints are recognised by name. Where a file has no ids, poses that are alike in neighbouring frames get one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from dettrack.errors import InputError
from dettrack.files import load_json, parsing
from dettrack.formats.openpose import BODY_25
from dettrack.formats.people import People
from dettrack.skeleton import COCO17
from dettrack.structures import FrameTimes, TrackTable, VideoInfo

__all__ = ["read_foreign"]

_Read = tuple[TrackTable, FrameTimes, VideoInfo]


def read_foreign(path: Path) -> _Read:
    """Rows, frames and video of a file that is recognised by its ending and content.

    Raises:
        InputError: It is of no known kind, or cannot be read.
    """
    if path.is_dir():
        return _openpose(path)
    if path.suffix == ".xml":
        from dettrack.formats.cvat import read_cvat

        return read_cvat(path)
    if path.suffix == ".slp":
        from dettrack.formats.sleap import read_slp

        return read_slp(path)
    if path.suffix == ".mat":
        return _posetrack(path)
    if path.suffix == ".json":
        content = load_json(path)
        posetrack = isinstance(content, dict) and ("annolist" in content or _posetrack_ids(content))
        return _posetrack(path) if posetrack else _coco(path, content)
    raise InputError(
        f"{path}: unknown kind of poses; expected .parquet, .jsonl or .csv of dettrack, .json of COCO or PoseTrack, "
        ".xml of CVAT, .slp of SLEAP, or a folder of OpenPose's files"
    )


def _posetrack_ids(content: dict[str, Any]) -> bool:
    images = content.get("images")
    first = images[0] if isinstance(images, list) and images else None
    return isinstance(first, dict) and isinstance(first.get("id"), int) and first["id"] >= 10**10


def _posetrack(path: Path) -> _Read:
    from dettrack.formats.posetrack.files import read_sequence

    sequence = read_sequence(path)
    people, out = sequence.people, People(path)
    for row in range(len(people)):
        points = {
            name: (float(x), float(y), 1.0 if np.isnan(score) else float(score))
            for name, (x, y), score in zip(sequence.joint_set.joints, people.xy[row], people.scores[row], strict=True)
            if np.isfinite(x)
        }
        track = int(people.track_id[row])
        if points:
            score = float(people.score[row])
            out.add(
                int(people.image[row]), track if track >= 0 else None, points, score=1.0 if np.isnan(score) else score
            )
    return out.result(sequence.name, 0, 0, len(sequence))


def _coco(path: Path, content: Any) -> _Read:
    out = People(path)
    with parsing(f"{path}", "COCO key points: an object with images and annotations, or a list of results"):
        listed = isinstance(content, list)
        annotations = content if listed else content["annotations"]
        images = [] if listed else content.get("images", [])
        names = COCO17.joints if listed else _coco_joints(content)
        places = _coco_frames(images)
        for entry in annotations:
            if not entry.get("keypoints"):
                continue
            frame = places[entry["image_id"]] if places else int(entry["image_id"])
            triplets = np.array(entry["keypoints"], float).reshape(-1, 3)
            scores = entry.get("keypoint_scores") or (triplets[:, 2] if listed else [1.0] * len(triplets))
            points = {
                name: (float(x), float(y), float(s))
                for name, (x, y, v), s in zip(names, triplets, scores, strict=True)
                if v > 0
            }
            box = entry.get("bbox")
            corners = None if not box else (box[0], box[1], box[0] + box[2], box[1] + box[3])
            if points:
                track = entry.get("track_id")
                out.add(
                    frame, None if track is None else int(track), points, score=entry.get("score", 1.0), box=corners
                )
        for image in images:
            if isinstance(image.get("time_s"), int | float):
                out.times[places[image["id"]]] = float(image["time_s"])
        width, height = ((images[0].get(key) or 0) for key in ("width", "height")) if images else (0, 0)
        return out.result(path.stem, int(width), int(height), len(images) or None)


def _coco_joints(content: dict[str, Any]) -> tuple[str, ...]:
    people = [entry for entry in content.get("categories", []) if entry.get("keypoints")]
    return tuple(people[0]["keypoints"]) if people else COCO17.joints


def _coco_frames(images: list[dict[str, Any]]) -> dict[Any, int]:
    """Frame index of each image: its `frame_index`, else its place in the order of the file names."""
    if all(isinstance(image.get("frame_index"), int) for image in images):
        return {image["id"]: image["frame_index"] for image in images}
    ordered = sorted(images, key=lambda image: str(image.get("file_name", image["id"])))
    return {image["id"]: i for i, image in enumerate(ordered)}


def _openpose(folder: Path) -> _Read:
    files = sorted(folder.glob("*_keypoints.json"))
    if not files:
        raise InputError(f"{folder}: no *_keypoints.json in it; expected a folder that OpenPose wrote")
    out, name = People(folder), folder.name
    for number, path in enumerate(files):
        content = load_json(path)
        with parsing(f"{path}", "the key points of one frame as OpenPose writes them"):
            found = re.fullmatch(r"(.*?)_?(\d+)_keypoints", path.stem)
            frame = int(found[2]) if found else number
            name = found[1] or name if found else name
            for person in content["people"]:
                triplets = np.array(person["pose_keypoints_2d"], float).reshape(-1, 3)
                joints = {25: BODY_25, 17: COCO17.joints}.get(len(triplets), BODY_25)
                # Its neck is the middle of the shoulders, and not the joint that other sets call so.
                named = zip(joints, triplets.tolist(), strict=True)
                points = {joint: tuple(t) for joint, t in named if t[2] > 0 and joint != "neck"}
                ids = person.get("person_id", [-1])
                track = int(ids[0]) if isinstance(ids, list) and ids and int(ids[0]) >= 0 else None
                if points:
                    out.add(frame, track, points, score=float(np.mean([p[2] for p in points.values()])))
    return out.result(name, 0, 0)
