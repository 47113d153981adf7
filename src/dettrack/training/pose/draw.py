"""Training tubes as a picture: what the network sees, and what it shall answer; and the diagram of a calibration."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from dettrack.errors import MissingExtraError
from dettrack.models.pose.calibration import Calibration
from dettrack.training.labels.people import PeopleSet
from dettrack.training.pose.calibrate import Answers, reliability
from dettrack.training.pose.tubes import Tube, TubeConfig, TubeMaker

__all__ = ["draw_reliability", "draw_tube", "draw_tubes"]

_TARGET = (120, 255, 60)
_LEFT, _RIGHT, _MIDDLE = (255, 70, 70), (70, 150, 255), (255, 220, 0)


def draw_tubes(
    people: PeopleSet, config: TubeConfig, *, count: int = 24, seed: int = 0, across: int = 8
) -> UInt8[np.ndarray, "h w 3"]:
    """Random tubes with their targets as one picture: the first, middle and last frame of each.

    Args:
        people: The set.
        config: How tubes are made.
        count: How many.
        seed: Of the choice.
        across: Tubes in a row.

    Returns:
        RGB.
    """
    maker = TubeMaker(people, config, np.isfinite(people.boxes).all(1).astype(float))
    tiles = [draw_tube(maker(seed, index)) for index in range(count)]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % across)
    return np.concatenate([np.concatenate(tiles[i : i + across], axis=1) for i in range(0, len(tiles), across)], axis=0)


def draw_tube(tube: Tube) -> UInt8[np.ndarray, "h w 3"]:
    """Frames of a tube side by side, joints as dots (faint where they count less), targets as a colour below them."""
    clip = len(tube.crops)
    parts = []
    for frame in sorted({0, clip // 2, clip - 1}):
        height, width = tube.crops.shape[1:3]
        light = cv2.resize(tube.targets[frame].max(0), (width, height), interpolation=cv2.INTER_LINEAR)
        share = 0.6 * np.clip(light, 0, 1)[..., None]  # one colour over the picture: seen on dark and bright alike
        shown = ((1 - share) * tube.crops[frame] + share * np.array(_TARGET)).astype(np.uint8)
        for joint, (place, weight) in enumerate(zip(tube.xy[frame], tube.weight[frame], strict=True)):
            if np.isfinite(place).all() and weight > 0:
                radius = 2 if weight >= 1 else 1
                cv2.circle(shown, (round(place[0]), round(place[1])), radius, _colour(joint, len(tube.xy[0])), -1)
        parts.append(shown)
    parts.append(np.full((parts[0].shape[0], 4, 3), 255, np.uint8))
    return np.concatenate(parts, axis=1)


def _colour(joint: int, joints: int) -> tuple[int, int, int]:
    """PoseTrack's and COCO's limbs alternate left, right after an odd number of middle joints."""
    if joint < joints - 12:
        return _MIDDLE
    return _LEFT if (joint - (joints - 12)) % 2 == 0 else _RIGHT


def draw_reliability(path: Path, calibration: Calibration, answers: Answers) -> None:
    """What scores say against how often joints are right, before and after calibration.

    Args:
        path: Picture to write.
        calibration: Of the model.
        answers: Of people, best of others than it was fitted on.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("drawing a reliability diagram (or leave --draw out)", "plots") from error
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    series = (("the model's score", answers.scores, "#c8502a"), ("calibrated", calibration(answers.scores), "#1f6fb4"))
    for name, said, colour in series:
        mean, true, mass = reliability(said, answers)
        axes.plot(mean, true, color=colour, linewidth=1.2)
        axes.scatter(mean, true, s=15 + 300 * mass, color=colour, alpha=0.7, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="score", ylabel="share of joints within half a head", aspect="equal")
    axes.legend(loc="upper left", frameon=False)
    axes.grid(alpha=0.25)
    figure.savefig(path, dpi=100)
