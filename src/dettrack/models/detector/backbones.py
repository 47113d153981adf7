"""Trunks of the person detector: features at strides 8, 16 and 32.

The paper compares a MobileNet-V2 and a ResNet-101 detector (table 9); the default is EfficientNet-Lite0, a
MobileNet-V2-like network whose public ImageNet weights are permissive. State-dict names of the two of the paper are the
common ones (torchvision's), so that users' files load.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dettrack.errors import InputError
from dettrack.models.pose.efficientnet_lite import CHANNELS, EfficientNetLite0, load_trunk, normalise

__all__ = [
    "BACKBONES",
    "STRIDES",
    "Backbone",
    "MobileNetV2",
    "ResNet101",
    "build_backbone",
    "fold_norms",
    "load_backbone",
]

STRIDES = (8, 16, 32)
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Backbone:
    """A trunk and what the detector has to know of it.

    Attributes:
        build: Makes the module; its forward returns features of rising stride, the last three at `STRIDES`.
        channels: Channels of these three.
        normalise: RGB in 0..255 to the range that its public weights saw.
    """

    build: Callable[[], nn.Module]
    channels: tuple[int, int, int]
    normalise: Callable[[Tensor], Tensor]


class _InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        layers: list[nn.Module] = [_conv_relu6(inputs, hidden, 1)] if expansion != 1 else []
        layers += [_conv_relu6(hidden, hidden, 3, stride, groups=hidden)]
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


def _conv_relu6(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class MobileNetV2(nn.Module):
    """MobileNet-V2 (Sandler et al., CVPR 2018) without its classifier and last 1x1 layer."""

    _GROUPS = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    _TAPS = (6, 13, 17)  # the last layer of strides 8, 16 and 32

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv_relu6(3, 32, 3, 2)]
        inputs = 32
        for expansion, outputs, repeats, stride in self._GROUPS:
            for repeat in range(repeats):
                layers.append(_InvertedResidual(inputs, outputs, stride if repeat == 0 else 1, expansion))
                inputs = outputs
        self.features = nn.Sequential(*layers)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Features at `STRIDES` of normalised images with sides divisible by 32."""
        x, taps = images, []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._TAPS:
                taps.append(x)
        return taps


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, width * 4, 1, stride, bias=False), nn.BatchNorm2d(width * 4))
            if stride != 1 or inputs != width * 4
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def _stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [_Bottleneck(width * 4, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(_Bottleneck(inputs, width, stride), *rest)


class ResNet101(nn.Module):
    """ResNet-101 (He et al., CVPR 2016) without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(64, 64, 3, 1)
        self.layer2 = _stage(256, 128, 4, 2)
        self.layer3 = _stage(512, 256, 23, 2)
        self.layer4 = _stage(1024, 512, 3, 2)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Features at `STRIDES` of normalised images with sides divisible by 32."""
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(images)))))
        features = []
        for layer in (self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features


def _imagenet(images: Tensor) -> Tensor:
    mean = torch.tensor(_IMAGENET_MEAN, device=images.device)[:, None, None]
    std = torch.tensor(_IMAGENET_STD, device=images.device)[:, None, None]
    return (images.float() - mean) / std


BACKBONES = {
    "efficientnet-lite0": Backbone(EfficientNetLite0, CHANNELS[1:], normalise),
    "mobilenet-v2": Backbone(MobileNetV2, (32, 96, 320), _imagenet),
    "resnet-101": Backbone(ResNet101, (512, 1024, 2048), _imagenet),
}


def build_backbone(name: str) -> Backbone:
    """The backbone called `name`; raises `InputError` with the known names otherwise."""
    if name not in BACKBONES:
        raise InputError(f"unknown detector backbone {name!r}: expected one of {', '.join(BACKBONES)}")
    return BACKBONES[name]


def load_backbone(trunk: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load public classification weights strictly, their classifier left out.

    Args:
        trunk: What `Backbone.build` made.
        state: A state dict with the common names.

    Raises:
        InputError: Names or shapes do not fit.
    """
    if isinstance(trunk, EfficientNetLite0):
        load_trunk(trunk, state)
        return
    unused = ("fc.", "classifier.", "features.18.")
    own = {name: value for name, value in state.items() if not name.startswith(unused)}
    try:
        trunk.load_state_dict(own, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"these weights do not fit {type(trunk).__name__}: {reason}") from None


def fold_norms(module: nn.Module) -> None:
    """Put every batch norm that directly follows its convolution into that convolution, in place.

    The function stays the same with the statistics as they are; a CPU then reads and writes each activation once less,
    in training (norms that are frozen anyway) as in use. Norms in lists of their own are left alone.
    """
    for parent in module.modules():
        children = list(parent.named_children())
        for (name, conv), (norm_name, norm) in itertools.pairwise(children):
            if (
                isinstance(conv, nn.Conv2d)
                and isinstance(norm, nn.BatchNorm2d)
                and conv.out_channels == norm.num_features
            ):
                setattr(parent, name, fuse_conv_bn_eval(conv.eval(), norm.eval()))
                setattr(parent, norm_name, nn.Identity())
