"""One-stage pose networks: boxes and poses of all people of a picture in one pass (RTMO; YOLO's grids; DETRPose)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dettrack.models.detector.layout import SCORE_FLOOR, Arrays, Layout, best_first, fits, suppress
from dettrack.models.runtime.runner import ImageInput, Port
from dettrack.skeleton import joint_set_of
from dettrack.structures import Boxes

__all__ = ["ONE_STAGE"]

_MARGIN = 0.15  # by which a person is larger than the extent of the joints
_GRID, _TOP = 5, 6  # values before the joints: box and score; and the class, where NMS is inside


def _rtmo(outputs: Sequence[Port]) -> Port | None:
    """The keypoints of `dets[b, n, 5]` and `keypoints[b, n, joints, 3]`, in any order."""
    by_rank = {len(port.shape): port for port in outputs}
    if len(outputs) != 2 or set(by_rank) != {3, 4}:
        return None
    dets, keypoints = by_rank[3], by_rank[4]
    return keypoints if fits(dets.shape[2], 5) and keypoints.shape[3] == 3 and keypoints.shape[2] else None


def _decode_rtmo(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """Corners and keypoints in pixels; suppressed in the file, and once more, as its makers do."""
    dets, keypoints = sorted((array.astype(float) for array in arrays), key=lambda array: array.ndim)
    found = []
    for det, poses in zip(dets, keypoints, strict=True):
        keep = det[:, 4] >= SCORE_FLOOR
        found.append(suppress(det[keep, :4], det[keep, 4], nms, _clipped(poses[keep])))
    return found


def _grid_joints(outputs: Sequence[Port]) -> int:
    """Joints of a grid `(b, 5 + 3 joints, n)`, or of the best `(b, n, 6 + 3 joints)`; 0 where it is neither."""
    if len(outputs) != 1 or len(outputs[0].shape) != 3:
        return 0
    _, first, last = outputs[0].shape
    for channels, others, before in ((first, last, _GRID), (last, first, _TOP)):
        joints, rest = divmod((channels or 0) - before, 3)
        if rest == 0 and joints > 0 and joint_set_of(joints) and (others is None or others > (channels or 0)):
            return joints
    return 0


def _decode_grid(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    found = []
    for image in arrays[0].astype(float):
        grid = image.shape[0] < image.shape[1] and (image.shape[0] - _GRID) % 3 == 0
        rows = image.T if grid else image
        rows = rows[rows[:, 4] >= SCORE_FLOOR]
        poses = _clipped(rows[:, _GRID if grid else _TOP :].reshape(len(rows), -1, 3))
        if grid:
            centre, half = rows[:, :2], rows[:, 2:4] / 2
            found.append(suppress(np.concatenate([centre - half, centre + half], 1), rows[:, 4], nms, poses))
        else:
            found.append(best_first(rows[:, :4], rows[:, 4], poses))
    return found


def _detrpose(outputs: Sequence[Port]) -> int:
    """Joints of `scores[b, n]`, `labels[b, n]` and `keypoints[b, n, joints, 2]`, in any order; 0 for others."""
    points = [port for port in outputs if len(port.shape) == 4]
    if sorted(len(port.shape) for port in outputs) != [2, 2, 4] or not fits(points[0].shape[3], 2):
        return 0
    return points[0].shape[2] or 0


def _decode_detrpose(arrays: Arrays, size: tuple[int, int], nms: float) -> list[Boxes]:
    """Joints in pixels, with one score for the person; the box is their extent.

    A person may be among the best under both labels, of which one is nobody: suppression leaves the better.
    """
    points = next(array for array in arrays if array.ndim == 4).astype(float)
    scores = next(array for array in arrays if array.ndim == 2 and array.dtype.kind == "f").astype(float)
    found = []
    for xy, score in zip(points, scores, strict=True):
        xy, score = xy[score >= SCORE_FLOOR], score[score >= SCORE_FLOOR]
        poses = np.concatenate([xy, np.broadcast_to(score[:, None, None], (*xy.shape[:2], 1))], -1)
        low, high = xy.min(1), xy.max(1)
        margin = (high - low) * _MARGIN / 2
        found.append(suppress(np.concatenate([low - margin, high + margin], 1), score, nms, _clipped(poses)))
    return found


def _clipped(poses: np.ndarray) -> np.ndarray:
    poses[..., 2] = poses[..., 2].clip(0, 1)
    return poses


ONE_STAGE = (
    Layout(
        name="rtmo",
        expected="dets[b,n,5] + keypoints[b,n,joints,3]",
        images=ImageInput(bgr=True),
        fill=114,
        stretch=False,
        matches=lambda _, outputs: _rtmo(outputs) is not None,
        decode=_decode_rtmo,
        joints=lambda outputs: (port.shape[2] or 0) if (port := _rtmo(outputs)) else 0,
    ),
    Layout(
        name="yolo-pose",
        expected="[b,5+3*joints,n] or [b,n,6+3*joints], in pixels",
        images=ImageInput(std=(255.0, 255.0, 255.0)),
        fill=114,
        stretch=False,
        matches=lambda _, outputs: _grid_joints(outputs) > 0,
        decode=_decode_grid,
        joints=_grid_joints,
    ),
    Layout(
        name="detrpose",
        expected="scores[b,n] + labels[b,n] + keypoints[b,n,joints,2], in pixels of the sizes, its second input",
        images=ImageInput(std=(255.0, 255.0, 255.0)),
        fill=0,
        stretch=True,
        matches=lambda _, outputs: _detrpose(outputs) > 0,
        decode=_decode_detrpose,
        joints=_detrpose,
    ),
)
