"""HRNet's names and shapes against the paper's architecture, written down here without our class."""

from __future__ import annotations

import re

import pytest
import torch

from dettrack.errors import InputError
from dettrack.models.pose.hrnet import HRNet
from dettrack.models.pose.inflate import check_variant

_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def _conv(names: dict, name: str, out: int, inside: int, kernel: int) -> None:
    names[f"{name}.weight"] = (out, inside, kernel, kernel)


def _norm(names: dict, name: str, channels: int) -> None:
    for part in _NORM:
        names[f"{name}.{part}"] = () if part == "num_batches_tracked" else (channels,)


def _pair(names: dict, name: str, out: int, inside: int, kernel: int) -> None:
    _conv(names, f"{name}.0", out, inside, kernel)
    _norm(names, f"{name}.1", out)


def official_shapes(width: int, joints: int) -> dict[str, tuple[int, ...]]:
    """Sun et al. 2019, section 3 and appendix: stem of two halving 3x3; stage 1 of four bottlenecks of width 64; then
    1, 4 and 3 exchange modules with 2, 3 and 4 branches of four basic blocks; 1x1 head on the highest resolution."""
    names: dict[str, tuple[int, ...]] = {}
    for i, inside in ((1, 3), (2, 64)):
        _conv(names, f"conv{i}", 64, inside, 3)
        _norm(names, f"bn{i}", 64)
    for block in range(4):
        prefix = f"layer1.{block}"
        for i, (out, inside, kernel) in enumerate(((64, 256 if block else 64, 1), (64, 64, 3), (256, 64, 1)), 1):
            _conv(names, f"{prefix}.conv{i}", out, inside, kernel)
            _norm(names, f"{prefix}.bn{i}", out)
        if block == 0:
            _pair(names, f"{prefix}.downsample", 256, 64, 1)
    c = [width, 2 * width, 4 * width, 8 * width]
    _pair(names, "transition1.0", c[0], 256, 3)
    _pair(names, "transition1.1.0", c[1], 256, 3)
    _pair(names, "transition2.2.0", c[2], c[1], 3)
    _pair(names, "transition3.3.0", c[3], c[2], 3)
    for stage, modules in ((2, 1), (3, 4), (4, 3)):
        for module in range(modules):
            prefix = f"stage{stage}.{module}"
            for branch in range(stage):
                for block in range(4):
                    for i in (1, 2):
                        _conv(names, f"{prefix}.branches.{branch}.{block}.conv{i}", c[branch], c[branch], 3)
                        _norm(names, f"{prefix}.branches.{branch}.{block}.bn{i}", c[branch])
            last = stage == 4 and module == modules - 1
            for to in range(1 if last else stage):
                for come in range(stage):
                    fuse = f"{prefix}.fuse_layers.{to}.{come}"
                    if come > to:
                        _pair(names, fuse, c[to], c[come], 1)
                    for step in range(to - come):
                        _pair(names, f"{fuse}.{step}", c[to] if step == to - come - 1 else c[come], c[come], 3)
    names["final_layer.weight"] = (joints, width, 1, 1)
    names["final_layer.bias"] = (joints,)
    return names


@pytest.mark.parametrize("width", [16, 18, 32, 48])
def test_an_official_state_dict_loads_strictly(width):
    expected = official_shapes(width, 17)
    network = HRNet(width, 17)
    random = {
        name: torch.zeros((), dtype=torch.int64) if name.endswith("num_batches_tracked") else torch.rand(shape)
        for name, shape in expected.items()
    }
    network.load_state_dict(random, strict=True)
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == expected


# Known names of the published files, by hand: they would show an error shared by the class and the loops above.
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv2.weight", (64, 64, 3, 3)),
        ("layer1.0.downsample.1.running_var", (256,)),
        ("layer1.3.conv3.weight", (256, 64, 1, 1)),
        ("transition1.0.0.weight", (32, 256, 3, 3)),
        ("transition1.1.0.0.weight", (64, 256, 3, 3)),
        ("transition3.3.0.1.bias", (256,)),
        ("stage2.0.fuse_layers.0.1.0.weight", (32, 64, 1, 1)),
        ("stage2.0.fuse_layers.1.0.0.0.weight", (64, 32, 3, 3)),
        ("stage3.3.fuse_layers.2.0.0.0.weight", (32, 32, 3, 3)),
        ("stage3.3.fuse_layers.2.0.1.0.weight", (128, 32, 3, 3)),
        ("stage4.1.fuse_layers.3.0.2.0.weight", (256, 32, 3, 3)),
        ("stage4.2.fuse_layers.0.3.0.weight", (32, 256, 1, 1)),
        ("stage4.2.branches.3.3.conv2.weight", (256, 256, 3, 3)),
    ],
)
def test_names_written_by_hand(name, shape):
    assert tuple(HRNet(32, 17).state_dict()[name].shape) == shape


def test_the_last_module_gives_one_resolution_only():
    assert not [name for name in HRNet(16, 17).state_dict() if re.match(r"stage4\.2\.fuse_layers\.[123]", name)]


@pytest.mark.parametrize(("width", "millions"), [(32, 28.5), (48, 63.6)])
def test_parameter_counts_of_the_paper(width, millions):
    count = sum(parameter.numel() for parameter in HRNet(width, 17).parameters())
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize("size", [(64, 32), (96, 160)])
def test_heatmaps_are_a_quarter_of_any_size_divisible_by_32(size):
    with torch.inference_mode():
        heatmaps = HRNet(16, 15).eval()(torch.zeros(1, 2, 3, *size))
    assert heatmaps.shape == (1, 2, 15, size[0] // 4, size[1] // 4)


def test_other_sizes_and_variants_are_refused():
    with pytest.raises(InputError, match=r"100x64.*divisible by 32"):
        HRNet(16, 15)(torch.zeros(1, 1, 3, 100, 64))
    with pytest.raises(InputError, match="none, early, last, all"):
        check_variant("middle")


def test_a_2d_network_sees_each_frame_alone():
    torch.manual_seed(0)
    network = HRNet(16, 15).eval()
    tubes = torch.randn(2, 3, 3, 64, 64)
    with torch.inference_mode():
        together = network(tubes)
        alone = torch.cat([network(tubes[:, t : t + 1]) for t in range(3)], dim=1)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("variant", "layers"), [("none", 0), ("early", 4 + 2 * 4 * 2), ("last", 3 * 4 * 4 * 2)])
def test_where_the_variants_are_temporal(variant, layers):
    network = HRNet(16, 15, variant=variant)
    temporal = {name: tuple(v.shape[2:]) for name, v in network.state_dict().items() if v.ndim == 5}
    assert len(temporal) == layers
    for name, kernel in temporal.items():
        # Stage 1: 3x1x1 (then 1x3x3 and 1x1x1 stay in space); other stages 3x3x3 (paper 3.1).
        assert kernel == ((3, 1, 1) if name.startswith("layer1") else (3, 3, 3))
        assert name.startswith({"early": ("layer1", "stage2"), "last": ("stage4",)}[variant])
        assert "fuse" not in name
        assert "downsample" not in name


def test_all_is_early_and_last_and_stage_3():
    names = {v: set(HRNet(16, 15).temporal_layers(v)) for v in ("early", "last", "all")}
    middle = names["all"] - names["early"] - names["last"]
    assert names["early"] | names["last"] < names["all"]
    assert {name.split(".")[0] for name in middle} == {"stage3"}
