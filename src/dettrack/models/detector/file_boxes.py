"""Boxes that another program found, read from a file: COCO-style detections JSON, or MOT text.

Which frame a box belongs to:

- MOT: the first column counts frames from 1.
- COCO with an `images` list: by image file name where frames have one (folders, lists of images), else by
  the image's `frame_index`, or its position in the list.
- COCO without it, image ids of PoseTrack18 (`1VVVVVVFFFF`: sequence and frame number): the frame number is matched
  with the number in the frame's file name, or with the frame index. A file of several sequences needs frame names
  whose folder says the sequence.
- COCO without it, any other whole number: the image id is the frame index, from 0. Text ids are file names.

A frame of which the file says nothing has no boxes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dettrack.errors import InputError
from dettrack.structures import Boxes, Frame

__all__ = ["FileBoxes"]

_PERSON = 1  # category of COCO, PoseTrack and MOT
_POSETRACK_ID = 10**10  # PoseTrack18 image ids have eleven digits and start with 1


class FileBoxes:
    """A detector that looks its boxes up."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InputError: It is unreadable or not of a known form; the message names the entry.
        """
        if path.suffix.lower() == ".json":
            self._boxes, kind, self._listed = _read_coco(path)
        else:
            self._boxes, kind = _read_mot(path)
            self._listed = frozenset()
        self._named = any(isinstance(key, str) for key in (*self._boxes, *self._listed))
        self._sequences = {key[0] for key in self._boxes if isinstance(key, tuple)}
        total = sum(map(len, self._boxes.values()))
        self.description = f"{path.name} ({kind}: {total} boxes in {len(self._boxes)} frames)"
        self._path = path

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`.

        Raises:
            InputError: The file holds several sequences and a frame does not say which is its own; or it lists images
                by name, and the first frames are not among them.
        """
        named = [key for frame in frames for key in _names(frame)]
        if self._listed and named and self._listed.isdisjoint(named):
            raise InputError(
                f"{self._path}: its images list has no {frames[0].name} (but, for example, {min(self._listed)}): "
                "these are boxes of other images"
            )
        self._listed = frozenset()  # checked: later frames may be missing
        return [self._lookup(frame) for frame in frames]

    def _lookup(self, frame: Frame) -> Boxes:
        if self._sequences:
            return self._boxes.get(self._posetrack_key(frame), Boxes.empty())
        names = _names(frame)
        for key in names:
            if key in self._boxes:
                return self._boxes[key]
        if names and self._named:
            return Boxes.empty()
        return self._boxes.get(frame.index, Boxes.empty())

    def _posetrack_key(self, frame: Frame) -> tuple[int, int]:
        name = PurePosixPath(frame.name.replace("\\", "/"))
        digits = re.findall(r"\d+", name.stem)
        number = int(digits[-1]) if digits else frame.index
        if len(self._sequences) == 1:
            return next(iter(self._sequences)), number
        folder = re.match(r"\d+", name.parent.name)
        if folder is None:
            raise InputError(
                f"{self._path}: it holds boxes of {len(self._sequences)} sequences and frame "
                f"{frame.name or frame.index!r} does not say its own: use a file of one sequence"
            )
        return int(folder.group()), number


def _names(frame: Frame) -> tuple[str, ...]:
    """What a file may call the frame: its name with folders, and without."""
    name = PurePosixPath(frame.name.replace("\\", "/"))
    return (str(name), name.name) if frame.name else ()


_Key = int | str | tuple[int, int]


def _read_coco(path: Path) -> tuple[dict[_Key, Boxes], str, frozenset[str]]:
    """Boxes by key, what the file is, and the names in its image list."""
    content = _load_json(path)
    images: list[dict[str, Any]] = []
    if isinstance(content, dict):
        images = content.get("images") or []
        content = content.get("annotations", content.get("detections"))
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(f"{path}: expected a list of detections, each with image_id, bbox [x, y, w, h] and score")
    entries = [entry for entry in content if entry.get("category_id", _PERSON) == _PERSON]
    if content and not entries:
        seen = sorted({str(entry.get("category_id")) for entry in content})
        raise InputError(f"{path}: no detection of category 1 (person); it has categories {', '.join(seen[:8])}")
    xywh, scores = np.zeros((len(entries), 4)), np.ones(len(entries))
    for i, entry in enumerate(entries):
        try:
            xywh[i] = entry["bbox"]
            scores[i] = entry.get("score", 1.0)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: detection {i} needs bbox [x, y, w, h] and a score in [0, 1], got {str(entry)[:100]}"
            ) from error
        if "image_id" not in entry:
            raise InputError(f"{path}: detection {i} has no image_id")
    _check(path, xywh, scores)
    ids = [entry["image_id"] for entry in entries]
    keys, kind = _coco_keys(path, ids, images)
    names = {str(image.get("file_name") or "").replace("\\", "/") for image in images} - {""}
    listed = frozenset(names | {PurePosixPath(name).name for name in names})
    return _group(keys, xywh, scores), kind, listed


def _load_json(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: line {error.lineno}: {error.msg}") from error


def _coco_keys(path: Path, ids: list[Any], images: list[dict[str, Any]]) -> tuple[list[list[_Key]], str]:
    """The keys under which each detection is found."""
    if images:
        known: dict[Any, list[_Key]] = {}
        names = [str(image.get("file_name", "")).replace("\\", "/") for image in images]
        bases = [PurePosixPath(name).name for name in names]
        shared = Counter(bases)
        for i, (image, name, base) in enumerate(zip(images, names, bases, strict=True)):
            # A base name that several folders share says nothing. Our own files say the frame index.
            index = int(image.get("frame_index", i))
            keys: list[_Key] = [index, name, base] if shared[base] == 1 else [index, name]
            known[image.get("id", image.get("image_id"))] = list(dict.fromkeys(key for key in keys if key != ""))
        missing = [image_id for image_id in ids if image_id not in known]
        if missing:
            raise InputError(f"{path}: detections of image {missing[0]!r}, which is not in its images list")
        return [known[image_id] for image_id in ids], "COCO detections, by image list"
    if ids and all(isinstance(i, int) and _POSETRACK_ID <= i < 2 * _POSETRACK_ID for i in ids):
        return [[((i - _POSETRACK_ID) // 10000, i % 10000)] for i in ids], "COCO detections, PoseTrack image ids"
    if all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in ids):
        return [[i] for i in ids], "COCO detections, image id = frame index"
    if all(isinstance(i, str) for i in ids):
        return [[i.replace("\\", "/")] for i in ids], "COCO detections, by file name"
    raise InputError(f"{path}: image_id must be whole numbers or file names throughout, and not negative")


def _read_mot(path: Path) -> tuple[dict[_Key, Boxes], str]:
    """`frame, id, x, y, w, h[, confidence[, class, ...]]`; confidence -1 or absent: 1. Ground truth: class 1."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        cells = line.replace(",", " ").split()
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
    table = table[np.isin(table[:, 7], (-1, _PERSON))]
    if len(table) and (table[:, 0] < 1).any():
        raise InputError(f"{path}: MOT frames count from 1, got frame {table[:, 0].min():g}")
    scores = np.where(table[:, 6] == -1, 1.0, table[:, 6])
    _check(path, table[:, 2:6], scores)
    keys: list[list[_Key]] = [[int(frame) - 1] for frame in table[:, 0]]
    return _group(keys, table[:, 2:6], scores), "MOT"


def _check(path: Path, xywh: np.ndarray, scores: np.ndarray) -> None:
    bad = ~((scores >= 0) & (scores <= 1))
    if bad.any():
        raise InputError(f"{path}: scores must lie in [0, 1], got {scores[bad][0]:g}: scale them first")
    if not np.isfinite(xywh).all():
        raise InputError(f"{path}: detection {int((~np.isfinite(xywh)).any(1).argmax())} has a box that is not finite")


def _group(keys: list[list[_Key]], xywh: np.ndarray, scores: np.ndarray) -> dict[_Key, Boxes]:
    """Boxes by key, best first."""
    members: dict[tuple[_Key, ...], list[int]] = {}
    for i, names in enumerate(keys):
        members.setdefault(tuple(names), []).append(i)
    grouped: dict[_Key, Boxes] = {}
    for shared, indices in members.items():
        order = np.array(indices)[np.argsort(-scores[indices], kind="stable")]
        corners = np.concatenate([xywh[order, :2], xywh[order, :2] + xywh[order, 2:]], 1)
        for key in shared:
            grouped[key] = Boxes(corners, scores[order])
    return grouped
