"""Training samples without whole frames: one person's tube, rendered as crops only.

What the temporal network must learn (paper 3.1) is who the person of the keyframe is, while others cross the crop, and
to say nothing where that person is hidden or has left. Both are exact here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dettrack.errors import UsageError
from dettrack.formats.posetrack import head_box_sizes
from dettrack.lab.synth.render import Rendered, Renderer
from dettrack.lab.synth.scene import Scene, SceneConfig, draw_scene

__all__ = ["TubeSample", "draw_tubes"]


@dataclass(frozen=True)
class TubeSample:
    """One person's tube.

    Attributes:
        images: Crops of consecutive frames, RGB; the crop stands still.
        xy: PoseTrack's 15 joints in crop pixels, in every frame, also where they are hidden or outside the crop;
            NaN behind the camera.
        visibility: `Visibility` of each joint; OUTSIDE also where it is in the frame but not in the crop.
        present: Whether the person is to be found in each frame: in view, and not nearly hidden.
        key: Position of the keyframe.
        box: The person in the keyframe, in crop pixels.
        head_size: The evaluator's head size in the keyframe, crop pixels.
        scene: Index of the scene in its series.
        person: Identity in the scene.
    """

    images: UInt8[np.ndarray, "clip height width 3"]
    xy: Float[np.ndarray, "clip 15 2"]
    visibility: Int[np.ndarray, "clip 15"]
    present: Bool[np.ndarray, " clip"]
    key: int
    box: Float[np.ndarray, "4"]
    head_size: float
    scene: int
    person: int


def draw_tubes(
    seed: int,
    index: int,
    count: int = 4,
    *,
    clip_length: int = 9,
    size: tuple[int, int] = (256, 192),
    enlarge: float = 1.25,
    jitter: float = 0.08,
    config: SceneConfig | None = None,
) -> Iterator[TubeSample]:
    """Up to `count` tubes of one scene; the scene is drawn once, its frames never whole.

    Args:
        seed: Of the series of scenes.
        index: Of the scene.
        count: Tubes to draw; fewer come where no one is in view.
        clip_length: |C|, odd.
        size: Height and width of a crop.
        enlarge: Growth of the box before cropping.
        jitter: Deviation of the box from the person's true one, as a share of its sides.
        config: Of the scene; by default 48 frames of any scenario.

    Raises:
        UsageError: The clip is longer than the scene, or its length is even.
    """
    config = config or SceneConfig(frames=48)
    if clip_length % 2 == 0 or clip_length > config.frames:
        raise UsageError(
            f"clip_length is {clip_length}: expected an odd number up to the scene's {config.frames} frames"
        )
    scene = draw_scene(seed, index, config)
    for number in range(count):
        rng = np.random.default_rng([seed, index, 6, number])
        for _ in range(4):
            sample = _tube(rng, scene, clip_length, size, enlarge, jitter)
            if sample is not None:
                yield sample
                break


def _tube(
    rng: np.random.Generator, scene: Scene, length: int, size: tuple[int, int], enlarge: float, jitter: float
) -> TubeSample | None:
    start = int(rng.integers(len(scene) - length + 1))
    key = length // 2
    person = int(rng.integers(len(scene.actors)))
    box = _box(scene, start + key, person)
    if box is None:
        return None
    shaken = box + rng.normal(0, jitter, 4) * np.tile(box[2:] - box[:2], 2)
    # Frames have fewer pixels than crops as often as not: those crops are drawn small and enlarged.
    detail = float(rng.uniform(0.4, 1.0))
    height, width = (max(16, round(side * detail)) for side in size)
    middle, half = (shaken[:2] + shaken[2:]) / 2, (shaken[2:] - shaken[:2]) / 2 * enlarge
    scale = min(width / (2 * half[0]), height / (2 * half[1]))
    left, top = middle - (np.array([width, height]) - 1) / (2 * scale)
    renderer = Renderer(scene, (scale, float(left), float(top), (height, width)))
    middle_frame = renderer.frame(start + key)
    if not middle_frame.truth.present[person]:
        return None
    frames = [middle_frame if t == key else renderer.frame(start + t) for t in range(length)]
    return _sample(frames, person, key, size, scene.index)


def _box(scene: Scene, frame: int, person: int) -> Float[np.ndarray, "4"] | None:
    """The person's box cut at the picture's border; None where too little of it is in view."""
    seen = scene.cameras[frame].project(scene.actors[person].vertices(frame))
    if not np.isfinite(seen).all():
        return None
    low, high = seen[:, :2].min(0), seen[:, :2].max(0)
    height, width = scene.config.size
    cut = np.concatenate([np.maximum(low, -0.5), np.minimum(high, [width - 0.5, height - 0.5])])
    sides = cut[2:] - cut[:2]
    if (sides < 12).any() or sides.prod() < 0.3 * (high - low).prod():
        return None
    return cut


def _sample(frames: list[Rendered], person: int, key: int, size: tuple[int, int], scene: int) -> TubeSample:
    truths = [rendered.truth for rendered in frames]
    height, width = frames[0].image.shape[:2]
    zoom = np.array([size[1] / width, size[0] / height])
    enlarge = lambda xy: (xy + 0.5) * zoom - 0.5  # noqa: E731
    images = np.stack([cv2.resize(f.image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR) for f in frames])
    head = truths[key].head_boxes[person]
    return TubeSample(
        images,
        np.stack([enlarge(truth.xy[person]) for truth in truths]),
        np.stack([truth.visibility[person] for truth in truths]),
        np.array([bool(truth.present[person]) for truth in truths]),
        key,
        enlarge(truths[key].boxes[person].reshape(2, 2)).ravel(),
        float(zoom * head_box_sizes(head)),
        scene,
        person,
    )
