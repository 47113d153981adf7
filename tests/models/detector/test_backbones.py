from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dettrack.errors import InputError
from dettrack.models.detector.backbones import BACKBONES, build_backbone, fold_norms, load_backbone


def _trunk(name: str) -> nn.Module:
    torch.manual_seed(0)
    trunk = build_backbone(name).build()
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return trunk.eval()


@pytest.mark.parametrize("name", BACKBONES)
def test_features_have_strides_8_16_32_and_the_stated_channels(name: str) -> None:
    backbone = build_backbone(name)
    with torch.no_grad():
        features = _trunk(name)(backbone.normalise(torch.full((1, 3, 64, 96), 127, dtype=torch.uint8)))
    expected = [(1, c, 64 // s, 96 // s) for c, s in zip(backbone.channels, (8, 16, 32), strict=True)]
    assert [tuple(f.shape) for f in features[-3:]] == expected


@pytest.mark.parametrize(
    ("name", "some", "extra"),
    [
        (
            "mobilenet-v2",
            {
                "features.0.0.weight": (32, 3, 3, 3),
                "features.1.conv.0.0.weight": (32, 1, 3, 3),
                "features.1.conv.1.weight": (16, 32, 1, 1),
                "features.2.conv.1.0.weight": (96, 1, 3, 3),
                "features.17.conv.3.running_var": (320,),
            },
            {"features.18.0.weight": (1280, 320, 1, 1), "classifier.1.weight": (1000, 1280)},
        ),
        (
            "resnet-101",
            {
                "conv1.weight": (64, 3, 7, 7),
                "layer1.0.downsample.0.weight": (256, 64, 1, 1),
                "layer3.22.bn3.running_mean": (1024,),
                "layer4.2.conv3.weight": (2048, 512, 1, 1),
            },
            {"fc.weight": (1000, 2048), "fc.bias": (1000,)},
        ),
    ],
)
def test_common_state_dicts_load(name: str, some: dict[str, tuple], extra: dict[str, tuple]) -> None:
    trunk = _trunk(name)
    state: dict[str, Tensor] = {k: torch.rand_like(v) for k, v in trunk.state_dict().items() if v.is_floating_point()}
    state |= {k: v for k, v in trunk.state_dict().items() if not v.is_floating_point()}
    assert {k: tuple(state[k].shape) for k in some} == some  # the common names
    load_backbone(trunk, state | {k: torch.zeros(shape) for k, shape in extra.items()})
    assert all(torch.equal(trunk.state_dict()[k], state[k]) for k in some)


def test_foreign_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"do not fit MobileNetV2.*features\.0\.0\.weight"):
        load_backbone(_trunk("mobilenet-v2"), {"conv1.weight": torch.zeros(1)})
    with pytest.raises(InputError, match="expected one of efficientnet-lite0, mobilenet-v2, resnet-101"):
        build_backbone("vgg")


@pytest.mark.parametrize("name", BACKBONES)
def test_folding_norms_keeps_the_function(name: str) -> None:
    trunk, images = _trunk(name), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = trunk(images)
        fold_norms(trunk)
        after = trunk(images)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in trunk.modules())
    for a, b in zip(before, after, strict=True):
        assert a.abs().max() > 1e-3
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(a.abs().max()))
