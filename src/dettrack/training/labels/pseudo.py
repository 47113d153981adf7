"""Pseudo-labels: teachers label images and videos that have no annotation, and check those that have.

One teacher errs; where an annotation, a first and a second teacher agree within a share of the torso, their mean is
taken at full weight. Elsewhere a confident teacher counts half, and what is unsure gets no weight.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.geometry import box_iou, crop_affines, rotation
from dettrack.models.detector.protocol import Detector
from dettrack.skeleton import COCO17, POSETRACK15, JointMap, JointSet
from dettrack.structures import Boxes, Frame
from dettrack.training.labels.people import PeopleSet, upright_angle
from dettrack.training.labels.teachers import Teacher

__all__ = ["AgreementConfig", "PseudoPoses", "agree", "label_stills", "label_video", "teach"]

_LOG = logging.getLogger("dettrack.training")
_TO_POSETRACK = JointMap(COCO17, POSETRACK15)


@dataclass(frozen=True)
class AgreementConfig:
    """When labels are trusted.

    Attributes:
        distance: Two labels of a joint agree within this share of the torso.
        confident: Teacher's score from which its joint counts fully where nothing contradicts it.
        unsure: Teacher's score below which its joint does not count.
        approximated: Weight of neck and head top made from other joints.
        min_height: People whose box is lower than this many pixels are left out.
        min_score: Detections with a lower score are left out.
    """

    distance: float = 0.3
    confident: float = 0.5
    unsure: float = 0.25
    approximated: float = 0.3
    min_height: float = 48.0
    min_score: float = 0.5


@dataclass(frozen=True)
class PseudoPoses:
    """Joints of people of one image in POSETRACK15, as in `PeopleSet`."""

    boxes: Float[np.ndarray, "n 4"]
    xy: Float[np.ndarray, "n 15 2"]
    height: Float[np.ndarray, "n 15"]
    weight: Float[np.ndarray, "n 15"]


def agree(
    teacher: Float[np.ndarray, "n 15 2"],
    score: Float[np.ndarray, "n 15"],
    annotation: Float[np.ndarray, "n 15 2"],
    second: Float[np.ndarray, "n 15 2"],
    config: AgreementConfig,
) -> tuple[Float[np.ndarray, "n 15 2"], Float[np.ndarray, "n 15"], Float[np.ndarray, "n 15"]]:
    """Joints that at least two sources agree on, else the confident teacher's.

    Args:
        teacher: The first teacher's joints.
        score: Its confidence.
        annotation: Annotated joints; NaN where there is none.
        second: The second teacher's joints; NaN where it did not run.
        config: Limits.

    Returns:
        Positions, heights of the targets' peaks and weights in the loss.
    """
    reach = config.distance * _torso(teacher)[:, None]

    def near(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm(a - b, axis=-1) < reach  # NaN is never near

    xy, height = teacher.copy(), np.clip(score / config.confident, 0, 1)
    weight = np.where(score >= config.confident, 1.0, np.where(score >= config.unsure, 0.5, 0.0))
    # What lies between unsure and confident is taught at the teacher's own height; below, nothing is known.
    contradicted = ~np.isnan(annotation[..., 0]) & ~near(teacher, annotation)
    weight = np.where(contradicted, np.where(score >= config.confident, 0.5, 0.0), weight)
    for a, b in ((annotation, second), (teacher, second), (teacher, annotation)):
        both = near(a, b)
        xy[both] = (a[both] + b[both]) / 2
        height, weight = np.where(both, 1.0, height), np.where(both, 1.0, weight)
    return xy, height, weight


def _torso(xy: Float[np.ndarray, "n 15 2"]) -> Float[np.ndarray, " n"]:
    """Distance between the middles of shoulders and hips; at least a tenth of the pose's extent."""
    place = POSETRACK15.index
    shoulders = (xy[:, place("left_shoulder")] + xy[:, place("right_shoulder")]) / 2
    hips = (xy[:, place("left_hip")] + xy[:, place("right_hip")]) / 2
    extent = np.ptp(xy, axis=1).max(-1)
    return np.maximum(np.linalg.norm(shoulders - hips, axis=-1), 0.1 * extent)


def teach(teacher: Teacher, image: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A teacher's joints in POSETRACK15.

    Args:
        teacher: The model.
        image: RGB.
        affines: Pixels of the image -> pixels of the crops.

    Returns:
        Positions in pixels of the image, and scores.
    """
    xy, score = teacher(image, affines)
    return _TO_POSETRACK(xy, score)


def _label_boxes(
    image: np.ndarray, boxes: np.ndarray, first: Teacher, second: Teacher | None, config: AgreementConfig
) -> PseudoPoses:
    """Labels of detected people without annotation."""
    xy, score = teach(first, image, crop_affines(boxes, first.size))
    nothing = np.full_like(xy, np.nan)
    other = teach(second, image, crop_affines(boxes, second.size))[0] if second else nothing
    made = [POSETRACK15.index(joint) for joint in _TO_POSETRACK.approximated]
    other[:, made] = np.nan
    xy, height, weight = agree(xy, score, nothing, other, config)
    weight[:, made] = np.minimum(weight[:, made], config.approximated) * (score[:, made] >= config.confident)
    weight[:, POSETRACK15.index("head_top")] = 0  # the approximation holds for faces seen from the front only
    # In a crop of one body there are no joints outside: what the picture's edge cuts off is not taught.
    edge = np.array(image.shape[1::-1]) - 1
    weight[((xy < 0) | (xy > edge)).any(-1)] = 0
    return PseudoPoses(boxes, xy, height, weight)


def _label_annotated(
    image: np.ndarray, annotation: np.ndarray, first: Teacher, second: Teacher | None, config: AgreementConfig
) -> PseudoPoses:
    """Labels of one annotated person, turned upright for the teachers."""
    angle = upright_angle(annotation)
    turn = rotation(angle)
    turned = annotation @ turn.T
    low, high = np.nanmin(turned, 0), np.nanmax(turned, 0)
    pad = 0.1 * (high - low).max()
    centre = (low + high) / 2 @ turn
    half = (high - low) / 2 + pad
    box, angles = np.concatenate([centre - half, centre + half])[None], np.array([angle])
    xy, score = teach(first, image, crop_affines(box, first.size, turns=rotation(angles)))
    known = [POSETRACK15.index(joint) for joint in POSETRACK15.joints if joint not in _TO_POSETRACK.approximated]
    given = ~np.isnan(annotation[known, 0])
    gap = np.linalg.norm(xy[0, known] - annotation[known], axis=-1)
    other = np.full_like(xy, np.nan)
    differ = gap[given] > config.distance * _torso(xy)[0]
    if second and differ.sum() >= 2:
        other = teach(second, image, crop_affines(box, second.size, turns=rotation(angles)))[0]
    xy, height, weight = agree(xy, score, annotation[None], other, config)
    for joint in _TO_POSETRACK.approximated:  # the annotation is the only source that has seen them
        column = POSETRACK15.index(joint)
        seen = ~np.isnan(annotation[column, 0])
        xy[0, column] = annotation[column]
        # Trusted as far as the annotation's other joints were.
        trusted = 1 - float(np.mean(differ)) if given.any() else 0.0
        height[0, column], weight[0, column] = 1.0, float(seen) * (trusted > 0.5)
    known_xy = xy[0][weight[0] > 0] if (weight[0] > 0).sum() >= 4 else annotation
    low, high = np.nanmin(known_xy, 0), np.nanmax(known_xy, 0)
    pad = 0.06 * (high - low).max()
    return PseudoPoses(np.concatenate([low - pad, high + pad])[None], xy, height, weight)


def label_stills(
    images: Iterable[tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "15 2"] | None]],
    detector: Detector | None,
    first: Teacher,
    second: Teacher | None,
    config: AgreementConfig,
    *,
    longest: int = 384,
) -> PeopleSet:
    """Label every person in single images.

    Args:
        images: RGB images, each with one annotated person (NaN where unknown) or None.
        detector: Finds the people who are not annotated; None leaves them out.
        first: Teacher of all people.
        second: A second one, where the first and the annotation differ.
        config: Limits.
        longest: Images are stored with at most this many pixels on the longer side.

    Returns:
        The labelled people.
    """
    rows: list[tuple[bytes, PseudoPoses]] = []
    for number, (full, pose) in enumerate(images):
        image, scale = _shrink(full, longest)
        parts = []
        if pose is not None:
            parts.append(_label_annotated(image, pose * scale, first, second, config))
        if detector is not None:
            found = detector.detect([Frame(0, 0.0, image)])[0]
            boxes = _others(found, parts[0].boxes[0] if parts else None, config)
            parts.append(_label_boxes(image, boxes, first, None, config))
        rows.append((_encode(image), _join(parts)))
        if number % 500 == 499:
            _LOG.info("%d images labelled", number + 1)
    return _gather(rows, POSETRACK15)


def label_video(
    frames: Iterable[Frame],
    detector: Detector,
    first: Teacher,
    second: Teacher | None,
    config: AgreementConfig,
    *,
    longest: int = 640,
    min_overlap: float = 0.4,
) -> PeopleSet:
    """Label every person in every frame of a video and follow them by overlapping boxes.

    Args:
        frames: Of one video, in order.
        detector: Finds people.
        first: Teacher of all people.
        second: A second teacher, or None.
        config: When teachers agree.
        longest: Images are stored with at most this many pixels on the longer side.
        min_overlap: Boxes of consecutive frames that overlap more (IoU) are of one person.

    Returns:
        The labelled people, with tracks.
    """
    rows: list[tuple[bytes, PseudoPoses]] = []
    tracks: list[np.ndarray] = []
    previous, previous_ids, count = np.zeros((0, 4)), np.zeros(0, np.int64), 0
    for frame in frames:
        image, scale = _shrink(frame.image, longest)
        found = detector.detect([Frame(0, 0.0, frame.image)])[0]
        boxes = _others(Boxes(found.xyxy * scale, found.scores), None, config)
        ids = np.full(len(boxes), -1, np.int64)
        overlap = box_iou(boxes, previous)
        for a, b in zip(*np.unravel_index(np.argsort(-overlap, axis=None), overlap.shape), strict=True):
            if overlap[a, b] > min_overlap and ids[a] < 0 and previous_ids[b] not in ids:
                ids[a] = previous_ids[b]
        new = ids < 0
        ids[new] = count + np.arange(new.sum())
        count += int(new.sum())
        rows.append((_encode(image), _label_boxes(image, boxes, first, second, config)))
        tracks.append(ids)
        previous, previous_ids = boxes, ids
    return _gather(rows, POSETRACK15, tracks)


def _others(found: Boxes, known: np.ndarray | None, config: AgreementConfig) -> np.ndarray:
    """Detected boxes that are good enough and not the person who is annotated already."""
    boxes = found.xyxy[(found.scores >= config.min_score)]
    boxes = boxes[boxes[:, 3] - boxes[:, 1] >= config.min_height]
    if known is None or not len(boxes):
        return boxes.astype(np.float64)
    return boxes[box_iou(boxes, known[None])[:, 0] < 0.2].astype(np.float64)


def _shrink(image: np.ndarray, longest: int) -> tuple[np.ndarray, float]:
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image, 1.0
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def _encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _join(parts: list[PseudoPoses]) -> PseudoPoses:
    names = ("boxes", "xy", "height", "weight")
    return PseudoPoses(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _gather(
    rows: list[tuple[bytes, PseudoPoses]], joints: JointSet, tracks: list[np.ndarray] | None = None
) -> PeopleSet:
    """One set from the labels of each image; with `tracks`, the images are the frames of one video."""
    all_labels = _join(
        [PseudoPoses(np.zeros((0, 4)), np.zeros((0, 15, 2)), np.zeros((0, 15)), np.zeros((0, 15)))]
        + [r[1] for r in rows]
    )
    counts = [len(labels.boxes) for _, labels in rows]
    count, people = len(rows), sum(counts)
    return PeopleSet(
        joints,
        [image for image, _ in rows],
        video=np.full(count, -1 if tracks is None else 0),
        frame=np.zeros(count, np.int64) if tracks is None else np.arange(count),
        labelled=np.ones(count, bool),
        person_image=np.repeat(np.arange(count), counts),
        track=np.arange(people) if tracks is None else np.concatenate([*tracks, np.zeros(0, np.int64)]),
        boxes=all_labels.boxes,
        xy=all_labels.xy,
        height=all_labels.height,
        weight=all_labels.weight,
    )
