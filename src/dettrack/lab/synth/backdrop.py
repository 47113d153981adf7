"""The world behind the people, seen by a camera: planes by homographies, a photograph, soft shadows on the floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from dettrack.lab.synth.camera import Camera
from dettrack.lab.synth.surface import Surface
from dettrack.lab.synth.world import Plane, World

__all__ = ["Backdrop", "draw_backdrop", "shadow_map"]

Image = UInt8[np.ndarray, "height width 3"]
_CELL = 0.04  # metres of one cell of the shadow map
_CELLS = 500  # on a side
_FURTHEST = 250.0  # metres


@dataclass(frozen=True)
class Backdrop:
    """The world without people and things from one camera.

    Attributes:
        image: Its picture, without shadows.
        floor: Where the floor is seen.
        to_cells: From pixels to cells of the shadow map.
    """

    image: Image
    floor: Bool[np.ndarray, "height width"]
    to_cells: Float[np.ndarray, "3 3"]

    def shaded(self, shadow: Float[np.ndarray, "cells cells"]) -> Image:
        """The picture with shadows on the floor."""
        size = self.image.shape[1::-1]
        light = _warp(shadow, self.to_cells, size, cv2.BORDER_CONSTANT, 1.0)
        dark = self.floor & (light < 0.996)
        image = self.image.copy()
        image[dark] = (image[dark] * light[dark][:, None]).astype(np.uint8)
        return image


def _warp(
    texture: np.ndarray, homography: Float[np.ndarray, "3 3"], size: tuple[int, ...], border: int, value: float = 0.0
) -> np.ndarray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(
        texture, homography, (size[0], size[1]), flags=flags, borderMode=border, borderValue=value
    )


def _paint(
    image: Image, texture: np.ndarray, homography: Float[np.ndarray, "3 3"], where: Bool[np.ndarray, "height width"]
) -> None:
    """Warp a texture into part of the image, in place; only the rectangle around the part is computed."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    top, left, bottom, right = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    from_corner = np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]])
    picture = _warp(texture, homography @ from_corner, (int(right - left), int(bottom - top)), cv2.BORDER_REFLECT)
    mine = where[top:bottom, left:right].astype(np.uint8)
    image[top:bottom, left:right] = cv2.copyTo(picture, mine, image[top:bottom, left:right].copy())


def _to_rays(camera: Camera) -> Float[np.ndarray, "3 3"]:
    """From homogeneous pixels to directions in the world, of depth 1."""
    (cx, cy), f = camera.centre, camera.focal
    return camera.axes.T @ np.array([[1 / f, 0, -cx / f], [0, 1 / f, -cy / f], [0, 0, 1]])


def _to_plane(camera: Camera, plane: Plane) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """From homogeneous pixels to the plane's texture, and to 1 / depth."""
    normal = np.cross(plane.right, plane.down)
    away = (plane.origin - camera.position) @ normal
    start = camera.position - plane.origin
    rows = [(axis * away + (start @ axis) * normal) / plane.metres for axis in (plane.right, plane.down)]
    rays = _to_rays(camera)
    return np.stack([*rows, normal]) @ rays, normal @ rays / away


def draw_backdrop(world: World, camera: Camera, first: Camera) -> Backdrop:
    """The world as `camera` sees it; a photograph, if any, is painted on the sky where `first` looks.

    Args:
        world: The place.
        camera: Of this frame.
        first: Of the first frame.

    Returns:
        Picture, closeness and floor, before people are drawn.
    """
    height, width = camera.size
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    closeness = np.full((height, width), 1 / _FURTHEST, np.float32)
    image = _photo(world.photo, camera, first) if world.photo is not None else _sky(world, camera)
    floor = np.zeros((height, width), bool)
    for number, plane in enumerate(world.planes if world.photo is None else world.planes[:1]):
        homography, (a, b, c) = _to_plane(camera, plane)
        inverse = (np.float32(a) * x + np.float32(b) * y + np.float32(c)).astype(np.float32)
        seen = (inverse > closeness) & (inverse < 50)
        if number == 0:
            floor = seen.copy()
        if world.photo is not None or not seen.any():
            continue
        _paint(image, plane.texture, homography, seen)
        closeness = np.where(seen, inverse, closeness)
        floor &= number == 0 or ~seen
    x_axis, _, z_axis = np.eye(3)
    ground = Plane(np.zeros(3), x_axis, z_axis, world.planes[0].texture, _CELL)
    to_cells = np.array([[1, 0, _CELLS / 2], [0, 1, _CELLS / 2], [0, 0, 1]]) @ _to_plane(camera, ground)[0]
    return Backdrop(image, floor, to_cells)


def _sky(world: World, camera: Camera) -> Image:
    height, width = camera.size
    rays = _to_rays(camera)
    y = rays[1, 1] * np.arange(height) + rays[1, 2] + rays[1, 0] * width / 2
    up = np.clip(0.5 - y[:, None, None] * 1.2, 0, 1)
    row = world.sky[1] + up * (world.sky[0] - world.sky[1])
    return np.repeat(row.astype(np.uint8), width, 1)


def _photo(photo: UInt8[np.ndarray, "photo_height photo_width 3"], camera: Camera, first: Camera) -> Image:
    """The photograph as if it were infinitely far: it follows the camera's rotation only."""
    middle = (photo.shape[1] - 1) / 2, (photo.shape[0] - 1) / 2
    to_photo = np.array([[first.focal, 0, middle[0]], [0, first.focal, middle[1]], [0, 0, 1]])
    homography = to_photo @ first.axes @ _to_rays(camera)
    return _warp(photo, homography, camera.size[::-1], cv2.BORDER_REFLECT)


def _hull(cells: Float[np.ndarray, "points 2"]) -> np.ndarray:
    """Convex outline in sixteenths of a cell."""
    return cv2.convexHull(np.rint(cells * 16).astype(np.int32))


def shadow_map(
    world: World, objects: Sequence[tuple[Surface, Float[np.ndarray, "_vertices 3"]]]
) -> Float[np.ndarray, "cells cells"]:
    """Share of light that reaches each cell of the floor around the origin, with soft shadows of `objects`.

    Args:
        world: The place.
        objects: What throws shadows, with its vertices in metres.

    Returns:
        From 0 to 1.
    """
    mask = np.zeros((_CELLS, _CELLS), np.uint8)
    contact = np.zeros_like(mask)
    slant = world.light.direction[[0, 2]] / max(world.light.direction[1], 0.2)
    for surface, vertices in objects:
        below = vertices[:, [0, 2]] / _CELL + _CELLS / 2
        flat = below - vertices[:, 1:2] * (slant / _CELL)
        for part in surface.parts:
            mine = slice(part.start, part.start + part.rings * part.columns)
            cv2.fillConvexPoly(mask, _hull(flat[mine]), 255, cv2.LINE_8, 4)
            if vertices[mine, 1].min() < 0.15:
                cv2.fillConvexPoly(contact, _hull(below[mine]), 255, cv2.LINE_8, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), max(world.softness / _CELL, 0.6))
    near = cv2.GaussianBlur(contact, (0, 0), 0.05 / _CELL)
    return (1 - world.shade * (soft / np.float32(255))) * (1 - 0.45 * (near / np.float32(255)))
