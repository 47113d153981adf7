"""Tubes cut on the device that runs the network: frames are uploaded once, and one `grid_sample` cuts all tubes.

`crops.sample_tubes` does the same on the host. A tube stands still in its clip, so that the frames of a clip are the
channels of one picture, and the crops of all tubes one tall sampling grid over it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from dettrack.structures import Clip, Frame, Tubes

__all__ = ["FramesOnDevice", "sample_on_device"]


class FramesOnDevice:
    """Uploads each frame once; clips of neighbouring keyframes share most of theirs."""

    def __init__(self, device: torch.device | str) -> None:
        self._device = torch.device(device)
        self._held: dict[int, tuple[Frame, Tensor]] = {}
        self.uploads = 0

    @torch.inference_mode()
    def sample(self, clip: Clip, tubes: Tubes) -> UInt8[Tensor, "n clip height width 3"]:
        """Crops of every tube in every frame of the clip; those of `crops.sample_tubes` but for rounding.

        Args:
            clip: The frames.
            tubes: Where to cut.

        Returns:
            On the device.
        """
        frames = torch.stack([self._upload(frame) for frame in clip.frames])
        first = clip.frames[0].index
        self._held = {index: held for index, held in self._held.items() if index >= first}
        return sample_on_device(frames, tubes.affines, tubes.size)

    def _upload(self, frame: Frame) -> Tensor:
        held = self._held.get(frame.index)
        if held is not None and held[0] is frame:  # another video has other frames of the same index
            return held[1]
        image = torch.from_numpy(frame.image)
        if self._device.type == "cuda":
            image = image.pin_memory()  # the copy then runs beside the network
        image = image.to(self._device, non_blocking=True)
        self._held[frame.index] = (frame, image)
        self.uploads += 1
        return image


def sample_on_device(
    frames: UInt8[Tensor, "clip height width 3"], affines: Float[ndarray, "n 2 3"], size: tuple[int, int]
) -> UInt8[Tensor, "n clip h w 3"]:
    """Cut tubes out of frames on any device; bilinear, black beyond the picture.

    Args:
        frames: RGB.
        affines: Displayed pixels -> crop pixels, one per tube (see `Tubes`).
        size: Height and width of the crops.

    Returns:
        RGB, on the frames' device.
    """
    clip, height, width, _ = frames.shape
    h, w = size
    n = len(affines)
    maps = torch.from_numpy(affines).to(frames.device)
    inverse = torch.linalg.inv(maps[:, :, :2])  # crop pixels -> displayed pixels, in double precision
    rows, columns = torch.meshgrid(
        torch.arange(h, dtype=maps.dtype, device=frames.device),
        torch.arange(w, dtype=maps.dtype, device=frames.device),
        indexing="ij",
    )
    crop_xy = torch.stack([columns, rows], -1) - maps[:, None, None, :, 2]  # (n, h, w, 2)
    xy = torch.einsum("nij,nhwj->nhwi", inverse, crop_xy)
    # With aligned corners, -1 and 1 are the centres of the outermost pixels.
    scale = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], dtype=maps.dtype, device=frames.device)
    grid = (xy * scale - 1).float().reshape(1, n * h, w, 2)
    picture = frames.permute(0, 3, 1, 2).reshape(1, clip * 3, height, width).float()
    crops = F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    crops = crops.round_().clamp_(0, 255).to(torch.uint8).reshape(clip, 3, n, h, w)
    return crops.permute(2, 0, 3, 4, 1).contiguous()
