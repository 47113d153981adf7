"""Files of boxes that another program found: COCO-style detections JSON, or MOT text.

Which detections are people:

- COCO: the categories that the file itself names so; without a `categories` list number 1, or 0 where every detection
  has 0. Crowd regions (`iscrowd`) are left out and counted.
- MOT: class 1, or none; class 0 where every row has it. Rows of other classes are left out and counted.

Which frame of a video without file names an image of an `images` list is: its `frame_index`; else the number in its
file name, where the names count from 0 (`frame_000000.png`) or without a gap from 1; else, where no name has a
number, its place in the list. Other lists are refused for such videos: a guess would shift every box.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dettrack.errors import InputError
from dettrack.files import load_json
from dettrack.geometry import xyxy_of
from dettrack.structures import Boxes

__all__ = ["BoxFile", "read_boxes"]

_PERSON = 1  # category of COCO, PoseTrack and MOT
_PERSON_NAMES = frozenset({"person", "people", "pedestrian", "human"})
_POSETRACK_ID = 10**10  # PoseTrack18 image ids have eleven digits: kind of video, its number, frame
_LARGEST = 1e9  # pixels: beyond any picture


@dataclass(frozen=True)
class BoxFile:
    """Boxes by the frames that a file speaks of, best first.

    Attributes:
        kind: What the file is.
        by_index: By frame index, from 0.
        by_name: By file name, as the file has it.
        by_id: By PoseTrack's image id.
        listed: Names of all images that the file knows, also of those without boxes.
        repeated: Names that several of its images have.
        unplaced: Why frames without a name cannot be looked up; "" where they can.
        total: Number of boxes.
        left_out: Detections that are no people, by reason.
    """

    kind: str
    by_index: dict[int, Boxes] = field(default_factory=dict)
    by_name: dict[str, Boxes] = field(default_factory=dict)
    by_id: dict[int, Boxes] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()
    unplaced: str = ""
    total: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


def read_boxes(path: Path) -> BoxFile:
    """Read a file: `.json` is COCO, anything else MOT.

    Raises:
        InputError: It is unreadable or not of a known form; the message names the entry.
    """
    return _read_coco(path) if path.suffix.lower() == ".json" else _read_mot(path)


def _text(path: Path) -> str:
    """The file's text; spreadsheets put a byte-order mark in front, and may write UTF-16."""
    try:
        data = path.read_bytes()
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _check(path: Path, xywh: np.ndarray, scores: np.ndarray) -> None:
    bad = ~((scores >= 0) & (scores <= 1))
    if bad.any():
        raise InputError(f"{path}: scores must lie in [0, 1], got {scores[bad][0]:g}: scale them first")
    if not np.isfinite(xywh).all():
        raise InputError(f"{path}: detection {int((~np.isfinite(xywh)).any(1).argmax())} has a box that is not finite")
    far = (np.abs(xywh) > _LARGEST).any(1)
    if far.any():
        row = int(far.argmax())
        raise InputError(f"{path}: detection {row} has a box of {np.abs(xywh[row]).max():g} pixels: expected pixels")


def _group(keys: Sequence[Hashable], xywh: np.ndarray, scores: np.ndarray) -> dict[Any, Boxes]:
    """Boxes by key, best first."""
    members: dict[Hashable, list[int]] = {}
    for i, key in enumerate(keys):
        members.setdefault(key, []).append(i)
    grouped = {}
    for key, indices in members.items():
        order = np.array(indices)[np.argsort(-scores[indices], kind="stable")]
        grouped[key] = Boxes(xyxy_of(xywh[order]), scores[order])
    return grouped


# COCO


def _read_coco(path: Path) -> BoxFile:
    content = load_json(path)
    images: list[dict[str, Any]] | None = None
    categories: Any = None
    if isinstance(content, dict):
        images = content.get("images") or None
        if not (images is None or (isinstance(images, list) and all(isinstance(image, dict) for image in images))):
            raise InputError(f"{path}: expected images to be a list of objects with id and file_name")
        categories = content.get("categories")
        content = content.get("annotations", content.get("detections"))
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(f"{path}: expected a list of detections, each with image_id, bbox [x, y, w, h] and score")
    people = _people_categories(path, content, categories)
    default = min(people, key=str)
    entries = [(i, entry) for i, entry in enumerate(content) if _plain_id(entry.get("category_id", default)) in people]
    crowds = sum(bool(entry.get("iscrowd")) for _, entry in entries)
    entries = [(i, entry) for i, entry in entries if not entry.get("iscrowd")]
    xywh, scores = np.zeros((len(entries), 4)), np.ones(len(entries))
    for row, (i, entry) in enumerate(entries):
        try:
            xywh[row] = entry["bbox"]
            scores[row] = entry.get("score", 1.0)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"{path}: detection {i} needs bbox [x, y, w, h] and a score in [0, 1], got {str(entry)[:100]}"
            ) from error
        if "image_id" not in entry:
            raise InputError(f"{path}: detection {i} has no image_id")
    _check(path, xywh, scores)
    ids = [_plain_id(entry["image_id"]) for _, entry in entries]
    others = len(content) - len(entries) - crowds
    left_out = {"crowd regions": crowds, "detections of other categories": others}
    left_out = {reason: number for reason, number in left_out.items() if number}
    common: dict[str, Any] = {"total": len(entries), "left_out": left_out}
    if images is not None:
        return BoxFile("COCO detections, by image list", **_by_list(path, ids, images, xywh, scores), **common)
    numbers = [i for i in ids if isinstance(i, int)]
    if ids and len(numbers) == len(ids) and all(_POSETRACK_ID <= i < 10 * _POSETRACK_ID for i in numbers):
        return BoxFile("COCO detections, PoseTrack image ids", by_id=_group(numbers, xywh, scores), **common)
    if len(numbers) == len(ids) and all(i >= 0 for i in numbers):
        return BoxFile("COCO detections, image id = frame index", by_index=_group(ids, xywh, scores), **common)
    if all(isinstance(i, str) for i in ids):
        named = [{"id": name, "file_name": name} for name in dict.fromkeys(ids)]
        placed = _by_list(path, ids, named, xywh, scores, complete=False)
        return BoxFile("COCO detections, by file name", **{**placed, "listed": frozenset()}, **common)
    raise InputError(f"{path}: image_id must be whole numbers or file names throughout, and not negative")


def _plain_id(value: Any) -> int | str | None:
    """An id as it is meant: 7 where the file says 7, 7.0, "7" or "000007"; None for what is no id."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[0-9]{1,18}", value.strip()) else value.replace("\\", "/")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _people_categories(path: Path, entries: list[dict[str, Any]], categories: Any) -> set[int | str | None]:
    """Ids of the categories of people."""
    found = Counter(_plain_id(entry.get("category_id", _PERSON)) for entry in entries)
    if categories:
        if not isinstance(categories, list) or not all(isinstance(category, dict) for category in categories):
            raise InputError(f"{path}: expected categories to be a list of objects with id and name")
        names = {_plain_id(category.get("id")): str(category.get("name", "")) for category in categories}
        people: set[int | str | None] = {
            key for key, name in names.items() if name.strip().lower() in _PERSON_NAMES and key is not None
        }
        if not people:
            raise InputError(
                f"{path}: none of its categories is named person; it has {', '.join(names.values())[:100]}"
            )
        return people
    if set(found) == {0}:  # programs that count categories from 0, and find people only
        return {0}
    seen = ", ".join(sorted(map(str, found))[:8])
    if found and _PERSON not in found:
        raise InputError(f"{path}: no detection of category 1 (person); it has categories {seen}")
    if 0 in found:
        raise InputError(
            f"{path}: it has categories {seen}, so these do not count from 1 as COCO's do, and which one is the person "
            "is not said: add a categories list"
        )
    return {_PERSON}


def _by_list(
    path: Path,
    ids: list[int | str | None],
    images: list[dict[str, Any]],
    xywh: np.ndarray,
    scores: np.ndarray,
    *,
    complete: bool = True,
) -> dict[str, Any]:
    """What a `BoxFile` holds where the file lists its images; `complete`: also those without a detection."""
    names = [str(image.get("file_name") or "").replace("\\", "/") for image in images]
    places: dict[int | str | None, int] = {}
    for i, image in enumerate(images):
        key = _plain_id(image.get("id", image.get("image_id")))
        if key is None or key in places:
            raise InputError(f"{path}: image {i} of its images list needs an id of its own, got {str(image)[:100]}")
        places[key] = i
    missing = [image_id for image_id in ids if image_id not in places]
    if missing:
        raise InputError(f"{path}: detections of image {missing[0]!r}, which is not in its images list")
    at = [places[image_id] for image_id in ids]
    boxes = _group(at, xywh, scores)
    indices, unplaced = _frame_indices(path, images, names, complete)
    return {
        "by_name": {names[i]: found for i, found in boxes.items() if names[i]},
        "by_index": {indices[i]: found for i, found in boxes.items()} if indices else {},
        "listed": frozenset({*names} - {""}),
        "repeated": frozenset(name for name, count in Counter(names).items() if name and count > 1),
        "unplaced": unplaced,
    }


def _frame_indices(path: Path, images: list[dict[str, Any]], names: list[str], complete: bool) -> tuple[list[int], str]:
    """The frame index of each image; or none, and why a video's frames cannot be looked up."""
    given = [_plain_id(image.get("frame_index")) for image in images]
    if any("frame_index" in image for image in images):
        wrong = next((i for i, index in enumerate(given) if not isinstance(index, int) or index < 0), None)
        if wrong is not None:
            raise InputError(f"{path}: image {wrong} needs a frame_index from 0, got {str(images[wrong])[:100]}")
        indices = [index for index in given if isinstance(index, int)]
    else:
        digits = [re.findall(r"[0-9]{1,18}", PurePosixPath(name).stem) for name in names]
        if complete and not any(digits):
            return list(range(len(names))), ""
        indices = [int(found[-1]) for found in digits if found]
        first = min(indices, default=0)
        if sorted(indices) == list(range(1, len(names) + 1)):
            indices = [number - 1 for number in indices]
        elif len(indices) < len(names) or (first > 0 and not _counts_from_zero(names)):
            return [], (
                f"{path}: which frames of a video its images are cannot be told from names like {names[0]!r}: expected "
                "names that count the frames from 0, or a frame_index for each image"
            )
    if len(set(indices)) < len(indices):
        return [], f"{path}: several of its images are the same frame of a video: use a file of one video"
    return indices, ""


def _counts_from_zero(names: list[str]) -> bool:
    """Whether names are of the form `frame_000012.png`, which annotation tools give to the frames of a video."""
    return all(PurePosixPath(name).stem.lower().startswith("frame_") for name in names)


# MOT


def _read_mot(path: Path) -> BoxFile:
    """`frame, id, x, y, w, h[, confidence[, class, ...]]`; confidence -1 or absent: 1."""
    rows = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        # Spreadsheets of some languages separate cells by semicolons and write decimal commas.
        cells = (line.replace(",", ".").replace(";", " ") if ";" in line else line.replace(",", " ")).split()
        if not cells or (number == 1 and re.match(r"[A-Za-z_]", cells[0])):
            continue
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            values = []
        if len(values) < 6:
            raise InputError(
                f"{path}: line {number}: expected frame, id, x, y, w, h[, confidence] as numbers, got {line[:80]!r}"
            )
        rows.append([*values, *(1.0, -1.0)[len(values) - 6 :]][:8])
    table = np.array(rows).reshape(-1, 8)
    person = _mot_people(path, table[:, 7])
    left_out = {"boxes of other classes": int((~person).sum())} if not person.all() else {}
    table = table[person]
    frame = table[:, 0]
    bad = ~((frame >= 1) & (frame == np.floor(frame)) & (frame < math.inf))
    if bad.any():
        raise InputError(f"{path}: MOT frames count from 1, got frame {frame[bad][0]:g}")
    scores = np.where(table[:, 6] == -1, 1.0, table[:, 6])
    _check(path, table[:, 2:6], scores)
    keys = [int(number) - 1 for number in frame]
    return BoxFile("MOT", by_index=_group(keys, table[:, 2:6], scores), total=len(table), left_out=left_out)


def _mot_people(path: Path, kind: np.ndarray) -> np.ndarray:
    """Which rows are people, by their eighth column: -1, or a class; other files have world coordinates there."""
    if (kind != np.floor(kind)).any():
        return np.ones(len(kind), bool)
    classes = set(kind.tolist()) - {-1.0}
    if classes <= {0.0}:  # programs that count classes from 0, and find people only
        return np.ones(len(kind), bool)
    seen = ", ".join(f"{value:g}" for value in sorted(classes)[:8])
    if _PERSON not in classes or 0.0 in classes:
        raise InputError(
            f"{path}: expected MOT's class 1 for people; it has classes {seen}: leave the people's rows only"
        )
    return np.isin(kind, (-1, _PERSON))
