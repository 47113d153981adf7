"""Heatmaps: Gaussian targets (paper eq. 1), and their way back to joints with sub-pixel decoding.

Heatmap pixel (x, y) stands for crop pixel (stride·x, stride·y), which is where the strided convolutions of such
networks are centred. Every function takes NumPy arrays or torch tensors and stays on their device, so that models
which run without PyTorch need not import it.

Beyond the paper: DARK (Zhang et al., CVPR 2020), which reads the sub-pixel position from the logarithm of the
smoothed heatmap: a Gaussian's is a parabola. Only a window around the peak is smoothed, not the whole map.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
from jaxtyping import Bool, Float

from dettrack.errors import InputError

__all__ = [
    "Decoding",
    "concatenate",
    "decode_heatmaps",
    "flip_averaged",
    "gaussian_heatmaps",
    "mirror_crops",
    "unmirror_heatmaps",
    "unmirror_joints",
]

Decoding = Literal["quarter", "dark"]
Array = TypeVar("Array", bound=Any)

_SMOOTH_SIGMA = 2.0  # of DARK's smoothing, in heatmap pixels
_SMOOTH_RADIUS = 5
_FLOOR = 1e-10  # of smoothed values before the logarithm


def gaussian_heatmaps(
    xy: Float[Array, "*batch joints 2"],
    visible: Bool[Array, "*batch joints"],
    size: tuple[int, int],
    *,
    sigma: float = 2.0,
) -> tuple[Float[Array, "*batch joints h w"], Float[Array, "*batch joints"]]:
    """Target heatmaps: a Gaussian of height 1 on each joint, at its exact sub-pixel place.

    Args:
        xy: Joints in heatmap pixels; NaN where not annotated.
        visible: Whether the joint is annotated and to be seen; a person who has left has none (paper 3.1).
        size: Height and width of the heatmaps.
        sigma: Standard deviation in heatmap pixels.

    Returns:
        The heatmaps, zero for joints that are not visible or not annotated, and each joint's weight in the loss: 0
        where it is visible but its place is unknown or so far outside that nothing of the Gaussian (3 sigma) is
        inside, else 1. An invisible joint keeps weight 1: the network learns to give no answer there. Multiply the
        weight by 0 yourself where a data set does not say whether a joint is hidden.
    """
    xp = _namespace(xy)
    height, width = size
    known = ~xp.isnan(xy).any(-1)
    place = xp.where(known[..., None], xy, -1e6 * xp.ones_like(xy))
    x, y = place[..., 0, None], place[..., 1, None]
    columns, rows = _range(xy, width), _range(xy, height)
    gx = xp.exp(-((columns - x) ** 2) / (2 * sigma**2))  # (..., w): a Gaussian is separable
    gy = xp.exp(-((rows - y) ** 2) / (2 * sigma**2))
    shown = xp.where(visible & known, xp.ones_like(xy[..., 0]), xp.zeros_like(xy[..., 0]))
    maps = gy[..., :, None] * gx[..., None, :] * shown[..., None, None]
    reach = 3 * sigma
    inside = (x > -reach) & (x < width - 1 + reach) & (y > -reach) & (y < height - 1 + reach)
    weight = xp.where(visible & ~(inside[..., 0] & known), xp.zeros_like(shown), xp.ones_like(shown))
    return maps, weight


def decode_heatmaps(
    heatmaps: Float[Array, "*batch joints h w"], decoding: Decoding = "dark", *, stride: int = 4
) -> tuple[Float[Array, "*batch joints 2"], Float[Array, "*batch joints"]]:
    """Joints from heatmaps.

    Args:
        heatmaps: One map per joint.
        decoding: "quarter": the highest pixel, moved a quarter pixel towards its higher neighbour; "dark": the top of
            a parabola through the logarithm of the smoothed map.
        stride: Crop pixels per heatmap pixel.

    Returns:
        Positions in crop pixels, and the maps' peak values clipped to [0, 1].

    Raises:
        InputError: Unknown decoding.
    """
    if decoding not in ("quarter", "dark"):
        raise InputError(f"unknown decoding {decoding!r}: expected quarter or dark")
    xp = _namespace(heatmaps)
    *batch, height, width = heatmaps.shape
    flat = heatmaps.reshape(-1, height * width)
    best = flat.argmax(1)
    peak = flat[_indices(flat), best]
    column, row = best % width, best // width
    maps = flat.reshape(-1, height, width)
    offset = _quarter_offset(maps, column, row) if decoding == "quarter" else _dark_offset(maps, column, row)
    place = xp.stack([column, row], -1) + offset
    return (place * stride).reshape(*batch, 2), peak.clip(0, 1).reshape(*batch)


def mirror_crops(crops: Array, *, stride: int = 1) -> Array:
    """Crops `(..., h, w, channels)` seen in a mirror.

    With heatmap pixel x at crop pixel stride·x, mirrored heatmaps of a plainly mirrored crop lie `stride - 1` crop
    pixels beside the others; the published code shifts them by a whole heatmap pixel, which leaves one crop pixel.
    Here the mirrored crop itself is moved by `stride - 1` pixels, repeating the border column, and nothing is left.

    Args:
        crops: RGB.
        stride: Crop pixels per heatmap pixel.

    Returns:
        Of the same kind.
    """
    inside = crops.shape[-2] - (stride - 1)
    if not isinstance(crops, np.ndarray):
        torch = sys.modules["torch"]
        return torch.cat([crops[..., :inside, :].flip(-2)] + [crops[..., :1, :]] * (stride - 1), -2)
    width, channels = crops.shape[-2:]
    mirrored: Any = cv2.flip(crops.reshape(-1, width, channels), 1).reshape(
        crops.shape
    )  # six times as fast as an index
    if stride > 1:
        mirrored[..., :inside, :] = mirrored[..., stride - 1 :, :].copy()
        mirrored[..., inside:, :] = crops[..., :1, :]
    return mirrored


def unmirror_heatmaps(heatmaps: Float[Array, "*batch joints h w"], flip_permutation: Any) -> Any:
    """Heatmaps of mirrored crops, mirrored back, with left and right joints swapped.

    Args:
        heatmaps: Of mirrored crops.
        flip_permutation: See `JointSet`.

    Returns:
        Of the crops themselves.
    """
    swapped = heatmaps[..., flip_permutation, :, :]
    return swapped[..., ::-1] if isinstance(swapped, np.ndarray) else swapped.flip(-1)


def unmirror_joints(
    xy: Float[np.ndarray, "n joints 2"], scores: Float[np.ndarray, "n joints"], flip_permutation: Any, width: int
) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
    """Joints of mirrored crops, mirrored back, with left and right joints swapped.

    Args:
        xy: Positions in pixels of plainly mirrored crops.
        scores: Their scores.
        flip_permutation: See `JointSet`.
        width: Of the crops, in pixels.

    Returns:
        Positions and scores in the crops themselves.
    """
    swapped = xy[:, flip_permutation].copy()
    swapped[..., 0] = width - 1 - swapped[..., 0]
    return swapped, scores[:, flip_permutation]


def flip_averaged(
    run: Callable[[Any], Any], crops: Array, flip_permutation: Any, *, stride: int
) -> Float[Any, "n *clip joints h4 w4"]:
    """Heatmaps averaged over crops and their mirror images, which go along in the same batch (paper 4.2).

    Args:
        run: Crops `(rows, ..., h, w, channels)` -> heatmaps.
        crops: `n` of them; the batch has twice as many rows.
        flip_permutation: See `JointSet`.
        stride: Crop pixels per heatmap pixel.

    Returns:
        The mean of both.
    """
    both = run(concatenate([crops, mirror_crops(crops, stride=stride)]))
    return (both[: len(crops)] + unmirror_heatmaps(both[len(crops) :], flip_permutation)) / 2


def concatenate(parts: Sequence[Any], axis: int = 0) -> Any:
    """NumPy arrays or torch tensors, one behind the other.

    Args:
        parts: At least one.
        axis: Along which.

    Returns:
        Of the same kind.
    """
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts, axis) if isinstance(parts[0], np.ndarray) else _namespace(parts[0]).cat(parts, axis)


def _quarter_offset(maps: Array, column: Array, row: Array) -> Array:
    xp = _namespace(maps)
    _, height, width = maps.shape
    n = _indices(maps)
    dx = maps[n, row, (column + 1).clip(0, width - 1)] - maps[n, row, (column - 1).clip(0, width - 1)]
    dy = maps[n, (row + 1).clip(0, height - 1), column] - maps[n, (row - 1).clip(0, height - 1), column]
    # At the border there is only one neighbour to compare with: stay on the pixel.
    inner_x = (column > 0) & (column < width - 1)
    inner_y = (row > 0) & (row < height - 1)
    return 0.25 * xp.stack([xp.sign(dx) * inner_x, xp.sign(dy) * inner_y], -1)


def _dark_offset(maps: Array, column: Array, row: Array) -> Array:
    """One Newton step on the logarithm of the smoothed map; at most one pixel, none where it is not a peak.

    Within two pixels of the border the quarter offset is taken: there smoothing lacks half of what it sums up, and
    was off by 0.2 to 0.7 pixels on average (sigma 2), the quarter by 0.13.
    """
    xp = _namespace(maps)
    near = xp.log(_smoothed_window(maps, column, row).clip(_FLOOR, None))  # (n, 5, 5), centred on the peak
    dx = (near[:, 2, 3] - near[:, 2, 1]) / 2
    dy = (near[:, 3, 2] - near[:, 1, 2]) / 2
    dxx = (near[:, 2, 4] - 2 * near[:, 2, 2] + near[:, 2, 0]) / 4
    dyy = (near[:, 4, 2] - 2 * near[:, 2, 2] + near[:, 0, 2]) / 4
    dxy = (near[:, 3, 3] - near[:, 1, 3] - near[:, 3, 1] + near[:, 1, 1]) / 4
    determinant = dxx * dyy - dxy**2
    peak = (determinant > 1e-12) & (dxx < 0)
    safe = xp.where(peak, determinant, xp.ones_like(determinant))
    step = xp.stack([(dxy * dy - dyy * dx) / safe, (dxy * dx - dxx * dy) / safe], -1)
    step = xp.where(peak[:, None], step, xp.zeros_like(step)).clip(-1, 1)
    _, height, width = maps.shape
    border = xp.stack([(column < 3) | (column > width - 4), (row < 3) | (row > height - 4)], -1)
    return xp.where(border, _quarter_offset(maps, column, row), step)


def _smoothed_window(maps: Array, column: Array, row: Array) -> Array:
    """The 5 x 5 values around each peak after Gaussian smoothing; beyond the border lie zeros."""
    _, height, width = maps.shape
    reach = _SMOOTH_RADIUS + 2
    around = np.arange(-reach, reach + 1)
    taps = np.arange(5)[:, None] - 2 - around[None, :]
    kernel = np.exp(-(taps**2) / (2 * _SMOOTH_SIGMA**2)) * (abs(taps) <= _SMOOTH_RADIUS)  # (5, 15)
    offsets, kernel = _like(around, column), _like(kernel, maps)
    ys, xs = row[:, None] + offsets, column[:, None] + offsets
    inside = ((ys >= 0) & (ys < height))[:, :, None] & ((xs >= 0) & (xs < width))[:, None, :]
    index = (_indices(maps)[:, None, None], ys.clip(0, height - 1)[:, :, None], xs.clip(0, width - 1)[:, None, :])
    return kernel @ (maps[index] * inside) @ kernel.T


def _namespace(array: Any) -> Any:
    """NumPy or torch, whichever `array` belongs to (torch is then loaded already)."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def _like(values: np.ndarray, array: Any) -> Any:
    """`values` as the same kind of array, type and device as `array`."""
    if isinstance(array, np.ndarray):
        return values.astype(array.dtype)
    return sys.modules["torch"].as_tensor(values, dtype=array.dtype, device=array.device)


def _range(like: Any, count: int) -> Any:
    return _like(np.arange(count), like)


def _indices(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return np.arange(len(array))
    return sys.modules["torch"].arange(len(array), device=array.device)
