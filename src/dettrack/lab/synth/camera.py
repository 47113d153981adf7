"""A pinhole camera that stands still, pans or shakes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from dettrack.lab.synth.rotations import about, matrices

__all__ = ["Camera", "camera_path"]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; pixels have integer coordinates at their centres.

    Attributes:
        position: Where it stands, metres.
        axes: Rows are its right, down and viewing directions in the world.
        focal: Focal length in pixels.
        centre: Principal point in pixels.
        size: Height and width of the picture in pixels.
    """

    position: Float[np.ndarray, "3"]
    axes: Float[np.ndarray, "3 3"]
    focal: float
    centre: tuple[float, float]
    size: tuple[int, int]

    def project(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Pixel x, y and depth in metres; x and y are NaN behind the camera (depth < 0.05)."""
        seen = (points - self.position) @ self.axes.T
        depth = np.where(seen[..., 2:] < 0.05, np.nan, seen[..., 2:])
        xy = seen[..., :2] / depth * self.focal + np.array(self.centre)
        return np.concatenate([xy, seen[..., 2:]], -1)

    def enlarged(self, factor: float) -> Camera:
        """The same view with `factor` times as many pixels on each side, for drawing finer than needed."""
        size = (round(self.size[0] * factor), round(self.size[1] * factor))
        return replace(
            self,
            focal=self.focal * factor,
            centre=((self.centre[0] + 0.5) * factor - 0.5, (self.centre[1] + 0.5) * factor - 0.5),
            size=size,
        )


def _axes(yaw: float, pitch: float, roll: float) -> Float[np.ndarray, "3 3"]:
    """Rows right, down, view of a camera that looks along -z at yaw 0, raised by pitch, tilted by roll."""
    base = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
    return base @ matrices(about("yxz", yaw, pitch, roll)).T


def camera_path(
    rng: np.random.Generator, kind: str, size: tuple[int, int], frames: int, fps: float, target: Float[np.ndarray, "3"],
    distance: float, height: float, focal: float,
) -> list[Camera]:  # fmt: skip
    """One camera per frame, looking towards `target` from +z.

    Args:
        rng: Draws the movement.
        kind: "static", "pan" (turns slowly) or "handheld" (shakes, sways and drifts).
        size: Height and width in pixels.
        frames: How many.
        fps: Frames per second.
        target: Point to look at, metres.
        distance: Of the camera from the target, metres.
        height: Of the camera above the ground, metres.
        focal: Focal length in picture widths.

    Returns:
        In the order of the frames.
    """
    time = np.arange(frames) / fps
    yaw, pitch, roll = np.zeros(frames), np.full(frames, np.arctan2(target[1] - height, distance)), np.zeros(frames)
    place = np.tile(target + np.array([0.0, height - target[1], distance]), (frames, 1))
    if kind == "pan":
        swing = rng.uniform(0.05, 0.14) / focal * rng.choice([-1, 1])
        yaw += swing * np.sin(2 * np.pi * time / rng.uniform(4, 9) + rng.uniform(0, 2 * np.pi))
    elif kind == "handheld":
        for wave in range(5):
            rate = 0.25 * 1.9**wave
            for array, strength in ((yaw, 0.014), (pitch, 0.010), (roll, 0.009)):
                array += (
                    strength / (1 + wave) * np.sin(2 * np.pi * (rate * time * rng.uniform(0.8, 1.2) + rng.random()))
                )
            sway = np.sin(2 * np.pi * (rate * time[:, None] + rng.random(3)))
            place += np.array([0.05, 0.02, 0.05]) / (1 + wave) * sway
    roll += rng.normal(0, 0.008)
    return [
        Camera(
            place[t], _axes(yaw[t], pitch[t], roll[t]), focal * size[1], ((size[1] - 1) / 2, (size[0] - 1) / 2), size
        )
        for t in range(frames)
    ]
