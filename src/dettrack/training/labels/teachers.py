"""Teachers: other people's single-person 2D pose models, which label what has no annotation.

Each takes an image and affines to its own crops and gives COCO's 17 joints in image pixels, averaged over the crop
and its mirror image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.config import EstimateConfig
from dettrack.errors import InputError
from dettrack.geometry import to_image
from dettrack.models.pose.crops import cut_crop
from dettrack.models.pose.frame_estimator import FrameEstimator
from dettrack.models.pose.heatmap import mirror_crops, unmirror_joints
from dettrack.skeleton import COCO17

__all__ = ["Teacher", "load_teacher"]


@dataclass(frozen=True)
class Teacher:
    """A single-person pose model.

    Attributes:
        name: Of its file.
        size: Height and width of its crops.
        run: Crops `(n, h, w, 3)` uint8 RGB -> COCO17 joints in crop pixels `(n, 17, 2)` and scores `(n, 17)`.
    """

    name: str
    size: tuple[int, int]
    run: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], affines: Float[np.ndarray, "n 2 3"]
    ) -> tuple[Float[np.ndarray, "n 17 2"], Float[np.ndarray, "n 17"]]:
        """Joints of people in one image.

        Args:
            image: RGB.
            affines: Image pixels to crop pixels of `size`, one per person (`crop_affines`).

        Returns:
            Positions in image pixels and scores in [0, 1].
        """
        if not len(affines):
            return np.zeros((0, 17, 2)), np.zeros((0, 17))
        crops = np.stack([cut_crop(image, affine, self.size) for affine in affines])
        xy, score = self.run(crops)
        back, back_score = unmirror_joints(*self.run(mirror_crops(crops)), COCO17.flip_permutation, self.size[1])
        # Where the two views disagree the joint is uncertain: the score falls with their distance.
        apart = np.linalg.norm(xy - back, axis=-1) / (0.05 * self.size[0])
        score = (score + back_score) / 2 * np.exp(-0.5 * apart**2)
        return to_image((xy + back) / 2, affines), score


def load_teacher(path: Path, *, threads: int = 1) -> Teacher:
    """Load a 2D pose model with COCO's joints from ONNX or OpenVINO (see `frame_layout`).

    Args:
        path: Its file.
        threads: CPU threads.

    Args:
        path: The file.
        threads: CPU threads.

    Returns:
        The teacher.

    Raises:
        InputError: Not such a model.
    """
    options = EstimateConfig(
        model=str(path), joints="coco17", calibration="none", flip=False, device="cpu", threads=threads
    )
    model = FrameEstimator.from_file(path, options)
    if model.own_joint_set != COCO17:
        raise InputError(f"{path}: its joints are {model.own_joint_set.name}, expected {COCO17.name}")
    return Teacher(path.stem, model.size, lambda crops: model.joints([crops]))
