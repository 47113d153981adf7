"""Images and the people in them: the one description that every data set becomes, whatever its format.

It holds arrays, not objects per person, and the images encoded, so that 10,000 people fit into 100 MB and workers
share them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dettrack.errors import InputError
from dettrack.files import NewFile, load_arrays, parsing
from dettrack.skeleton import POSETRACK15, JointSet, joint_set

__all__ = [
    "PeopleSet",
    "concatenate",
    "load_people",
    "read_image",
    "save_people",
    "seen_from_behind",
    "shrunk",
    "thinned",
    "upright_angle",
]

_PERSON = ("person_image", "track", "boxes", "xy", "height", "weight")


@dataclass(frozen=True)
class PeopleSet:
    """Labelled people in images, and in videos as runs of images.

    Attributes:
        joint_set: Order of the joints.
        images: Files, or encoded images (`bytes`).
        video: `(images,)` number of the video that the image is a frame of; -1 for a still.
        frame: `(images,)` frame index in that video; 0 for a still.
        labelled: `(images,)` whether the people in the image are annotated; frames that are not are masked from the
            loss.
        person_image: `(people,)` the image a person is in.
        track: `(people,)` identity, unique in the whole set.
        boxes: `(people, 4)` corners in pixels, not enlarged; NaN of people who are there, but at whom no tube can be
            cut: too few of their joints are known.
        xy: `(people, joints, 2)` in pixels; NaN where unknown.
        height: `(people, joints)` height of the target's peak: 1 for a joint known to be there, 0 for one known to
            be hidden, between the two a teacher's confidence.
        weight: `(people, joints)` weight in the loss; 0 where nothing is known.
    """

    joint_set: JointSet
    images: Sequence[Path | bytes]
    video: Int[np.ndarray, " images"]
    frame: Int[np.ndarray, " images"]
    labelled: Bool[np.ndarray, " images"]
    person_image: Int[np.ndarray, " people"]
    track: Int[np.ndarray, " people"]
    boxes: Float[np.ndarray, "people 4"]
    xy: Float[np.ndarray, "people joints 2"]
    height: Float[np.ndarray, "people joints"]
    weight: Float[np.ndarray, "people joints"]

    def __len__(self) -> int:
        return len(self.person_image)

    def people(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " people"]) -> PeopleSet:
        """The same images with some of the people."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return PeopleSet(**{name: value[keep] if name in _PERSON else value for name, value in columns.items()})


def read_image(source: Path | bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an image to RGB.

    Raises:
        InputError: It is missing or broken.
    """
    name = "packed image" if isinstance(source, bytes) else str(source)
    try:
        encoded = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from None
    if not encoded:
        raise InputError(f"{name}: is empty")
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{name}: is not an image that can be decoded (broken or of an unknown format)")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def seen_from_behind(people: PeopleSet) -> Bool[np.ndarray, " people"]:
    """Who turns their back to the camera: with the torso upright, their left is on the left of the picture.

    People seen from the side, and those whose shoulders or hips are not known, are not among them.
    """
    known = np.where(people.weight[..., None] > 0, people.xy, np.nan)
    place = people.joint_set.index
    ls, rs, lh, rh = (known[:, place(f"{side}_{part}")] for part in ("shoulder", "hip") for side in ("left", "right"))
    torso, across = (ls + rs - lh - rh) / 2, (ls - rs + lh - rh) / 2
    length = np.maximum(np.linalg.norm(torso, axis=-1), 1.0)
    to_the_right = (across[:, 1] * torso[:, 0] - across[:, 0] * torso[:, 1]) / length
    return to_the_right < -0.12 * length  # NaN is not


def upright_angle(xy: Float[np.ndarray, "joints 2"], joints: JointSet = POSETRACK15) -> float:
    """Angle in radians by which the image must turn clockwise for the torso to stand upright; 0 if unknown (NaN).

    Args:
        xy: Pixels.
        joints: Their joint set.

    Returns:
        Radians.
    """
    shoulders = xy[[joints.index("left_shoulder"), joints.index("right_shoulder")]]
    hips = xy[[joints.index("left_hip"), joints.index("right_hip")]]
    up = shoulders.mean(0) - hips.mean(0)
    return float(-np.arctan2(up[0], -up[1])) if np.isfinite(up).all() else 0.0


def shrunk(people: PeopleSet, longest: int) -> PeopleSet:
    """The set with smaller images: decoding whole frames for small crops is what reading tubes costs.

    Args:
        people: The set.
        longest: Largest longer side of an image in pixels; smaller images stay as they are.

    Returns:
        The new set.

    Raises:
        InputError: An image cannot be read.
    """
    images: list[Path | bytes] = []
    scales = np.ones((len(people.images), 2))
    for number, source in enumerate(people.images):
        image = read_image(source)
        height, width = image.shape[:2]
        if max(height, width) > longest:
            size = tuple(max(1, round(side * longest / max(height, width))) for side in (width, height))
            scales[number] = size[0] / width, size[1] / height
            small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
            source = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        images.append(source)
    scale = scales[people.person_image][:, None]
    boxes = ((people.boxes.reshape(-1, 2, 2) + 0.5) * scale - 0.5).reshape(-1, 4)
    return replace(people, images=images, boxes=boxes, xy=(people.xy + 0.5) * scale - 0.5)


def thinned(people: PeopleSet, share: float, seed: int = 0) -> PeopleSet:
    """A share of the pictures, and the people in them; which ones is chance.

    Args:
        people: The set; pictures without people are left out.
        share: At most this share of the bytes of all pictures with people. The frames of a video stay together.
        seed: Of the choice.

    Returns:
        The smaller set.
    """
    size = np.array([len(image) if isinstance(image, bytes) else image.stat().st_size for image in people.images])
    used = np.zeros(len(size), bool)
    used[people.person_image] = True
    _, group = np.unique(np.where(people.video >= 0, people.video, -1 - np.arange(len(size))), return_inverse=True)
    weight = np.bincount(group, size * used)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(weight))
    chosen = order[np.cumsum(weight[order]) <= share * weight.sum()]
    keep = used & np.isin(group, chosen)
    columns = {name: getattr(people, name)[keep] for name in ("video", "frame", "labelled")}
    images = [image for image, kept in zip(people.images, keep, strict=True) if kept]
    place = np.cumsum(keep) - 1
    there = people.people(keep[people.person_image])
    return replace(there, images=images, person_image=place[there.person_image], **columns)


def save_people(people: PeopleSet, path: Path) -> None:
    """Pack a set, images included, into one `.npz` file.

    Args:
        people: The set.
        path: The file.
    """
    encoded = [image if isinstance(image, bytes) else image.read_bytes() for image in people.images]
    arrays = {f.name: getattr(people, f.name) for f in fields(people) if f.name not in ("joint_set", "images")}
    with NewFile(path) as new, new.part.open("wb") as file:
        np.savez(
            file,
            joint_set=np.array(people.joint_set.name),
            blob=np.frombuffer(b"".join(encoded), np.uint8),
            sizes=np.array([len(image) for image in encoded], np.int64),
            **arrays,
        )


def load_people(path: Path) -> PeopleSet:
    """Unpack what `save_people` wrote.

    Raises:
        InputError: The file is missing or is not such a pack.
    """
    with parsing(f"{path}", "a pack of people (made with `dettrack data pack`)"):
        arrays = load_arrays(path)
        joints = joint_set(str(arrays.pop("joint_set")))
        ends = np.cumsum(arrays.pop("sizes"))
        blob = arrays.pop("blob").tobytes()
        if len(ends) and (np.diff(ends, prepend=0).min() < 0 or ends[-1] != len(blob)):
            raise InputError(f"{path}: its images do not fit the sizes that it names")
        images = [blob[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        _check_columns(path, len(images), len(joints), arrays)
        return PeopleSet(joints, images, **arrays)


def _check_columns(path: Path, images: int, joints: int, arrays: Mapping[str, np.ndarray]) -> None:
    people = len(arrays["person_image"])
    shapes: dict[str, tuple[tuple[int, ...], str]] = {
        **dict.fromkeys(("video", "frame"), ((images,), "iu")),
        "labelled": ((images,), "b"),
        **dict.fromkeys(("person_image", "track"), ((people,), "iu")),
        "boxes": ((people, 4), "f"),
        "xy": ((people, joints, 2), "f"),
        **dict.fromkeys(("height", "weight"), ((people, joints), "f")),
    }
    for name, (shape, kinds) in shapes.items():
        column = arrays[name]
        if column.shape != shape or column.dtype.kind not in kinds:
            raise InputError(f"{path}: its {name} are {column.dtype} of shape {column.shape}, expected shape {shape}")
    if people and not (arrays["person_image"].min() >= 0 and arrays["person_image"].max() < images):
        raise InputError(f"{path}: people in images that are not in the pack")


def concatenate(sets: Sequence[PeopleSet]) -> PeopleSet:
    """All people of several sets of one joint set; videos and identities are renumbered so that they stay apart."""
    if not sets or any(one.joint_set != sets[0].joint_set for one in sets):
        raise InputError(f"cannot join sets of {[one.joint_set.name for one in sets]}: one joint set is needed")
    images, videos, tracks = 0, 0, 0
    moved: dict[str, list[np.ndarray]] = {
        f.name: [] for f in fields(PeopleSet) if f.name not in ("joint_set", "images")
    }
    for one in sets:
        for name, column in moved.items():
            column.append(getattr(one, name))
        moved["video"][-1] = np.where(one.video >= 0, one.video + videos, -1)
        moved["person_image"][-1] = one.person_image + images
        moved["track"][-1] = one.track + tracks
        images += len(one.images)
        videos += int(one.video.max(initial=-1)) + 1
        tracks += int(one.track.max(initial=-1)) + 1
    columns = {name: np.concatenate(parts) for name, parts in moved.items()}
    return PeopleSet(sets[0].joint_set, [image for one in sets for image in one.images], **columns)
