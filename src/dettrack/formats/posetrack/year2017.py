"""PoseTrack17: one annolist per sequence, as JSON (`annolist`, everything a list of one) or MATLAB's .mat.

A person is an `annorect`: x1, y1, x2, y2 are the **head** box, `annopoints[0].point` lists the joints, each with an id
from 0 to 14 (`JOINTS`). Annotated files come as .mat, predictions as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dettrack.errors import InputError
from dettrack.files import NewFile, parsing, write_json
from dettrack.formats.mat import load_mat
from dettrack.formats.posetrack.sequence import NO_ID, ImageInfo, People, PoseSequence, load_object, polygons
from dettrack.skeleton import POSETRACK15

__all__ = ["JOINTS", "annolist", "load_annolist_mat", "parse_annolist", "read_posetrack17", "write_posetrack17"]

JOINTS = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    *("head_bottom", "nose", "head_top"),
)
"""Joint of each point id; the official evaluator calls `head_bottom` the neck, and counts in this order."""

_COLUMN = {i: POSETRACK15.joints.index(joint) for i, joint in enumerate(JOINTS)}


def read_posetrack17(path: str | Path) -> PoseSequence:
    """Read an annolist from JSON or from a .mat file.

    Raises:
        InputError: The file cannot be read or says something impossible; the message names the place.
    """
    path = Path(path)
    return parse_annolist(load_annolist_mat(path) if path.suffix.lower() == ".mat" else load_object(path), path)


def parse_annolist(data: Mapping[str, Any], path: Path) -> PoseSequence:
    """`read_posetrack17` of a file's content.

    Args:
        data: The content.
        path: The file, for its name and for messages.

    Returns:
        The sequence.

    Raises:
        InputError: It says something impossible; the message names the place.
    """
    frames = data.get("annolist")
    if not isinstance(frames, list) or not frames:
        raise InputError(f"{path}: no list 'annolist'; expected a PoseTrack17 file with one entry per frame")
    images, columns, notes = [], _Columns(), []
    for i, frame in enumerate(frames):
        where = f"{path}, frame {i}"
        with parsing(where, "an annolist entry"):
            images.append(_image(frame, where))
            for k, rect in enumerate(frame.get("annorect") or []):
                columns.add(i, rect, f"{where}, person {k}")
    if columns.repeated:
        notes.append(f"{path.name}: {columns.repeated} joints are given twice for one person; the first counts")
    return PoseSequence(
        name=path.stem.split(".")[0],
        format="posetrack17",
        joint_set=POSETRACK15,
        images=tuple(images),
        people=columns.people(),
        notes=tuple(notes),
    )


def _one(entry: Mapping[str, Any], key: str) -> Any:
    """The only element of a list of one (a plain value is taken too); None where there is none."""
    value = entry.get(key)
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _number(entry: Mapping[str, Any], key: str, where: str) -> float:
    value = _one(entry, key)
    number = float("nan") if value is None else float(value)
    if not np.isfinite(number):
        raise InputError(f"{where}: {key} is {value}; expected a finite number (leave a missing joint out)")
    return number


def _image(frame: Mapping[str, Any], where: str) -> ImageInfo:
    image = _one(frame, "image")
    labeled, imgnum = _one(frame, "is_labeled"), _one(frame, "imgnum")
    regions = [region.get("point") or [] for region in frame.get("ignore_regions") or []]
    xs = [[_number(point, "x", where) for point in region] for region in regions]
    ys = [[_number(point, "y", where) for point in region] for region in regions]
    return ImageInfo(
        file_name=str(_one(image, "name")),
        is_labeled=None if labeled is None else bool(labeled),
        imgnum=None if imgnum is None else int(imgnum),
        ignore_regions=polygons(xs, ys, where),
    )


class _Columns:
    """Gathers people row by row."""

    def __init__(self) -> None:
        self.image: list[int] = []
        self.track_id: list[int] = []
        self.points: list[np.ndarray] = []
        self.head_box: list[list[float]] = []
        self.score: list[float] = []
        self.listed: list[bool] = []
        self.repeated = 0

    def add(self, image: int, rect: Mapping[str, Any], where: str) -> None:
        track = _one(rect, "track_id")
        if track is not None and not (0 <= track < 2**63 and track == int(track)):
            raise InputError(f"{where}: track_id is {track!r:.40}; expected a whole number from 0, of 63 bits at most")
        corners = [_one(rect, key) for key in ("x1", "y1", "x2", "y2")]
        holder = rect.get("annopoints") or []
        holder = holder[0] if isinstance(holder, list) and holder else holder
        listed = isinstance(holder, Mapping) and "point" in holder
        score = _one(rect, "score")
        self.image.append(image)
        self.track_id.append(NO_ID if track is None else int(track))
        self.head_box.append([np.nan if value is None else float(value) for value in corners])
        self.score.append(np.nan if score is None else float(score))
        self.listed.append(listed)
        self.points.append(self._points(holder["point"] if listed else [], where))

    def _points(self, points: list[Mapping[str, Any]], where: str) -> np.ndarray:
        """x, y, score and visibility of the 15 joints."""
        table = np.full((len(POSETRACK15), 4), np.nan)
        for point in points:
            column = _COLUMN.get(_one(point, "id"))
            if column is None:  # not one of the 15: never used, officially
                continue
            if not np.isnan(table[column, 0]):  # first point of an id wins
                self.repeated += 1
                continue
            visible = _one(point, "is_visible")
            table[column] = (
                _number(point, "x", where),
                _number(point, "y", where),
                np.nan if _one(point, "score") is None else _number(point, "score", where),
                np.nan if visible is None else float(visible),
            )
        return table

    def people(self) -> People:
        table = np.array(self.points).reshape(-1, len(POSETRACK15), 4)
        return People.build(
            self.image,
            table[..., :2],
            scores=table[..., 2],
            visible=table[..., 3],
            track_id=self.track_id,
            head_box=np.array(self.head_box).reshape(-1, 4),
            score=self.score,
            listed=np.array(self.listed, bool),
        )


def annolist(sequence: PoseSequence) -> dict[str, Any]:
    """The whole content of a PoseTrack17 file, ready for JSON; ears are left out."""
    sequence = sequence.with_joints(POSETRACK15)
    people, starts, frames = sequence.people, sequence.starts, []
    for i, info in enumerate(sequence.images):
        imgnum = i + 1 if info.imgnum is None else info.imgnum
        frame: dict[str, Any] = {"image": [{"name": info.file_name}], "imgnum": [imgnum]}
        if info.is_labeled is not None:
            frame["is_labeled"] = [int(info.is_labeled)]
        if info.ignore_regions:
            frame["ignore_regions"] = [
                {"point": [{"x": [x], "y": [y]} for x, y in region.tolist()]} for region in info.ignore_regions
            ]
        frame["annorect"] = [_rect(people, row) for row in range(starts[i], starts[i + 1])]
        frames.append(frame)
    return {"annolist": frames}


def _rect(people: People, row: int) -> dict[str, Any]:
    rect: dict[str, Any] = {}
    if people.track_id[row] != NO_ID:
        rect["track_id"] = [int(people.track_id[row])]
    if not np.isnan(people.score[row]):
        rect["score"] = [float(people.score[row])]
    for key, value in zip(("x1", "y1", "x2", "y2"), people.head_box[row].tolist(), strict=True):
        if not np.isnan(value):
            rect[key] = [value]
    points = []
    for number, column in _COLUMN.items():
        x, y = people.xy[row, column].tolist()
        if np.isnan(x):
            continue
        point: dict[str, Any] = {"id": [number], "x": [x], "y": [y]}
        if not np.isnan(people.scores[row, column]):
            point["score"] = [float(people.scores[row, column])]
        if not np.isnan(people.visible[row, column]):
            point["is_visible"] = [int(people.visible[row, column])]
        points.append(point)
    if people.listed[row]:
        rect["annopoints"] = [{"point": points}]
    return rect


def write_posetrack17(sequence: PoseSequence, path: str | Path) -> None:
    """Write a sequence as an annolist.

    Args:
        sequence: A sequence of any year; ears are left out.
        path: JSON file, or MATLAB's where it ends in .mat.

    Raises:
        OutputError: The file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".mat":
        write_json(path, annolist(sequence))
        return
    with NewFile(path) as new, new.part.open("wb") as file:
        _save_mat(annolist(sequence), file)


def load_annolist_mat(path: Path) -> dict[str, Any]:
    """A .mat file as the same nested lists and dictionaries that the JSON holds.

    Raises:
        InputError: The file is not one of MATLAB's, or has no `annolist`.
    """
    return {"annolist": load_mat(path, "annolist")}


def _save_mat(content: dict[str, Any], file: BinaryIO) -> None:
    from scipy.io import savemat

    savemat(file, {"annolist": _struct(content["annolist"])}, do_compression=True)


def _struct(entries: list[dict[str, Any]]) -> np.ndarray:
    """A list of dictionaries to MATLAB's 1 x n struct array; fields that an entry lacks are empty."""
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    array = np.empty((1, len(entries)), [(name, object) for name in names] or object)
    for i, entry in enumerate(entries):
        for name in names:
            value = entry.get(name, [])
            if isinstance(value, list) and value and isinstance(value[0], dict):
                value = _struct(value)
            elif isinstance(value, list):
                value = np.array(value, float).reshape(1, -1) if value else np.zeros((0, 0))
            array[0, i][name] = value
    return array
