"""Labels of people whose boxes, and here and there whose joints, are known: one small picture a person.

What was annotated by hand stands; teachers say the rest. A picture of its own for each person costs a training step a
tenth of decoding a whole photo.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.files import load_json, parsing
from dettrack.models.detector.protocol import Detector
from dettrack.skeleton import POSETRACK15, JointMap
from dettrack.structures import Boxes, Frame
from dettrack.training.labels.people import PeopleSet, read_image, seen_from_behind
from dettrack.training.labels.pseudo import AgreementConfig, PseudoPoses, _encode, _gather, _label_boxes, _others
from dettrack.training.labels.sets import _named_joints
from dettrack.training.labels.teachers import Teacher

__all__ = ["CutConfig", "Known", "cut_out", "label_known", "mask_faces_from_behind", "read_known"]

_LOG = logging.getLogger("dettrack.training")
_FACE = ("nose", "head_bottom", "head_top")


@dataclass(frozen=True)
class Known:
    """A picture and who is known to be in it.

    Attributes:
        image: RGB.
        boxes: Corners in pixels, not enlarged.
        poses: Annotated joints in POSETRACK15; NaN where there is none.
    """

    image: UInt8[np.ndarray, "h w 3"]
    boxes: Float[np.ndarray, "n 4"]
    poses: Float[np.ndarray, "n 15 2"]


@dataclass(frozen=True)
class CutConfig:
    """The picture that is kept of a person.

    Attributes:
        margin: What is kept around the box on each side, as a share of its longer side.
        longest: The box's longer side in it has at most this many pixels.
        least_joints: People with fewer trusted joints are left out.
    """

    margin: float = 0.4
    longest: float = 200.0
    least_joints: int = 4


def label_known(
    pictures: Iterable[Known],
    teacher: Teacher,
    config: AgreementConfig,
    cut: CutConfig,
    *,
    detector: Detector | None = None,
) -> PeopleSet:
    """Label people.

    Args:
        pictures: Whom to label.
        teacher: One teacher, or better a panel.
        config: Limits.
        cut: What is kept.
        detector: Finds the others in each picture; None leaves them out.

    Returns:
        The labelled people.
    """
    rows: list[tuple[bytes, PseudoPoses]] = []
    for number, known in enumerate(pictures):
        boxes, poses = known.boxes, known.poses
        if detector is not None:
            found = detector.detect([Frame(0, 0.0, known.image)])[0]
            boxes, poses = _with_others(boxes, poses, found, config)
        if len(boxes):
            labels = _annotated_first(_label_boxes(known.image, boxes, teacher, None, config), poses)
            rows += cut_out(known.image, mask_faces_from_behind(labels), cut)
        if number % 500 == 499:
            _LOG.info("%d pictures, %d people labelled", number + 1, len(rows))
    return _gather(rows, POSETRACK15)


def _with_others(
    boxes: np.ndarray, poses: np.ndarray, found: Boxes, config: AgreementConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Known people and those found beside them."""
    others = found
    for box in boxes:
        kept = _others(others, box, config)
        others = Boxes(kept, np.ones(len(kept)))
    more = _others(others, None, config)
    return np.concatenate([boxes, more]), np.concatenate([poses, np.full((len(more), *poses.shape[1:]), np.nan)])


def _annotated_first(labels: PseudoPoses, poses: Float[np.ndarray, "n 15 2"]) -> PseudoPoses:
    """Annotated joints in place of the teachers'."""
    given = ~np.isnan(poses[..., 0])
    return replace(
        labels,
        xy=np.where(given[..., None], poses, labels.xy),
        height=np.where(given, 1.0, labels.height),
        weight=np.where(given, 1.0, labels.weight),
    )


def mask_faces_from_behind(labels: PseudoPoses) -> PseudoPoses:
    """No face joints of people who turn their backs: teachers see faces there, with high scores."""
    weight = labels.weight.copy()
    for joint in _FACE:
        weight[_from_behind(labels), POSETRACK15.index(joint)] = 0
    return replace(labels, weight=weight)


def _from_behind(labels: PseudoPoses) -> np.ndarray:
    return seen_from_behind(_gather([(b"", labels)], POSETRACK15))


def cut_out(
    image: UInt8[np.ndarray, "h w 3"], labels: PseudoPoses, cut: CutConfig
) -> Iterator[tuple[bytes, PseudoPoses]]:
    """A small picture of each person with enough trusted joints, encoded, and their labels in its pixels.

    Args:
        image: RGB.
        labels: Of all its people.
        cut: How large the pieces are.

    Yields:
        The encoded picture, and the person's labels.
    """
    edge = np.array(image.shape[1::-1])
    for row in np.flatnonzero((labels.weight > 0).sum(1) >= cut.least_joints):
        box = labels.boxes[row]
        side = (box[2:] - box[:2]).max()
        low = np.clip(np.floor(box[:2] - cut.margin * side), 0, edge - 2).astype(int)
        high = np.clip(np.ceil(box[2:] + cut.margin * side) + 1, low + 2, edge).astype(int)
        piece = image[low[1] : high[1], low[0] : high[0]]
        scale = min(1.0, cut.longest / side)
        size = np.maximum(np.round((high - low) * scale), 2).astype(int)
        if scale < 1:
            piece = cv2.resize(piece, tuple(size.tolist()), interpolation=cv2.INTER_AREA)
        factor = size / (high - low) if scale < 1 else np.ones(2)
        corners = ((box.reshape(2, 2) - low + 0.5) * factor - 0.5).reshape(1, 4)
        xy = (labels.xy[[row]] - low + 0.5) * factor - 0.5
        yield _encode(piece), PseudoPoses(corners, xy, labels.height[[row]], labels.weight[[row]])


def read_known(path: Path, images: Path, *, least_height: float = 0.0) -> Iterator[Known]:
    """The pictures of a file in COCO form, with their boxes and whatever joints it has.

    Args:
        path: The file; boxes alone will do, and pictures without any.
        images: Folder that its image names are relative to.
        least_height: Lower boxes are left out.

    Yields:
        Pictures, in the order of the file.

    Raises:
        InputError: The file is not in that form, or a picture cannot be read.
    """
    content = load_json(path)
    with parsing(f"{path}", "pictures with boxes in COCO form"):
        given: list[Any] = next((entry["keypoints"] for entry in content["categories"] if entry.get("keypoints")), [])
        names = [str(name) for name in given]
        convert = JointMap(_named_joints(names, path), POSETRACK15, approximate=False) if names else None
        by_image: dict[int, list[tuple[list[float], np.ndarray]]]
        by_image = {int(entry["id"]): [] for entry in content["images"]}
        for entry in content.get("annotations", []):
            x, y, width, height = (float(value) for value in entry["bbox"])
            if not entry.get("iscrowd") and width >= 1 and height >= max(1.0, least_height):
                box = [x, y, x + width - 1, y + height - 1]
                by_image[int(entry["image_id"])].append((box, _joints_of(entry, convert)))
        files = [(int(entry["id"]), str(entry["file_name"])) for entry in content["images"]]
    for number, name in files:
        people = by_image[number]
        boxes, poses = [box for box, _ in people], [pose for _, pose in people]
        yield Known(
            read_image(images / name), np.array(boxes, float).reshape(-1, 4), np.array(poses, float).reshape(-1, 15, 2)
        )


def _joints_of(entry: Any, convert: JointMap | None) -> np.ndarray:
    """The annotated joints of an entry; NaN where there is none."""
    flat = np.asarray(entry.get("keypoints", []), float)
    if convert is None or flat.shape != (3 * len(convert.source),):
        return np.full((len(POSETRACK15), 2), np.nan)
    triplets = flat.reshape(-1, 3)
    xy = np.where(triplets[:, 2:] > 0, triplets[:, :2], np.nan)
    return convert(xy, np.ones(len(xy)))[0]
