"""Temporal inflation: some 2D convolutions of a network become 3D ones that see the frames around (paper 3.1, 4.2).

Activations stay `(n·T, C, H, W)` through the whole network; a temporal convolution alone views them as
`(n, T, C, H, W)`. Weights start from the 2D ones by "mean" initialisation: copied along time and divided by the
temporal size. Beyond the paper: padding in time repeats the border frames by default. Then a mean-inflated network
on a still tube gives the 2D network's heatmaps in every frame; with zeros no frame is right and the border's error
is of the signal's size, because twelve temporal layers reach past both ends of nine frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dettrack.errors import InputError

__all__ = [
    "TemporalConv",
    "TimePadding",
    "Variant",
    "centre_inflated",
    "check_clip_length",
    "check_variant",
    "fold_batch_norm",
    "inflate",
    "inflate_state_dict",
    "mean_inflated",
    "set_clip_length",
]

Variant = Literal["none", "early", "last", "all"]
TimePadding = Literal["replicate", "zero"]


def check_variant(variant: str) -> None:
    """Raise `InputError` unless `variant` is one of table 8's."""
    if variant not in get_args(Variant):
        raise InputError(f"unknown network variant {variant!r}: expected one of {', '.join(get_args(Variant))}")


class TemporalConv(nn.Module):
    """A `kt x kh x kw` convolution over tubes whose frames are laid out along the batch.

    Spatial padding is `k // 2` zeros as in the 2D layer that it replaces, and in time there is no stride: as many
    frames come out as go in. Where the kernel is 1x1 in space, all its taps are one 2D convolution whose outputs
    are shifted in time and added: two to three times as fast on a CPU as `conv3d`, in training too.

    Attributes:
        weight: `(out, in / groups, kt, kh, kw)`.
        bias: `(out,)` or None.
        clip_length: T, how many consecutive rows of the batch are one tube.
        time_padding: What lies before the first and after the last frame: "replicate" or "zero".
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        clip_length: int,
        *,
        time_kernel: int = 3,
        time_padding: TimePadding = "replicate",
    ) -> None:
        """Inflate a 2D convolution by mean initialisation.

        Args:
            conv: Layer to replace; an odd kernel with "same" padding, not dilated.
            clip_length: Frames in a tube.
            time_kernel: Temporal size of the filter; odd.
            time_padding: "replicate" (border frames repeated) or "zero".
        """
        super().__init__()
        if time_kernel % 2 == 0:
            raise InputError(f"temporal kernel size is {time_kernel}: it must be odd")
        self.weight = nn.Parameter(mean_inflated(conv.weight.detach(), time_kernel))
        self.bias: nn.Parameter | None = None
        if conv.bias is not None:
            self.bias = nn.Parameter(conv.bias.detach().clone())
        self.kernel_size = (time_kernel, *conv.weight.shape[2:])  # plain numbers, constants of an exported graph
        self.stride, self.groups = conv.stride[0], conv.groups
        self.clip_length, self.time_padding = clip_length, time_padding

    def forward(self, x: Float[Tensor, "frames channels h w"]) -> Float[Tensor, "frames out h2 w2"]:
        """Convolve; the first dimension is tubes times `clip_length`."""
        if self.groups == 1 and self.kernel_size[1:] != (1, 1):
            return self._conv3d(x)
        if self.groups == 1 and self.weight.shape[1] < self.weight.shape[0]:
            return self._stacked_frames(x)
        return self._shifted_taps(x)

    def _conv3d(self, x: Tensor) -> Tensor:
        kt, kh, kw = self.kernel_size
        y = self._extend(x.unflatten(0, (-1, self.clip_length)), kt // 2, kt // 2)
        stride = (1, self.stride, self.stride)
        y = F.conv3d(y.transpose(1, 2), self.weight, self.bias, stride, (0, kh // 2, kw // 2), groups=self.groups)
        return y.transpose(1, 2).flatten(0, 1)

    def _stacked_frames(self, x: Tensor) -> Tensor:
        """Each frame's neighbours become its channels: one 2D convolution, and the wide output is written once."""
        reach = self.kernel_size[0] // 2
        near = torch.cat([x if k == 0 else self._shift(x, -k) for k in range(-reach, reach + 1)], dim=1)
        return F.conv2d(near, self.weight.transpose(1, 2).flatten(1, 2), self.bias, self.stride)

    def _shifted_taps(self, x: Tensor) -> Tensor:
        kt, kh, kw = self.kernel_size
        padding = (kh // 2, kw // 2)
        if self.groups == 1:
            taps = self.weight.permute(2, 0, 1, 3, 4).flatten(0, 1)  # (kt * out, in, kh, kw)
            y = F.conv2d(x, taps, None, self.stride, padding).chunk(kt, dim=1)
        else:
            y = tuple(F.conv2d(x, w, None, self.stride, padding, groups=self.groups) for w in self.weight.unbind(2))
        total = y[kt // 2] if self.bias is None else y[kt // 2] + self.bias[:, None, None]
        for tap, values in enumerate(y):
            if tap != kt // 2:
                total = total + self._shift(values, tap - kt // 2)
        return total

    def _shift(self, x: Tensor, offset: int) -> Tensor:
        """Frame t of each tube becomes frame t + offset, with the border's padding where there is none."""
        if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
            return self._shift(x.permute(0, 2, 3, 1), offset).permute(0, 3, 1, 2)  # keep the layout
        y = x.unflatten(0, (-1, self.clip_length))
        if offset > 0:
            return self._extend(y, 0, offset)[:, offset:].flatten(0, 1)
        return self._extend(y, -offset, 0)[:, : self.clip_length].flatten(0, 1)

    def _extend(self, y: Tensor, before: int, after: int) -> Tensor:
        """Tubes `(n, T, ...)` with padding frames at both ends."""
        if self.time_padding == "zero":
            return F.pad(y, (0, 0, 0, 0, 0, 0, before, after))
        return torch.cat([y[:, :1]] * before + [y] + [y[:, -1:]] * after, dim=1)

    def extra_repr(self) -> str:
        """Shape of the filter, for `print(network)`."""
        out, inside, *kernel = self.weight.shape
        return f"{inside}, {out}, {'x'.join(map(str, kernel))}, clip={self.clip_length}, {self.time_padding}"


def mean_inflated(weight: Float[Tensor, "out in kh kw"], time_kernel: int) -> Float[Tensor, "out in kt kh kw"]:
    """A 2D filter copied along time and divided by the temporal size, so that a still input gives the same output.

    Args:
        weight: The 2D filter.
        time_kernel: Frames that the new filter covers.

    Returns:
        The temporal filter.
    """
    return weight.unsqueeze(2).repeat(1, 1, time_kernel, 1, 1) / time_kernel


def inflate(
    network: nn.Module,
    layers: Iterable[str],
    clip_length: int,
    *,
    time_kernel: int = 3,
    time_padding: TimePadding = "replicate",
) -> None:
    """Replace 2D convolutions of a network by temporal ones, in place, by mean initialisation.

    Args:
        network: Any network whose activations are `(n·T, C, H, W)`.
        layers: Names of its `nn.Conv2d` modules to inflate, as in `named_modules`.
        clip_length: T.
        time_kernel: Temporal size of the filters.
        time_padding: "replicate" or "zero".

    Raises:
        InputError: A name is not that of a 2D convolution.
    """
    for name in layers:
        parent_name, _, child = name.rpartition(".")
        parent = network.get_submodule(parent_name)
        conv = getattr(parent, child, None)
        if not isinstance(conv, nn.Conv2d):
            raise InputError(f"cannot inflate {name}: it is {type(conv).__name__}, expected Conv2d")
        temporal = TemporalConv(conv, clip_length, time_kernel=time_kernel, time_padding=time_padding)
        setattr(parent, child, temporal)


def set_clip_length(network: nn.Module, clip_length: int) -> None:
    """Tell a network how many rows of the batch make one tube.

    Args:
        network: Changed in place.
        clip_length: |C|.
    """
    for module in network.modules():
        if module is network or isinstance(module, TemporalConv):
            module.clip_length = clip_length  # type: ignore[assignment]


def check_clip_length(network: nn.Module, clip_length: int) -> None:
    """Check that a temporal network is set to tubes of the length that it gets.

    Args:
        network: Any network.
        clip_length: Frames of the tubes.

    Raises:
        InputError: It is set to another length.
    """
    if clip_length != network.clip_length and any(isinstance(each, TemporalConv) for each in network.modules()):
        raise InputError(
            f"a network for tubes of {network.clip_length} frames got {clip_length}: set_clip_length tells it so"
        )


def centre_inflated(weight: Float[Tensor, "out in kh kw"], time_kernel: int) -> Float[Tensor, "out in kt kh kw"]:
    """A 2D filter in the middle of zeros: the frames around are ignored until training says otherwise.

    Not the paper's. A still input gives the same output as with `mean_inflated`, and so does a moving one, which the
    mean smears: for a short training on tubes the better start.

    Args:
        weight: The 2D filter.
        time_kernel: Frames that the new filter covers.

    Returns:
        The temporal filter.
    """
    out = weight.new_zeros(*weight.shape[:2], time_kernel, *weight.shape[2:])
    out[:, :, time_kernel // 2] = weight
    return out


def inflate_state_dict(
    state: dict[str, Tensor], network: nn.Module, *, start: Literal["mean", "centre"] = "mean"
) -> dict[str, Tensor]:
    """The state dict of a 2D network, inflated wherever `network` is temporal; other entries are kept.

    Args:
        state: Of the 2D network.
        network: The temporal network that will load it.
        start: "mean" (paper 4.2) or "centre" (see `centre_inflated`).

    Returns:
        Weights for `network`.
    """
    inflated = mean_inflated if start == "mean" else centre_inflated
    shapes = {name: value.shape for name, value in network.state_dict().items()}

    def fitted(name: str, value: Tensor) -> Tensor:
        temporal = name in shapes and len(shapes[name]) == 5 and value.ndim == 4
        return inflated(value, shapes[name][2]) if temporal else value

    return {name: fitted(name, value) for name, value in state.items()}


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold every batch norm into the convolution before it, in place; for inference only.

    A batch norm belongs to the convolution registered directly before it in the same parent, skipping activations,
    which holds for every network of this package.
    """
    for parent in list(network.modules()):
        conv: nn.Conv2d | TemporalConv | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d | TemporalConv):
                conv = child
            elif isinstance(child, nn.BatchNorm2d) and conv is not None:
                _fold(conv, child)
                setattr(parent, name, nn.Identity())
                conv = None
    return network


def _fold(conv: nn.Conv2d | TemporalConv, norm: nn.BatchNorm2d) -> None:
    if norm.running_var is None or norm.running_mean is None:
        raise InputError("a batch norm without running statistics cannot be folded")
    with torch.no_grad():
        scale = (norm.running_var + norm.eps).rsqrt() * norm.weight
        shift = norm.bias - norm.running_mean * scale
        bias = shift if conv.bias is None else conv.bias * scale + shift
        conv.weight.mul_(scale.view(-1, *[1] * (conv.weight.ndim - 1)))
        conv.bias = nn.Parameter(bias, requires_grad=False)
