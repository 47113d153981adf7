"""The container's display matrix: how stored pixels are turned and mirrored before they are shown.

Phones store sideways pixels and a 3x3 matrix that says so. FFmpeg's libraries hand the matrix over and leave the
pixels alone (its command line turns them by a filter), so it is applied here, once, and everything else in the
package sees displayed pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Int, UInt8

__all__ = ["UPRIGHT", "Orientation"]


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a rectangle on itself: transpose first, then mirror.

    Attributes:
        transpose: Swap rows and columns.
        mirror_x: Then mirror left and right.
        mirror_y: Then mirror top and bottom.
    """

    transpose: bool
    mirror_x: bool
    mirror_y: bool

    @staticmethod
    def from_matrix(matrix: Int[np.ndarray, "3 3"]) -> Orientation:
        """The nearest orientation to a display matrix.

        Args:
            matrix: As stored: a point is the row vector `(x, y, 1)` times the matrix. Only the upper left 2x2 part
                counts: what it leaves of scale, shear or a crooked angle is ignored.
        """
        (a, b), (c, d) = np.asarray(matrix)[:2, :2].tolist()
        if a == b == c == d == 0:
            return UPRIGHT
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return Orientation(False, a < 0, d < 0)
        # x' = c y and y' = b x: the axes change places.
        return Orientation(True, c < 0, b < 0)

    @staticmethod
    def from_exif(number: int) -> Orientation:
        """What EXIF's numbers 1 to 8 stand for."""
        mirror_x, mirror_y = number in (2, 3, 6, 7), number in (3, 4, 7, 8)
        return Orientation(number >= 5, mirror_x, mirror_y)

    def apply(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "shown_height shown_width 3"]:
        """The image as displayed, contiguous in memory."""
        if self.transpose:
            image = cv2.transpose(image)
        if self.mirror_x or self.mirror_y:
            code = -1 if self.mirror_x and self.mirror_y else int(self.mirror_x)
            image = cv2.flip(image, code)
        return image


UPRIGHT = Orientation(False, False, False)
