"""HRNet for poses, as an image network and inflated along time (paper 3.1; Sun et al., CVPR 2019).

Four stages of parallel branches at 1/4, 1/8, 1/16 and 1/32 of the input, which exchange what they see after every
module; the heatmaps are read from the highest resolution. Module names are those of the published pose checkpoints,
so that these load strictly. A 2D network takes tubes too: each frame is then seen alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dettrack.errors import InputError
from dettrack.models.pose.inflate import TimePadding, Variant, check_clip_length, check_variant, inflate

__all__ = ["HRNet"]

_BLOCKS = 4  # residual blocks per branch and module, in every stage
_MODULES = {2: 1, 3: 4, 4: 3}  # stage -> modules

# The convolutions that each variant of table 8 makes temporal. Stage 1's bottlenecks are 3x1x1, 1x3x3, 1x1x1 and the
# other stages' basic blocks 3x3x3; stem, transitions, fusion and down-sampling stay in space (our reading).
_STAGE1 = r"layer1\.\d+\.conv1"
_STAGE = r"stage{}\.\d+\.branches\.\d+\.\d+\.conv[12]"
_TEMPORAL: dict[str, tuple[str, ...]] = {
    "none": (),
    "early": (_STAGE1, _STAGE.format(2)),
    "last": (_STAGE.format(4),),
    "all": (_STAGE1, _STAGE.format("[234]")),
}


class HRNet(nn.Module):
    """HRNet with a heatmap head.

    Attributes:
        width: Channels of the highest resolution (16, 18, 32, 48 ...).
        clip_length: T that the temporal convolutions expect (see `set_clip_length`); a 2D network takes any.
    """

    def __init__(
        self,
        width: int,
        joints: int,
        *,
        variant: Variant = "none",
        clip_length: int = 9,
        time_padding: TimePadding = "replicate",
    ) -> None:
        """Build with random weights; a 2D network's weights reach a temporal one by `inflate_state_dict`.

        Args:
            width: Channels of the highest resolution.
            joints: Number of heatmaps.
            variant: Where temporal filters are (table 8): "none", "early" (the paper's), "last" or "all".
            clip_length: |C|.
            time_padding: "replicate" or "zero".
        """
        super().__init__()
        check_variant(variant)
        if width < 1 or joints < 1:
            raise InputError(f"HRNet of width {width} with {joints} joints: both must be positive")
        self.width, self.clip_length = width, clip_length
        self.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(_Bottleneck(64, 64), *(_Bottleneck(256, 64) for _ in range(_BLOCKS - 1)))
        channels = [width * 2**branch for branch in range(4)]
        self.transition1 = _transition([256], channels[:2])
        self.stage2 = _stage(2, channels[:2])
        self.transition2 = _transition(channels[:2], channels[:3])
        self.stage3 = _stage(3, channels[:3])
        self.transition3 = _transition(channels[:3], channels)
        self.stage4 = _stage(4, channels, outputs=1)
        self.final_layer = nn.Conv2d(width, joints, 1)
        nn.init.normal_(self.final_layer.weight, std=0.001)  # heatmaps start near zero, as most of their pixels are
        inflate(self, self.temporal_layers(variant), clip_length, time_padding=time_padding)

    def temporal_layers(self, variant: Variant) -> list[str]:
        """Names of the 2D convolutions that a variant inflates."""
        patterns = [re.compile(pattern) for pattern in _TEMPORAL[variant]]
        convs = [name for name, module in self.named_modules() if isinstance(module, nn.Conv2d)]
        return [name for name in convs if any(pattern.fullmatch(name) for pattern in patterns)]

    def forward(self, tubes: Float[Tensor, "n clip 3 h w"]) -> Float[Tensor, "n clip joints h4 w4"]:
        """Heatmaps of every frame of every tube.

        Args:
            tubes: Normalised RGB; height and width divisible by 32.

        Returns:
            Heatmaps at a quarter of the resolution; heatmap pixel (x, y) lies at crop pixel (4x, 4y).

        Raises:
            InputError: Sides that are not divisible, or a temporal network gets another clip than it is set to.
        """
        clip, _, height, width = tubes.shape[1:]
        if height % 32 or width % 32:
            raise InputError(f"HRNet got crops of {height}x{width} pixels: both sides must be divisible by 32")
        check_clip_length(self, int(clip))
        x = tubes.flatten(0, 1)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        branches = [self.layer1(x)]
        for transition, stage in (
            (self.transition1, self.stage2),
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            # A new branch starts from the lowest resolution so far.
            branches = [step(branches[min(i, len(branches) - 1)]) for i, step in enumerate(transition)]
            branches = stage(branches)
        return self.final_layer(branches[0]).unflatten(0, (-1, clip))


def _conv_bn(inside: int, out: int, kernel: int, stride: int = 1, *, relu: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(inside, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """One step per branch after: unchanged, a change of channels, or (a new branch) a halving of the lowest one."""
    steps: list[nn.Module] = []
    for i, channels in enumerate(after):
        if i >= len(before):
            steps.append(nn.Sequential(_conv_bn(before[-1], channels, 3, 2)))
        elif channels != before[i]:
            steps.append(_conv_bn(before[i], channels, 3))
        else:
            steps.append(nn.Identity())
    return nn.ModuleList(steps)


def _stage(stage: int, channels: Sequence[int], outputs: int | None = None) -> nn.Sequential:
    modules = _MODULES[stage]
    return nn.Sequential(*(_Exchange(channels, outputs if i == modules - 1 else None) for i in range(modules)))


class _Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with four times the channels at the end."""

    def __init__(self, inside: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _conv_bn(inside, 4 * channels, 1, relu=False) if inside != 4 * channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + x)


class _Exchange(nn.Module):
    """Parallel branches of basic blocks, then every output branch adds up all of them at its own resolution."""

    def __init__(self, channels: Sequence[int], outputs: int | None) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(_BasicBlock(c) for _ in range(_BLOCKS))) for c in channels)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fuse(channels, source, target) for source in range(len(channels)))
            for target in range(outputs or len(channels))
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        x = [branch(value) for branch, value in zip(self.branches, x, strict=True)]
        fused = []
        for layers in self.fuse_layers:
            total = layers[0](x[0])  # type: ignore[index]
            for layer, value in zip(layers[1:], x[1:], strict=True):  # type: ignore[index]
                total = total + layer(value)
            fused.append(self.relu(total))
        return fused


def _fuse(channels: Sequence[int], source: int, target: int) -> nn.Module:
    """From one branch's resolution to another's: nothing, 1x1 and enlarge, or one halving after the other."""
    if source == target:
        return nn.Identity()
    if source > target:
        up = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*_conv_bn(channels[source], channels[target], 1, relu=False), up)
    steps = target - source
    halvings = [_conv_bn(channels[source], channels[source], 3, 2) for _ in range(steps - 1)]
    return nn.Sequential(*halvings, _conv_bn(channels[source], channels[target], 3, 2, relu=False))
