"""What a detector file's first answers tell: a layout that fits the shapes may still be the wrong one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dettrack.errors import InputError
from dettrack.models.pose.frame_layout import joints_for, read_stated
from dettrack.skeleton import JointSet
from dettrack.structures import Boxes

__all__ = ["FirstAnswers", "joints_of"]

_LOOKS = 8  # answers that are looked at
_SCORE = 0.3  # of boxes that are
_WHOLE = 0.9  # share of the picture that a box of everything covers

_LOG = logging.getLogger("dettrack")


class FirstAnswers:
    """Looks at the first answers of a detector."""

    def __init__(self, name: str) -> None:
        self._name, self._looks, self._whole = name, 0, 0

    def look(self, answers: Sequence[Boxes], size: tuple[int, int]) -> None:
        """Look at some answers; after a few nothing is done any more.

        Args:
            answers: Boxes in pixels of the input.
            size: Its height and width.

        Raises:
            InputError: They are not finite, or far outside the picture.
        """
        for boxes in answers[: max(_LOOKS - self._looks, 0)]:
            self._looks += 1
            self._look(boxes[boxes.scores >= _SCORE], size)

    def _look(self, boxes: Boxes, size: tuple[int, int]) -> None:
        height, width = size
        state = "state the right --detector-layout"
        if not (np.isfinite(boxes.xyxy).all() and np.isfinite(boxes.scores).all()):
            raise InputError(f"{self._name}: its first answers are not finite: {state}, or take a file in fp32")
        centre = (boxes.xyxy[:, :2] + boxes.xyxy[:, 2:]) / 2
        outside = ((centre < 0) | (centre > (width, height))).any(1)
        if len(boxes) and outside.mean() > 0.5:
            raise InputError(f"{self._name}: its first boxes lie outside the picture: {state}")
        sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
        self._whole += len(boxes) == 1 and bool((sides[0] > _WHOLE * np.array([width, height])).all())
        if self._looks == self._whole == _LOOKS:
            _LOG.warning("%s: each of its first answers is one box around everything: %s", self._name, state)


def joints_of(path: Path, count: int) -> JointSet:
    """Joints of a one-stage pose network.

    Args:
        path: Its file; a TOML file of its name beside it may state them.
        count: How many.

    Returns:
        The set.

    Raises:
        InputError: Nothing is known of so many.
    """
    return joints_for(str(path), count, read_stated(path))
