"""Data sets of the field read into one description: PoseTrack, COCO, MPII, LSP, Harmony4D, our own packs and tracks.

What is broken in a file (a box without area, a list of joints of the wrong length, an unknown image) is left out and
said, one note each; nothing is dropped in silence and nothing of it is fatal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dettrack.errors import InputError
from dettrack.files import load_json, parsing
from dettrack.formats.mat import load_mat
from dettrack.formats.posetrack.files import read_sequence, sequence_files
from dettrack.formats.posetrack.sequence import load_object
from dettrack.geometry import xyxy_of
from dettrack.skeleton import COCO17, LSP14, MPII16, JointMap, JointSet
from dettrack.training.labels.harmony4d import camera_videos
from dettrack.training.labels.people import PeopleSet, concatenate, load_people
from dettrack.training.labels.tracks import read_track_labels

__all__ = ["FORMATS", "read_coco", "read_harmony4d", "read_lsp", "read_mpii", "read_posetrack", "read_set"]

# Other names of joints, after lower case and underscores; None where the place on the body is not one of ours.
_ALIASES = {"neck": "head_bottom", "upper_neck": "head_bottom", "top_head": "head_top", "headtop": "head_top"}
_LEAST_JOINTS = 2  # a box needs an extent

Notes = list[str]


def read_set(
    path: Path, format: str, images: Path | None, joints: JointSet, *, own_boxes: bool = False, margin: float = 0.0
) -> tuple[PeopleSet, Notes]:
    """Read a data set.

    Args:
        path: File; for "posetrack" also a folder of one file per sequence.
        format: One of `FORMATS`.
        images: Folder that the files' image names are relative to; None for the annotation file's own.
        joints: Joint set of the result; joints that a set lacks are unknown in it.
        own_boxes: See `read_posetrack`; other formats have their own boxes anyway.
        margin: See `read_posetrack`.

    Returns:
        The set, and notes on what was left out.

    Raises:
        InputError: Unknown format, or the file as a whole cannot be read.
    """
    if format not in FORMATS:
        raise InputError(f"unknown format {format!r} of {path}: expected one of {', '.join(FORMATS)}")
    images = images or (path if path.is_dir() else path.parent)
    if format == "posetrack":
        return read_posetrack(path, images, joints, own_boxes=own_boxes, margin=margin)
    return FORMATS[format](path, images, joints)


def read_pack(path: Path, images: Path, joints: JointSet) -> tuple[PeopleSet, Notes]:
    """Our own packed set (`people.save_people`).

    Args:
        path: The pack.
        images: Not used: a pack holds its images.
        joints: Joint set that it must have.

    Returns:
        The people, and no notes.

    Raises:
        InputError: It has another joint set, or cannot be read.
    """
    people = load_people(path)
    if people.joint_set != joints:
        raise InputError(f"{path} has joints of {people.joint_set.name}, not {joints.name}: pack it again")
    return people, []


def read_posetrack(
    path: Path, images: Path, joints: JointSet, *, own_boxes: bool = False, margin: float = 0.0
) -> tuple[PeopleSet, Notes]:
    """PoseTrack of any year: tubes need the frames, so every image of a sequence is listed, labelled or not.

    Everybody who is annotated is in the set, with few joints, one or none: they are there, whatever else is known of
    them. Whose joints span no box has a box of NaN: no tube can be cut at it.

    Args:
        path: A file, or a folder of files.
        images: Folder that the image names start from.
        joints: Joint set of the result.
        own_boxes: Take the file's boxes of people, where it has them (2018 and 2021), and not their joints' extent.
        margin: The joints' extent grows by this share in both directions, half of it on each side.

    Returns:
        The people, and notes on what was left out.

    Raises:
        InputError: No file can be read.
    """
    parts, notes = [], []
    for file in sequence_files(path) if path.is_dir() else [path]:
        try:
            sequence = read_sequence(file)
        except InputError as error:
            notes.append(f"sequence left out: {error}")
            continue
        people = sequence.people
        convert = JointMap(sequence.joint_set, joints, approximate=False)
        collect = _Collector(joints, convert, notes, margin=margin, everybody=True)
        with_people = set(people.image.tolist())
        for place, info in enumerate(sequence.images):
            labelled = place in with_people if info.is_labeled is None else info.is_labeled
            collect.image(images / info.file_name, 0, _frame_number(info.file_name, info.imgnum, place), labelled)
        for row in range(len(people)):
            where, box = f"{file.name}, person {row}", people.box[row]
            own = box if own_boxes and np.isfinite(box).all() else None
            collect.person(where, int(people.image[row]), people.xy[row], own, int(people.track_id[row]))
        parts.append(collect.finish())
    if not parts:
        raise InputError(f"{path}: no sequence can be read: {notes[0] if notes else 'there is none'}")
    return concatenate(parts), notes


def read_coco(path: Path, images: Path, joints: JointSet) -> tuple[PeopleSet, Notes]:
    """COCO keypoints, or any set in that format with its own list of joints.

    Images with `vid_id` and `frame_id` are frames of videos, and `track_id` holds within one; others are stills.

    Args:
        path: JSON file.
        images: Folder of the images.
        joints: Joint set of the result.

    Returns:
        The people, and notes on what was left out.

    Raises:
        InputError: Not in COCO format.
    """
    content, notes = load_object(path), Notes()
    with parsing(f"{path}", "COCO keypoints: images, annotations, and categories with the joints' names"):
        listed = {int(entry["id"]): (str(entry["file_name"]), *_place(entry)) for entry in content["images"]}
        names = [str(name) for entry in content["categories"] for name in entry.get("keypoints", [])]
        annotations = list(content["annotations"])
    source = _named_joints(names, path)
    collect = _Collector(joints, JointMap(source, joints, approximate=False), notes)
    videos = {name: number for number, name in enumerate(sorted({video for _, video, _ in listed.values() if video}))}
    place = {
        image_id: collect.image(images / name, videos.get(video, -1), frame, True)
        for image_id, (name, video, frame) in listed.items()
    }
    tracks: dict[tuple[str, int], int] = {}
    for row, entry in enumerate(annotations):
        where = f"{path.name}, annotation {entry.get('id', row) if isinstance(entry, dict) else row}"
        try:
            if entry["image_id"] not in place:
                raise ValueError("no such image")
            if entry.get("iscrowd"):
                continue
            flat = np.asarray(entry.get("keypoints", []), float)
            if flat.shape != (3 * len(names),) or not np.isfinite(flat).all():
                raise ValueError(f"{flat.size} keypoint numbers, expected {3 * len(names)} finite ones")
            corners, track = _corners(entry.get("bbox")), int(entry.get("track_id", -1))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            notes.append(f"{where}: {error}")
            continue
        triplets = flat.reshape(-1, 3)
        xy = np.where(triplets[:, 2:] > 0, triplets[:, :2], np.nan)
        if np.isfinite(xy).any():
            video = listed[entry["image_id"]][1]
            if video and track >= 0:
                track = tracks.setdefault((video, track), len(tracks))
            collect.person(where, place[entry["image_id"]], xy, corners, track)
    return collect.finish(), notes


def _place(entry: Mapping[str, Any]) -> tuple[str, int]:
    """Name of the video and frame index in it; "" and 0 for a still."""
    if "vid_id" in entry and "frame_id" in entry:
        return str(entry["vid_id"]), int(entry["frame_id"])
    return "", 0


def read_mpii(path: Path, images: Path, joints: JointSet) -> tuple[PeopleSet, Notes]:
    """MPII as a JSON list of `image`, `joints` (16 pairs) and `joints_vis`, the form in common use.

    Args:
        path: JSON file.
        images: Folder of the images.
        joints: Joint set of the result.

    Returns:
        The people, and notes on what was left out.

    Raises:
        InputError: Not such a list.
    """
    entries = load_json(path)
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list of people, got {type(entries).__name__}")
    notes = Notes()
    collect = _Collector(joints, JointMap(MPII16, joints, approximate=False), notes)
    place: dict[str, int] = {}
    for row, entry in enumerate(entries):
        try:
            name, xy = str(entry["image"]), np.asarray(entry["joints"], float).reshape(16, 2)
            seen = np.asarray(entry["joints_vis"], float).reshape(16) > 0
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            notes.append(f"{path.name}, person {row}: {type(error).__name__} {error}")
            continue
        if name not in place:
            place[name] = collect.image(images / name, -1, 0, True)
        collect.person(f"{path.name}, person {row}", place[name], np.where(seen[:, None], xy, np.nan), None, -1)
    return collect.finish(), notes


def read_lsp(path: Path, images: Path, joints: JointSet) -> tuple[PeopleSet, Notes]:
    """Leeds Sports Poses: `joints.mat` (14 or 3 x 14 x n) and `images/imNNNN.jpg`; a subset of the images will do.

    Args:
        path: `joints.mat`.
        images: Folder of the images.
        joints: Joint set of the result.

    Returns:
        The people, and notes on what was left out.

    Raises:
        InputError: Not such a file.
    """
    table = load_mat(path, "joints")
    if not isinstance(table, np.ndarray):
        raise InputError(f"{path}: not the joints.mat of LSP: its joints are no array of numbers")
    if table.ndim != 3 or sorted(table.shape[:2]) != [3, 14]:
        raise InputError(f"{path}: joints of shape {table.shape}, expected (14, 3, n) or (3, 14, n)")
    extended = table.shape[0] == 14
    table = table if extended else table.swapaxes(0, 1)
    # The first set marks joints that are hidden with 1, the extended set those that are visible.
    known = (table[:, 2] > 0) if extended else np.ones_like(table[:, 2], bool)
    notes = Notes()
    collect = _Collector(joints, JointMap(LSP14, joints, approximate=False), notes)
    folder = images / "images" if (images / "images").is_dir() else images
    for file in sorted(folder.glob("im*.jpg")):
        number = int(re.sub(r"\D", "", file.stem) or 0) - 1
        if not 0 <= number < table.shape[2]:
            notes.append(f"{file.name}: no joints for this image")
            continue
        xy = np.where(known[:, number, None], table[:, :2, number], np.nan)
        collect.person(file.name, collect.image(file, -1, 0, True), xy, None, -1)
    return collect.finish(), notes


def read_harmony4d(path: Path, images: Path, joints: JointSet) -> tuple[PeopleSet, Notes]:
    """Harmony4D: close contact of two people, each still camera a video (see `harmony4d`).

    Args:
        path: A sequence, or a folder above some.
        images: Not used: the images lie in the sequences.
        joints: Joint set of the result.

    Returns:
        The people, and notes on what was left out.

    Raises:
        InputError: No sequence is there.
    """
    parts, notes = [], Notes()
    for video in camera_videos(path):
        collect = _Collector(joints, JointMap(COCO17, joints, approximate=False), notes, everybody=True)
        tracks: dict[str, int] = {}
        for number, file in video.frames:
            try:
                people, boxes = video.poses(file), video.boxes(file)
            except InputError as error:
                notes.append(str(error))
                people, boxes = None, {}
            image = collect.image(file, 0, number, people is not None)
            for person, xy in (people or {}).items():
                track = tracks.setdefault(person, len(tracks))
                collect.person(f"{video.name}, frame {number}, {person}", image, xy, boxes.get(person), track)
        parts.append(collect.finish())
    return concatenate(parts), notes


FORMATS: Mapping[str, Callable[[Path, Path, JointSet], tuple[PeopleSet, Notes]]] = {
    "pack": read_pack,
    "posetrack": read_posetrack,
    "coco": read_coco,
    "mpii": read_mpii,
    "lsp": read_lsp,
    "tracks": read_track_labels,
    "harmony4d": read_harmony4d,
}


class _Collector:
    """Gathers images and people; people who cannot be used become notes."""

    def __init__(
        self, joints: JointSet, convert: JointMap, notes: Notes, *, margin: float = 0.0, everybody: bool = False
    ) -> None:
        self._joints, self._convert, self._notes = joints, convert, notes
        self._margin, self._everybody = margin, everybody
        self._images: list[Path] = []
        self._about: list[tuple[int, int, bool]] = []
        self._people: list[tuple[int, int, np.ndarray, np.ndarray]] = []

    def image(self, path: Path, video: int, frame: int, labelled: bool) -> int:
        self._images.append(path)
        self._about.append((video, frame, labelled))
        return len(self._images) - 1

    def person(self, where: str, image: int, xy: np.ndarray, box: np.ndarray | None, track: int) -> None:
        xy = self._convert(xy, np.ones(len(xy)))[0]
        known = xy[np.isfinite(xy).all(-1)]
        if box is None and len(known) >= _LEAST_JOINTS:
            grown = self._margin / 2 * (known.max(0) - known.min(0))
            box = np.concatenate([known.min(0) - grown, known.max(0) + grown])  # 3.1 enlarges it where tubes are cut
        fault = ""
        if box is not None and (not np.isfinite(box).all() or (box[2:] - box[:2] < 1).any()):
            fault = f"its box {box.round(1).tolist()} has no area"
        elif not self._everybody and (box is None or not len(known)):
            fault = f"{len(known)} joints, too few for a box"
        if fault:
            self._notes.append(f"{where}: {fault}")
        if fault or box is None:
            box = np.full(4, np.nan)
        if not fault or self._everybody:
            self._people.append((image, track, box, xy))

    def finish(self) -> PeopleSet:
        about = np.array(self._about, np.int64).reshape(-1, 3)
        count, joints = len(self._people), len(self._joints)
        xy = np.array([p[3] for p in self._people], float).reshape(count, joints, 2)
        known = np.isfinite(xy).all(-1).astype(float)
        track = np.array([p[1] for p in self._people], np.int64)
        free = track.max(initial=-1) + 1 + np.arange(count)  # who has no identity gets one of their own
        return PeopleSet(
            self._joints,
            self._images,
            video=about[:, 0],
            frame=about[:, 1],
            labelled=about[:, 2].astype(bool),
            person_image=np.array([p[0] for p in self._people], np.int64),
            track=np.where(track < 0, free, track),
            boxes=np.array([p[2] for p in self._people], float).reshape(count, 4),
            xy=xy,
            height=known,
            weight=known.copy(),
        )


def _frame_number(name: str, imgnum: int | None, place: int) -> int:
    """Index of a frame in its video: by its own number, or the number in its name, or its place in the list."""
    if imgnum is not None:
        return imgnum
    digits = re.findall(r"\d+", Path(name).stem)
    return int(digits[-1]) if digits else place


def _named_joints(names: Sequence[str], path: Path) -> JointSet:
    tidy = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in names]
    canonical = tuple(_ALIASES.get(name, name) for name in tidy)
    if not canonical:
        raise InputError(f"{path}: its categories name no keypoints")
    return JointSet(path.stem, canonical)


def _corners(bbox: Any) -> np.ndarray | None:
    """COCO's x, y, width, height as corners; None where there is none."""
    values = np.asarray([] if bbox is None else bbox, float)
    return xyxy_of(values) if values.shape == (4,) else None
