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

from dettrack.skeleton import POSETRACK15
from dettrack.synth.camera import Camera
from dettrack.synth.raster import Drawn, draw_grids
from dettrack.synth.scene import Scene
from dettrack.synth.world import draw_background, shadow_map

__all__ = ["Rendered", "Truth", "Visibility", "render_frame"]

_FINER = 1.5  # samples per pixel side
_TINY = 60  # pixels that a person must fill to have a box
# How far the surface may lie before a joint that still counts as seen: the limb's own thickness, in body heights.
_DEEP = {"hip": 0.075, "shoulder": 0.05, "head_bottom": 0.055, "head_top": 0.03, "nose": 0.035}
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


def render_frame(scene: Scene, frame: int, view: Camera | None = None) -> Rendered:
    """Draw one frame.

    Args:
        scene: What to draw.
        frame: Its number, from 0.
        view: Another window of the frame's camera (`Camera.window`); annotations are in its pixels.
    """
    camera = scene.cameras[frame] if view is None else view
    fine = camera.enlarged(_FINER)
    before = scene.cameras[max(frame - 1, 0)]
    if view is not None:
        scale = view.focal / scene.cameras[frame].focal
        cx, cy = scene.cameras[frame].centre
        before = before.window(scale, cx - view.centre[0] / scale, cy - view.centre[1] / scale, view.size)
    layers = _layers(scene, frame, fine, before.enlarged(_FINER))
    depth, colour, shift, owner = _compose(fine.size, layers)
    background = _background(scene, frame, camera)
    image = _over(background, colour, owner, camera.size)
    image = _expose(scene, frame, image, shift, owner, (camera, before))
    return Rendered(image, _truth(scene, frame, camera, fine, layers, depth, owner), _reduce(owner, camera.size))


def _layers(scene: Scene, frame: int, fine: Camera, before: Camera) -> list[Drawn | None]:
    """Everyone, then every thing, each drawn alone."""
    layers = []
    for actor in scene.actors:
        earlier = None
        if scene.blur > 0 and frame > 0:
            earlier = [before.project(grid)[..., :2] for grid in actor.grids(frame - 1)]
        layers.append(draw_grids(fine, actor.grids(frame), actor.person.textures, scene.world.light, earlier))
    layers.extend(draw_grids(fine, thing.grids, thing.textures, scene.world.light) for thing in scene.world.things)
    return layers


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
        height, width = drawn.depth.shape
        place = np.s_[drawn.top : drawn.top + height, drawn.left : drawn.left + width]
        near = drawn.depth < depth[place]
        depth[place][near] = drawn.depth[near]
        colour[place][near] = drawn.colour[near]
        shift[place][near] = drawn.shift[near]
        owner[place][near] = number
    return depth, colour, shift, owner


def _background(scene: Scene, frame: int, camera: Camera) -> UInt8[np.ndarray, "height width 3"]:
    world = scene.world
    if world.photo is not None:
        return _photo_view(scene, frame, camera)
    objects = [actor.grids(frame) for actor in scene.actors] + [list(thing.grids) for thing in world.things]
    return draw_background(world, camera, shadow_map(world, objects))[0]


def _photo_view(scene: Scene, frame: int, camera: Camera) -> UInt8[np.ndarray, "height width 3"]:
    """The photograph as if painted on the far sky: it follows the camera's rotation only."""
    photo = scene.world.photo
    if photo is None:
        raise ValueError("the scene has no photograph")
    whole, first = scene.cameras[frame], scene.cameras[0]
    middle = np.array([(photo.shape[1] - 1) / 2, (photo.shape[0] - 1) / 2])
    to_photo = np.array([[first.focal, 0, middle[0]], [0, first.focal, middle[1]], [0, 0, 1]])
    from_view = np.linalg.inv(
        np.array([[camera.focal, 0, camera.centre[0]], [0, camera.focal, camera.centre[1]], [0, 0, 1]])
    )
    homography = to_photo @ first.axes @ whole.axes.T @ from_view
    size = (camera.size[1], camera.size[0])
    return cv2.warpPerspective(
        photo, homography, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
    )


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
    """
    length = float(np.hypot(*(top - bottom)))
    sides = np.ptp(outline, axis=0)
    sides = np.clip(sides / max(float(sides.max()), 1e-6), 0.75, 1.0)
    sides *= length / 0.7 / np.hypot(*sides)
    middle = (top + bottom) / 2 + 0.07 * (top - bottom)
    return np.concatenate([middle - sides / 2, middle + sides / 2])


def _truth(
    scene: Scene, frame: int, camera: Camera, fine: Camera, layers: list[Drawn | None],
    depth: Float[np.ndarray, "h w"], owner: Int[np.ndarray, "h w"],
) -> Truth:  # fmt: skip
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
        height, width = mask.shape
        shown = mask & (owner[drawn.top : drawn.top + height, drawn.left : drawn.left + width] == number)
        if mask.sum() < _TINY:
            continue
        visible[number] = shown.sum() / mask.sum()
        boxes[number] = _bounds(mask, drawn)
        if shown.sum() >= _TINY:
            visible_boxes[number] = _bounds(shown, drawn)
        places = fine.project(actor.bones.landmarks[frame])
        visibility[number] = _see(places, number, depth, owner, actor.person.body.height)
        vertices = actor.grids(frame)[[p.name for p in actor.person.mesh.parts].index("head")]
        outline = camera.project(vertices.reshape(-1, 3))[:, :2]
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
