"""One-stage pose networks: boxes and poses of all people of a picture in one pass (RTMO; YOLO's pose grids)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dettrack.models.detector.layout import SCORE_FLOOR, Arrays, Layout, best_first, fits, suppress
from dettrack.models.runtime.runner import ImageInput, Port
from dettrack.skeleton import joint_set_of
from dettrack.structures import Boxes

__all__ = ["ONE_STAGE"]

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
)
