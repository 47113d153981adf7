"""One description of a PoseTrack sequence in memory, whatever the year of its file (2017, 2018, 2021).

Readers and writers are in `year2017` and `year2018` (with 2021); `files` recognises a file's format and builds
prediction files. Training, evaluation and the pipeline see only what is here: flat arrays with one row per person and
image, NaN where something is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.errors import InputError
from dettrack.files import load_json, parsing
from dettrack.skeleton import POSETRACK15, JointSet

__all__ = [
    "HEAD_SIZE_PER_DIAGONAL",
    "NO_ID",
    "Format",
    "ImageInfo",
    "People",
    "PoseSequence",
    "head_box_sizes",
    "head_boxes",
    "load_object",
    "polygons",
]

Format = Literal["posetrack17", "posetrack18", "posetrack21"]

NO_ID = -1
"""Stands for an id that the file does not give."""

HEAD_SIZE_PER_DIAGONAL = 0.6
"""The size of a head, which the benchmark measures errors in, as a share of the diagonal of the annotated head box."""


def head_box_sizes(boxes: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n"]:
    """Head sizes in pixels of annotated head boxes; NaN where a box is NaN."""
    diagonal = boxes[..., 2:] - boxes[..., :2]
    return HEAD_SIZE_PER_DIAGONAL * np.sqrt(np.vecdot(diagonal, diagonal))


def head_boxes(xy: Float[np.ndarray, "n joints 2"], joint_set: JointSet) -> Float[np.ndarray, "n 4"]:
    """Squares about heads whose size by `head_box_sizes` is the distance of their joints: for files to measure against.

    Args:
        xy: Joints in pixels.
        joint_set: With head bottom and head top.

    Returns:
        Corners; NaN where a joint is NaN.
    """
    bottom, top = (xy[:, joint_set.index(name)] for name in ("head_bottom", "head_top"))
    half = np.hypot(*(top - bottom).T)[:, None] / HEAD_SIZE_PER_DIAGONAL / np.sqrt(2) / 2
    middle = (bottom + top) / 2
    return np.concatenate([middle - half, middle + half], 1)


@dataclass(frozen=True)
class ImageInfo:
    """One image of a sequence.

    Attributes:
        file_name: As the file gives it, for example `images/val/000342_mpii_test/000000.jpg`.
        image_id: Id of the image (PoseTrack18 and 21); `NO_ID` where the format has none.
        is_labeled: Whether people are annotated; None where the file does not say.
        has_labeled_person: PoseTrack21: boxes are annotated, though maybe no joints; None elsewhere.
        ignore_regions: Polygons of `(points, 2)` pixels in which nothing counts; a polygon may be empty.
        imgnum: PoseTrack17: number of the frame in its video, from 1; None elsewhere.
    """

    file_name: str
    image_id: int = NO_ID
    is_labeled: bool | None = None
    has_labeled_person: bool | None = None
    ignore_regions: tuple[Float[np.ndarray, "_ 2"], ...] = ()
    imgnum: int | None = None


@dataclass(frozen=True)
class People:
    """The people of a sequence, one row per person and image, sorted by image and then as in the file.

    Attributes:
        image: `(n,)` position of the image in `PoseSequence.images`.
        track_id: `(n,)` identity in the sequence; `NO_ID` where the file gives none.
        xy: `(n, joints, 2)` pixels; NaN where the joint is missing.
        scores: `(n, joints)` confidences, of any range; NaN where the file gives none.
        visible: `(n, joints)` the file's visibility flag, unchanged; NaN where there is none.
        head_box: `(n, 4)` x1, y1, x2, y2 of the head in pixels; NaN where the file gives none.
        box: `(n, 4)` x1, y1, x2, y2 of the person in pixels; NaN where the file gives none.
        score: `(n,)` confidence of the person; NaN where the file gives none.
        listed: `(n,)` whether the file has a list of joints for the person (the list may be empty); PoseTrack17 has
            people without one.
        person_id: `(n,)` PoseTrack21's identity across sequences; `NO_ID` elsewhere.
    """

    image: Int[np.ndarray, " n"]
    track_id: Int[np.ndarray, " n"]
    xy: Float[np.ndarray, "n joints 2"]
    scores: Float[np.ndarray, "n joints"]
    visible: Float[np.ndarray, "n joints"]
    head_box: Float[np.ndarray, "n 4"]
    box: Float[np.ndarray, "n 4"]
    score: Float[np.ndarray, " n"]
    listed: Bool[np.ndarray, " n"]
    person_id: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"] | slice) -> People:
        return People(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    @staticmethod
    def build(
        image: Sequence[int] | Int[np.ndarray, " n"],
        xy: Float[np.ndarray, "n joints 2"],
        **columns: np.ndarray | Sequence[Any],
    ) -> People:
        """People from the columns that are known; the others say "missing". Rows are sorted by image (stably).

        Args:
            image: Position of each person's image.
            xy: Joints in pixels, NaN where missing.
            columns: Any other attributes of `People`.

        Returns:
            The people.
        """
        n, joints = xy.shape[:2]
        shapes: dict[str, tuple[int, ...]] = {
            "scores": (n, joints),
            "visible": (n, joints),
            "head_box": (n, 4),
            "box": (n, 4),
            "score": (n,),
        }
        known: dict[str, np.ndarray] = {
            "image": np.asarray(image, np.int64).reshape(n),
            "xy": np.asarray(xy, float),
            "listed": np.ones(n, bool),
            "track_id": np.full(n, NO_ID),
            "person_id": np.full(n, NO_ID),
            **{name: np.full(shape, np.nan) for name, shape in shapes.items()},
        }
        for name, values in columns.items():
            known[name] = np.asarray(values, known[name].dtype).reshape(known[name].shape)
        return People(**known)[np.argsort(known["image"], kind="stable")]


@dataclass(frozen=True)
class PoseSequence:
    """The annotations of, or the predictions for, one video.

    Attributes:
        name: File name without its ending; predictions are found by it.
        format: Format that it was read from.
        joint_set: Order of the joints: PoseTrack's 15, or 17 with the ears.
        images: All images that the file lists, labelled or not, in its order.
        people: Everyone in them.
        vid_id: Number of the video as a string ("000342"); None where the file does not say.
        nframes: Length of the video in frames; None where the file does not say.
        notes: What was odd in the file but could be read: one line each.
    """

    name: str
    format: Format
    joint_set: JointSet
    images: tuple[ImageInfo, ...]
    people: People
    vid_id: str | None = None
    nframes: int | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def starts(self) -> Int[np.ndarray, " edges"]:
        """Row of the first person of each image, and the number of rows at the end."""
        return np.searchsorted(self.people.image, np.arange(len(self.images) + 1))

    def with_joints(self, joint_set: JointSet = POSETRACK15) -> PoseSequence:
        """The same sequence with its joints in another set, by name; what is lacking becomes NaN."""
        if joint_set == self.joint_set:
            return self
        people = self.people
        source = [self.joint_set.joints.index(j) if j in self.joint_set.joints else -1 for j in joint_set.joints]
        missing = np.array(source) < 0

        def reorder(values: np.ndarray) -> np.ndarray:
            out = values[:, source]
            out[:, missing] = np.nan
            return out

        changed = {name: reorder(getattr(people, name)) for name in ("xy", "scores", "visible")}
        return replace(self, joint_set=joint_set, people=replace(people, **changed))


def polygons(
    xs: Sequence[Sequence[float | int]], ys: Sequence[Sequence[float | int]], where: str
) -> tuple[np.ndarray, ...]:
    """Ignore regions from lists of x and of y; of lists of unequal length, the common part, as officially.

    Args:
        xs: The x of each polygon's points, in pixels.
        ys: Their y.
        where: Place in the file, for the message.

    Returns:
        `(n, 2)` points of each.

    Raises:
        InputError: A coordinate is not a finite number.
    """
    with parsing(where, "ignore regions as lists of finite numbers"):
        regions = tuple(
            np.array([(float(a), float(b)) for a, b in zip(x, y, strict=False)]).reshape(-1, 2)
            for x, y in zip(xs, ys, strict=False)
        )
    if not all(np.isfinite(points).all() for points in regions):
        raise InputError(f"{where}: an ignore region has a coordinate that is not a finite number; correct the file")
    return regions


def load_object(path: str | Path) -> dict[str, Any]:
    """The JSON object in a PoseTrack file.

    Raises:
        InputError: No such file, no JSON, or no object in it.
    """
    content = load_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: a {type(content).__name__} instead of an object; expected a PoseTrack file")
    return content
