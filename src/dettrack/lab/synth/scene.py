"""A synthetic scene: people, place and camera drawn from a seed, rendered with exact annotations.

A scene depends on `(seed, index)` and its settings only, each frame on the scene and its number only: any frame can
be drawn in any process and order, and comes out the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.errors import UsageError
from dettrack.lab.synth.appearance import Person, draw_person
from dettrack.lab.synth.body import Skeleton, skeleton
from dettrack.lab.synth.camera import Camera, camera_path
from dettrack.lab.synth.mesh import pose_mesh
from dettrack.lab.synth.mocap import Recording, perform
from dettrack.lab.synth.motion import draw_style, follow, walk_path
from dettrack.lab.synth.plans import SCENARIOS, Plan, Stage, plan_people
from dettrack.lab.synth.things import draw_things
from dettrack.lab.synth.world import World, draw_world

__all__ = ["Actor", "Scene", "SceneConfig", "draw_scene"]


@dataclass(frozen=True)
class SceneConfig:
    """What kind of scenes are drawn.

    Attributes:
        size: Height and width in pixels.
        frames: Frames per scene.
        fps: Frames per second.
        scenario: A key of `SCENARIOS`, or "any".
        camera: "static", "pan", "handheld", or "any".
        occluders: Pieces of furniture in front of people: a number, or -1 for none to four.
        motions: Recorded motions that take part beside our own (`load_recordings`).
        photos: Pictures that may stand behind the people (`find_photos`).
        photo_share: Share of scenes with a photograph, where there are any.
    """

    size: tuple[int, int] = (360, 640)
    frames: int = 100
    fps: float = 25.0
    scenario: str = "any"
    camera: str = "any"
    occluders: int = -1
    motions: tuple[Recording, ...] = field(default=(), repr=False)
    photos: tuple[Path, ...] = field(default=(), repr=False)
    photo_share: float = 0.5

    def __post_init__(self) -> None:
        if min(self.size) < 32:
            raise UsageError(f"--size is {self.size[1]}x{self.size[0]}: at least 32 pixels on each side")
        if self.frames < 1:
            raise UsageError(f"--frames is {self.frames}: at least 1")
        if self.scenario != "any" and self.scenario not in SCENARIOS:
            raise UsageError(f"--scenario is {self.scenario!r}: expected any, {', '.join(SCENARIOS)}")
        if self.camera not in ("any", "static", "pan", "handheld"):
            raise UsageError(f"--camera is {self.camera!r}: expected any, static, pan or handheld")


@dataclass(frozen=True)
class Actor:
    """A person in a scene: appearance, and bones in every frame."""

    person: Person
    bones: Skeleton

    def vertices(self, frame: int) -> Float[np.ndarray, "vertices 3"]:
        """The person's surface in the world."""
        return pose_mesh(self.person.mesh, self.bones.joints[frame], self.bones.axes[frame])


@dataclass(frozen=True)
class Scene:
    """A scene ready to be rendered (`render.render_frame`).

    Attributes:
        seed: Of the series of scenes.
        index: Of the scene in the series.
        config: Its settings.
        scenario: Which scenario it became.
        actors: The people; a person's place here is the identity in the annotations.
        cameras: One per frame.
        world: The place.
        blur: Shutter time as a share of the frame time (motion blur).
        soft: Blur of the lens, pixels.
        noise: Deviation of the sensor's noise, grey levels.
        tone: Contrast, brightness and gamma of the picture.
    """

    seed: int
    index: int
    config: SceneConfig
    scenario: str
    actors: tuple[Actor, ...]
    cameras: tuple[Camera, ...]
    world: World
    blur: float
    soft: float
    noise: float
    tone: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.cameras)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


def _actor(rng: np.random.Generator, plan: Plan, config: SceneConfig, recordings: Sequence[Recording]) -> Actor:
    person, style = draw_person(rng), draw_style(rng)
    time = np.arange(config.frames) / config.fps
    path = walk_path(plan.points, time, config.fps)
    chosen = recordings[int(rng.integers(len(recordings)))] if recordings else None
    if chosen is not None and plan.recorded and rng.random() < 0.6:
        middle = path[config.frames // 2]
        heading = plan.facing if plan.facing is not None else float(rng.uniform(-np.pi, np.pi))
        start = float(rng.uniform(0, max(chosen.seconds - config.frames / config.fps, 0.01)))
        motion = perform(chosen, person.body, config.frames, config.fps, (0.0, 0.0), heading, start)
        # The middle of the recorded way lies where the plan has the person at half time.
        motion.root[:, [0, 2]] += middle - motion.root[config.frames // 2, [0, 2]]
    else:
        facing = None if plan.facing is None else plan.facing + 2 * np.pi * plan.spin * time
        motion = follow(
            person.body, style, path, config.fps, plan.actions, facing, phase=float(rng.uniform(0, 2 * np.pi))
        )
    return Actor(person, skeleton(person.body, motion))


@lru_cache(maxsize=16)
def _photo(path: Path, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"] | None:
    encoded = np.fromfile(path, np.uint8)
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if image is None:
        return None
    # A margin for the camera's movement; the middle is kept.
    scale = 1.3 * max(size[0] / image.shape[0], size[1] / image.shape[1])
    return cv2.cvtColor(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2RGB)


def draw_scene(seed: int, index: int, config: SceneConfig | None = None) -> Scene:
    """The scene `index` of the series `seed`.

    Args:
        seed: Of the series.
        index: Of the scene.
        config: Settings.

    Returns:
        The same for the same arguments.

    Raises:
        UsageError: A setting is out of range.
    """
    config = config or SceneConfig()
    rng = np.random.default_rng([seed, index, 1])
    scenario = config.scenario
    if scenario == "any":
        scenario = str(rng.choice(list(SCENARIOS), p=[0.25, 0.07, 0.2, 0.15, 0.08, 0.15, 0.1]))
    kind = (
        config.camera if config.camera != "any" else str(rng.choice(["static", "pan", "handheld"], p=[0.4, 0.3, 0.3]))
    )
    focal, distance = float(rng.uniform(0.8, 1.25)), float(rng.uniform(4.2, 6.5))
    portrait = config.size[1] / config.size[0]
    # A picture that is narrower than 16:9 needs more distance to hold a person's height.
    focal *= min(1.0, 16 / 9 / portrait) if portrait > 1 else 1.0
    stage = Stage(config.frames / config.fps, distance, focal, back=float(rng.uniform(1.5, 3.0)))
    plans = plan_people(rng, scenario, stage)
    actors = tuple(
        _actor(np.random.default_rng([seed, index, 2, n]), plan, config, config.motions) for n, plan in enumerate(plans)
    )
    height = float(rng.uniform(0.9, 2.6))
    target = np.array([0.0, float(rng.uniform(0.8, 1.05)), 0.0])
    cameras = camera_path(
        np.random.default_rng([seed, index, 3]),
        kind,
        config.size,
        config.frames,
        config.fps,
        target,
        distance,
        height,
        focal,
    )
    place = np.random.default_rng([seed, index, 4])
    number = config.occluders if config.occluders >= 0 else int(place.choice([0, 0, 1, 2, 3, 4]))
    things = draw_things(place, number, 0.9 * stage.reach(0.0), (-stage.back, min(1.6, distance - 2.2)))
    photo = None
    if config.photos and place.random() < config.photo_share:
        photo = _photo(config.photos[int(place.integers(len(config.photos)))], config.size)
    far = max(stage.back * (3.2 if scenario == "small-large" else 1.0) + 0.6, float(place.uniform(2.5, 6.0)))
    world = draw_world(place, stage.reach(-far) + 1, things, photo, far)
    return Scene(
        seed, index, config, scenario, actors, tuple(cameras), world,
        blur=float(place.choice([0.0, 0.25, 0.5])),
        soft=float(place.uniform(0.3, 0.8)),
        noise=float(place.uniform(0.5, 4.0)),
        tone=(float(place.uniform(0.85, 1.1)), float(place.normal(0, 6)), float(place.uniform(0.85, 1.15))),
    )  # fmt: skip
