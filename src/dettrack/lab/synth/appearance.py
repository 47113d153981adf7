"""How a person looks: skin, face, hair and clothes, as one texture for each part of the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.lab.synth.body import Body, draw_body
from dettrack.lab.synth.figure import Outfit
from dettrack.lab.synth.head import HEAD_HEIGHTS, hair_line
from dettrack.lab.synth.mesh import Mesh, build_mesh
from dettrack.lab.synth.surface import Surface, build_surface
from dettrack.lab.synth.textures import smooth_noise

__all__ = ["Person", "draw_outfit", "draw_person"]

Colour = Float[np.ndarray, "3"]
Texture = UInt8[np.ndarray, "_rows _columns 3"]

_SKIN = np.array([[244, 208, 180], [231, 186, 151], [212, 160, 120], [178, 122, 84], [128, 83, 56], [82, 54, 40]]) / 255
_HAIR = (
    np.array(
        [
            [24, 20, 18],
            [30, 24, 20],
            [46, 32, 24],
            [60, 42, 30],
            [78, 52, 34],
            [120, 84, 50],
            [186, 148, 92],
            [150, 148, 144],
        ]
    )
    / 255
)
# Two in three clothes are plain: black, grey, white, navy, denim, beige, brown.
_PLAIN = (
    np.array(
        [
            [22, 23, 26], [34, 35, 40], [44, 47, 56], [28, 34, 56], [42, 56, 86], [66, 86, 120], [96, 96, 98],
            [150, 150, 150], [226, 226, 222], [236, 236, 236], [206, 196, 176], [122, 104, 82], [84, 66, 50],
            [70, 74, 58],
        ]
    )
    / 255
)  # fmt: skip
_BRIGHT = (
    np.array(
        [
            [150, 36, 40], [198, 56, 50], [206, 120, 44], [222, 186, 70], [62, 98, 60], [44, 128, 92], [50, 120, 170],
            [36, 70, 160], [110, 70, 130], [206, 130, 150], [120, 190, 200],
        ]
    )
    / 255
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Everything about one person that does not move.

    Attributes:
        body: Bone lengths.
        mesh: Shape at rest.
        surface: The mesh's parts with their textures, whose columns run from the back over the front to the back.
    """

    body: Body
    mesh: Mesh
    surface: Surface


def draw_outfit(rng: np.random.Generator) -> Outfit:
    """A random set of clothes."""
    skirt = rng.random() < 0.12
    legs = rng.random()
    bald = rng.random() < 0.06
    return Outfit(
        sleeve=float(rng.choice([0.0, 0.45, 0.6, 0.75, 1.95, 1.95, 1.85])),
        trouser=0.3 if skirt else 1.95 if legs < 0.68 else float(rng.uniform(0.45, 0.95)) if legs < 0.94 else 0.25,
        top_loose=float(rng.uniform(1.02, 1.14)),
        trouser_loose=float(rng.uniform(1.04, 1.25)),
        skirt=float(rng.uniform(0.5, 1.1)) if skirt else 0.0,
        hair=0.0 if bald else float(rng.uniform(0.05, 0.16)),
        hair_length=float(rng.uniform(0.35, 1.1)) if rng.random() < 0.35 and not bald else 0.0,
        cap=bool(rng.random() < 0.1),
    )


def _pick(rng: np.random.Generator, palette: Float[np.ndarray, "n 3"], jitter: float) -> Colour:
    return np.clip(palette[rng.integers(len(palette))] * (1 + jitter * rng.standard_normal(3)), 0.02, 0.97)


def _cloth(rng: np.random.Generator, colour: Colour, second: Colour, kind: str, rows: int, columns: int) -> Texture:
    """Cloth with a pattern, folds and weave."""
    y, x = np.mgrid[:rows, :columns] / np.array([rows, columns]).reshape(2, 1, 1)
    mix = np.zeros((rows, columns))
    period = rng.uniform(5, 16)
    if kind == "stripes":
        mix = (np.sin(2 * np.pi * y * period) > rng.uniform(-0.3, 0.7)).astype(float)
    elif kind == "lengthwise":
        mix = (np.sin(2 * np.pi * x * np.round(period * 1.5)) > 0.4).astype(float)
    elif kind == "checks":
        mix = 0.5 * (np.sin(2 * np.pi * y * period) > 0) + 0.5 * (np.sin(2 * np.pi * x * np.round(period)) > 0)
    elif kind == "print":
        spot = np.exp(-(((x - 0.5) / 0.09) ** 4) - ((y - 0.66) / 0.10) ** 4)
        mix = spot * (smooth_noise(rng, rows, columns, (14, 14)) > -0.2)
    elif kind == "camouflage":
        mix = np.clip(smooth_noise(rng, rows, columns, (9, 9)) * 1.5 + 0.4, 0, 1)
    elif kind == "halves":
        mix = (y > rng.uniform(0.5, 0.75)).astype(float)
    image = colour + mix[..., None] * (second - colour)
    folds = 0.6 * smooth_noise(rng, rows, columns, (7, 5)) + 0.5 * smooth_noise(rng, rows, columns, (16, 9))
    weave = rng.standard_normal((rows, columns))
    image = image * (1 + 0.085 * folds + 0.025 * weave)[..., None]
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def _skin(rng: np.random.Generator, colour: Colour, rows: int, columns: int) -> Texture:
    image = colour * (1 + 0.03 * smooth_noise(rng, rows, columns, (6, 6)))[..., None]
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def _face(rng: np.random.Generator, skin: Colour, hair: Colour, outfit: Outfit, cap: Colour) -> Texture:
    """The head's texture: rows by ring, columns by angle; features drawn at their anatomical heights."""
    rows, columns = 256, 256
    image = _skin(rng, skin, rows, columns).astype(np.float32)
    heights = HEAD_HEIGHTS
    ring = np.linspace(0, len(heights) - 1, rows)
    height = np.interp(ring, np.arange(len(heights)), heights)
    row_of = lambda y: float(np.interp(y, height, np.arange(rows)))  # noqa: E731
    col_of = lambda angle: (angle / np.pi * 0.5 + 0.5) * (columns - 1)  # noqa: E731

    def spot(angle: float, y: float, wide: float, high: float, colour: Colour, soft: float, strength: float) -> None:
        column, row = col_of(angle), row_of(y)
        across, along = wide / np.pi * columns / 2, abs(row_of(y + high) - row_of(y - high)) / 2
        reach = 1 + 6 * soft
        area = (
            slice(max(int(row - reach * along), 0), int(row + reach * along) + 2),
            slice(max(int(column - reach * across), 0), int(column + reach * across) + 2),
        )
        ys, xs = np.mgrid[area]
        away = np.hypot((xs[: rows - ys[0, 0]] - column) / across, (ys[: rows - ys[0, 0]] - row) / along)
        patch = image[area]
        alpha = strength / (1 + np.exp((away[: patch.shape[0], : patch.shape[1]] - 1) / soft))
        patch += alpha[..., None] * (colour * 255 - patch)

    dark, red = skin * np.array([0.55, 0.45, 0.42]), skin * np.array([0.9, 0.55, 0.52])
    brow = hair * 0.8 if outfit.hair else skin * 0.4
    iris = np.array([[0.10, 0.07, 0.05], [0.16, 0.22, 0.30], [0.14, 0.2, 0.12]])[rng.integers(3)]
    for side in (-1, 1):
        spot(side * 0.55, 0.088, 0.22, 0.010, skin * np.array([1.0, 0.82, 0.8]), 0.3, 0.35)  # cheeks
        spot(side * 0.38, 0.1125, 0.24, 0.0075, dark, 0.25, 0.45)  # sockets
        spot(side * 0.38, 0.1120, 0.13, 0.0030, np.array([0.9, 0.88, 0.86]), 0.08, 0.95)
        spot(side * 0.37, 0.1120, 0.055, 0.0030, iris, 0.1, 1.0)
        spot(side * 0.38, 0.1150, 0.15, 0.0011, dark * 0.5, 0.2, 0.9)  # lashes
        spot(side * 0.39, 0.1205, 0.20, 0.0019, brow, 0.2, 0.9)
        spot(side * 0.07, 0.0935, 0.05, 0.0018, dark * 0.6, 0.2, 0.8)  # nostrils
    spot(0.0, 0.0925, 0.14, 0.0018, dark, 0.3, 0.5)
    spot(0.0, 0.0755, 0.22, 0.0032, red, 0.15, 0.8)
    spot(0.0, 0.0755, 0.21, 0.0009, dark * 0.5, 0.2, 0.9)
    if rng.random() < 0.18:  # beard
        spot(0.0, 0.060, 0.9, 0.0150, hair, 0.25, 0.75)
        spot(0.0, 0.0755, 0.2, 0.0030, red, 0.15, 0.8)
    if rng.random() < 0.12:  # glasses
        for side in (-1, 1):
            spot(side * 0.40, 0.111, 0.26, 0.0085, np.array([0.05, 0.05, 0.06]), 0.03, 0.75)
            spot(side * 0.40, 0.111, 0.21, 0.0065, skin * 0.8, 0.05, 0.55 if rng.random() < 0.5 else 0.0)
    angle = np.linspace(-np.pi, np.pi, columns)
    inside = hair_line(height[:, None], angle[None])
    if outfit.cap or outfit.hair:
        strands = smooth_noise(rng, rows, columns, (10, 70))
        colour = cap if outfit.cap else hair
        cover = np.where(inside > 0.002 + (0 if outfit.cap else 0.0015) * strands, 1.0, 0.0)
        cover = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), 1.2)[..., None]
        hairy = colour * 255 * (1 + (0.04 if outfit.cap else 0.18) * strands)[..., None]
        image += cover * (hairy - image)
    return np.clip(image, 0, 255).astype(np.uint8)


_KINDS = ["plain", "stripes", "lengthwise", "checks", "print", "camouflage", "halves"]


@dataclass(frozen=True)
class _Wardrobe:
    """Colours and patterns of one person."""

    skin: Colour
    hair: Colour
    cap: Colour
    top: Colour
    bottom: Colour
    second: Colour
    shoe: Colour
    sole: Colour
    sock: Colour
    top_kind: str
    bottom_kind: str


def _wardrobe(rng: np.random.Generator) -> _Wardrobe:
    cloth = lambda: _pick(rng, _PLAIN if rng.random() < 0.62 else _BRIGHT, 0.08)  # noqa: E731
    skin = _pick(rng, _SKIN, 0.03)
    return _Wardrobe(
        skin=skin,
        hair=_pick(rng, _HAIR, 0.06),
        cap=cloth(),
        top=cloth(),
        bottom=_pick(rng, _PLAIN if rng.random() < 0.8 else _BRIGHT, 0.08),
        second=cloth(),
        shoe=skin if rng.random() < 0.06 else cloth(),
        sole=np.full(3, rng.uniform(0.2, 0.95)),
        sock=_pick(rng, np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]]), 0.05),
        top_kind=str(rng.choice(_KINDS, p=[0.50, 0.12, 0.03, 0.08, 0.17, 0.04, 0.06])),
        bottom_kind=str(rng.choice(_KINDS[:4], p=[0.91, 0.02, 0.03, 0.04])),
    )


def _trunk(rng: np.random.Generator, wear: _Wardrobe, outfit: Outfit) -> Texture:
    rows, columns = 160, 192
    image = _cloth(rng, wear.top, wear.second, wear.top_kind, rows, columns)
    hem = int(rows * rng.uniform(0.22, 0.36))
    image[:hem] = _cloth(rng, wear.bottom, wear.second, "plain", hem, columns)
    image[hem - 3 : hem] = image[hem - 3 : hem] * 0.45
    skin = (wear.skin * 255).astype(np.uint8)
    if rng.random() < 0.15:  # an open jacket over something else
        front = np.abs(np.linspace(-1, 1, columns)) < rng.uniform(0.06, 0.14)
        image[hem:, front] = _cloth(rng, wear.second, wear.top, "plain", rows - hem, int(front.sum()))
    collar = np.abs(np.linspace(-1, 1, columns)) < rng.uniform(0.03, 0.12)
    image[-24:, collar] = skin
    image[-9:] = skin if outfit.sleeve < 1 else (wear.top * 200).astype(np.uint8)
    return image


def _texture(rng: np.random.Generator, kind: str, wear: _Wardrobe, outfit: Outfit) -> Texture:
    """The picture of one kind of part: "trunk", "sleeve", "hand" ..."""
    if kind == "trunk":
        return _trunk(rng, wear, outfit)
    if kind == "head":
        return _face(rng, wear.skin, wear.hair, outfit, wear.cap)
    if kind == "hair":
        strands = 1 + 0.2 * smooth_noise(rng, 64, 96, (5, 60))
        return (np.clip(wear.hair * strands[..., None], 0, 1) * 255).astype(np.uint8)
    if kind in ("sleeve", "trouser", "skirt"):
        top = kind == "sleeve"
        pattern = wear.top_kind if top else wear.bottom_kind
        colour = wear.top if top else wear.bottom
        image = _cloth(rng, colour, wear.second, "plain" if pattern in ("print", "halves") else pattern, 128, 64)
        image[-3:] = image[-3:] * 0.6
        return image
    if kind == "foot":
        image = _cloth(rng, wear.shoe, wear.second, "plain", 48, 64)
        if not np.array_equal(wear.shoe, wear.skin):
            image[:, :14] = image[:, -14:] = (wear.sole * 255).astype(np.uint8)
        return image
    image = _skin(rng, wear.skin, 64, 48)
    if kind == "leg" and outfit.trouser < 1.2 and not np.array_equal(wear.shoe, wear.skin):
        image[58:] = (wear.sock * 255).astype(np.uint8)
    return image


def _textures(rng: np.random.Generator, mesh: Mesh, outfit: Outfit) -> tuple[Texture, ...]:
    """One picture per part; left and right wear the same."""
    wear, made = _wardrobe(rng), dict[str, Texture]()
    kinds = [part.name.split("_")[-1] for part in mesh.parts]
    for kind in kinds:
        if kind not in made:
            made[kind] = _texture(rng, kind, wear, outfit)
    return tuple(made[kind] for kind in kinds)


def draw_person(rng: np.random.Generator) -> Person:
    """A random person: bones, clothes, colours."""
    body, outfit = draw_body(rng), draw_outfit(rng)
    mesh = build_mesh(body, outfit)
    return Person(body, mesh, build_surface(mesh.parts, _textures(rng, mesh, outfit)))
