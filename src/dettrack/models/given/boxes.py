"""Boxes from a Python program in place of a detector of ours: its own function, or what it found before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError, UsageError
from dettrack.models.detector.protocol import Detector
from dettrack.structures import Boxes, Frame

__all__ = ["CallableDetector", "GivenBoxes", "as_array", "as_boxes", "as_detector"]

_COLUMNS = (("x1", "y1", "x2", "y2"), ("box_x1", "box_y1", "box_x2", "box_y2"), ("xmin", "ymin", "xmax", "ymax"))


def as_array(values: Any) -> np.ndarray:
    """An array, tensor or list as float64."""
    if hasattr(values, "detach"):  # torch
        values = values.detach().cpu().numpy()
    return np.asarray(values, np.float64)


def as_boxes(found: Any, where: str) -> Boxes:
    """What a program calls its boxes of one frame.

    Args:
        found: `Boxes`; None for nobody; an array `(n, 4)` of x1, y1, x2, y2, or `(n, 5)` with the score behind it; a
            pair (boxes, scores); a mapping with "boxes" and "scores"; an object with `xyxy` and with `scores`,
            `confidence` or `conf`, or with `boxes` of that kind.
        where: For messages.

    Returns:
        The boxes; without a score, 1.

    Raises:
        InputError: None of these, or a score outside [0, 1].
    """
    if isinstance(found, Boxes):
        return found
    if found is None:
        return Boxes.empty()
    boxes, scores = _boxes_and_scores(found)
    try:
        xyxy = as_array(boxes)
        strength = None if scores is None else as_array(scores).reshape(-1)
    except (TypeError, ValueError) as error:
        raise _unfit(found, where) from error
    if not xyxy.size:
        return Boxes.empty()
    if xyxy.ndim == 2 and xyxy.shape[1] == 5 and strength is None:
        xyxy, strength = xyxy[:, :4], xyxy[:, 4]
    if xyxy.ndim != 2 or xyxy.shape[1] != 4 or (strength is not None and len(strength) != len(xyxy)):
        raise _unfit(found, where)
    strength = np.ones(len(xyxy)) if strength is None else strength
    if not ((strength >= 0) & (strength <= 1)).all():
        raise InputError(f"{where}: scores from {strength.min():g} to {strength.max():g}: expected 0 to 1")
    return Boxes(xyxy, strength)


def _boxes_and_scores(found: Any) -> tuple[Any, Any]:
    if isinstance(found, Mapping):
        return found.get("boxes"), found.get("scores")
    found = found if hasattr(found, "xyxy") else getattr(found, "boxes", found)
    if hasattr(found, "xyxy"):
        names = ("scores", "confidence", "conf")
        return found.xyxy, next((getattr(found, name) for name in names if hasattr(found, name)), None)
    if isinstance(found, tuple) and len(found) == 2 and np.ndim(found[1]) == 1 and np.ndim(found[0]) != 1:
        return found
    return found, None


def _unfit(found: Any, where: str) -> InputError:
    seen = f"shape {tuple(found.shape)}" if hasattr(found, "shape") else f"a {type(found).__name__}"
    return InputError(
        f"{where}: {seen} is no boxes: expected (n, 4) with x1, y1, x2, y2, (n, 5) with the score, or (boxes, scores)"
    )


class CallableDetector:
    """A function of a picture (height, width, 3; RGB, uint8) that gives boxes as `as_boxes` takes them."""

    def __init__(self, function: Callable[[np.ndarray], Any]) -> None:
        self._function = function
        self._name = getattr(function, "__qualname__", type(function).__name__)
        self.description = f"{self._name} (Python)"

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`."""
        return [as_boxes(self._function(frame.image), f"{self._name}, frame {frame.index}") for frame in frames]


class GivenBoxes:
    """Boxes that were found before, by frame index."""

    def __init__(self, detections: Any) -> None:
        """Sort them by frame.

        Args:
            detections: One item for each frame, or a mapping from frame index to item (`as_boxes` says what an item
                may be); an array `(n, 6)` of frame, x1, y1, x2, y2, score; or a table (pandas, polars, Arrow, one of
                our own) with the columns frame or frame_index, x1, y1, x2, y2 or box_x1 ..., and maybe score.

        Raises:
            InputError: None of these.
        """
        self._boxes, self._frames = _by_frame(detections)
        total = sum(map(len, self._boxes.values()))
        self.description = f"{total} given boxes in {len(self._boxes)} frames"

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`; raises `InputError` for a frame behind the last item of a list."""
        beyond = [frame.index for frame in frames if self._frames is not None and frame.index >= self._frames]
        if beyond:
            raise InputError(
                f"detections has {self._frames} entries, and frame {beyond[0]} comes: expected one for each frame "
                "(an empty one for nobody), or a mapping from frame index to boxes"
            )
        return [self._boxes.get(frame.index, Boxes.empty()) for frame in frames]


def _by_frame(detections: Any) -> tuple[dict[int, Boxes], int | None]:
    """Boxes by frame, and how many frames a plain list is about."""
    if hasattr(detections, "__arrow_c_stream__") or hasattr(detections, "__dataframe__"):
        return _of_rows(_rows_of(detections)), None
    if isinstance(detections, Mapping):
        return {int(index): as_boxes(item, f"detections[{index}]") for index, item in detections.items()}, None
    if getattr(detections, "ndim", 0) == 2 and detections.shape[1] in (5, 6):
        return _of_rows(as_array(detections)), None
    if not isinstance(detections, Sequence | np.ndarray):
        raise InputError(
            f"detections is a {type(detections).__name__}: expected a list, a mapping, an array or a table"
        )
    return {i: as_boxes(item, f"detections[{i}]") for i, item in enumerate(detections)}, len(detections)


def _rows_of(table: Any) -> Float[np.ndarray, "n columns"]:
    import pyarrow as pa

    columns = pa.table(table) if hasattr(table, "__arrow_c_stream__") else pa.interchange.from_dataframe(table)
    names = set(columns.column_names)
    frame = next((name for name in ("frame_index", "frame") if name in names), None)
    corners = next((group for group in _COLUMNS if set(group) <= names), None)
    if frame is None or corners is None:
        raise InputError(f"detections has the columns {', '.join(sorted(names)[:12])}: expected frame, x1, y1, x2, y2")
    score = [name for name in ("score", "confidence") if name in names][:1]
    return np.stack([columns[name].to_numpy().astype(np.float64) for name in (frame, *corners, *score)], 1)


def _of_rows(rows: Float[np.ndarray, "n columns"]) -> dict[int, Boxes]:
    frames = rows[:, 0]
    if not (frames == np.round(frames)).all():
        raise InputError("detections: the first column is no frame index (whole numbers from 0)")
    order = np.argsort(frames, kind="stable")
    found, starts = np.unique(frames[order], return_index=True)
    parts = np.split(rows[order][:, 1:], starts[1:]) if len(found) else []
    return {
        int(frame): as_boxes(part, f"detections of frame {int(frame)}")
        for frame, part in zip(found, parts, strict=True)
    }


def as_detector(given: Any) -> Detector:
    """A detector of the user's: an object with the protocol, or a function of a picture.

    Raises:
        UsageError: Neither.
    """
    if isinstance(given, Detector):
        return given
    if callable(given):
        return CallableDetector(given)
    raise UsageError(
        f"detector is a {type(given).__name__}: expected a file or name, a function of a picture, or an object with "
        "detect(frames) and description (dettrack.Detector)"
    )
