"""Checks training data before hours are spent on it: every image and annotation is tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dettrack.errors import InputError
from dettrack.training.labels.people import PeopleSet, read_image

__all__ = ["find_faults"]

_FAR = 1.0  # a joint further outside the picture than the picture is wide is a typing error, not an athlete


def find_faults(people: PeopleSet) -> Iterator[str]:
    """What is wrong with a set, one line each; decodes every image.

    Yields:
        Images that cannot be read, boxes outside their picture, joints far outside it, heights and weights out of
        range, and images that are named twice as frames of one video.
    """
    sizes = np.zeros((len(people.images), 2))
    for number, source in enumerate(people.images):
        found = _size(source)
        if isinstance(found, str):
            yield f"image {number}: {found}"
        else:
            sizes[number] = found
    frames = np.stack([people.video, people.frame], 1)[people.video >= 0]
    unique, counts = np.unique(frames, axis=0, return_counts=True)
    for video, frame in unique[counts > 1].tolist():
        yield f"video {video}: frame {frame} is listed twice"
    size = sizes[people.person_image]
    readable = size[:, 0] > 0  # a box of NaN is no fault: nothing is cut at it
    low, high = people.boxes[:, :2], people.boxes[:, 2:]
    for row in np.flatnonzero(readable & ((high <= 0) | (low >= size)).any(1)).tolist():
        yield f"person {row}: box {people.boxes[row].round().tolist()} outside {_name(people, row)} of {size[row]}"
    far = ((people.xy < -_FAR * size[:, None]) | (people.xy > (1 + _FAR) * size[:, None])).any(-1)
    for row, joint in np.argwhere(far & readable[:, None]).tolist():
        place = people.xy[row, joint].round().tolist()
        yield f"person {row}: {people.joint_set.joints[joint]} at {place}, far outside {_name(people, row)}"
    bad = ~((people.height >= 0) & (people.height <= 1) & (people.weight >= 0) & np.isfinite(people.weight))
    for row in np.flatnonzero(bad.any(1)).tolist():
        yield f"person {row}: a height or weight is out of range"


def _size(source: Path | bytes) -> tuple[int, int] | str:
    """Width and height of an image, or what is wrong with it."""
    try:
        height, width = read_image(source).shape[:2]
    except InputError as error:
        return str(error)
    return width, height


def _name(people: PeopleSet, row: int) -> str:
    image = int(people.person_image[row])
    source = people.images[image]
    return f"image {image}" if isinstance(source, bytes) else source.name
