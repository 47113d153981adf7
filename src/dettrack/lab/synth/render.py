"""Frames and exact annotations of a scene.

People and things meet in one depth buffer over the background; the result is exposed as a camera would: finite
pixels, motion blur, soft lens, noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dettrack.lab.synth.backdrop import Backdrop, draw_backdrop, shadow_map
from dettrack.lab.synth.camera import Camera
from dettrack.lab.synth.raster import Drawn, draw_surface
from dettrack.lab.synth.scene import Scene
from dettrack.skeleton import POSETRACK15

__all__ = ["Rendered", "Renderer", "Truth", "Visibility", "head_box"]

_FINER = 1.5  # samples per pixel side
_TINY = 60  # pixels that a person must fill to have a box
# How far the surface may lie before a joint that still counts as seen: the limb's own thickness, in body heights.
_DEEP = {"hip": 0.075, "shoulder": 0.05, "head_bottom": 0.055, "head_top": 0.06, "nose": 0.035}
_THICK = np.array([_DEEP.get(j.split("_")[-1], _DEEP.get(j, 0.042)) for j in POSETRACK15.joints])


class Visibility(IntEnum):
    """Why a joint is or is not seen."""

    OUTSIDE = 0
    """Out of the picture, or behind the camera."""
    HIDDEN = 1
    """Behind another person or a thing."""
    SELF_HIDDEN = 2
    """Behind the person's own body."""
    SEEN = 3


@dataclass(frozen=True)
class Truth:
    """The annotations of one frame; rows are the scene's actors, whether in view or not.

    Attributes:
        xy: Joints (PoseTrack's 15) in pixels, also out of the picture; NaN behind the camera.
        visibility: `Visibility` of each joint.
        boxes: Of the whole body, as if nothing hid it, cut at the picture's border; NaN where out of view.
        visible_boxes: Of the pixels that are seen; NaN where there are fewer than a few.
        head_boxes: By PoseTrack's construction (`head_box`), NaN where out of view.
        visible: Share of the person's pixels in the picture that nothing hides; 0 where out of view.
    """

    xy: Float[np.ndarray, "people 15 2"]
    visibility: Int[np.ndarray, "people 15"]
    boxes: Float[np.ndarray, "people 4"]
    visible_boxes: Float[np.ndarray, "people 4"]
    head_boxes: Float[np.ndarray, "people 4"]
    visible: Float[np.ndarray, " people"]

    @property
    def present(self) -> Bool[np.ndarray, " people"]:
        """Who can be annotated: in view, not nearly hidden, with at least one joint seen."""
        return (self.visible >= 0.15) & (self.visibility == Visibility.SEEN).any(1)


@dataclass(frozen=True)
class Rendered:
    """One frame.

    Attributes:
        image: RGB.
        truth: Its annotations.
        owner: Which actor each pixel shows; -1 for the background and things.
    """

    image: UInt8[np.ndarray, "height width 3"]
    truth: Truth
    owner: Int[np.ndarray, "height width"]


class Renderer:
    """Draws frames of one scene; keeps what a still camera sees again.

    Args:
        scene: What to draw.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._backdrops: dict[int, Backdrop] = {}
        self._things: dict[int, list[Drawn | None]] = {}
        self._vertices: dict[int, list[Float[np.ndarray, "_vertices 3"]]] = {}

    def frame(self, number: int) -> Rendered:
        """Draw one frame, by its number from 0."""
        scene, camera = self.scene, self.scene.cameras[number]
        before = scene.cameras[max(number - 1, 0)]
        fine = camera.enlarged(_FINER)
        bodies = self._bodies(number)
        layers = self._people(number, fine, before, bodies) + self._furniture(number, fine)
        depth, colour, shift, owner = _compose(fine.size, layers)
        objects = [(actor.person.surface, body) for actor, body in zip(scene.actors, bodies, strict=True)]
        objects += [(thing.surface, thing.vertices) for thing in scene.world.things]
        background = self._backdrop(number, camera).shaded(shadow_map(scene.world, objects))
        image = _over(background, colour, owner, camera.size)
        image = _expose(scene, number, image, shift, owner, (camera, before))
        truth = _truth(scene, number, (camera, fine), bodies, layers, depth, owner)
        return Rendered(image, truth, _reduce(owner, camera.size))

    def _view(self, number: int) -> int:
        """The first frame that has the same view, for what is kept."""
        first, now = self.scene.cameras[0], self.scene.cameras[number]
        same = np.array_equal(first.position, now.position) and np.array_equal(first.axes, now.axes)
        return 0 if same else number

    def _bodies(self, number: int) -> list[Float[np.ndarray, "_vertices 3"]]:
        if number not in self._vertices:
            kept = {n: v for n, v in self._vertices.items() if abs(n - number) <= 1}
            self._vertices = {**kept, number: [actor.vertices(number) for actor in self.scene.actors]}
        return self._vertices[number]

    def _people(
        self, number: int, fine: Camera, before: Camera, bodies: list[Float[np.ndarray, "_vertices 3"]]
    ) -> list[Drawn | None]:
        scene = self.scene
        earlier: list[Float[np.ndarray, "_vertices 2"] | None] = [None] * len(bodies)
        if scene.blur > 0 and number > 0:
            view = before.enlarged(_FINER)
            earlier = [view.project(body)[:, :2] for body in self._bodies(number - 1)]
        return [
            draw_surface(fine, actor.person.surface, body, scene.world.light, old)
            for actor, body, old in zip(scene.actors, bodies, earlier, strict=True)
        ]

    def _furniture(self, number: int, fine: Camera) -> list[Drawn | None]:
        view = self._view(number)
        if view not in self._things:
            light = self.scene.world.light
            drawn = [draw_surface(fine, thing.surface, thing.vertices, light) for thing in self.scene.world.things]
            self._things = {view: drawn}
        return self._things[view]

    def _backdrop(self, number: int, camera: Camera) -> Backdrop:
        view = self._view(number)
        if view not in self._backdrops:
            self._backdrops = {view: draw_backdrop(self.scene.world, camera, self.scene.cameras[0])}
        return self._backdrops[view]


def _compose(
    size: tuple[int, int], layers: list[Drawn | None]
) -> tuple[
    Float[np.ndarray, "height width"],
    UInt8[np.ndarray, "height width 3"],
    Float[np.ndarray, "height width 2"],
    Int[np.ndarray, "height width"],
]:
    """The nearest layer at each pixel: depth, colour, movement, and the layer's number (-1: none)."""
    depth = np.full(size, np.inf, np.float32)
    colour = np.zeros((*size, 3), np.uint8)
    shift = np.zeros((*size, 2), np.float32)
    owner = np.full(size, -1, np.int16)
    for number, drawn in enumerate(layers):
        if drawn is None:
            continue
        place = drawn.place
        near = drawn.depth < depth[place]
        depth[place][near] = drawn.depth[near]
        colour[place][near] = drawn.colour[near]
        shift[place][near] = 0 if drawn.shift is None else drawn.shift[near]
        owner[place][near] = number
    return depth, colour, shift, owner


def _over(
    background: UInt8[np.ndarray, "height width 3"],
    colour: UInt8[np.ndarray, "fine_height fine_width 3"],
    owner: Int[np.ndarray, "fine_height fine_width"],
    size: tuple[int, int],
) -> UInt8[np.ndarray, "height width 3"]:
    """Reduce the fine foreground to the picture's pixels, with soft edges over the background."""
    target = (size[1], size[0])
    share = cv2.resize((owner >= 0).astype(np.float32), target, interpolation=cv2.INTER_AREA)
    reduced = cv2.resize(colour.astype(np.float32), target, interpolation=cv2.INTER_AREA)
    return (background * (1 - share[..., None]) + reduced + 0.5).astype(np.uint8)


def _reduce(owner: Int[np.ndarray, "fine_height fine_width"], size: tuple[int, int]) -> Int[np.ndarray, "height width"]:
    return cv2.resize(owner, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)


def _expose(
    scene: Scene, frame: int, image: UInt8[np.ndarray, "height width 3"], shift: Float[np.ndarray, "h w 2"],
    owner: Int[np.ndarray, "h w"], cameras: tuple[Camera, Camera],
) -> UInt8[np.ndarray, "height width 3"]:  # fmt: skip
    """Motion blur along each pixel's movement, then lens, tone and noise."""
    height, width = image.shape[:2]
    if scene.blur > 0 and frame > 0:
        moved = cv2.resize(np.where((owner >= 0)[..., None], shift, 0), (width, height), interpolation=cv2.INTER_AREA)
        # What stands still is moved by the camera alone, about as a far point in the middle is.
        far = cameras[0].position + 8 * cameras[0].axes[2]
        still = (cameras[0].project(far) - cameras[1].project(far))[:2]
        ground = cv2.resize((owner < 0).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        moved = moved / _FINER + ground[..., None] * still
        fastest = float(np.abs(moved).max()) * scene.blur
        if fastest > 0.7:
            # A moving limb blurs over what is beside it: its movement is spread a little.
            moved = cv2.blur(moved, (5, 5)).astype(np.float32) * np.float32(scene.blur)
            x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
            steps = int(np.clip(np.ceil(fastest / 1.5), 2, 7))
            total = np.zeros(image.shape, np.float32)
            for part in np.linspace(-0.5, 0.5, steps, dtype=np.float32):
                total += cv2.remap(image, x + part * moved[..., 0], y + part * moved[..., 1], cv2.INTER_LINEAR,
                                   borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
            image = (total / steps).astype(np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), scene.soft) if scene.soft > 0.3 else image
    contrast, brightness, gamma = scene.tone
    curve = np.clip((np.arange(256) / 255.0) ** gamma * 255 * contrast + brightness, 0, 255)
    image = cv2.LUT(image, curve.astype(np.uint8))
    tile = _noise_tile(height, width)
    rng = np.random.default_rng([scene.seed, scene.index, 5, frame])
    dy, dx = (int(v) for v in rng.integers(0, 64, 2))
    noise = tile[dy : dy + height, dx : dx + width] * np.float32(scene.noise)
    return cv2.add(image, noise, dtype=cv2.CV_8U)


@lru_cache(maxsize=4)
def _noise_tile(height: int, width: int) -> Float[np.ndarray, "height_64 width_64 3"]:
    return np.random.default_rng(0).standard_normal((height + 64, width + 64, 3)).astype(np.float32)


def head_box(
    top: Float[np.ndarray, "2"], bottom: Float[np.ndarray, "2"], outline: Float[np.ndarray, "points 2"]
) -> Float[np.ndarray, "4"]:
    """The head box that belongs to a pair of head joints.

    In PoseTrack18's files the diagonal is the distance of the two joints divided by 0.7 (28 real annotations, all
    0.600 * diagonal = 0.857 * distance), and the box sits a little above their middle; its shape follows the head.

    Args:
        top: Joint at the top of the head, pixels.
        bottom: Joint at its bottom, pixels.
        outline: Points of the drawn head, pixels.

    Returns:
        x1, y1, x2, y2.
    """
    length = float(np.hypot(*(top - bottom)))
    sides = np.ptp(outline, axis=0)
    sides = np.clip(sides / max(float(sides.max()), 1e-6), 0.75, 1.0)
    sides *= length / 0.7 / np.hypot(*sides)
    middle = (top + bottom) / 2 + 0.07 * (top - bottom)
    return np.concatenate([middle - sides / 2, middle + sides / 2])


def _truth(
    scene: Scene, frame: int, cameras: tuple[Camera, Camera], bodies: list[Float[np.ndarray, "_vertices 3"]],
    layers: list[Drawn | None], depth: Float[np.ndarray, "h w"], owner: Int[np.ndarray, "h w"],
) -> Truth:  # fmt: skip
    camera, fine = cameras
    people = len(scene.actors)
    joints = len(POSETRACK15)
    xy, visibility = np.full((people, joints, 2), np.nan), np.zeros((people, joints), int)
    boxes, visible_boxes, heads = (np.full((people, 4), np.nan) for _ in range(3))
    visible = np.zeros(people)
    for number, actor in enumerate(scene.actors):
        points = camera.project(actor.bones.landmarks[frame])
        xy[number] = points[:, :2]
        drawn = layers[number]
        if drawn is None:
            continue
        mask = drawn.mask
        shown = mask & (owner[drawn.place] == number)
        if mask.sum() < _TINY:
            continue
        visible[number] = shown.sum() / mask.sum()
        boxes[number] = _bounds(mask, drawn)
        if shown.sum() >= _TINY:
            visible_boxes[number] = _bounds(shown, drawn)
        places = fine.project(actor.bones.landmarks[frame])
        visibility[number] = _see(places, number, depth, owner, actor.person.body.height)
        head = next(part for part in actor.person.mesh.parts if part.name == "head")
        outline = camera.project(bodies[number][head.start : head.start + head.rings * head.columns])[:, :2]
        top, bottom = (xy[number, POSETRACK15.index(j)] for j in ("head_top", "head_bottom"))
        if np.isfinite(outline).all():
            heads[number] = head_box(top, bottom, outline)
    return Truth(xy, visibility, boxes, visible_boxes, heads, visible)


def _bounds(mask: Bool[np.ndarray, "height width"], drawn: Drawn) -> Float[np.ndarray, "4"]:
    """Corners of a fine mask in the picture's pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    low = np.array([columns[0] + drawn.left, rows[0] + drawn.top])
    high = np.array([columns[-1] + drawn.left, rows[-1] + drawn.top])
    # The outer edges of the outermost samples, as coordinates of pixel centres.
    return np.concatenate([low / _FINER - 0.5, (high + 1) / _FINER - 0.5])


def _see(
    places: Float[np.ndarray, "joints 3"], number: int, depth: Float[np.ndarray, "h w"],
    owner: Int[np.ndarray, "h w"], body_height: float,
) -> Int[np.ndarray, " joints"]:  # fmt: skip
    """`Visibility` of joints at `(x, y, depth)` of the fine picture."""
    height, width = depth.shape
    found = np.full(len(places), int(Visibility.OUTSIDE))
    for joint, (x, y, z) in enumerate(places):
        if not (np.isfinite(x) and -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            continue
        row, column = round(y), round(x)
        area = np.s_[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        near = z - 1.35 * _THICK[joint] * body_height
        mine, others = owner[area] == number, (owner[area] != number) & (depth[area] < z)
        if (mine & (depth[area] >= near)).any():
            found[joint] = Visibility.SEEN
        elif others.sum() > mine.sum():
            found[joint] = Visibility.HIDDEN
        else:
            # Neither before it: just beyond the outline, as a head top is above the hair.
            found[joint] = Visibility.SELF_HIDDEN if mine.any() else Visibility.SEEN
    return found
