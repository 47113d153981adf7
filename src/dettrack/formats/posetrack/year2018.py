"""PoseTrack18 and PoseTrack21: one COCO-like JSON file per sequence.

A file has `images` (every frame of the video, labelled or not), `annotations` (one per person and frame) and
`categories` (the joints' names, which give the order of the triplets x, y, visibility). A joint that is not annotated
is 0, 0, 0. `bbox` and `bbox_head` are x, y, width, height. Image ids are T * 10^10 + video * 10^4 + frame, with T = 1
for mpii, 2 for bonn, 3 for mpiinew.

PoseTrack21 adds `has_labeled_person` (boxes are annotated, though maybe no joints; `is_labeled` means joints) and lists
of ignore regions to every image, and `person_id` to people: an identity that is the same in all sequences. Its official
evaluator takes 17 joints only and ignores the visibility flag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dettrack.errors import InputError
from dettrack.files import parsing, write_json
from dettrack.formats.posetrack import sequence as shared
from dettrack.formats.posetrack.sequence import NO_ID, Format, ImageInfo, People, PoseSequence, load_object, polygons
from dettrack.geometry import xywh_of, xyxy_of
from dettrack.skeleton import POSETRACK15, POSETRACK17, JointMap, JointSet
from dettrack.structures import TrackTable

__all__ = [
    "annotation_entries",
    "categories",
    "image_entry",
    "image_id",
    "parse_posetrack18",
    "read_posetrack18",
    "sequence_entries",
    "write_posetrack18",
]

_KINDS = {"mpii": 1, "bonn": 2, "mpiinew": 3}
_NAME = re.compile(r"(\d+)_(mpiinew|mpii|bonn)(?:_|$)")
# Limbs of the 17-joint set as the published files list them: pairs of positions from 1.
_SKELETON = (
    *((16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10)),
    *((9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)),
)


def read_posetrack18(path: str | Path) -> PoseSequence:
    """Read a PoseTrack18 or PoseTrack21 file; of several videos in it the first, as the official evaluator does.

    Raises:
        InputError: The file cannot be read or says something impossible; the message names the place.
    """
    return parse_posetrack18(load_object(path), Path(path))


def parse_posetrack18(data: Mapping[str, Any], path: Path) -> PoseSequence:
    """`read_posetrack18` of a file's content.

    Args:
        data: The content.
        path: The file, for its name and for messages.

    Returns:
        The first video's sequence.

    Raises:
        InputError: It says something impossible; the message names the place.
    """
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise InputError(
                f"{path}: no list {key!r}; expected a PoseTrack18 file with images, annotations, categories"
            )
    with parsing(f"{path}", "a PoseTrack18 file"):
        return _first_video(data, path)


def _first_video(data: Mapping[str, Any], path: Path) -> PoseSequence:
    joint_set, columns, notes = _joint_columns(data["categories"], path)
    images = [_image(entry, f"{path}, image {i}") for i, entry in enumerate(data["images"])]
    position = {info.image_id: i for i, info in enumerate(images)}
    if len(position) < len(images):
        raise InputError(f"{path}: two images have the same id; every image needs its own")
    is_21 = any("has_labeled_person" in entry for entry in data["images"]) or any(
        "person_id" in entry for entry in data["annotations"]
    )
    people = _people(data["annotations"], position, columns, len(joint_set), path)
    if not images:
        raise InputError(f"{path}: the list of images is empty; every frame of the video must be listed")
    videos = _videos(images)
    rows = next(iter(videos.values()))
    entry = data["images"][rows[0]]
    if len(videos) > 1:
        name = Path(images[rows[0]].file_name).parent.name or path.stem
        notes.append(f"{path.name}: {len(videos)} videos in one file; only the first ({name}) is read")
    new_position = np.full(len(images), -1)
    new_position[rows] = np.arange(len(rows))
    people = people[new_position[people.image] >= 0]
    nframes = entry.get("nframes")
    return PoseSequence(
        name=path.stem.split(".")[0],
        format="posetrack21" if is_21 else "posetrack18",
        joint_set=joint_set,
        images=tuple(images[row] for row in rows),
        people=People(**{**vars(people), "image": new_position[people.image]}),
        vid_id=None if entry.get("vid_id") is None else str(entry["vid_id"]),
        nframes=None if nframes is None else int(nframes),
        notes=tuple(notes),
    )


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
    with parsing(where, "a whole number as 'id'"):
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
    image, person_id, score = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n)
    for i, entry in enumerate(entries):
        where = f"{path}, annotation {i}"
        with parsing(where, "every annotation to have image_id, track_id and keypoints, and numbers as other ids"):
            number, _, _ = entry["image_id"], entry["track_id"], entry["keypoints"]
            if number not in position:
                raise InputError(f"{where}: image_id {number} is not among the file's images")
            image[i] = position[number]
            person_id[i], score[i] = int(entry.get("person_id", NO_ID)), float(entry.get("score", np.nan))
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
        person_id=person_id,
        score=score,
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
    except (TypeError, ValueError, OverflowError):
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
    corners[rows] = xyxy_of(sizes)
    return corners


def image_id(sequence: str, frame: int) -> int:
    """Id of a frame by PoseTrack18's rule.

    Args:
        sequence: Name of the sequence, for example `000342_mpii_test`; of other names the digits at the start count,
            if any, and T is 9, which the published files do not use.
        frame: Number of the frame, from 0.

    Returns:
        The id.
    """
    match = _NAME.match(sequence)
    if match:
        kind, video = _KINDS[match[2]], int(match[1])
    else:
        digits = re.match(r"\d+", sequence)
        kind, video = 9, int(digits[0]) % 10**6 if digits else 0
    return kind * 10**10 + video * 10**4 + frame


def categories(joint_set: JointSet = POSETRACK17) -> list[dict[str, Any]]:
    """The `categories` of a file: joint names in the order of the triplets, and the limbs to draw."""
    known = {name: i + 1 for i, name in enumerate(joint_set.joints)}
    names = POSETRACK17.joints
    limbs = [
        [known[names[a - 1]], known[names[b - 1]]] for a, b in _SKELETON if {names[a - 1], names[b - 1]} <= {*known}
    ]
    person = {"supercategory": "person", "id": 1, "name": "person"}
    return [{**person, "keypoints": list(joint_set.joints), "skeleton": limbs}]


def image_entry(info: ImageInfo, *, vid_id: str | None = None, nframes: int | None = None) -> dict[str, Any]:
    """One entry of `images`; what is None is left out.

    Args:
        info: The image.
        vid_id: Number of the video.
        nframes: Length of the video in frames.

    Returns:
        Ready for JSON.
    """
    entry: dict[str, Any] = {"file_name": info.file_name, "id": info.image_id, "frame_id": info.image_id}
    optional = {
        "vid_id": vid_id,
        "nframes": nframes,
        "is_labeled": info.is_labeled,
        "has_labeled_person": info.has_labeled_person,
    }
    entry.update({key: value for key, value in optional.items() if value is not None})
    if info.ignore_regions:
        entry["ignore_regions_x"] = [region[:, 0].tolist() for region in info.ignore_regions]
        entry["ignore_regions_y"] = [region[:, 1].tolist() for region in info.ignore_regions]
    return entry


def annotation_entries(
    image: int, rows: TrackTable, joint_set: JointSet = POSETRACK17, *, digits: int = 3
) -> list[dict[str, Any]]:
    """Entries of `annotations` for the people of one frame.

    Args:
        image: Id of the image.
        rows: The poses of this frame, in any joint set; joints that PoseTrack lacks are left out, those that the
            source lacks are written as missing or approximated (`skeleton.APPROXIMATIONS`).
        joint_set: `POSETRACK17` or `POSETRACK15`.
        digits: Decimals of pixels.

    Returns:
        One entry per row: ids, `keypoints` (0, 0, 0 where missing), `scores`, `score`, `bbox` and `bbox_head`.
    """
    xy, scores = JointMap(rows.joint_set, joint_set)(rows.shown_xy, rows.joint_scores)
    people = People.build(np.zeros(len(rows), int), xy, scores=scores, track_id=rows.track_id, score=rows.score)
    entries = _entries(people, [image], None)
    for entry, box in zip(entries, np.round(xywh_of(rows.box), digits).tolist(), strict=True):
        entry["keypoints"] = [round(value, digits) for value in entry["keypoints"]]
        entry["scores"] = [round(value, 9) for value in entry["scores"]]
        entry["score"] = round(entry["score"], 9)
        entry["bbox"] = box
    heads = xywh_of(shared.head_boxes(xy, joint_set))
    for row in np.flatnonzero(np.isfinite(heads).all(1)).tolist():
        entries[row]["bbox_head"] = np.round(heads[row], digits).tolist()
    return entries


def _entries(
    people: People, image_ids: Sequence[int], joint_order: Int[np.ndarray, " k"] | None
) -> list[dict[str, Any]]:
    """Entries of `annotations`, unrounded, without boxes; `joint_order` may reorder the joints."""
    order = np.arange(people.xy.shape[1]) if joint_order is None else joint_order
    xy, visible, scores = people.xy[:, order], people.visible[:, order], people.scores[:, order]
    present = ~np.isnan(xy[..., 0])
    flags = np.where(np.isnan(visible), present, visible)
    # A joint that lies on the very corner of the image must not read as missing.
    flags = np.where(present & (xy == 0).all(-1) & (flags == 0), 1, flags)
    triplets = np.concatenate([np.where(present[..., None], xy, 0.0), np.where(present, flags, 0)[..., None]], -1)
    scored = ~np.isnan(scores).all(1)
    scores = np.where(np.isnan(scores), 0.0, scores)
    counts: dict[int, int] = {}
    entries: list[dict[str, Any]] = []
    for row in range(len(people)):
        image = image_ids[int(people.image[row])]
        k = counts[image] = counts.get(image, -1) + 1
        entry: dict[str, Any] = {"id": image * 100 + k, "image_id": image, "category_id": 1}
        if people.track_id[row] != NO_ID:
            entry["track_id"] = int(people.track_id[row])
        entry["keypoints"] = triplets[row].ravel().tolist()
        entry["scores"] = scores[row].tolist() if scored[row] else []
        if not np.isnan(people.score[row]):
            entry["score"] = float(people.score[row])
        entries.append(entry)
    return entries


def sequence_entries(sequence: PoseSequence, format: Format = "posetrack18") -> dict[str, Any]:
    """The whole content of a file, ready for JSON.

    Args:
        sequence: A sequence of any format; images without an id get one by PoseTrack18's rule, in order.
        format: "posetrack18", or "posetrack21" for that year's additional fields.

    Returns:
        Ready for JSON.
    """
    ids = [
        image_id(sequence.name, i) if info.image_id == NO_ID else info.image_id
        for i, info in enumerate(sequence.images)
    ]
    images = []
    for number, info in zip(ids, sequence.images, strict=True):
        entry = image_entry(info, vid_id=sequence.vid_id, nframes=sequence.nframes)
        entry["id"] = entry["frame_id"] = number
        if format == "posetrack21":
            entry.setdefault("ignore_regions_x", [])
            entry.setdefault("ignore_regions_y", [])
        else:
            entry.pop("has_labeled_person", None)
        images.append(entry)
    people = sequence.people
    annotations = _entries(people, ids, None)
    for name, key in (("box", "bbox"), ("head_box", "bbox_head")):
        sizes = xywh_of(getattr(people, name))
        for row in np.flatnonzero(~np.isnan(sizes).any(1)):
            annotations[row][key] = sizes[row].tolist()
    if format == "posetrack21":
        for row in np.flatnonzero(people.person_id != NO_ID):
            annotations[row]["person_id"] = int(people.person_id[row])
    return {"images": images, "annotations": annotations, "categories": categories(sequence.joint_set)}


def write_posetrack18(sequence: PoseSequence, path: str | Path, *, format: Format = "posetrack18") -> None:
    """Write a sequence as one JSON file; `read_posetrack18` gives it back.

    Args:
        sequence: A sequence of any year.
        path: JSON file.
        format: See `sequence_entries`.

    Raises:
        OutputError: The file cannot be written.
    """
    write_json(path, sequence_entries(sequence, format))
