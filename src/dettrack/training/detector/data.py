"""Training images of the person detector: mosaics, scale jitter, copy-paste and bad cameras.

Every image is composed from a seed alone. People are drawn at sizes spread evenly over the octaves between a few
pixels and more than the canvas: a detector finds the sizes that it was shown. Mosaic after Bochkovskiy et al. (YOLOv4,
2020), copy-paste after Ghiasi et al. (CVPR 2021), here with feathered boxes because the labels are boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from dettrack.geometry import box_areas
from dettrack.training.detector.photos import IGNORE, PERSON, Photo, PhotoPack

__all__ = ["Composer", "MosaicConfig", "clip_boxes", "degrade"]

_GREY = 114


@dataclass(frozen=True)
class MosaicConfig:
    """How training images are composed.

    Attributes:
        tiles: Probabilities of one, two and four photos in an image.
        person_sizes: Smallest and largest longer side of the person that a photo is scaled by; the smallest in
            pixels, the largest as a share of the tile's height.
        max_upscale: Photos are not enlarged more than this.
        paste: Probability that people of other photos are pasted on top, anywhere.
        crowd: Probability that three to ten are pasted, each half before another person and about as tall.
        hidden: A person of whom pasted ones cover more than the first share is ignored, more than the second dropped.
        degrade: Probability of each of blur, noise, low resolution and JPEG artefacts.
        visible: A person of whom a smaller part than the second value is left is not labelled; below the first value
            the fragment is ignored.
        min_height: People lower than this many pixels are ignored.
    """

    tiles: tuple[float, float, float] = (0.4, 0.25, 0.35)
    person_sizes: tuple[float, float] = (18.0, 1.15)
    max_upscale: float = 3.0
    paste: float = 0.3
    crowd: float = 0.0
    hidden: tuple[float, float] = (0.6, 0.85)
    degrade: float = 0.2
    visible: tuple[float, float] = (0.35, 0.1)
    min_height: float = 10.0


@dataclass(frozen=True)
class Composer:
    """Composes training images from a pack.

    Attributes:
        pack: The photos.
        weights: Probability of each.
        config: How.
    """

    pack: PhotoPack
    weights: Float[np.ndarray, " photos"]
    config: MosaicConfig

    def compose(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[Photo, int]:
        """One training image of the given height and width, and the number of photos that could not be decoded.

        Args:
            size: Height and width.
            rng: Of this image.

        Returns:
            The image with its boxes; and how many photos could not be decoded.
        """
        height, width = size
        image = np.full((height, width, 3), _GREY, np.uint8)
        boxes, kinds, skipped = [], [], 0
        for x1, y1, x2, y2 in _tiles(size, self.config.tiles, rng):
            tile, broken = self._tile((y2 - y1, x2 - x1), rng)
            skipped += broken
            image[y1:y2, x1:x2] = tile.image
            boxes.append(tile.boxes + np.array([x1, y1, x1, y1], np.float32))
            kinds.append(tile.kinds)
        photo = Photo(image, np.concatenate(boxes).astype(np.float32), np.concatenate(kinds))
        crowd = rng.random() < self.config.crowd
        if crowd or rng.random() < self.config.paste:
            photo, broken = self._paste(photo, int(rng.integers(3, 11) if crowd else rng.integers(1, 4)), crowd, rng)
            skipped += broken
        return Photo(degrade(photo.image, self.config.degrade, rng), photo.boxes, photo.kinds), skipped

    def _tile(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[Photo, int]:
        """One photo scaled and shifted into a tile; a broken one is replaced by another."""
        skipped = 0
        while True:
            index = int(rng.choice(len(self.pack), p=self.weights))
            scale, centre = self._scale(index, size, rng)
            reduce = 1 if scale > 0.5 else 2 if scale > 0.25 else 4
            photo = self.pack.photo(index, reduce)
            if photo is not None:
                break
            skipped += 1
            if skipped > 100:
                raise ValueError("a hundred photos in a row cannot be decoded")
        stretch = np.exp(rng.uniform(-0.1, 0.1, 2))
        full = np.array(self.pack.sizes[index][::-1]) * scale * stretch  # (x, y)
        factor = full / np.array(photo.image.shape[1::-1])
        space = np.array(size[::-1]) - full
        aim = np.array(size[::-1]) * rng.uniform(0.2, 0.8, 2) - centre * scale * stretch
        offset = np.clip(aim, np.minimum(space, 0), np.maximum(space, 0))
        flip = rng.random() < 0.5
        tile = _place(photo, size, factor, offset, flip, self.config)
        if (space > 8).any() and len(self._empty):
            canvas = self._background(size, rng)
            x, y = offset if not flip else (size[1] - offset[0] - full[0], offset[1])
            inside = (
                slice(max(0, round(y)), max(0, round(y + full[1]))),
                slice(max(0, round(x)), max(0, round(x + full[0]))),
            )
            canvas[inside] = tile.image[inside]
            tile = Photo(canvas, tile.boxes, tile.kinds)
        return tile, skipped

    @cached_property
    def _empty(self) -> Int[np.ndarray, " photos"]:
        """Photos without any box."""
        return np.flatnonzero((np.diff(self.pack.box_ends, prepend=0) == 0) & (self.weights > 0))

    def _background(self, size: tuple[int, int], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
        """A piece of a photo without people that fills a tile; now and then grey, as a letterbox has it."""
        canvas = np.full((*size, 3), _GREY, np.uint8)
        photo = self.pack.photo(int(rng.choice(self._empty)))
        if rng.random() < 0.2 or photo is None:
            return canvas
        height, width = photo.image.shape[:2]
        scale = max(size[0] / height, size[1] / width) * np.exp(rng.uniform(0.0, 0.7))
        x, y = rng.uniform(0, 1, 2) * (np.array(size[::-1]) - np.array([width, height]) * scale)
        matrix = np.array([[scale, 0, x], [0, scale, y]])
        return cv2.warpAffine(photo.image, matrix, size[::-1], dst=canvas, borderMode=cv2.BORDER_REPLICATE)

    def _scale(self, index: int, size: tuple[int, int], rng: np.random.Generator) -> tuple[float, np.ndarray]:
        """Scale of a photo and the point in it that is to be seen."""
        boxes, kinds = self.pack.labels(index)
        people = boxes[kinds == PERSON]
        height, width = (float(side) for side in self.pack.sizes[index])
        cover = max(size[0] / height, size[1] / width)
        if not len(people):
            return float(np.exp(rng.uniform(np.log(0.6 * cover), np.log(2 * cover)))), np.array([width, height]) / 2
        box = people[rng.integers(len(people))]
        side = float((box[2:] - box[:2]).max())
        low, high = self.config.person_sizes
        wanted = np.exp(rng.uniform(np.log(low), np.log(max(high * size[0], 2 * low))))
        # A photo seldom shrinks to a small piece: small people come from photos with small people, and from small
        # tiles.
        least = (0.9 if rng.random() < 0.7 else 0.45) * min(size[0] / height, size[1] / width)
        scale = float(np.clip(wanted / side, least, max(least, self.config.max_upscale)))
        return scale, (box[:2] + box[2:]) / 2

    def _paste(self, photo: Photo, number: int, crowd: bool, rng: np.random.Generator) -> tuple[Photo, int]:
        """Other photos' people with soft edges on top, anywhere or, as a crowd, each half before another."""
        image, boxes, kinds = photo.image.copy(), list(photo.boxes), list(photo.kinds)
        skipped = 0
        order = np.full(image.shape[:2], -1, np.int16)  # whom one sees at each pixel
        for _ in range(number):
            patch, broken = self._person(rng)
            skipped += broken
            if patch is None:
                continue
            people = [box for box, kind in zip(boxes, kinds, strict=True) if kind == PERSON]
            near = people[rng.integers(len(people))] if crowd and people else None
            place = _spot(patch.shape[:2], image.shape[:2], near, self.config.max_upscale, rng)
            if place is None:
                continue
            x, y, w, h = place
            patch = cv2.resize(patch, (w, h), interpolation=cv2.INTER_AREA if h < len(patch) else cv2.INTER_LINEAR)
            alpha = _outline(h, w, rng)
            under = image[y : y + h, x : x + w]
            image[y : y + h, x : x + w] = (under + alpha[..., None] * (patch.astype(np.float32) - under)).astype(
                np.uint8
            )
            order[y : y + h, x : x + w][alpha > 0.5] = len(boxes)
            boxes.append(np.array([x, y, x + w, y + h], np.float32))
            kinds.append(PERSON)
        hidden = np.array([_hidden(order, box, index) for index, box in enumerate(boxes)], np.float32)
        kept = hidden < self.config.hidden[1]
        kinds_now = np.where(hidden > self.config.hidden[0], IGNORE, np.array(kinds, np.int64))
        return Photo(image, np.reshape(boxes, (-1, 4)).astype(np.float32)[kept], kinds_now[kept]), skipped

    def _person(self, rng: np.random.Generator) -> tuple[UInt8[np.ndarray, "h w 3"] | None, int]:
        """A person cut out of a photo, mirrored half of the time; None where no one is of use."""
        source = self.pack.photo(int(rng.choice(len(self.pack), p=self.weights)))
        if source is None:
            return None, 1
        people = source.boxes[source.kinds == PERSON]
        people = people[(people[:, 3] - people[:, 1]) > (people[:, 2] - people[:, 0])] if len(people) else people
        if not len(people):
            return None, 0
        x1, y1, x2, y2 = np.round(people[rng.integers(len(people))]).astype(int)
        patch = source.image[max(0, y1) : y2, max(0, x1) : x2]
        if min(patch.shape[:2]) < 8:
            return None, 0
        return (patch[:, ::-1] if rng.random() < 0.5 else patch), 0


def _spot(
    patch: tuple[int, ...],
    canvas: tuple[int, ...],
    near: Float[np.ndarray, " 4"] | None,
    max_upscale: float,
    rng: np.random.Generator,
) -> tuple[int, int, int, int] | None:
    """Where a patch of a size goes on a canvas: x, y, width, height; None where it does not fit.

    Beside and half before `near` it is about as tall and stands about as deep.
    """
    height, width = canvas
    if near is None:
        tall = float(np.exp(rng.uniform(np.log(24), np.log(0.8 * height))))
    else:
        tall = float(near[3] - near[1]) * float(np.exp(rng.uniform(-0.3, 0.3)))
    scale = min(tall / patch[0], max_upscale)
    h, w = round(patch[0] * scale), round(patch[1] * scale)
    if min(h, w) < 8 or h >= height or w >= width:
        return None
    if near is None:
        return int(rng.integers(width - w)), int(rng.integers(height - h)), w, h
    apart = rng.choice((-1, 1)) * rng.uniform(0.35, 1.1) * 0.5 * (w + near[2] - near[0])
    x = round(float((near[0] + near[2]) / 2 + apart - w / 2))
    y = round(float(near[3] - h + rng.uniform(-0.12, 0.12) * h))
    return (x, y, w, h) if 0 <= x < width - w and 0 <= y < height - h else None


def _outline(h: int, w: int, rng: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """How opaque a pasted box is: with soft sides, or like a body, narrower at the corners."""
    sides = np.minimum(_ramp(h)[:, None], _ramp(w)[None])
    if rng.random() < 0.4:
        return sides
    u, v = np.abs(np.linspace(-1, 1, w))[None], np.abs(np.linspace(-1, 1, h))[:, None]
    power = rng.uniform(2.2, 4.0)
    return np.minimum(sides, np.clip((1.0 - (u**power + v**power)) / 0.25, 0, 1))


def _hidden(order: Int[np.ndarray, "h w"], box: Float[np.ndarray, " 4"], index: int) -> float:
    """Share of a box that later people cover."""
    x1, y1, x2, y2 = (max(0, round(float(edge))) for edge in box)
    seen = order[y1:y2, x1:x2]
    return float((seen > index).mean()) if seen.size else 0.0


def _tiles(
    size: tuple[int, int], shares: tuple[float, float, float], rng: np.random.Generator
) -> list[tuple[int, int, int, int]]:
    """Rectangles `x1, y1, x2, y2` that cover a canvas of `size` without overlap."""
    height, width = size
    number = rng.choice(3, p=np.array(shares) / sum(shares))
    x, y = (round(side * rng.uniform(0.35, 0.65)) for side in (width, height))
    if number == 0:
        return [(0, 0, width, height)]
    if number == 1:
        if width > height or (width == height and rng.random() < 0.5):
            return [(0, 0, x, height), (x, 0, width, height)]
        return [(0, 0, width, y), (0, y, width, height)]
    return [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]


def _place(
    photo: Photo,
    size: tuple[int, int],
    factor: Float[np.ndarray, " 2"],
    offset: Float[np.ndarray, " 2"],
    flip: bool,
    config: MosaicConfig,
) -> Photo:
    """The photo times `factor` (x, y), moved by `offset`, cut to a tile of `size`, mirrored on request."""
    height, width = size
    # Box corners lie on pixel edges, the warp's coordinates on pixel centres: half a pixel on either side.
    shift = offset + 0.5 * factor - 0.5
    matrix = np.array([[factor[0], 0, shift[0]], [0, factor[1], shift[1]]])
    grey = (_GREY, _GREY, _GREY)
    image = cv2.warpAffine(photo.image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=grey)
    boxes = photo.boxes * np.tile(factor, 2) + np.tile(offset, 2)
    if flip:
        image = image[:, ::-1]
        boxes = np.stack((width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]), 1)
    boxes, kinds = clip_boxes(boxes.astype(np.float32), photo.kinds, size, config)
    return Photo(image, boxes, kinds)


def clip_boxes(
    boxes: Float[np.ndarray, "n 4"], kinds: Int[np.ndarray, " n"], size: tuple[int, int], config: MosaicConfig
) -> tuple[Float[np.ndarray, "m 4"], Int[np.ndarray, " m"]]:
    """Boxes cut to an image; what is hardly left of a person is ignored or dropped.

    Args:
        boxes: Corners in pixels of the image.
        kinds: `PERSON`, `IGNORE` ...
        size: Height and width of the image.
        config: What is left enough.

    Returns:
        The remaining boxes and their kinds.
    """
    limit = np.array([size[1], size[0]] * 2, np.float32)
    clipped = np.clip(boxes, 0, limit)
    area, left = box_areas(boxes), box_areas(clipped)
    share = np.divide(left, area, out=np.zeros_like(area), where=area > 0)
    unsure = (share < config.visible[0]) | (clipped[:, 3] - clipped[:, 1] < config.min_height)
    keep = (share >= config.visible[1]) & (left > 0)
    return clipped[keep], np.where(unsure, IGNORE, kinds)[keep]


def _ramp(n: int) -> Float[np.ndarray, " n"]:
    """1 in the middle, falling to 0 over the outer tenth."""
    distance = np.minimum(np.arange(n), np.arange(n)[::-1]) + 1.0
    return np.clip(distance / max(2.0, 0.1 * n), 0, 1)


def degrade(
    image: UInt8[np.ndarray, "h w 3"], probability: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Colours, light, and the faults of cheap cameras: low resolution, blur, noise, JPEG artefacts.

    Args:
        image: RGB.
        probability: Of each of the faults.
        rng: Of this image.

    Returns:
        RGB.
    """
    height, width = image.shape[:2]
    gain, bias = rng.uniform(0.6, 1.4), rng.uniform(-30, 30)
    table = np.clip((np.arange(256) - 128) * gain + 128 + bias + rng.uniform(-12, 12, (3, 1)), 0, 255)
    image = cv2.LUT(image, np.ascontiguousarray(table.T.reshape(1, 256, 3).astype(np.uint8)))
    if rng.random() < 0.1:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif rng.random() < 0.5:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + rng.integers(-10, 11)) % 180
        hsv[..., 1] = cv2.convertScaleAbs(hsv[..., 1], alpha=rng.uniform(0.4, 1.5))
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if rng.random() < probability:
        factor = rng.uniform(0.4, 0.9)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < probability:
        if rng.random() < 0.5:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
        else:
            image = cv2.blur(image, ((int(rng.integers(2, 6)), 1), (1, int(rng.integers(2, 6))))[rng.integers(2)])
    if rng.random() < probability:
        noise = rng.integers(-12, 13, (height, width, 1), dtype=np.int16)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < probability:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
        coded = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
        image = image if coded is None else coded
    return image
