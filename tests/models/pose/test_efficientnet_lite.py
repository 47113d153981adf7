from __future__ import annotations

import pytest
import torch

from dettrack.errors import InputError
from dettrack.models.pose.efficientnet_lite import (
    CHANNELS,
    STRIDES,
    EfficientNetLite,
    EfficientNetLite0,
    load_trunk,
    normalise,
)


def test_features_have_the_stated_strides_and_channels() -> None:
    trunk = EfficientNetLite0().eval()
    with torch.no_grad():
        features = trunk(torch.zeros(2, 3, 64, 96))
    assert [tuple(f.shape) for f in features] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(CHANNELS, STRIDES, strict=True)
    ]


def test_published_names_load_strictly_without_the_classifier() -> None:
    trunk = EfficientNetLite0()
    published = {name: torch.rand_like(v) if v.is_floating_point() else v for name, v in trunk.state_dict().items()}
    published |= {"_conv_head.weight": torch.zeros(1280, 320, 1, 1), "_fc.bias": torch.zeros(1000)}
    published |= {"_bn1.weight": torch.zeros(1280)}
    load_trunk(trunk, published)
    assert torch.equal(trunk.state_dict()["_blocks.7._bn1.weight"], published["_blocks.7._bn1.weight"])
    assert published["_blocks.0._depthwise_conv.weight"].shape == (32, 1, 3, 3)
    assert published["_blocks.15._project_conv.weight"].shape == (320, 1152, 1, 1)


def test_foreign_weights_are_refused_with_a_reason() -> None:
    with pytest.raises(InputError, match=r"not the weights of EfficientNet-Lite0.*_conv_stem"):
        load_trunk(EfficientNetLite0(), {"conv1.weight": torch.zeros(64, 3, 7, 7)})


def test_normalise_takes_pixels_to_the_range_of_the_weights() -> None:
    pixels = torch.tensor([0, 127, 255], dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 3, 1, 1)
    assert normalise(pixels)[:, 0, 0, 0].tolist() == [-127 / 128, 0.0, 1.0]


def test_larger_sisters() -> None:
    """Depth and widths of the published lite1 and lite2."""
    for size, channels, blocks in (("lite1", (24, 40, 112, 320), 21), ("lite2", (24, 48, 120, 352), 21)):
        trunk = EfficientNetLite(size).eval()
        assert trunk.channels == channels
        assert len(trunk._blocks) == blocks
        assert trunk.blocks_until == (4, 7, 15, 21)
        with torch.no_grad():
            features = trunk(torch.zeros(1, 3, 32, 64))
        assert [tuple(f.shape[1:]) for f in features] == [
            (c, 32 // s, 64 // s) for c, s in zip(channels, STRIDES, strict=True)
        ]
    assert EfficientNetLite0().channels == CHANNELS
    with pytest.raises(InputError, match="no EfficientNet of size 'lite7'"):
        EfficientNetLite("lite7")
