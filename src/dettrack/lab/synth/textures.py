"""Pictures of floors, walls and skylines, drawn from noise and simple shapes."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

__all__ = ["floor", "rough", "skyline", "smooth_noise", "tint", "wall"]

Image = UInt8[np.ndarray, "_height _width 3"]


def smooth_noise(rng: np.random.Generator, rows: int, columns: int, cells: tuple[int, int]) -> Float[np.ndarray, "..."]:
    """Cloud-like noise of about unit deviation, `cells` blobs high and wide.

    Args:
        rng: Draws everything.
        rows: Height, pixels.
        columns: Width, pixels.
        cells: Blobs down and across.

    Returns:
        Rows by columns.
    """
    coarse = rng.standard_normal((max(cells[0], 2), max(cells[1], 2))).astype(np.float32)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)


def tint(rng: np.random.Generator, low: float, high: float, colourful: float) -> Float[np.ndarray, "3"]:
    """A random colour of brightness `low` to `high`, 0 to 1.

    Args:
        rng: Draws everything.
        low: Least brightness.
        high: Largest brightness.
        colourful: Deviation of the channels, relative.

    Returns:
        RGB, 0 to 1.
    """
    return np.clip(rng.uniform(low, high) * (1 + colourful * rng.standard_normal(3)), 0.03, 0.97)


def rough(rng: np.random.Generator, colour: Float[np.ndarray, "3"], size: int, fine: float, coarse: float) -> Image:
    """A square of one colour with fine grain and coarse clouds.

    Args:
        rng: Draws everything.
        colour: RGB, 0 to 1.
        size: Side, pixels.
        fine: Strength of the grain.
        coarse: Strength of the clouds.

    Returns:
        The texture.
    """
    grain = fine * rng.standard_normal((size, size)).astype(np.float32)
    cloud = sum(smooth_noise(rng, size, size, (n, n)) / k for k, n in enumerate((4, 9, 23), 1))
    image = colour * (1 + cv2.GaussianBlur(grain, (0, 0), 0.8) + coarse * cloud)[..., None]
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def floor(rng: np.random.Generator, outdoor: bool) -> tuple[Image, float]:
    """A floor's texture and the size of its pixels.

    Args:
        rng: Draws everything.
        outdoor: Grass and the like instead of boards.

    Returns:
        Texture, and the side of a pixel in metres.
    """
    size = 512
    kind = str(rng.choice(["grass", "asphalt", "court", "paving", "sand"] if outdoor else
                          ["boards", "tiles", "carpet", "court", "concrete"]))  # fmt: skip
    if kind == "grass":
        return rough(rng, np.array([0.30, 0.42, 0.16]) * rng.uniform(0.7, 1.3), size, 0.5, 0.10), 0.02
    if kind == "sand":
        return rough(rng, np.array([0.76, 0.68, 0.52]) * rng.uniform(0.8, 1.1), size, 0.1, 0.05), 0.02
    image = rough(rng, tint(rng, 0.25, 0.7, 0.06), size, 0.05, 0.05)
    line = (tint(rng, 0.15, 0.95, 0.05) * 255).astype(np.uint8).tolist()
    if kind == "court":
        image = rough(rng, tint(rng, 0.3, 0.65, 0.35), size, 0.03, 0.03)
        for at in rng.integers(20, size - 20, 3):
            cv2.line(image, (int(at), 0), (int(at), size), (240, 240, 235), 3, cv2.LINE_AA)
            cv2.line(image, (0, int(size - at)), (size, int(size - at)), (240, 240, 235), 3, cv2.LINE_AA)
        cv2.circle(image, tuple(int(v) for v in rng.integers(100, 400, 2)), 90, line, 3, cv2.LINE_AA)
    elif kind in ("tiles", "paving"):
        step = int(rng.choice([32, 64, 128]))
        for row in range(0, size, step):
            for col in range(0, size, step):
                image[row : row + step, col : col + step] = np.clip(
                    image[row : row + step, col : col + step] * rng.normal(1, 0.06), 0, 255
                )
        for at in range(0, size, step):
            cv2.line(image, (at, 0), (at, size), line, 1)
            cv2.line(image, (0, at), (size, at), line, 1)
    elif kind == "boards":
        image = rough(rng, np.array([0.62, 0.44, 0.28]) * rng.uniform(0.6, 1.3), size, 0.04, 0.05)
        for row in range(0, size, 16):
            image[row : row + 16] = np.clip(image[row : row + 16] * rng.normal(1, 0.07), 0, 255)
            image[row] = image[row] * 0.7
    return image, 0.012


def wall(rng: np.random.Generator, rows: int, columns: int) -> Image:
    """An indoor wall with pictures, windows, doors, shelves; one pixel is 2 cm.

    Args:
        rng: Draws everything.
        rows: Height, pixels.
        columns: Width, pixels.

    Returns:
        The texture.
    """
    image = np.ascontiguousarray(cv2.resize(rough(rng, tint(rng, 0.4, 0.9, 0.08), 256, 0.01, 0.04), (columns, rows)))
    if rng.random() < 0.3:  # panels or curtains
        folds = 1 + 0.12 * np.sin(np.arange(columns) * rng.uniform(0.15, 0.5))
        image = np.clip(image * folds[None, :, None], 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(4, 13))):
        colour = (tint(rng, 0.1, 0.9, 0.15) * 255).astype(np.uint8)
        frame = (tint(rng, 0.05, 0.6, 0.1) * 255).tolist()
        x, wide = int(rng.integers(0, columns - 30)), int(rng.integers(20, 110))
        door = rng.random() < 0.25
        high = int(rng.integers(98, 108)) if door else int(rng.integers(18, 70))
        top = rows - high if door else int(rng.integers(max(rows - 170, 5), max(rows - 50 - high // 2, 6)))
        if door:
            wide = 46
        bottom, right = min(top + high, rows), min(x + wide, columns)
        patch = cv2.resize(
            rough(rng, colour / 255, 64, 0.05, float(rng.uniform(0.02, 0.25))), (right - x, bottom - top)
        )
        image[top:bottom, x:right] = patch
        cv2.rectangle(image, (x, top), (right, bottom), frame, int(rng.integers(1, 4)))
        if rng.random() < 0.3:
            for at in range(x, right, int(rng.integers(6, 24))):
                cv2.line(image, (at, top), (at, bottom), frame, 1)
    cv2.rectangle(image, (0, rows - 5), (columns, rows), (tint(rng, 0.1, 0.9, 0.05) * 255).tolist(), -1)
    return image


def skyline(rng: np.random.Generator, sky: Float[np.ndarray, "2 3"], rows: int, columns: int) -> Image:
    """Trees, houses and fences before the sky; one pixel is 5 cm.

    Args:
        rng: Draws everything.
        sky: Colours above and below, RGB, 0 to 1.
        rows: Height, pixels.
        columns: Width, pixels.

    Returns:
        The texture.
    """
    blend = np.linspace(0, 1, rows)[:, None, None]
    image: np.ndarray = np.broadcast_to(sky[0] + blend * (sky[1] - sky[0]), (rows, columns, 3))
    image = image * (1 + 0.03 * smooth_noise(rng, rows, columns, (5, 14)))[..., None]
    for _ in range(int(rng.integers(3, 12))):  # houses
        if rng.random() < 0.5:
            continue
        colour = tint(rng, 0.3, 0.8, 0.1) * 255
        x, wide, high = int(rng.integers(0, columns)), int(rng.integers(60, 260)), int(rng.integers(60, rows - 20))
        image[rows - high :, x : x + wide] = colour
        for row in range(rows - high + 8, rows - 20, 30):
            for col in range(x + 8, min(x + wide, columns) - 14, 26):
                image[row : row + 16, col : col + 12] = colour * rng.uniform(0.3, 0.7)
    trees = (
        smooth_noise(rng, 1, columns, (2, 60))[0] * rng.uniform(6, 20) + smooth_noise(rng, 1, columns, (2, 300))[0] * 6
    )
    top = rows - rng.uniform(30, 110) + trees
    green = np.array([0.22, 0.32, 0.14]) * rng.uniform(0.6, 1.4) * 255
    leaf = (
        green
        * (1 + 0.3 * smooth_noise(rng, rows, columns, (40, 240)) + 0.15 * rng.standard_normal((rows, columns)))[
            ..., None
        ]
    )
    mask = np.arange(rows)[:, None] > top
    image = np.where(mask[..., None], leaf, image)
    if rng.random() < 0.4:
        fence = tint(rng, 0.3, 0.9, 0.05) * 255
        image[rows - 24 : rows - 20] = fence
        image[rows - 24 :, :: int(rng.integers(12, 40))] = fence
    return np.clip(image, 0, 255).astype(np.uint8)
