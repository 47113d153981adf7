"""A light clip network: EfficientNet-Lite0 under an up-sampling head, inflated along time as the paper inflates HRNet.

It is not in the paper. From few images a trunk that has seen ImageNet learns poses far better than a small HRNet from
nothing, at a fraction of the cost; the temporal inflation (3.1: the early part of the network sees the frames around,
the rest one frame at a time) does not care which network it is done to.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dettrack.errors import InputError
from dettrack.models.pose.efficientnet_lite import EfficientNetLite
from dettrack.models.pose.inflate import TimePadding, Variant, check_clip_length, check_variant, inflate

__all__ = ["LITE_MEAN", "LITE_STD", "LiteNet"]

LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3
"""Normalisation that the trunk's ImageNet weights were trained with, of RGB in [0, 1]."""

# The convolutions that each variant makes temporal, after table 8's: the 1x1 expansions become 3x1x1. As a depthwise
# filter follows each, the network sees motion across pixels too; inflated depthwise filters would cost a CPU more
# than all else. Early are the (ten) blocks at strides 4 to 16: like HRNet's twelve temporal layers they reach past both
# ends of nine frames, and the later ones see whole people, whom a network must know apart to follow one of them.


class LiteNet(nn.Module):
    """EfficientNet-Lite with a heatmap head at a quarter of the resolution.

    Attributes:
        clip_length: T that the temporal convolutions expect (see `set_clip_length`); a 2D network takes any.
    """

    def __init__(
        self,
        joints: int,
        *,
        width: int = 64,
        variant: Variant = "none",
        clip_length: int = 9,
        time_padding: TimePadding = "replicate",
        trunk: str = "lite0",
    ) -> None:
        """Build with random weights; `load_trunk(net.trunk, ...)` starts the trunk from ImageNet.

        Args:
            joints: Number of heatmaps.
            width: Channels of the head at its highest resolution; twice as many at the others.
            variant: Where temporal filters are: "none", "early", "last" or "all".
            clip_length: |C|.
            time_padding: "replicate" or "zero".
            trunk: Size of the trunk: "lite0", "lite1" or "lite2".
        """
        super().__init__()
        check_variant(variant)
        if width < 1 or joints < 1:
            raise InputError(f"LiteNet of width {width} with {joints} joints: both must be positive")
        self.width, self.clip_length = width, clip_length
        self.trunk = EfficientNetLite(trunk)
        at4, at8, at16, at32 = self.trunk.channels
        self.up16 = _Up(at32, at16, 2 * width)
        self.up8 = _Up(2 * width, at8, 2 * width)
        self.up4 = _Up(2 * width, at4, width)
        self.final_layer = nn.Conv2d(width, joints, 1)
        nn.init.normal_(self.final_layer.weight, std=0.001)  # heatmaps start near zero, as most of their pixels are
        inflate(self, self.temporal_layers(variant), clip_length, time_padding=time_padding)

    def temporal_layers(self, variant: Variant) -> list[str]:
        """Names of the 2D convolutions that a variant inflates."""
        _, _, until16, until32 = self.trunk.blocks_until
        # Block 0 has no expansion.
        first, end = {"none": (0, 0), "early": (1, until16), "last": (until16, until32), "all": (1, until32)}[variant]
        return [f"trunk._blocks.{block}._expand_conv" for block in range(first, end)]

    def forward(self, tubes: Float[Tensor, "n clip 3 h w"]) -> Float[Tensor, "n clip joints h4 w4"]:
        """Heatmaps of every frame of every tube.

        Args:
            tubes: RGB normalised by `LITE_MEAN` and `LITE_STD`; height and width divisible by 32.

        Returns:
            Heatmaps at a quarter of the resolution; heatmap pixel (x, y) lies at crop pixel (4x, 4y).

        Raises:
            InputError: Sides that are not divisible, or a temporal network gets another clip than it is set to.
        """
        clip, _, height, width = tubes.shape[1:]
        if height % 32 or width % 32:
            raise InputError(f"LiteNet got crops of {height}x{width} pixels: both sides must be divisible by 32")
        check_clip_length(self, int(clip))
        x4, x8, x16, x32 = self.trunk(tubes.flatten(0, 1))
        y = self.up4(self.up8(self.up16(x32, x16), x8), x4)
        return self.final_layer(y).unflatten(0, (-1, clip))


class _Up(nn.Module):
    """Doubles the resolution: coarse and fine features are added, then a 5x5 depthwise and a 1x1 convolution."""

    def __init__(self, coarse: int, fine: int, out: int) -> None:
        super().__init__()
        self.coarse = nn.Conv2d(coarse, out, 1, bias=False)
        self.coarse_bn = nn.BatchNorm2d(out)
        self.fine = nn.Conv2d(fine, out, 1, bias=False)
        self.fine_bn = nn.BatchNorm2d(out)
        self.depthwise = nn.Conv2d(out, out, 5, 1, 2, groups=out, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(out)
        self.pointwise = nn.Conv2d(out, out, 1, bias=False)
        self.pointwise_bn = nn.BatchNorm2d(out)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """`(n, coarse, h, w)` and `(n, fine, 2h, 2w)` to `(n, out, 2h, 2w)`."""
        up = F.interpolate(self.coarse_bn(self.coarse(coarse)), scale_factor=2.0, mode="nearest")
        y = F.relu(up + self.fine_bn(self.fine(fine)))
        y = self.depthwise_bn(self.depthwise(y)) + y
        return F.relu(self.pointwise_bn(self.pointwise(y)))
