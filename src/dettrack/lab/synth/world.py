"""Where a scene happens: floor, walls, sky or a photograph, furniture to hide behind, light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.errors import InputError
from dettrack.files import IMAGE_SUFFIXES
from dettrack.lab.synth.raster import Light
from dettrack.lab.synth.textures import floor, rough, skyline, tint, wall
from dettrack.lab.synth.things import Thing

__all__ = ["Plane", "World", "draw_world", "find_photos"]

Image = UInt8[np.ndarray, "_height _width 3"]


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
        raise InputError(f"--backgrounds {folder}: no such folder; expected one with pictures")
    found = tuple(sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES))
    if not found:
        raise InputError(f"--backgrounds {folder}: no picture inside")
    return found


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

    Returns:
        The place.
    """
    outdoor = bool(rng.random() < 0.5)
    texture, cell = floor(rng, outdoor)
    x, y, z = np.eye(3)
    planes = [Plane(np.array([-reach - rng.uniform(0, 2), 0.0, -back]), x, z, texture, cell)]
    blue = rng.uniform(0.3, 1.0)
    sky = np.array([[225 - 120 * blue, 225 - 60 * blue, 235.0], [235.0 - 20 * blue, 236, 238]]) * rng.uniform(
        0.75, 1.05
    )
    if outdoor:
        far = back + rng.uniform(6, 25)
        planes.append(Plane(np.array([-40.0, 12.0, -far]), x, -y, skyline(rng, sky, 240, 1600), 0.05))
    else:
        high, wide = rng.uniform(2.5, 4.0), 2 * reach + 8
        rows, columns = int(high / 0.02), int(wide / 0.02)
        planes.append(Plane(np.array([-wide / 2, high, -back]), x, -y, wall(rng, rows, columns), 0.02))
        side = rng.uniform(reach + 0.5, reach + 3)
        beside = wall(rng, rows, 600)
        planes.append(Plane(np.array([-side, high, -back]), z, -y, beside, 0.02))
        planes.append(Plane(np.array([side, high, -back]), z, -y, beside[:, ::-1].copy(), 0.02))
        ceiling = rough(rng, tint(rng, 0.7, 0.95, 0.02), 256, 0.01, 0.02)
        planes.append(Plane(np.array([-wide / 2, high, -back]), x, z, ceiling, 0.03))
    return World(
        tuple(planes), photo, sky, things, _light(rng, outdoor),
        shade=float(rng.uniform(0.3, 0.65)),
        softness=float(rng.uniform(0.03, 0.10) if outdoor else rng.uniform(0.08, 0.25)),
    )  # fmt: skip
