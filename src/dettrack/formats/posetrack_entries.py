"""The entries of PoseTrack18 and 21 files, built one at a time, and whole files made of them.

An entry of `images` describes a frame, one of `annotations` a person in it; `categories` names the joints in the order
of the triplets x, y, visibility. Image ids are T * 10^10 + video * 10^4 + frame, with T = 1 for mpii, 2 for bonn, 3 for
mpiinew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from dettrack.files import write_json
from dettrack.formats.posetrack import NO_ID, Format, ImageInfo, People, PoseSequence
from dettrack.skeleton import POSETRACK17, JointMap, JointSet
from dettrack.structures import TrackTable

__all__ = ["annotation_entries", "categories", "image_entry", "image_id", "sequence_entries", "write_posetrack18"]

_KINDS = {"mpii": 1, "bonn": 2, "mpiinew": 3}
_NAME = re.compile(r"(\d+)_(mpiinew|mpii|bonn)(?:_|$)")
# Limbs of the 17-joint set as the published files list them: pairs of positions from 1.
_SKELETON = (
    *((16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10)),
    *((9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)),
)


def image_id(sequence: str, frame: int) -> int:
    """Id of a frame by PoseTrack18's rule.

    Args:
        sequence: Name of the sequence, for example `000342_mpii_test`; of other names the digits at the start count,
            if any, and T is 9, which the published files do not use.
        frame: Number of the frame, from 0.
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
    """One entry of `images`; what is None is left out."""
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
        One entry per row: ids, `keypoints` (0, 0, 0 where missing), `scores`, `score` and `bbox` (x, y, width, height).
    """
    xy, scores = JointMap(rows.joint_set, joint_set)(rows.xy, rows.joint_scores)
    corners = rows.box
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
    people = People.build(np.zeros(len(rows), int), xy, scores=scores, track_id=rows.track_id, score=rows.score)
    entries = _entries(people, [image], None)
    for entry, box in zip(entries, np.round(boxes, digits).tolist(), strict=True):
        entry["keypoints"] = [round(value, digits) for value in entry["keypoints"]]
        entry["scores"] = [round(value, 9) for value in entry["scores"]]
        entry["score"] = round(entry["score"], 9)
        entry["bbox"] = box
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
        corners = getattr(people, name)
        sizes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
        for row in np.flatnonzero(~np.isnan(sizes).any(1)):
            annotations[row][key] = sizes[row].tolist()
    if format == "posetrack21":
        for row in np.flatnonzero(people.person_id != NO_ID):
            annotations[row]["person_id"] = int(people.person_id[row])
    return {"images": images, "annotations": annotations, "categories": categories(sequence.joint_set)}


def write_posetrack18(sequence: PoseSequence, path: str | Path, *, format: Format = "posetrack18") -> None:
    """Write a sequence as one JSON file; `read_posetrack18` gives it back.

    Raises:
        OutputError: The file cannot be written.
    """
    write_json(path, sequence_entries(sequence, format))
