"""PoseTrack18: one COCO-like JSON file per sequence.

A file has `images` (every frame of the video, labelled or not), `annotations` (one per person and frame) and
`categories` (the joints' names, which give the order of the triplets x, y, visibility). A joint that is not annotated
is 0, 0, 0. `bbox` and `bbox_head` are x, y, width, height. Writing is in `posetrack_entries`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dettrack.errors import InputError
from dettrack.formats.posetrack import NO_ID, ImageInfo, People, PoseSequence, load_json, polygons
from dettrack.formats.posetrack_entries import write_posetrack18
from dettrack.skeleton import POSETRACK15, POSETRACK17, JointSet

__all__ = ["parse_posetrack18", "read_posetrack18", "write_posetrack18"]


def read_posetrack18(path: str | Path, *, every_video: bool = False) -> list[PoseSequence]:
    """Read a PoseTrack18 or PoseTrack21 file.

    Args:
        path: JSON file.
        every_video: Give every video of a file that holds several; otherwise only the first, as the official
            evaluator does (its name is then the file's).

    Raises:
        InputError: The file cannot be read or says something impossible; the message names the place.
    """
    return parse_posetrack18(load_json(path), Path(path), every_video=every_video)


def parse_posetrack18(data: Mapping[str, Any], path: Path, *, every_video: bool = False) -> list[PoseSequence]:
    """`read_posetrack18` of a file's content; `path` names it in messages."""
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise InputError(
                f"{path}: no list {key!r}; expected a PoseTrack18 file with images, annotations, categories"
            )
    joint_set, columns, notes = _joint_columns(data["categories"], path)
    images = [_image(entry, f"{path}, image {i}") for i, entry in enumerate(data["images"])]
    position = {info.image_id: i for i, info in enumerate(images)}
    if len(position) < len(images):
        raise InputError(f"{path}: two images have the same id; every image needs its own")
    videos = _videos(images)
    is_21 = any("has_labeled_person" in entry for entry in data["images"]) or any(
        "person_id" in entry for entry in data["annotations"]
    )
    people = _people(data["annotations"], position, columns, len(joint_set), path)
    first_names = [Path(images[rows[0]].file_name).parent.name or path.stem for rows in videos.values()]
    if len(videos) > 1 and not every_video:
        notes.append(f"{path.name}: {len(videos)} videos in one file; only the first ({first_names[0]}) is read")
    found: list[PoseSequence] = []
    for (_, rows), video_name in zip(videos.items(), first_names, strict=True):
        entry = data["images"][rows[0]]
        new_position = np.full(len(images), -1)
        new_position[rows] = np.arange(len(rows))
        part = people[new_position[people.image] >= 0]
        part = People(**{**vars(part), "image": new_position[part.image]})
        nframes = entry.get("nframes")
        found.append(
            PoseSequence(
                name=path.stem.split(".")[0]
                if len(found) == 0 and not (every_video and len(videos) > 1)
                else video_name,
                format="posetrack21" if is_21 else "posetrack18",
                joint_set=joint_set,
                images=tuple(images[row] for row in rows),
                people=part,
                vid_id=None if entry.get("vid_id") is None else str(entry["vid_id"]),
                nframes=None if nframes is None else int(nframes),
                notes=tuple(notes),
            )
        )
        if not every_video:
            break
    if not found:
        raise InputError(f"{path}: the list of images is empty; every frame of the video must be listed")
    return found


def _joint_columns(entries: list[Any], path: Path) -> tuple[JointSet, Int[np.ndarray, " k"], list[str]]:
    """Joint set, and for each triplet of the file its joint (-1: not one of ours)."""
    names = entries[0].get("keypoints") if entries and isinstance(entries[0], Mapping) else None
    if not isinstance(names, list) or not names:
        raise InputError(f"{path}: categories[0] has no 'keypoints'; the joints' names are needed to read the triplets")
    missing = [joint for joint in POSETRACK15.joints if joint not in names]
    if missing:
        raise InputError(
            f"{path}: categories[0].keypoints lacks {', '.join(missing)}; all 15 PoseTrack joints are needed"
        )
    if len(names) not in (15, 17):
        raise InputError(f"{path}: {len(names)} joints in categories[0].keypoints; expected 15, or 17 with the ears")
    unknown = [str(name) for name in names if name not in POSETRACK17.joints]
    notes = [f"{path.name}: unknown joints are left out: {', '.join(unknown)}"] if unknown else []
    joint_set = POSETRACK17 if {"left_ear", "right_ear"} <= {*names} else POSETRACK15
    columns = [joint_set.joints.index(name) if name in joint_set.joints else -1 for name in names]
    return joint_set, np.array(columns), notes


def _image(entry: Any, where: str) -> ImageInfo:
    if not isinstance(entry, Mapping) or "id" not in entry or "file_name" not in entry:
        raise InputError(f"{where}: an image needs 'id' and 'file_name'")
    xs, ys = entry.get("ignore_regions_x"), entry.get("ignore_regions_y")
    labeled, with_person = entry.get("is_labeled"), entry.get("has_labeled_person")
    return ImageInfo(
        file_name=str(entry["file_name"]),
        image_id=int(entry["id"]),
        is_labeled=None if labeled is None else bool(labeled),
        has_labeled_person=None if with_person is None else bool(with_person),
        # Officially both lists are needed; with one alone there is no region.
        ignore_regions=() if xs is None or ys is None else polygons(xs, ys, where),
    )


def _videos(images: Sequence[ImageInfo]) -> dict[str, list[int]]:
    """Positions of each video's images; the video is the number that its folder's name starts with, as officially."""
    videos: dict[str, list[int]] = {}
    for i, info in enumerate(images):
        videos.setdefault(Path(info.file_name).parent.name.split("_")[0], []).append(i)
    return videos


def _people(
    entries: list[Any], position: Mapping[int, int], columns: Int[np.ndarray, " k"], joints: int, path: Path
) -> People:
    """All annotations as arrays; every check of a wrong entry is here."""
    n, k = len(entries), len(columns)
    image = np.zeros(n, np.int64)
    for i, entry in enumerate(entries):
        where = f"{path}, annotation {i}"
        for key in ("image_id", "keypoints", "track_id"):
            if key not in entry:
                raise InputError(f"{where}: no {key!r}; every annotation needs image_id, track_id and keypoints")
        if entry["image_id"] not in position:
            raise InputError(f"{where}: image_id {entry['image_id']} is not among the file's images")
        image[i] = position[entry["image_id"]]
    triplets = _matrix([entry["keypoints"] for entry in entries], 3 * k, path, "keypoints").reshape(n, k, 3)
    scores = np.full((n, k), np.nan)
    rows = [i for i, entry in enumerate(entries) if entry.get("scores")]
    scores[rows] = _matrix([entries[i]["scores"] for i in rows], k, path, "scores", rows)
    out = {name: np.full((n, joints), np.nan) for name in ("scores", "visible")} | {
        "xy": np.full((n, joints, 2), np.nan)
    }
    missing = (triplets == 0).all(-1)
    for column, joint in enumerate(columns):
        if joint >= 0:  # the first triplet that is there wins, should a name occur twice
            take = ~missing[:, column] & np.isnan(out["xy"][:, joint, 0])
            out["xy"][take, joint] = triplets[take, column, :2]
            out["visible"][take, joint] = triplets[take, column, 2]
            scored = take | np.isnan(out["scores"][:, joint])
            out["scores"][scored, joint] = scores[scored, column]
    tracks = np.array([_track_id(entry["track_id"], path, i) for i, entry in enumerate(entries)], np.int64)
    return People.build(
        image,
        out["xy"],
        scores=out["scores"],
        visible=out["visible"],
        track_id=tracks,
        person_id=np.array([int(entry.get("person_id", NO_ID)) for entry in entries], np.int64),
        score=np.array([float(entry.get("score", np.nan)) for entry in entries]),
        box=_boxes(entries, "bbox", path),
        head_box=_boxes(entries, "bbox_head", path),
    )


def _track_id(value: Any, path: Path, row: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
        raise InputError(f"{path}, annotation {row}: track_id is {value!r}; expected a whole number from 0")
    return int(value)


def _matrix(
    lists: list[Any], width: int, path: Path, what: str, rows: Sequence[int] | None = None
) -> Float[np.ndarray, "n width"]:
    """Rows of numbers of one width, with the wrong one named."""
    for i, values in enumerate(lists):
        row = i if rows is None else rows[i]
        if not isinstance(values, list) or len(values) != width:
            got = len(values) if isinstance(values, list) else type(values).__name__
            raise InputError(f"{path}, annotation {row}: {what} has {got} numbers; expected {width}")
    try:
        matrix = np.array(lists, float).reshape(len(lists), width)
    except (TypeError, ValueError):
        raise InputError(f"{path}: {what} must be lists of plain numbers") from None
    wrong = np.flatnonzero(~np.isfinite(matrix).all(1))
    if wrong.size:
        row = wrong[0] if rows is None else rows[wrong[0]]
        raise InputError(
            f"{path}, annotation {row}: {what} has a NaN or infinite number; write 0, 0, 0 for a missing joint"
        )
    return matrix


def _boxes(entries: list[Any], key: str, path: Path) -> Float[np.ndarray, "n 4"]:
    """x, y, width, height to corners; NaN where an entry has none."""
    corners = np.full((len(entries), 4), np.nan)
    rows = [i for i, entry in enumerate(entries) if entry.get(key)]
    sizes = _matrix([entries[i][key] for i in rows], 4, path, key, rows)
    corners[rows] = np.concatenate([sizes[:, :2], sizes[:, :2] + sizes[:, 2:]], 1)
    return corners
