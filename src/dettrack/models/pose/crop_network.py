"""A pose network with its normalisation inside: uint8 crops in, heatmaps out; as a module and as ONNX content.

An exported network takes crops as they are cut and has |C| fixed. What it is stands in its metadata, so that it is a
`--model` like the checkpoint that it came from.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn

from dettrack.models.pose.checkpoint import FORMAT_VERSION, Checkpoint
from dettrack.models.pose.exported import METADATA_KEY
from dettrack.models.pose.inflate import fold_batch_norm, set_clip_length
from dettrack.models.runtime.to_onnx import to_onnx

__all__ = ["CropNetwork", "onnx_bytes"]


class CropNetwork(nn.Module):
    """A network that takes uint8 crops `(n, clip, h, w, 3)` and gives fp32 heatmaps: normalisation is inside."""

    mean: Tensor
    std: Tensor

    def __init__(self, checkpoint: Checkpoint, clip_length: int, dtype: torch.dtype = torch.float32) -> None:
        """Fold batch norms, and fix |C|.

        Args:
            checkpoint: The network; changed in place.
            clip_length: |C|; ignored by a 2D network.
            dtype: What the network computes in.
        """
        super().__init__()
        self.network = fold_batch_norm(checkpoint.network.eval()).to(dtype)
        set_clip_length(self.network, clip_length)
        self.dtype = dtype
        spec = checkpoint.spec
        self.register_buffer("mean", 255 * torch.tensor(spec.mean).view(3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(spec.std).view(3, 1, 1))

    def forward(self, crops: Tensor) -> Tensor:
        """Crops to heatmaps; the arithmetic keeps the crops' order, channels last."""
        # First to floats: TensorRT knows uint8 only as an input.
        tubes = (crops.float().permute(0, 1, 4, 2, 3) - self.mean) / self.std
        if self.dtype == torch.float32:
            return self.network(tubes)
        return self.network(tubes.to(self.dtype)).float()


def onnx_bytes(checkpoint: Checkpoint, clip_length: int) -> bytes:
    """A network as an ONNX file's content; height and width of its crops stay open.

    Args:
        checkpoint: The network; left as it is.
        clip_length: |C| that the file fixes; 1 for a 2D network.

    Returns:
        The file's content.
    """
    module = CropNetwork(replace(checkpoint, network=deepcopy(checkpoint.network)), clip_length)
    example = torch.zeros(1, clip_length, 64, 64, 3, dtype=torch.uint8)
    axes = {"crops": {0: "n", 2: "h", 3: "w"}, "heatmaps": {0: "n", 3: "h4", 4: "w4"}}
    about = {"format": FORMAT_VERSION, "spec": asdict(checkpoint.spec), "clip_length": clip_length}
    content = to_onnx(module.eval(), example, ("crops", "heatmaps"), axes)
    return content + _metadata_entry(METADATA_KEY, json.dumps(about))


def _metadata_entry(key: str, value: str) -> bytes:
    """One entry of `metadata_props` (field 14 of an ONNX model): protobuf messages are joined by appending."""

    def field(tag: int, content: bytes) -> bytes:
        length, size = len(content), b""
        while True:
            size += bytes([length & 127 | (128 if length > 127 else 0)])
            length >>= 7
            if not length:
                return bytes([tag]) + size + content

    return field(14 << 3 | 2, field(1 << 3 | 2, key.encode()) + field(2 << 3 | 2, value.encode()))
