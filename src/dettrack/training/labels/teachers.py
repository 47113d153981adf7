"""Teachers: other people's single-person 2D pose models, which label what has no annotation.

Each takes an image and affines to its own crops and gives COCO's 17 joints in image pixels, averaged over the crop
and its mirror image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.errors import InputError
from dettrack.geometry import to_image
from dettrack.models.detector.onnx_detector import open_model
from dettrack.models.pose.heatmap import decode_heatmaps
from dettrack.skeleton import COCO17

__all__ = ["Teacher", "load_teacher"]

_MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
_STD = np.array([0.229, 0.224, 0.225], np.float32) * 255


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
        size = self.size[::-1]
        crops = np.stack([cv2.warpAffine(image, affine, size, flags=cv2.INTER_LINEAR) for affine in affines])
        xy, score = self.run(crops)
        mirrored, mirrored_score = self.run(np.ascontiguousarray(crops[:, :, ::-1]))
        swap = COCO17.flip_permutation
        mirrored = mirrored[:, swap] * [-1, 1] + [size[0] - 1, 0]
        # Where the two views disagree the joint is uncertain: the score falls with their distance.
        apart = np.linalg.norm(xy - mirrored, axis=-1) / (0.05 * self.size[0])
        score = (score + mirrored_score[:, swap]) / 2 * np.exp(-0.5 * apart**2)
        return to_image((xy + mirrored) / 2, affines), score


def load_teacher(path: Path, *, threads: int = 1) -> Teacher:
    """Load a heatmap model (`(n, 17, h / 4, w / 4)`) or MoveNet (`(1, 1, 17, 3)`) from ONNX or OpenVINO.

    Args:
        path: The file.
        threads: CPU threads.

    Returns:
        The teacher.

    Raises:
        InputError: The file is neither.
    """
    model = open_model(path, "cpu", threads)
    shape = model.inputs[0].shape
    if shape[-1] == 3 and shape[1] and shape[2]:

        def movenet(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = np.concatenate([model.run(crop[None].astype(np.int32))[0][:, 0] for crop in crops])
            return found[..., 1::-1] * [shape[2], shape[1]], found[..., 2]

        return Teacher(path.stem, (shape[1], shape[2]), movenet)
    if shape[1] == 3 and shape[2] and shape[3]:

        def top_down(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            x = ((crops.astype(np.float32) - _MEAN) / _STD).transpose(0, 3, 1, 2)
            maps = np.concatenate([model.run(np.ascontiguousarray(one[None]))[0] for one in x])
            return decode_heatmaps(maps, "dark", stride=shape[2] // maps.shape[2])

        return Teacher(path.stem, (shape[2], shape[3]), top_down)
    raise InputError(f"{path}: input {shape} is neither a top-down heatmap model's nor MoveNet's")
