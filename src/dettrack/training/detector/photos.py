"""Photos with boxes of people, packed into one file: what the detector is trained on.

A pack holds JPEG bytes and, for every photo, boxes of two kinds: people, and unsure regions (a teacher
of middling confidence, a cut-off fragment), which the loss leaves out. `training.labels.boxes` makes packs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from dettrack.errors import InputError
from dettrack.files import NewFile, load_arrays, parsing

__all__ = ["IGNORE", "PADDING", "PERSON", "Photo", "PhotoPack"]

PERSON, IGNORE, PADDING = 1, 0, -1
"""Kinds of boxes."""


@dataclass(frozen=True)
class Photo:
    """One decoded photo.

    Attributes:
        image: Pixels, RGB.
        boxes: `(n, 4)` corners `x1, y1, x2, y2` in pixels of `image`, measured between pixel edges.
        kinds: `(n,)` `PERSON` or `IGNORE`.
    """

    image: UInt8[np.ndarray, "height width 3"]
    boxes: Float[np.ndarray, "n 4"]
    kinds: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class PhotoPack:
    """All photos of a training set.

    Photo `i` owns `jpeg[ends[i - 1]:ends[i]]` and `boxes[box_ends[i - 1]:box_ends[i]]`.

    Attributes:
        jpeg: Encoded photos, one after the other.
        ends: Where each photo's bytes end.
        sizes: Height and width of each photo.
        boxes: Corners in pixels of the photo.
        kinds: `PERSON` or `IGNORE` of each box.
        box_ends: Where each photo's boxes end.
        names: Name of each photo, `source/rest`; `source` is what sampling weights are given for.
    """

    jpeg: UInt8[np.ndarray, " bytes"]
    ends: Int[np.ndarray, " photos"]
    sizes: Int[np.ndarray, "photos 2"]
    boxes: Float[np.ndarray, "boxes 4"]
    kinds: Int[np.ndarray, " boxes"]
    box_ends: Int[np.ndarray, " photos"]
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.ends)

    @staticmethod
    def gather(photos: Sequence[tuple[str, bytes, tuple[int, int], np.ndarray, np.ndarray]]) -> PhotoPack:
        """A pack of `(name, jpeg, (height, width), boxes, kinds)`."""
        if not photos:
            raise InputError("no photo to train on: the folders and videos given hold none")
        names, jpegs, sizes, boxes, kinds = zip(*photos, strict=True)
        return PhotoPack(
            jpeg=np.frombuffer(b"".join(jpegs), np.uint8),
            ends=np.cumsum([len(data) for data in jpegs]),
            sizes=np.array(sizes),
            boxes=np.concatenate([np.reshape(b, (-1, 4)) for b in boxes]).astype(np.float32),
            kinds=np.concatenate([np.reshape(k, -1) for k in kinds]).astype(np.int64),
            box_ends=np.cumsum([len(b) for b in boxes]),
            names=np.array(names),
        )

    @staticmethod
    def load(path: Path) -> PhotoPack:
        """Read a pack; raises `InputError` if there is none or it is broken."""
        if not path.is_file():
            raise InputError(f"{path} does not exist: python -m dettrack.training.labels.boxes makes it")
        with parsing(f"{path}", "a pack of photos"):
            arrays = load_arrays(path)
            return PhotoPack(**{field.name: arrays[field.name] for field in fields(PhotoPack)})

    def save(self, path: Path) -> None:
        """Write the pack to an .npz file."""
        with NewFile(path) as new, new.part.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(PhotoPack)})

    def entries(self) -> list[tuple[str, bytes, tuple[int, int], np.ndarray, np.ndarray]]:
        """What `gather` takes."""
        starts = np.append(0, self.ends[:-1])
        return [
            (
                str(name),
                self.jpeg[start:end].tobytes(),
                (int(self.sizes[index][0]), int(self.sizes[index][1])),
                *self.labels(index),
            )
            for index, (name, start, end) in enumerate(zip(self.names, starts, self.ends, strict=True))
        ]

    def labels(self, index: int) -> tuple[Float[np.ndarray, "n 4"], Int[np.ndarray, " n"]]:
        """Boxes and kinds of photo `index` without decoding it."""
        span = slice(0 if index == 0 else int(self.box_ends[index - 1]), int(self.box_ends[index]))
        return self.boxes[span], self.kinds[span]

    def photo(self, index: int, reduce: int = 1) -> Photo | None:
        """Decode photo `index`; None if its bytes are no image.

        Args:
            index: Which photo.
            reduce: 1, 2, 4 or 8: decode to this fraction of the size, which is much faster.

        Returns:
            The photo with its boxes.
        """
        start = 0 if index == 0 else int(self.ends[index - 1])
        flag = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}.get(
            reduce, cv2.IMREAD_REDUCED_COLOR_8
        )
        bgr = cv2.imdecode(self.jpeg[start : int(self.ends[index])], flag)
        if bgr is None:
            return None
        boxes, kinds = self.labels(index)
        scale = np.array(bgr.shape[1::-1]) / self.sizes[index][::-1]
        return Photo(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), boxes * np.tile(scale, 2).astype(np.float32), kinds)

    def weights(self, by_source: dict[str, float]) -> Float[np.ndarray, " photos"]:
        """Probability of each photo, so that each source is drawn with its share, evenly within.

        Args:
            by_source: Share of each source; a source is any prefix of names (`"coco"`, `"video/vtest"`). Photos under
                none of them are never drawn.

        Raises:
            InputError: No photo has a positive weight.
        """
        weights = np.zeros(len(self))
        for source, share in by_source.items():
            mine = np.array([name == source or name.startswith(f"{source}/") for name in self.names])
            if mine.any():
                weights[mine] = share / mine.sum()
        if weights.sum() <= 0:
            raise InputError(f"no photo of the pack belongs to {', '.join(by_source)}")
        return weights / weights.sum()
