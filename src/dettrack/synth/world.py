"""Where a scene happens: floor, walls, sky or a photograph, furniture to hide behind, light and shadows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.errors import InputError
from dettrack.synth.camera import Camera
from dettrack.synth.look import smooth_noise
from dettrack.synth.raster import Light

__all__ = ["Plane", "Thing", "World", "draw_background", "draw_world", "find_photos"]

Image = UInt8[np.ndarray, "_height _width 3"]
_SHADOW_CELL = 0.04  # metres of one cell of the shadow map
_SHADOW_SIZE = 500  # cells on a side


@dataclass(frozen=True)
class Plane:
    """A textured plane, repeated by reflection.

    Attributes:
        origin: A point on it, where the texture begins, metres.
        right: Direction of the texture's columns.
        down: Direction of its rows.
        texture: Its picture.
        metres: Size of one texture pixel.
    """

    origin: Float[np.ndarray, "3"]
    right: Float[np.ndarray, "3"]
    down: Float[np.ndarray, "3"]
    texture: Image
    metres: float


@dataclass(frozen=True)
class Thing:
    """A piece of furniture, a pillar, a hedge: closed grids with textures."""

    grids: tuple[Float[np.ndarray, "_rings _columns 3"], ...]
    textures: tuple[Image, ...]


@dataclass(frozen=True)
class World:
    """All that is not a person.

    Attributes:
        planes: Drawn far to near by depth at each pixel; the first is the floor.
        photo: A picture instead of the planes, or None.
        sky: Colour at the zenith and at the horizon, RGB 0..255.
        things: What people can be hidden by.
        light: The light of the scene.
        shade: How dark shadows are, 0 to 1.
        softness: Blur of shadows, metres.
    """

    planes: tuple[Plane, ...]
    photo: Image | None
    sky: Float[np.ndarray, "2 3"]
    things: tuple[Thing, ...]
    light: Light
    shade: float
    softness: float


def find_photos(folder: str | Path) -> tuple[Path, ...]:
    """Pictures of a folder that may stand behind the people, by name; raises `InputError` where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"--backgrounds {folder}: no such folder; expected one with .jpg or .png pictures")
    found = tuple(sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png")))
    if not found:
        raise InputError(f"--backgrounds {folder}: no .jpg or .png picture inside")
    return found


def _tint(rng: np.random.Generator, low: float, high: float, colourful: float) -> Float[np.ndarray, "3"]:
    return np.clip(rng.uniform(low, high) * (1 + colourful * rng.standard_normal(3)), 0.03, 0.97)


def _rough(rng: np.random.Generator, colour: Float[np.ndarray, "3"], size: int, fine: float, coarse: float) -> Image:
    grain = fine * rng.standard_normal((size, size)).astype(np.float32)
    cloud = sum(smooth_noise(rng, size, size, (n, n)) / k for k, n in enumerate((4, 9, 23), 1))
    image = colour * (1 + cv2.GaussianBlur(grain, (0, 0), 0.8) + coarse * cloud)[..., None]
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def _floor(rng: np.random.Generator, outdoor: bool) -> tuple[Image, float]:
    """A floor's texture and the size of its pixels."""
    size = 512
    kind = str(rng.choice(["grass", "asphalt", "court", "paving", "sand"] if outdoor else
                          ["boards", "tiles", "carpet", "court", "concrete"]))  # fmt: skip
    if kind == "grass":
        return _rough(rng, np.array([0.30, 0.42, 0.16]) * rng.uniform(0.7, 1.3), size, 0.5, 0.10), 0.02
    if kind == "sand":
        return _rough(rng, np.array([0.76, 0.68, 0.52]) * rng.uniform(0.8, 1.1), size, 0.1, 0.05), 0.02
    image = _rough(rng, _tint(rng, 0.25, 0.7, 0.06), size, 0.05, 0.05)
    line = (_tint(rng, 0.15, 0.95, 0.05) * 255).astype(np.uint8).tolist()
    if kind == "court":
        image = _rough(rng, _tint(rng, 0.3, 0.65, 0.35), size, 0.03, 0.03)
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
        image = _rough(rng, np.array([0.62, 0.44, 0.28]) * rng.uniform(0.6, 1.3), size, 0.04, 0.05)
        for row in range(0, size, 16):
            image[row : row + 16] = np.clip(image[row : row + 16] * rng.normal(1, 0.07), 0, 255)
            image[row] = image[row] * 0.7
    return image, 0.012


def _wall(rng: np.random.Generator, rows: int, columns: int) -> Image:
    """An indoor wall with pictures, windows, doors, shelves; one pixel is 2 cm."""
    image = np.ascontiguousarray(cv2.resize(_rough(rng, _tint(rng, 0.4, 0.9, 0.08), 256, 0.01, 0.04), (columns, rows)))
    if rng.random() < 0.3:  # panels or curtains
        folds = 1 + 0.12 * np.sin(np.arange(columns) * rng.uniform(0.15, 0.5))
        image = np.clip(image * folds[None, :, None], 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(4, 13))):
        colour = (_tint(rng, 0.1, 0.9, 0.25) * 255).astype(np.uint8)
        frame = (_tint(rng, 0.05, 0.6, 0.1) * 255).tolist()
        x, wide = int(rng.integers(0, columns - 30)), int(rng.integers(20, 110))
        door = rng.random() < 0.25
        high = int(rng.integers(98, 108)) if door else int(rng.integers(18, 70))
        top = rows - high if door else int(rng.integers(max(rows - 170, 5), max(rows - 50 - high // 2, 6)))
        if door:
            wide = 46
        bottom, right = min(top + high, rows), min(x + wide, columns)
        patch = cv2.resize(
            _rough(rng, colour / 255, 64, 0.05, float(rng.uniform(0.02, 0.25))), (right - x, bottom - top)
        )
        image[top:bottom, x:right] = patch
        cv2.rectangle(image, (x, top), (right, bottom), frame, int(rng.integers(1, 4)))
        if rng.random() < 0.3:
            for at in range(x, right, int(rng.integers(6, 24))):
                cv2.line(image, (at, top), (at, bottom), frame, 1)
    cv2.rectangle(image, (0, rows - 5), (columns, rows), (_tint(rng, 0.1, 0.9, 0.05) * 255).tolist(), -1)
    return image


def _skyline(rng: np.random.Generator, sky: Float[np.ndarray, "2 3"], rows: int, columns: int) -> Image:
    """Trees, houses and fences before the sky; one pixel is 5 cm."""
    blend = np.linspace(0, 1, rows)[:, None, None]
    image: np.ndarray = np.broadcast_to(sky[0] + blend * (sky[1] - sky[0]), (rows, columns, 3))
    image = image * (1 + 0.03 * smooth_noise(rng, rows, columns, (5, 14)))[..., None]
    for _ in range(int(rng.integers(3, 12))):  # houses
        if rng.random() < 0.5:
            continue
        colour = _tint(rng, 0.3, 0.8, 0.1) * 255
        x, wide, high = int(rng.integers(0, columns)), int(rng.integers(60, 260)), int(rng.integers(60, rows - 20))
        image[rows - high :, x : x + wide] = colour
        for row in range(rows - high + 8, rows - 20, 30):
            for col in range(x + 8, min(x + wide, columns) - 14, 26):
                image[row : row + 16, col : col + 12] = colour * rng.uniform(0.3, 0.7)
    trees = smooth_noise(rng, 1, columns, (2, 60))[0] * 22 + smooth_noise(rng, 1, columns, (2, 240))[0] * 7
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
        fence = _tint(rng, 0.3, 0.9, 0.05) * 255
        image[rows - 24 : rows - 20] = fence
        image[rows - 24 :, :: int(rng.integers(12, 40))] = fence
    return np.clip(image, 0, 255).astype(np.uint8)


def _box(rng: np.random.Generator, centre: Float[np.ndarray, "3"], size: Float[np.ndarray, "3"], turn: float) -> Thing:
    """An upright box as a tube of square rings with caps."""
    square = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1], [-1, -1]], float)
    ring = np.repeat(square, 2, 0)[1:-1]
    cos, sin = np.cos(turn), np.sin(turn)
    grid = []
    for y, grow in ((0, 1), (0.0, 1), (1, 1), (1, 1), (1, 0.0)):
        flat = ring * size[[0, 2]] / 2 * grow
        place = np.stack([flat[:, 0] * cos + flat[:, 1] * sin, np.full(len(ring), y * size[1]),
                          -flat[:, 0] * sin + flat[:, 1] * cos], 1)  # fmt: skip
        grid.append(place + centre)
    texture = _rough(rng, _tint(rng, 0.15, 0.85, 0.2), 128, 0.05, 0.06)
    if rng.random() < 0.4:
        texture[:: int(rng.integers(16, 48))] = texture[:: int(rng.integers(16, 48))][:1] // 2
    return Thing((np.stack(grid),), (texture,))


def _pillar(rng: np.random.Generator, centre: Float[np.ndarray, "3"], radius: float, high: float) -> Thing:
    angle = np.linspace(-np.pi, np.pi, 13)
    ring = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1) * radius
    levels = np.array([0, 0.02, 0.5, 0.98, 1.0]) * high
    grid = ring[None] * np.array([1, 1, 1, 1, 0.05])[:, None, None] + centre
    grid[..., 1] += levels[:, None]
    return Thing((grid,), (_rough(rng, _tint(rng, 0.15, 0.85, 0.1), 128, 0.05, 0.05),))


def draw_things(rng: np.random.Generator, number: int, reach: float, depth: tuple[float, float]) -> tuple[Thing, ...]:
    """Furniture and pillars between `depth[0]` and `depth[1]` (z, metres), within `reach` of the middle."""
    things: list[Thing] = []
    for _ in range(number):
        place = np.array([rng.uniform(-reach, reach), 0.0, rng.uniform(*depth)])
        kind = rng.random()
        if kind < 0.35:
            things.append(_pillar(rng, place, rng.uniform(0.06, 0.22), rng.uniform(1.0, 3.2)))
        elif kind < 0.75:
            things.append(
                _box(
                    rng,
                    place,
                    np.array([rng.uniform(0.4, 1.4), rng.uniform(0.4, 1.1), rng.uniform(0.3, 0.7)]),
                    rng.uniform(-0.6, 0.6),
                )
            )
        else:  # a table
            high, wide, deep, turn = (
                rng.uniform(0.65, 0.95),
                rng.uniform(0.8, 1.6),
                rng.uniform(0.5, 0.8),
                rng.uniform(-0.4, 0.4),
            )
            top = _box(rng, place + np.array([0, high, 0]), np.array([wide, 0.05, deep]), turn)
            cos, sin = np.cos(turn), np.sin(turn)
            legs = [
                _pillar(rng, place + np.array([x * cos + z * sin, 0, -x * sin + z * cos]), 0.03, high)
                for x in (-0.45 * wide, 0.45 * wide) for z in (-0.42 * deep, 0.42 * deep)
            ]  # fmt: skip
            parts = [top, *legs]
            things.append(Thing(tuple(p.grids[0] for p in parts), tuple(p.textures[0] for p in parts)))
    return tuple(things)


def _light(rng: np.random.Generator, outdoor: bool) -> Light:
    azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.5, 1.3)
    direction = np.array([np.cos(azimuth) * np.cos(height), np.sin(height), np.sin(azimuth) * np.cos(height)])
    direction[2] = abs(direction[2]) if rng.random() < 0.7 else direction[2]
    strong = rng.uniform(0.35, 0.95) if outdoor else rng.uniform(0.2, 0.55)
    warm = np.array([1.0, 0.97, 0.90]) ** rng.uniform(-1, 2)
    sky = rng.uniform(0.35, 0.6) * np.array([0.96, 1.0, 1.05]) ** rng.uniform(-1, 2)
    return Light(direction, strong * warm, sky, sky * rng.uniform(0.3, 0.6))


def draw_world(
    rng: np.random.Generator, reach: float, things: tuple[Thing, ...], photo: Image | None = None, back: float = 5.0
) -> World:
    """A random place.

    Args:
        rng: Draws everything.
        reach: Half the width that the camera sees at the people, metres.
        things: What people can be hidden by.
        photo: A picture to stand behind the people instead of drawn walls.
        back: Distance from the middle of the scene to the back wall, metres; the skyline stands further away.
    """
    outdoor = bool(rng.random() < 0.5)
    texture, cell = _floor(rng, outdoor)
    x, y, z = np.eye(3)
    planes = [Plane(np.array([-reach - rng.uniform(0, 2), 0.0, -back]), x, z, texture, cell)]
    blue = rng.uniform(0.3, 1.0)
    sky = np.array([[225 - 120 * blue, 225 - 60 * blue, 235.0], [235.0 - 20 * blue, 236, 238]]) * rng.uniform(
        0.75, 1.05
    )
    if outdoor:
        far = back + rng.uniform(6, 25)
        planes.append(Plane(np.array([-40.0, 12.0, -far]), x, -y, _skyline(rng, sky, 240, 1600), 0.05))
    else:
        high, wide = rng.uniform(2.5, 4.0), 2 * reach + 8
        rows, columns = int(high / 0.02), int(wide / 0.02)
        planes.append(Plane(np.array([-wide / 2, high, -back]), x, -y, _wall(rng, rows, columns), 0.02))
        side = rng.uniform(reach + 0.5, reach + 3)
        wall = _wall(rng, rows, 600)
        planes.append(Plane(np.array([-side, high, -back]), z, -y, wall, 0.02))
        planes.append(Plane(np.array([side, high, -back]), z, -y, wall[:, ::-1].copy(), 0.02))
        ceiling = _rough(rng, _tint(rng, 0.7, 0.95, 0.02), 256, 0.01, 0.02)
        planes.append(Plane(np.array([-wide / 2, high, -back]), x, z, ceiling, 0.03))
    return World(
        tuple(planes), photo, sky, things, _light(rng, outdoor),
        shade=float(rng.uniform(0.3, 0.65)),
        softness=float(rng.uniform(0.03, 0.10) if outdoor else rng.uniform(0.08, 0.25)),
    )  # fmt: skip


def _rays(camera: Camera) -> Float[np.ndarray, "height width 3"]:
    height, width = camera.size
    x = (np.arange(width, dtype=np.float32) - camera.centre[0]) / camera.focal
    y = (np.arange(height, dtype=np.float32) - camera.centre[1]) / camera.focal
    axes = camera.axes.astype(np.float32)
    return x[None, :, None] * axes[0] + y[:, None, None] * axes[1] + axes[2]


def draw_background(
    world: World, camera: Camera, shadow: Float[np.ndarray, "cells cells"] | None
) -> tuple[Image, Float[np.ndarray, "height width"]]:
    """The world without people and things, and its depth (infinite for sky and photographs).

    Args:
        world: The place.
        camera: The view.
        shadow: Share of light that reaches the floor, over the square of `shadow_map`, or None for 1.
    """
    height, width = camera.size
    rays = _rays(camera)
    nearest = np.full((height, width), np.inf, np.float32)
    up = np.clip(0.5 - rays[..., 1:2] / np.linalg.norm(rays, axis=-1, keepdims=True) * 1.5, 0, 1)
    image = (world.sky[0] + up * (world.sky[1] - world.sky[0])).astype(np.uint8)
    for number, plane in enumerate(world.planes):
        normal = np.cross(plane.right, plane.down)
        slope = rays @ normal.astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.float32((plane.origin - camera.position) @ normal) / slope
        seen = (depth > 0.05) & (depth < np.minimum(nearest, 200))
        if not seen.any():
            continue
        depth = np.where(seen, depth, 0)
        start = (camera.position - plane.origin).astype(np.float32)
        across = rays @ plane.right.astype(np.float32) * depth + start @ plane.right.astype(np.float32)
        along = rays @ plane.down.astype(np.float32) * depth + start @ plane.down.astype(np.float32)
        picture = cv2.remap(
            plane.texture, (across / plane.metres).astype(np.float32), (along / plane.metres).astype(np.float32),
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        if number == 0 and shadow is not None:
            x, z = across + plane.origin[0], along + plane.origin[2]
            half = _SHADOW_SIZE / 2
            dark = cv2.remap(
                shadow, (x / _SHADOW_CELL + half).astype(np.float32), (z / _SHADOW_CELL + half).astype(np.float32),
                cv2.INTER_LINEAR, borderValue=1.0,
            )  # fmt: skip
            picture = (picture * dark[..., None]).astype(np.uint8)
        image[seen] = picture[seen]
        nearest[seen] = depth[seen]
    return image, nearest


def shadow_map(
    world: World, objects: Sequence[Sequence[Float[np.ndarray, "_rings _columns 3"]]]
) -> Float[np.ndarray, "cells cells"]:
    """Share of light that reaches each cell of the floor around the origin, with soft shadows of `objects`."""
    mask = np.zeros((_SHADOW_SIZE, _SHADOW_SIZE), np.uint8)
    contact = np.zeros_like(mask)
    slant = world.light.direction[[0, 2]] / max(world.light.direction[1], 0.2)
    for grids in objects:
        for grid in grids:
            points = grid.reshape(-1, 3)
            flat = points[:, [0, 2]] - points[:, 1:2] * slant
            cells = np.rint((flat / _SHADOW_CELL + _SHADOW_SIZE / 2) * 16).astype(np.int32)
            cv2.fillConvexPoly(mask, cv2.convexHull(cells), 255, cv2.LINE_AA, 4)
            if points[:, 1].min() < 0.15:
                below = np.rint((points[:, [0, 2]] / _SHADOW_CELL + _SHADOW_SIZE / 2) * 16).astype(np.int32)
                cv2.fillConvexPoly(contact, cv2.convexHull(below), 255, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), max(world.softness / _SHADOW_CELL, 0.6))
    near = cv2.GaussianBlur(contact, (0, 0), 0.05 / _SHADOW_CELL)
    return (1 - world.shade * (soft / np.float32(255))) * (1 - 0.45 * (near / np.float32(255)))
