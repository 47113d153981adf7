"""Crops as the pose networks see them, cut on the host (`device_tubes` does the same on a GPU)."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.structures import Clip, Tubes

__all__ = ["cut_crop", "sample_tubes"]


def cut_crop(
    image: UInt8[np.ndarray, "height width 3"],
    affine: Float[np.ndarray, "2 3"],
    size: tuple[int, int],
    out: UInt8[np.ndarray, "h w 3"] | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """One crop, RGB; bilinear, black beyond the picture.

    Args:
        image: RGB.
        affine: Pixels of the image -> pixels of the crop.
        size: Height and width of the crop.
        out: Where to write it.

    Returns:
        RGB; `out`, where it was given.
    """
    return cv2.warpAffine(
        image,
        affine,
        size[::-1],
        dst=out,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0),
    )


def sample_tubes(clip: Clip, tubes: Tubes) -> UInt8[np.ndarray, "n clip height width 3"]:
    """Crops of every tube in every frame of the clip (see `cut_crop`).

    Args:
        clip: The frames.
        tubes: Where to cut.

    Returns:
        RGB.
    """
    crops = np.empty((len(tubes), len(clip.frames), *tubes.size, 3), np.uint8)
    for t, frame in enumerate(clip.frames):
        for n, affine in enumerate(tubes.affines):
            cut_crop(frame.image, affine, tubes.size, crops[n, t])
    return crops
