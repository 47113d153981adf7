from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from torch import nn

from dettrack.errors import InputError
from dettrack.models.pose.hrnet import HRNet
from dettrack.models.pose.inflate import (
    TemporalConv,
    fold_batch_norm,
    inflate,
    inflate_state_dict,
    mean_inflated,
    set_clip_length,
)


def slow_temporal_conv(x, weight, bias, clip, stride, groups, padding):
    """Frame by frame and tap by tap, as the definition says."""
    kt = weight.shape[2]
    out = []
    for start in range(0, len(x), clip):
        for t in range(clip):
            total = 0
            for tap in range(kt):
                frame = t + tap - kt // 2
                if padding == "zero" and not 0 <= frame < clip:
                    continue
                frame = min(max(frame, 0), clip - 1)
                kernel = weight[:, :, tap]
                pad = (kernel.shape[2] // 2, kernel.shape[3] // 2)
                total = total + F.conv2d(x[start + frame][None], kernel, None, stride, pad, groups=groups)
            out.append(total[0] if bias is None else total[0] + bias[:, None, None])
    return torch.stack(out)


@given(
    kernel=st.sampled_from([1, 3, 5]),
    clip=st.integers(1, 6),
    tubes=st.integers(1, 3),
    time_kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2]),
    depthwise=st.booleans(),
    bias=st.booleans(),
    padding=st.sampled_from(["replicate", "zero"]),
)
@settings(max_examples=60)
def test_equals_the_slow_definition(kernel, clip, tubes, time_kernel, stride, depthwise, bias, padding):
    conv = nn.Conv2d(4, 4, kernel, stride, kernel // 2, groups=4 if depthwise else 1, bias=bias)
    temporal = TemporalConv(conv, clip, time_kernel=time_kernel, time_padding=padding)
    nn.init.normal_(temporal.weight)
    x = torch.randn(tubes * clip, 4, 6, 5)
    expected = slow_temporal_conv(x, temporal.weight, temporal.bias, clip, stride, conv.groups, padding)
    torch.testing.assert_close(temporal(x), expected, rtol=1e-4, atol=1e-4)


def _lively_2d(width=16, joints=15) -> HRNet:
    """Random weights whose batch norms have seen something, and heatmaps of order one."""
    network = HRNet(width, joints)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    nn.init.normal_(network.final_layer.weight, std=0.1)
    return network.eval()


@pytest.mark.parametrize("variant", ["early", "last", "all"])
@pytest.mark.parametrize("clip", [1, 3, 9])
def test_a_still_tube_gives_the_2d_heatmaps_in_every_frame(variant, clip):
    torch.manual_seed(0)
    flat = _lively_2d()
    tube = HRNet(16, 15, variant=variant, clip_length=clip).eval()
    tube.load_state_dict(inflate_state_dict(flat.state_dict(), tube), strict=True)
    image = torch.randn(2, 1, 3, 64, 32)
    with torch.inference_mode():
        expected = flat(image).expand(-1, clip, -1, -1, -1)
        found = tube(image.expand(-1, clip, -1, -1, -1))
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("variant", ["early", "last", "all"])
def test_zero_padding_in_time_breaks_the_still_tube(variant):
    """Why replication is the default: no frame is right, and at the border the error is of the signal's size."""
    torch.manual_seed(0)
    flat = _lively_2d()
    tube = HRNet(16, 15, variant=variant, clip_length=9, time_padding="zero").eval()
    tube.load_state_dict(inflate_state_dict(flat.state_dict(), tube))
    image = torch.randn(1, 1, 3, 64, 32)
    with torch.inference_mode():
        expected = flat(image).expand(-1, 9, -1, -1, -1)
        error = (tube(image.expand(-1, 9, -1, -1, -1)) - expected).abs().amax((0, 2, 3, 4))
    assert error.min() > 1e-4 * expected.std()
    assert error[0] > 0.05 * expected.std()


def test_early_filters_see_the_other_frames_and_2d_ones_do_not():
    torch.manual_seed(0)
    tubes = torch.randn(1, 9, 3, 64, 32)
    moved = tubes.clone()
    moved[:, 0] += 1
    for variant, reaches in (("early", True), ("none", False)):
        network = _lively_2d()
        inflate(network, network.temporal_layers(variant), 9)
        network.clip_length = 9
        with torch.inference_mode():
            change = (network(tubes) - network(moved)).abs().amax((0, 2, 3, 4))
        assert change[0] > 0
        assert bool(change[-1] > 0) == reaches  # twelve layers see across nine frames


def test_tubes_of_one_batch_do_not_mix():
    torch.manual_seed(0)
    network = HRNet(16, 15, variant="early", clip_length=3).eval()
    tubes = torch.randn(2, 3, 3, 64, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(tubes)[1:], network(tubes[1:]), rtol=1e-4, atol=1e-6)


def test_another_clip_length_is_set_not_guessed():
    """A forward pass changes nothing of a network, so that it may run in several threads."""
    network = HRNet(16, 15, variant="early", clip_length=9).eval()
    with pytest.raises(InputError, match="for tubes of 9 frames got 5"):
        network(torch.zeros(1, 5, 3, 32, 32))
    lengths = {m.clip_length for m in network.modules() if isinstance(m, TemporalConv)}
    assert lengths | {network.clip_length} == {9}
    set_clip_length(network, 5)
    with torch.inference_mode():
        assert network(torch.zeros(1, 5, 3, 32, 32)).shape[1] == 5
    flat = HRNet(16, 15, variant="none", clip_length=1).eval()
    with torch.inference_mode():
        assert flat(torch.zeros(1, 5, 3, 32, 32)).shape[1] == 5
    assert flat.clip_length == 1


def test_mean_initialisation_keeps_the_sum():
    weight = torch.randn(2, 3, 3, 3)
    torch.testing.assert_close(mean_inflated(weight, 3).sum(2), weight)


def test_only_2d_convolutions_can_be_inflated():
    network = HRNet(16, 15)
    with pytest.raises(InputError, match=r"bn1.*BatchNorm2d.*Conv2d"):
        inflate(network, ["bn1"], 9)
    with pytest.raises(InputError, match="odd"):
        inflate(network, ["conv1"], 9, time_kernel=2)


@pytest.mark.parametrize("variant", ["none", "all"])
def test_folded_batch_norms_change_nothing(variant):
    torch.manual_seed(0)
    network = _lively_2d()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    inflate(network, network.temporal_layers(variant), 3)
    network.clip_length = 3
    tubes = torch.randn(2, 3, 3, 64, 32)
    with torch.inference_mode():
        before = network(tubes)
        after = fold_batch_norm(network)(tubes)
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert (before - after).abs().max() < 1e-4 * before.abs().max()


def test_gradients_reach_every_temporal_filter():
    network = HRNet(16, 15, variant="early", clip_length=3)
    network(torch.randn(2, 3, 3, 32, 32)).square().sum().backward()
    for name, parameter in network.named_parameters():
        if parameter.ndim == 5:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
