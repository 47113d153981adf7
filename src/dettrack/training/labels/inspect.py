"""A look at training data before hours are spent on it: every image and annotation is tried, tubes are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from dettrack.errors import InputError
from dettrack.training.labels.people import PeopleSet, read_image
from dettrack.training.pose.tubes import Tube, TubeConfig, TubeMaker

__all__ = ["draw_tube", "draw_tubes", "find_faults"]

_TARGET = (120, 255, 60)
_LEFT, _RIGHT, _MIDDLE = (255, 70, 70), (70, 150, 255), (255, 220, 0)
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
    readable = size[:, 0] > 0
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


def draw_tubes(
    people: PeopleSet, config: TubeConfig, *, count: int = 24, seed: int = 0, across: int = 8
) -> UInt8[np.ndarray, "h w 3"]:
    """Random tubes with their targets as one picture: the first, middle and last frame of each."""
    maker = TubeMaker(people, config)
    tiles = [draw_tube(maker(seed, index)) for index in range(count)]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % across)
    return np.concatenate([np.concatenate(tiles[i : i + across], axis=1) for i in range(0, len(tiles), across)], axis=0)


def draw_tube(tube: Tube) -> UInt8[np.ndarray, "h w 3"]:
    """Frames of a tube side by side, joints as dots (faint where they count less), targets as a colour below them."""
    clip = len(tube.crops)
    parts = []
    for frame in sorted({0, clip // 2, clip - 1}):
        height, width = tube.crops.shape[1:3]
        light = cv2.resize(tube.targets[frame].max(0), (width, height), interpolation=cv2.INTER_LINEAR)
        share = 0.6 * np.clip(light, 0, 1)[..., None]  # one colour over the picture: seen on dark and bright alike
        shown = ((1 - share) * tube.crops[frame] + share * np.array(_TARGET)).astype(np.uint8)
        for joint, (place, weight) in enumerate(zip(tube.xy[frame], tube.weight[frame], strict=True)):
            if np.isfinite(place).all() and weight > 0:
                radius = 2 if weight >= 1 else 1
                cv2.circle(shown, (round(place[0]), round(place[1])), radius, _colour(joint, len(tube.xy[0])), -1)
        parts.append(shown)
    parts.append(np.full((parts[0].shape[0], 4, 3), 255, np.uint8))
    return np.concatenate(parts, axis=1)


def _colour(joint: int, joints: int) -> tuple[int, int, int]:
    """PoseTrack's and COCO's limbs alternate left, right after an odd number of middle joints."""
    if joint < joints - 12:
        return _MIDDLE
    return _LEFT if (joint - (joints - 12)) % 2 == 0 else _RIGHT
