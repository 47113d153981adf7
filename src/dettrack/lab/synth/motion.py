"""How people move without any recorded motion: gaits by phase functions, actions between key poses, along a path.

A pose is `(bones, 3)`: rotations about each joint's y, x and z axes in radians, z acting first. About +z a hip or
shoulder bends forward and an elbow bends; a knee bends about -z; about +y a joint turns to the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from dettrack.lab.synth.body import BONES, Body, Motion, skeleton
from dettrack.lab.synth.poses import ACTIONS, POSES
from dettrack.lab.synth.rotations import about

__all__ = ["Action", "Style", "draw_style", "follow", "soles", "walk_path"]

Angles = Float[np.ndarray, "frames 13 3"]

_UPPER = np.array([b in ("chest", "neck") or "shoulder" in b or "elbow" in b for b in BONES])
_INDEX = {bone: i for i, bone in enumerate(BONES)}
_SWAP = np.array([_INDEX[b.replace("right", "x").replace("left", "right").replace("x", "left")] for b in BONES])


@dataclass(frozen=True)
class Action:
    """One action in a person's plan.

    Attributes:
        name: Key of `ACTIONS`.
        start_s: Seconds at which it begins.
        stop_s: Seconds at which it ends.
        mirrored: Left and right swapped.
        tempo: Speed relative to the usual.
    """

    name: str
    start_s: float
    stop_s: float
    mirrored: bool = False
    tempo: float = 1.0


@dataclass(frozen=True)
class Style:
    """How one person moves.

    Attributes:
        stride: Stride length relative to the average.
        arms: Swing of the arms, likewise.
        lean: Of the trunk, radians, forward negative.
        spread: Arms held away from the trunk, radians.
        elbow: Bend of the elbows at ease, radians.
        turn_out: Of the feet, radians.
        bounce: Depth of key poses, relative.
        sway: Phases of the small movements of a standing person.
    """

    stride: float = 1.0
    arms: float = 1.0
    lean: float = 0.0
    spread: float = 0.12
    elbow: float = 0.25
    turn_out: float = 0.12
    bounce: float = 1.0
    sway: tuple[float, ...] = field(default=(0.0, 1.0, 2.0, 3.0))


def draw_style(rng: np.random.Generator) -> Style:
    """A random way of moving."""
    return Style(
        stride=float(rng.uniform(0.9, 1.1)),
        arms=float(rng.uniform(0.5, 1.4)),
        lean=float(rng.normal(-0.02, 0.04)),
        spread=float(rng.uniform(0.05, 0.25)),
        elbow=float(rng.uniform(0.1, 0.5)),
        turn_out=float(rng.uniform(0.0, 0.3)),
        bounce=float(rng.uniform(0.8, 1.1)),
        sway=tuple(rng.uniform(0, 2 * np.pi, 4)),
    )


def _ease(style: Style, time: Float[np.ndarray, " frames"]) -> Angles:
    """Standing at ease, shifting weight a little."""
    angles = np.zeros((len(time), len(BONES), 3))
    a, b, c, d = style.sway
    angles[:, _INDEX["root"], 1] = 0.02 * np.sin(0.9 * time + a)
    angles[:, _INDEX["root"], 2] = style.lean
    angles[:, _INDEX["chest"], 0] = 0.06 * np.sin(0.6 * time + b)
    angles[:, _INDEX["chest"], 2] = -0.02 + 0.015 * np.sin(1.7 * time + c)
    angles[:, _INDEX["neck"], 0] = 0.30 * np.sin(0.45 * time + d) + 0.15 * np.sin(1.1 * time + a)
    angles[:, _INDEX["neck"], 2] = -0.05 + 0.08 * np.sin(0.7 * time + b)
    for side, sign in (("right", -1.0), ("left", 1.0)):
        angles[:, _INDEX[f"{side}_shoulder"]] = (0.0, sign * style.spread, 0.05)
        angles[:, _INDEX[f"{side}_elbow"], 2] = style.elbow
        angles[:, _INDEX[f"{side}_hip"]] = (sign * style.turn_out, sign * 0.06, 0.04)
        angles[:, _INDEX[f"{side}_knee"], 2] = -0.08
        angles[:, _INDEX[f"{side}_ankle"], 2] = 0.04 - style.lean
    return angles


def _gait(style: Style, phase: Float[np.ndarray, " frames"], run: Float[np.ndarray, " frames"]) -> Angles:
    """Walking (run 0) to running (run 1); the right leg is foremost at phase π/2."""
    mix = lambda walk, fast: walk + (fast - walk) * run  # noqa: E731
    angles = np.zeros((len(phase), len(BONES), 3))
    lean = style.lean + mix(-0.03, -0.22)
    angles[:, _INDEX["root"]] = np.stack([0.10 * np.sin(phase), 0.03 * np.cos(phase), lean], 1)
    angles[:, _INDEX["chest"], 0] = -mix(0.20, 0.35) * np.sin(phase)
    angles[:, _INDEX["neck"], 0] = 0.08 * np.sin(phase)
    angles[:, _INDEX["neck"], 2] = -0.5 * lean
    for side, sign, p in (("right", -1.0, phase), ("left", 1.0, phase + np.pi)):
        hip = mix(0.14, 0.38) + mix(0.37, 0.62) * style.stride * np.sin(p) - lean
        swing = np.maximum(np.cos(p + 0.45), 0) ** 2
        knee = -(mix(0.10, 0.35) + mix(0.95, 1.55) * swing + mix(0.10, 0.2) * np.maximum(-np.cos(p - 0.5), 0) ** 2)
        foot = mix(0.22, 0.1) * np.maximum(np.sin(p), 0) - mix(0.55, 0.9) * np.maximum(-np.sin(p + 0.25), 0) ** 3
        angles[:, _INDEX[f"{side}_hip"]] = np.stack([np.full_like(p, sign * style.turn_out * 0.7), 0 * p, hip], 1)
        angles[:, _INDEX[f"{side}_knee"], 2] = knee
        angles[:, _INDEX[f"{side}_ankle"], 2] = foot - lean - hip - knee
        arm = -mix(0.38, 0.75) * style.arms * np.sin(p)
        angles[:, _INDEX[f"{side}_shoulder"]] = np.stack(
            [0 * p, np.full_like(p, sign * style.spread), arm + mix(0.0, 0.1)], 1
        )
        angles[:, _INDEX[f"{side}_elbow"], 2] = mix(style.elbow, 1.55) + mix(0.22, 0.3) * style.arms * np.maximum(
            -np.sin(p), -0.6
        )
    return angles


def _act(
    action: Action, style: Style, time: Float[np.ndarray, " frames"], ease: Angles
) -> tuple[Angles, Float[np.ndarray, " frames"]]:
    """The action's angles in every frame, and the height of its flight in metres."""
    poses, seconds, _, flight = ACTIONS[action.name]
    clock = np.maximum(time - action.start_s, 0) * action.tempo / seconds
    index = clock.astype(int)
    t = clock - index
    t = t * t * (3 - 2 * t)
    table = np.zeros((len(poses), len(BONES), 3))
    named = np.zeros((len(poses), len(BONES), 1))
    for row, pose in enumerate(poses):
        for bone, angle in POSES[pose].items():
            table[row, _INDEX[bone]], named[row, _INDEX[bone]] = angle, 1
    if action.mirrored:
        table, named = table[:, _SWAP] * np.array([-1, -1, 1]), named[:, _SWAP]
    here, there = index % len(poses), (index + 1) % len(poses)
    first = ease + style.bounce * named[here] * (table[here] - ease)
    second = ease + style.bounce * named[there] * (table[there] - ease)
    angles = first + t[:, None, None] * (second - first)
    lift = np.zeros(len(time))
    if flight:
        cycle = (clock % len(poses)) / len(poses)
        lift = flight * np.maximum(np.sin(2 * np.pi * (cycle - 0.125) * (2 if len(poses) < 4 else 1)), 0)
    return angles, lift


def _window(
    time: Float[np.ndarray, " frames"], start: float, stop: float, fade: float = 0.35
) -> Float[np.ndarray, "..."]:
    t = np.clip(np.minimum((time - start) / fade, (stop - time) / fade), 0, 1)
    return t * t * (3 - 2 * t)


def walk_path(
    points: Sequence[tuple[float, float, float]], time: Float[np.ndarray, " frames"], fps: float
) -> Float[np.ndarray, "frames 2"]:
    """A smooth path through `(seconds, x, z)` points, metres on the ground; standing before and after.

    Args:
        points: Seconds, x and z of each, in order of time.
        time: Of the frames, seconds.
        fps: Frames per second.

    Returns:
        Position in every frame, metres.
    """
    table = np.array(points)
    path = np.stack([np.interp(time, table[:, 0], table[:, k]) for k in (1, 2)], 1)
    return gaussian_filter1d(path, 0.25 * fps, axis=0, mode="nearest")


def _headings(
    path: Float[np.ndarray, "frames 2"], speed: Float[np.ndarray, " frames"], fps: float,
    facing: float | Float[np.ndarray, " frames"] | None,
) -> Float[np.ndarray, " frames"]:  # fmt: skip
    """Where the person looks: along the path when walking; `facing` (or the last direction) when standing."""
    velocity = np.gradient(path, axis=0)
    moving = np.flatnonzero(speed > 0.25)
    if not moving.size:
        return np.broadcast_to(np.asarray(0.0 if facing is None else facing), len(path)).astype(float)
    along = np.arctan2(-velocity[:, 1], velocity[:, 0])
    if facing is None:
        nearest = moving[np.abs(np.arange(len(path))[:, None] - moving).argmin(1)]
        target = along[nearest]
    else:
        target = np.where(speed > 0.25, along, facing)
    # Smoothed as a direction, so that a turn takes the shorter way.
    sigma = max(0.2 * fps, 1.0)
    cos, sin = (gaussian_filter1d(f(target), sigma, mode="nearest") for f in (np.cos, np.sin))
    return np.arctan2(sin, cos)


def follow(
    body: Body,
    style: Style,
    path: Float[np.ndarray, "frames 2"],
    fps: float,
    actions: Sequence[Action] = (),
    facing: float | Float[np.ndarray, " frames"] | None = None,
    phase: float = 0.0,
) -> Motion:
    """Move a person along a path, walking or running as fast as it says, acting on the way.

    Args:
        body: Whose legs set the stride.
        style: How the person moves.
        path: Ground position in every frame, metres.
        fps: Frames per second.
        actions: What is done when; whole-body actions fade out while walking.
        facing: Heading while standing, radians; None keeps the walking direction.
        phase: Of the gait at the start, radians.

    Returns:
        Rotations and places in every frame.
    """
    time = np.arange(len(path)) / fps
    if len(path) > 1:
        speed = gaussian_filter1d(np.linalg.norm(np.gradient(path, axis=0), axis=1) * fps, 0.1 * fps, mode="nearest")
    else:
        speed = np.zeros(len(path))
    smooth = lambda x: np.clip(x, 0, 1) ** 2 * (3 - 2 * np.clip(x, 0, 1))  # noqa: E731
    moving, run = smooth((speed - 0.15) / 0.35), smooth((speed - 1.9) / 0.8)
    stride = body.leg_length * style.stride * np.interp(speed, [0, 0.6, 1.4, 2.0, 4.0], [0.9, 1.05, 1.6, 2.0, 3.2])
    steps = phase + np.cumsum(2 * np.pi * speed / fps / stride)
    ease = _ease(style, time)
    small = np.interp(speed, [0, 0.3, 1.2], [0.3, 0.6, 1.0])
    angles = (
        ease + moving[:, None, None] * (_gait(replace(style, stride=1.0), steps, run) - ease) * small[:, None, None]
    )
    lift = 0.05 * run * np.abs(np.cos(steps)) * moving
    for action in actions:
        weight = _window(time, action.start_s, action.stop_s)
        target, flight = _act(action, style, time, ease)
        limit = np.where(_UPPER, 1.0, 1 - moving[:, None] if not ACTIONS[action.name][2] else 0.0)
        angles = angles + (weight[:, None] * limit)[..., None] * (target - angles)
        lift = lift + weight * (1 - moving) * flight
    turns = about("yxz", angles[..., 0], angles[..., 1], angles[..., 2])
    heading = _headings(path, speed, fps, facing)
    turns[:, 0] = about("yyxz", heading, angles[:, 0, 0], angles[:, 0, 1], angles[:, 0, 2])
    return _ground(body, turns, path, lift, moving)


def _ground(
    body: Body, turns: Float[np.ndarray, "frames 13 4"], path: Float[np.ndarray, "frames 2"],
    lift: Float[np.ndarray, " frames"], moving: Float[np.ndarray, " frames"],
) -> Motion:  # fmt: skip
    """Put the lower foot on the ground, and the standing person above the feet instead of the path."""
    still = skeleton(body, Motion(np.zeros((len(turns), 3)), turns))
    height, place = soles(body, still.joints, still.axes)
    root = np.zeros((len(turns), 3))
    root[:, 1] = lift - height.min(1)
    # The lower foot carries the weight; standing people keep it where it is.
    weight = np.exp(-(height - height.min(1, keepdims=True)) / 0.04)
    support = (place * (weight / weight.sum(1, keepdims=True))[..., None]).sum(1)
    root[:, [0, 2]] = path - (1 - moving[:, None]) * support
    return Motion(root, turns)


def soles(
    body: Body, joints: Float[np.ndarray, "frames 13 3"], axes: Float[np.ndarray, "frames 13 3 3"]
) -> tuple[Float[np.ndarray, "frames 2"], Float[np.ndarray, "frames 2 2"]]:
    """Lowest height of each shoe, and its middle on the ground plane; right foot first.

    Args:
        body: Sizes of the person.
        joints: Positions of the bones, metres.
        axes: Axes of the bones.

    Returns:
        Heights and places, metres.
    """
    h = body.height
    corners = np.array([[-0.045, 0], [0.11, 0]]) * h
    heights, places = [], []
    for bone in (_INDEX["right_ankle"], _INDEX["left_ankle"]):
        points = np.stack([corners[:, 0], np.full(2, -body.sole), corners[:, 1]], 1)
        world = joints[:, bone, None] + np.einsum("fij,pj->fpi", axes[:, bone], points)
        heights.append(world[..., 1].min(1))
        places.append(world[..., [0, 2]].mean(1))
    return np.stack(heights, 1), np.stack(places, 1)
