"""SNIPER's recipe as an option of the data loader: chips of several scales, each for its own sizes of people.

Singh, Najibi and Davis, "SNIPER: Efficient multi-scale training", NeurIPS 2018, which the paper's detector was trained
with (section 4.2); valid ranges after Singh and Davis, "An analysis of scale invariance in object detection - SNIP",
CVPR 2018. At every scale, square chips are chosen greedily so that each person whose size is valid there lies whole in
one; people of other sizes in a chip are ignored. Negative chips hold false hits of a first, short training and no valid
person. Testing at several scales with merged boxes is `dettrack.models.detector.own.find_people_multiscale`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.errors import InputError, UsageError
from dettrack.geometry import box_areas, box_iou, inside_shares
from dettrack.training.detector.data import MosaicConfig, clip_boxes, degrade
from dettrack.training.detector.photos import IGNORE, PERSON, Photo, PhotoPack

__all__ = ["Chips", "SniperConfig", "chip_labels", "make_chips", "negative_chips", "positive_chips", "valid_sizes"]

_GREY = 114


@dataclass(frozen=True)
class SniperConfig:
    """Chips and the sizes that each scale is responsible for.

    Attributes:
        scales: Enlargement of the photo at each scale; 0 fits its longer side into the chip.
        valid: Smallest and largest size of a person at each scale: the root of the box's area in pixels of the
            enlarged photo. The paper's for 512-pixel chips: (0, 80), (32, 150) and (120, no end).
        chip: Side of a chip in pixels; a multiple of 32.
        grid: Chips start at multiples of this many pixels.
        negative_share: Share of negative chips in training.
        first_pass: Checkpoint of a short training whose hits are mined for negative chips; "" for none.
        least_hits: A negative chip holds at least so many of its false hits.
        hit_score: Score of a hit that is worth a chip.
    """

    scales: tuple[float, ...] = (3.0, 1.667, 0.0)
    valid: tuple[tuple[float, float], ...] = ((0.0, 80.0), (32.0, 150.0), (120.0, 1e9))
    chip: int = 512
    grid: int = 32
    negative_share: float = 0.25
    first_pass: str = ""
    least_hits: int = 2
    hit_score: float = 0.1

    def __post_init__(self) -> None:
        if len(self.scales) != len(self.valid):
            raise UsageError(f"sniper: {len(self.scales)} scales but {len(self.valid)} valid ranges: give one for each")
        if self.chip % 32:
            raise UsageError(f"sniper: chip is {self.chip}: it must be a multiple of 32")


def valid_sizes(boxes: Float[np.ndarray, "n 4"], valid: tuple[float, float]) -> Bool[np.ndarray, " n"]:
    """Which boxes have a size that a scale is responsible for.

    Args:
        boxes: Corners in pixels of that scale.
        valid: Smallest and largest size (root of the area).

    Returns:
        Which of the boxes.
    """
    size = np.sqrt(box_areas(boxes))
    return (size >= valid[0]) & (size < valid[1])


def positive_chips(
    boxes: Float[np.ndarray, "n 4"], size: tuple[int, int], chip: int, grid: int
) -> Float[np.ndarray, "chips 2"]:
    """Top left corners (x, y) of the fewest chips that a greedy choice needs to hold every box whole.

    Args:
        boxes: Valid people, in pixels of the enlarged photo.
        size: Height and width of the enlarged photo.
        chip: Side of a chip.
        grid: Distance of possible corners.

    Returns:
        Corners. A box larger than a chip, or between the grid's lines, gets the chip that holds most of it.
    """
    corners = _corners(size, chip, grid)
    held = _shares(boxes, corners, chip)  # (corners, boxes): share of each box in each chip
    enough = held >= np.minimum(1.0, held.max(0)) - 1e-9
    chosen, open_ = [], np.ones(len(boxes), bool)
    while open_.any():
        best = int((enough & open_).sum(1).argmax())
        chosen.append(best)
        open_ &= ~enough[best]
    return corners[chosen]


def negative_chips(
    hits: Float[np.ndarray, "n 4"],
    positive: Float[np.ndarray, "positives 2"],
    people: Float[np.ndarray, "people 4"],
    size: tuple[int, int],
    config: SniperConfig,
) -> Float[np.ndarray, "chips 2"]:
    """Chips that hold false hits of a first pass: hits in no positive chip and on no person.

    Args:
        hits: Boxes of the first pass, of valid size, in pixels of the enlarged photo.
        positive: Corners of the positive chips.
        people: All labelled boxes, of whatever size or kind.
        size: Height and width of the enlarged photo.
        config: `chip`, `grid` and `least_hits`.

    Returns:
        Upper left corners.
    """
    corners = _corners(size, config.chip, config.grid)
    false = box_iou(hits, people).max(1, initial=0.0) < 0.3
    if len(positive):
        false &= _shares(hits, positive, config.chip).max(0) < 1
    held = _shares(hits, corners, config.chip) >= 1 - 1e-9
    chosen, open_ = [], false
    while True:
        counts = (held & open_).sum(1)
        if counts.max(initial=0) < config.least_hits:
            break
        chosen.append(int(counts.argmax()))
        open_ = open_ & ~held[chosen[-1]]
    return corners[chosen]


def chip_labels(
    boxes: Float[np.ndarray, "n 4"],
    kinds: Int[np.ndarray, " n"],
    corner: Float[np.ndarray, " 2"],
    valid: tuple[float, float],
    chip: int,
) -> tuple[Float[np.ndarray, "m 4"], Int[np.ndarray, " m"]]:
    """Boxes as a chip sees them; people of sizes that are not valid are ignored.

    Args:
        boxes: Corners in pixels of the enlarged photo.
        kinds: `PERSON`, `IGNORE` ...
        corner: Upper left corner of the chip.
        valid: Smallest and largest size of the scale.
        chip: Side of the chip.

    Returns:
        Boxes in pixels of the chip, and their kinds.
    """
    kinds = np.where(valid_sizes(boxes, valid), kinds, IGNORE)
    return clip_boxes((boxes - np.tile(corner, 2)).astype(np.float32), kinds, (chip, chip), MosaicConfig())


@dataclass(frozen=True)
class Chips:
    """All chips of a training set, drawn as training images.

    Attributes:
        pack: The photos.
        config: Settings.
        photo: `(chips,)` photo of each chip.
        scale: `(chips,)` enlargement of its photo.
        level: `(chips,)` which of the config's scales that is.
        corner: `(chips, 2)` top left corner (x, y) in the enlarged photo.
        negative: `(chips,)` whether it is a negative chip.
        weights: `(chips,)` probability of being drawn.
        degrade: Probability of each fault of a bad camera.
    """

    pack: PhotoPack
    config: SniperConfig
    photo: Int[np.ndarray, " chips"]
    scale: Float[np.ndarray, " chips"]
    level: Int[np.ndarray, " chips"]
    corner: Float[np.ndarray, "chips 2"]
    negative: Bool[np.ndarray, " chips"]
    weights: Float[np.ndarray, " chips"]
    degrade: float = 0.2

    def compose(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[Photo, int]:
        """One chip as a training image, and the number of photos that could not be decoded (see `Composer`).

        Args:
            size: Must be the chip's: `(config.chip, config.chip)`.
            rng: Of this image.

        Returns:
            The image with its boxes; and how many photos could not be decoded.

        Raises:
            UsageError: Another size than the chip's.
            InputError: No photo can be decoded.
        """
        side = self.config.chip
        if size != (side, side):
            raise UsageError(f"sniper: images of size {size} wanted, but chips have {side} x {side}: set sizes so")
        skipped = 0
        while True:
            index = int(rng.choice(len(self.photo), p=self.weights))
            photo = self.pack.photo(int(self.photo[index]))
            if photo is not None:
                break
            skipped += 1
            if skipped > 100:
                raise InputError("a hundred photos in a row cannot be decoded")
        scale, corner = float(self.scale[index]), self.corner[index]
        shift = 0.5 * scale - 0.5 - corner
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        image = cv2.warpAffine(photo.image, matrix, (side, side), borderValue=(_GREY, _GREY, _GREY))
        valid = self.config.valid[self.level[index]]
        boxes, kinds = chip_labels(photo.boxes * scale, photo.kinds, corner, valid, side)
        if rng.random() < 0.5:
            image = image[:, ::-1]
            boxes = np.stack((side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]), 1)
        return Photo(degrade(np.ascontiguousarray(image), self.degrade, rng), boxes, kinds), skipped


def make_chips(
    pack: PhotoPack,
    weights: Float[np.ndarray, " photos"],
    config: SniperConfig,
    hits: Sequence[Float[np.ndarray, "_ 4"]] | None = None,
    *,
    degrade: float = 0.2,
) -> Chips:
    """Choose the chips of every photo at every scale.

    Args:
        pack: Labelled photos.
        weights: Probability of each; photos with none give no chips.
        config: Settings.
        hits: Boxes of a first pass for each photo, in its pixels; None for no negative chips.
        degrade: Probability of each fault of a bad camera.

    Returns:
        The chips.

    Raises:
        InputError: No chip holds anybody: the valid ranges leave no person.
    """
    rows = []
    for index in np.flatnonzero(weights > 0).tolist():
        boxes, kinds = pack.labels(index)
        height, width = (int(side) for side in pack.sizes[index])
        for level, (wanted, valid) in enumerate(zip(config.scales, config.valid, strict=True)):
            scale = wanted or config.chip / max(height, width)
            size = (round(height * scale), round(width * scale))
            people = boxes[kinds == PERSON] * scale
            corners = positive_chips(people[valid_sizes(people, valid)], size, config.chip, config.grid)
            rows += [(index, scale, level, *corner, False, weights[index]) for corner in corners]
            if hits is not None:
                found = hits[index] * scale
                found = found[valid_sizes(found, valid)]
                corners = negative_chips(found, corners, boxes * scale, size, config)
                rows += [(index, scale, level, *corner, True, weights[index]) for corner in corners]
    table = np.array(rows, float).reshape(-1, 7)
    negative = table[:, 5] > 0
    if negative.all():
        raise InputError("sniper: no chip holds a person of valid size: check the valid ranges and the photos")
    drawn = table[:, 6].copy()
    if negative.any():
        share = config.negative_share
        drawn[negative] *= share / drawn[negative].sum()
        drawn[~negative] *= (1 - share) / drawn[~negative].sum()
    return Chips(
        pack,
        config,
        photo=table[:, 0].astype(np.int64),
        scale=table[:, 1],
        level=table[:, 2].astype(np.int64),
        corner=table[:, 3:5],
        negative=negative,
        weights=drawn / drawn.sum(),
        degrade=degrade,
    )


def _corners(size: tuple[int, int], chip: int, grid: int) -> Float[np.ndarray, "corners 2"]:
    """Top left corners on the grid, and flush with the far borders."""
    ys, xs = (np.unique(np.append(np.arange(0, max(side - chip, 0) + 1, grid), max(side - chip, 0))) for side in size)
    return np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2).astype(float)


def _shares(boxes: Float[np.ndarray, "n 4"], corners: Float[np.ndarray, "m 2"], chip: int) -> Float[np.ndarray, "m n"]:
    """Share of each box that lies in each chip."""
    return inside_shares(boxes, np.concatenate([corners, corners + chip], 1)).T
