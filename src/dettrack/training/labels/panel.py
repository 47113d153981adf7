"""A panel: several teachers, each run on a person several times, give labels that are better than those of each.

A teacher moves a joint by some pixels, or to another person, when the crop is a little larger or lies a little beside.
Where most passes agree, their mean is taken; the passes that find the joint elsewhere lower its score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.geometry import to_image
from dettrack.skeleton import COCO17, JointSet
from dettrack.training.labels.teachers import Teacher

__all__ = ["VIEWS", "Panel", "View", "agreed", "make_panel", "torso_lengths"]


@dataclass(frozen=True)
class View:
    """One pass of one teacher.

    Attributes:
        teacher: Index of the teacher.
        zoom: Side of the crop relative to the usual one.
        shift: By how much it lies to the right and below, in shares of its sides.
        mirrored: It sees the person in a mirror.
    """

    teacher: int
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False


VIEWS = (View(0), View(0, 1.15, (-0.03, 0.03), mirrored=True), View(1))
"""Two passes of the first teacher, one of the second: six and ten of them gained nothing more on annotated people."""


@dataclass(frozen=True)
class Panel(Teacher):
    """Several teachers behind the interface of one (`make_panel`).

    Attributes:
        passes: Teachers, each with its view.
        reach: Passes agree on a joint within this share of the torso.
    """

    passes: tuple[tuple[Teacher, View], ...] = ()
    reach: float = 0.3

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], affines: Float[np.ndarray, "n 2 3"]
    ) -> tuple[Float[np.ndarray, "n 17 2"], Float[np.ndarray, "n 17"]]:
        """Joints that most passes agree on; see `Teacher`."""
        if not len(affines):
            return np.zeros((0, 17, 2)), np.zeros((0, 17))
        passes = [
            _run_view(teacher, view, image, _crops(affines, self.size, teacher.size, view))
            for teacher, view in self.passes
        ]
        xy, score = np.stack([one[0] for one in passes]), np.stack([one[1] for one in passes])
        return agreed(xy, score, self.reach * torso_lengths(np.median(xy, 0), COCO17))


def make_panel(teachers: Sequence[Teacher], views: Sequence[View] = VIEWS, *, reach: float = 0.3) -> Panel:
    """Join teachers.

    Args:
        teachers: Models of COCO's 17 joints; crops have the first one's size.
        views: One for each pass; those of teachers that are not there are left out.
        reach: Passes agree on a joint within this share of the torso.

    Returns:
        The panel.
    """
    passes = tuple((teachers[view.teacher], view) for view in views if view.teacher < len(teachers))
    name = " and ".join(teacher.name for teacher in teachers)
    return Panel(name, teachers[0].size, teachers[0].run, passes, reach)


def agreed(
    xy: Float[np.ndarray, "passes n joints 2"],
    score: Float[np.ndarray, "passes n joints"],
    reach: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
    """The mean of the passes that agree with the most trusted place.

    Args:
        xy: What each pass found.
        score: In [0, 1].
        reach: Passes agree within so many pixels.

    Returns:
        Positions, and scores: the mean over all passes, where those that find the joint elsewhere count as 0.
    """
    gap = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
    near = gap <= np.maximum(reach, 1e-6)[:, None]
    support = (near * score).sum(1)  # of each pass: the scores of those that agree with it, its own among them
    best = support.argmax(0)
    inside = np.take_along_axis(near, best[None, None], 0)[0]
    share = inside * np.maximum(score, 1e-6)
    place = (share[..., None] * xy).sum(0) / share.sum(0)[..., None]
    return place, (inside * score).mean(0)


def torso_lengths(xy: Float[np.ndarray, "n joints 2"], joints: JointSet) -> Float[np.ndarray, " n"]:
    """Distance between the middles of shoulders and hips; at least a tenth of the pose's extent.

    Args:
        xy: Pixels.
        joints: Their joint set.

    Returns:
        Pixels.
    """
    ls, rs, lh, rh = (
        xy[:, joints.index(f"{side}_{part}")] for part in ("shoulder", "hip") for side in ("left", "right")
    )
    extent = np.ptp(xy, axis=1).max(-1)
    return np.maximum(np.linalg.norm((ls + rs - lh - rh) / 2, axis=-1), 0.1 * extent)


def _run_view(teacher: Teacher, view: View, image: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints in image pixels and scores, from crops or from their mirror images alone."""
    size = teacher.size[::-1]
    crops = np.stack([cv2.warpAffine(image, affine, size, flags=cv2.INTER_LINEAR) for affine in affines])
    if not view.mirrored:
        xy, score = teacher.run(crops)
        return to_image(xy, affines), score
    xy, score = teacher.run(np.ascontiguousarray(crops[:, :, ::-1]))
    swap = COCO17.flip_permutation
    return to_image(xy[:, swap] * [-1, 1] + [size[0] - 1, 0], affines), score[:, swap]


def _crops(
    affines: Float[np.ndarray, "n 2 3"], usual: tuple[int, int], size: tuple[int, int], view: View
) -> Float[np.ndarray, "n 2 3"]:
    """From crops of the usual size to a view's: the same middle moved by its shift, the whole of the usual crop."""
    old, new = np.array(usual[::-1]), np.array(size[::-1])
    scale = (new / old).min() / view.zoom
    shift = (new - 1) / 2 - scale * ((old - 1) / 2 + np.array(view.shift) * old)
    out = affines * scale
    out[:, :, 2] += shift
    return out
