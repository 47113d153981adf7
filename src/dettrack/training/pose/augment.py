"""How tubes are varied, and how their pixels are degraded, alike in all frames (`framing` chooses the crop)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8

__all__ = ["NO_AUGMENTATION", "AugmentConfig", "degrade"]


@dataclass(frozen=True)
class AugmentConfig:
    """How samples are varied (paper 4.2: rotation, scale, flip; the rest is ours).

    Attributes:
        rule: How scale, angle and half bodies are drawn. "own": normal, with half of the largest value as standard
            deviation, the person's size changed; half bodies of people with three known joints of that half. "hrnet":
            as HRNet's training code draws them: the box's size times a normal number about 1 of standard deviation
            `scale`, at most `scale` away from it; angles of standard deviation `rotation`, cut at twice as much; half
            bodies of people with more than eight known joints, the upper half in 69 of 100, around the mean of its
            joints and half again as large as their extent.
        rotation: Largest angle in degrees, either way; three in five samples are turned. See `rule`.
        scale: Largest change of scale. See `rule`.
        shift: Largest shift of the box, as a share of its sides: detectors are not exact.
        flip: Probability of a mirror image.
        half_body: Probability of a box around the upper or the lower body only.
        truncate: Probability that the picture ends within the person.
        upright: Probability that a person who leans by more than 20 degrees is turned upright first.
        distractor: Probability that another person of the set is laid over the sample, mostly beside its person.
        crossing: Probability that another person of the set walks across a tube (`crossings`).
        colour: Strength of changes of brightness, contrast and colour.
        blur: Probability of blur (of motion or focus).
        jpeg: Probability of strong JPEG compression, or a small image enlarged.
        occluder: Probability of a patch laid over part of the person.
        reverse: Probability that a tube runs backwards.
        max_stride: Frames between a tube's frames, drawn from 1 to this.
        walk: Motion of a tube made from a still, in shares of the crop per frame.
    """

    rule: Literal["own", "hrnet"] = "own"
    rotation: float = 45.0
    scale: float = 0.35
    shift: float = 0.08
    flip: float = 0.5
    half_body: float = 0.15
    colour: float = 0.35
    blur: float = 0.15
    jpeg: float = 0.25
    occluder: float = 0.3
    reverse: float = 0.5
    max_stride: int = 2
    walk: float = 0.015
    truncate: float = 0.0
    upright: float = 0.0
    distractor: float = 0.0
    crossing: float = 0.0


NO_AUGMENTATION = AugmentConfig("own", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, max_stride=1, walk=0.0)


def degrade(
    crops: UInt8[np.ndarray, "clip h w 3"], config: AugmentConfig, rng: np.random.Generator
) -> UInt8[np.ndarray, "clip h w 3"]:
    """Colour, blur, compression and an occluder, alike in all frames of a tube.

    Args:
        crops: RGB.
        config: Probabilities and strengths.
        rng: Of this sample.

    Returns:
        RGB.
    """
    changes: list[Callable[[np.ndarray], np.ndarray]] = []
    if rng.random() < config.occluder:
        changes.append(_occluder(crops[0], rng))
    if config.colour:
        changes.append(_colour(config.colour, rng))
    if rng.random() < config.blur:
        changes.append(_blur(crops.shape[1], rng))
    if rng.random() < config.jpeg:
        changes.append(_jpeg(rng) if rng.random() < 0.5 else _coarse(rng))
    out = []
    for crop in crops:
        for change in changes:
            crop = change(crop)
        out.append(crop)
    return np.stack(out)


def _occluder(crop: np.ndarray, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A rectangle or ellipse of one colour, of noise, or of another part of the crop."""
    height, width = crop.shape[:2]
    h, w = (int(side * rng.uniform(0.08, 0.35)) + 1 for side in (height, width))
    y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    kind = rng.integers(3)
    if kind == 0:
        patch: np.ndarray = np.broadcast_to(rng.integers(0, 256, 3, np.uint8), (h, w, 3))
    elif kind == 1:
        patch = rng.integers(0, 256, (max(1, h // 4), max(1, w // 4), 3), np.uint8)
        patch = cv2.resize(patch, (w, h))
    else:
        v, u = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        patch = crop[v : v + h, u : u + w, ::-1].copy()
    mask = np.ones((h, w, 1), bool)
    if rng.random() < 0.5:
        yy, xx = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
        mask = (yy**2 + xx**2 < 1)[..., None]

    def lay(image: np.ndarray) -> np.ndarray:
        image = image.copy()
        part = image[y : y + h, x : x + w]
        image[y : y + h, x : x + w] = np.where(mask, patch, part)
        return image

    return lay


def _colour(strength: float, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Contrast, brightness, colour cast, gamma, and less colour, as one table and one blend."""
    contrast, bright = 1 + strength * rng.uniform(-1, 1), 255 * 0.5 * strength * rng.uniform(-1, 1)
    cast = 1 + 0.5 * strength * rng.uniform(-1, 1, 3)
    gamma = np.exp(strength * rng.uniform(-1, 1))
    levels = np.arange(256)[:, None] / 255
    table = (levels**gamma - 0.5) * contrast * cast + 0.5
    table = np.clip(table * 255 + bright, 0, 255).astype(np.uint8)[None]
    grey = rng.uniform(0, 1) if rng.random() < 0.3 else 0.0

    def recolour(image: np.ndarray) -> np.ndarray:
        image = cv2.LUT(image, table)
        if grey:
            flat = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            image = cv2.addWeighted(image, 1 - grey, flat, grey, 0)
        return image

    return recolour


def _blur(height: int, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Out of focus, or moved along a line during the exposure."""
    reach = height / 128
    if rng.random() < 0.5:
        sigma = reach * rng.uniform(0.4, 1.4)
        return lambda image: cv2.GaussianBlur(image, (0, 0), sigma)
    length = 2 * round(reach * rng.uniform(1, 4)) + 1
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(line, turn, (length, length))
    kernel = kernel / kernel.sum()
    return lambda image: cv2.filter2D(image, -1, kernel)


def _jpeg(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))]
    return lambda image: np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR))


def _coarse(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A small image, enlarged."""
    share = rng.uniform(0.35, 0.8)

    def shrink(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        small = cv2.resize(
            image, (max(1, int(width * share)), max(1, int(height * share))), interpolation=cv2.INTER_AREA
        )
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    return shrink
