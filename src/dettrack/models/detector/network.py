"""The person detector of our own: small, anchor-free, plain PyTorch.

A trunk (`backbones`), a light pyramid that passes features down and up again (Liu et al., PANet, CVPR 2018, with sums
instead of concatenations) and one head for all strides with a branch of its own for the boxes. A box is four distances
from a cell's centre to its sides; each distance is a distribution over bins (Li et al., generalized focal loss,
NeurIPS 2020), which keeps the boxes of large people tight. The paper's own detector (section 4.2: SNIPER with
ResNet-101) is another architecture; its training recipe is an option of our data loader (`training.sniper`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dettrack.files.toml import Range
from dettrack.models.detector.backbones import STRIDES, build_backbone

__all__ = ["BoxLogits", "DetectorSpec", "PersonDetector", "cell_boxes", "cell_centres", "expected_distances"]


@dataclass(frozen=True)
class DetectorSpec:
    """What rebuilds the network; kept in a checkpoint's metadata.

    Attributes:
        backbone: Name in `backbones.BACKBONES`.
        width: Channels of the pyramid and the head.
        bins: Values of the distribution of a distance: 0 .. bins - 1 strides.
        kernel: Size of the depthwise filters in pyramid and head.
    """

    backbone: str = "efficientnet-lite0"
    width: Annotated[int, Range(1, 4096)] = 96
    bins: Annotated[int, Range(2, 256)] = 16
    kernel: Annotated[int, Range(1, 31)] = 5


@dataclass(frozen=True)
class BoxLogits:
    """Raw output for every cell of all strides, `cells` in the order of `cell_centres`.

    Attributes:
        person: `(n, cells)` logit that the cell belongs to a person, as good as the box.
        distances: `(n, cells, 4, bins)` logits of the distances to left, top, right and bottom, in strides.
    """

    person: Float[Tensor, "n cells"]
    distances: Float[Tensor, "n cells 4 bins"]


class _Separable(nn.Module):
    """Depthwise and pointwise convolution, each with batch norm and ReLU; one set of norms for each stride."""

    def __init__(self, width: int, kernel: int, stride: int = 1, norms: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
        self.norm1 = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(norms))
        self.pointwise = nn.Conv2d(width, width, 1, bias=False)
        self.norm2 = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(norms))

    def forward(self, x: Tensor, level: int = 0) -> Tensor:
        x = F.relu(self.norm1[level](self.depthwise(x)), inplace=True)
        return F.relu(self.norm2[level](self.pointwise(x)), inplace=True)


class _Pyramid(nn.Module):
    def __init__(self, channels: Sequence[int], width: int, kernel: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width)) for c in channels
        )
        self.down_path = nn.ModuleList(_Separable(width, kernel) for _ in channels)
        self.reduce = nn.ModuleList(_Separable(width, kernel, stride=2) for _ in channels[1:])
        self.up_path = nn.ModuleList(_Separable(width, kernel) for _ in channels[1:])

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        levels = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
        levels[-1] = self.down_path[-1](F.relu(levels[-1]))
        for i in range(len(levels) - 2, -1, -1):
            up = F.interpolate(levels[i + 1], scale_factor=2.0, mode="nearest")
            levels[i] = self.down_path[i](F.relu(levels[i] + up))
        for i, (reduce, merge) in enumerate(zip(self.reduce, self.up_path, strict=True)):
            levels[i + 1] = merge(levels[i + 1] + reduce(levels[i]))
        return levels


class _Head(nn.Module):
    """Two branches of two separable convolutions, shared by all strides except for the norms."""

    def __init__(self, width: int, bins: int, kernel: int, levels: int) -> None:
        super().__init__()
        self.bins = bins
        self.person_tower = nn.ModuleList(_Separable(width, kernel, norms=levels) for _ in range(2))
        self.box_tower = nn.ModuleList(_Separable(width, kernel, norms=levels) for _ in range(2))
        self.person = nn.Conv2d(width, 1, 1)
        self.box = nn.Conv2d(width, 4 * bins, 1)
        nn.init.normal_(self.person.weight, std=0.01)
        nn.init.constant_(self.person.bias, -4.6)  # type: ignore[arg-type]  # one cell in a hundred, at first
        nn.init.normal_(self.box.weight, std=0.01)
        # Distances start near two strides: a box a head's receptive field wide, so that early assignments make sense.
        start = -0.5 * (torch.arange(bins, dtype=torch.float32) - 2).abs()
        self.box.bias = nn.Parameter(start.repeat(4))

    def forward(self, levels: Sequence[Tensor]) -> BoxLogits:
        person, distances = [], []
        for index, level in enumerate(levels):
            p = b = level
            for tower in self.person_tower:
                p = tower(p, index)
            for tower in self.box_tower:
                b = tower(b, index)
            person.append(self.person(p).flatten(1))
            boxes = self.box(b)  # (n, 4 * bins, h, w)
            n, _, h, w = boxes.shape
            distances.append(boxes.reshape(n, 4, self.bins, h * w).permute(0, 3, 1, 2))
        return BoxLogits(torch.cat(person, 1), torch.cat(distances, 1))


class PersonDetector(nn.Module):
    """Trunk, pyramid and head.

    Args:
        spec: What to build. The trunk starts at random; `backbones.load_backbone` loads public weights into `.trunk`.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = build_backbone(spec.backbone)
        self.trunk = self.backbone.build()
        self.pyramid = _Pyramid(self.backbone.channels, spec.width, spec.kernel)
        self.head = _Head(spec.width, spec.bins, spec.kernel, len(STRIDES))

    def forward(self, images: Tensor, done: int = 0) -> BoxLogits:
        """Raw output.

        Args:
            images: `(n, 3, h, w)` RGB in 0..255, uint8 or float; height and width divisible by 32. With `done`:
                what the trunk's `front` gave for so many blocks.
            done: The trunk's blocks that are done already.

        Returns:
            Logits of every cell.
        """
        features = self.trunk(images, done) if done else self.trunk(self.backbone.normalise(images))
        return self.head(self.pyramid(features[-3:]))

    def predict(self, images: Tensor) -> tuple[Float[Tensor, "n cells"], Float[Tensor, "n cells 4"]]:
        """Scores in [0, 1] and distances to the four sides in strides, for every cell (see `cell_boxes`)."""
        logits = self(images)
        return logits.person.sigmoid(), expected_distances(logits.distances)


@lru_cache(maxsize=64)
def cell_centres(
    height: int, width: int, *, device: torch.device | str = "cpu"
) -> tuple[Float[Tensor, "cells 2"], Float[Tensor, " cells"]]:
    """Centres (x, y) of all cells in input pixels and the stride of each, stride 8 first, row by row.

    Args:
        height: Of the input in pixels; a multiple of the largest stride.
        width: Likewise.
        device: Where the tensors shall be.

    Returns:
        Centres and strides, stride 8 first, row by row.
    """
    centres, strides = [], []
    for stride in STRIDES:
        ys = (torch.arange(height // stride, device=device) + 0.5) * stride
        xs = (torch.arange(width // stride, device=device) + 0.5) * stride
        grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1).reshape(-1, 2)
        centres.append(grid)
        strides.append(torch.full((len(grid),), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)


def expected_distances(logits: Float[Tensor, "n cells 4 bins"]) -> Float[Tensor, "n cells 4"]:
    """Mean of each side's distribution, in strides."""
    values = torch.arange(logits.shape[-1], device=logits.device, dtype=logits.dtype)
    return logits.softmax(-1) @ values


def cell_boxes(
    distances: Float[Tensor, "*n cells 4"], centres: Float[Tensor, "cells 2"], strides: Float[Tensor, " cells"]
) -> Float[Tensor, "*n cells 4"]:
    """Boxes `x1, y1, x2, y2` in input pixels from distances in strides.

    Args:
        distances: From each cell's centre to the left, upper, right and lower side, in strides.
        centres: As `cell_centres` gives them.
        strides: Likewise.

    Returns:
        `x1, y1, x2, y2` in input pixels.
    """
    sides = distances * strides[:, None]
    return torch.cat((centres - sides[..., :2], centres + sides[..., 2:]), -1)
