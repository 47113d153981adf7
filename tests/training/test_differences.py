"""Temporal filters written as differences: the same function, the same file, other gradients."""

from __future__ import annotations

import torch

from dettrack.models.pose.checkpoint import NetworkSpec, build_network
from dettrack.models.pose.inflate import TemporalConv
from dettrack.training.pose.differences import learn_differences, plain

SPEC = NetworkSpec("lite", width=8, variant="early", clip_length=3, size=(32, 32))


def network():
    torch.manual_seed(0)
    made = build_network(SPEC).eval()
    for module in made.modules():
        if isinstance(module, TemporalConv):
            torch.nn.init.normal_(module.weight, std=0.1)
    return made


def test_the_function_and_the_saved_weights_are_the_same():
    made = network()
    tubes = torch.randn(2, 3, 3, 32, 32)
    before, state = made(tubes), {name: value.clone() for name, value in made.state_dict().items()}
    learn_differences(made)
    torch.testing.assert_close(made(tubes), before, atol=1e-5, rtol=1e-4)
    again = plain(made).state_dict()
    assert again.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(again[name], value, atol=1e-6, rtol=1e-5)
    assert plain(network()).state_dict().keys() == state.keys()
    torch.testing.assert_close(plain(made)(tubes), before, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(made(tubes), before, atol=1e-5, rtol=1e-4)  # training goes on after an export


def test_a_still_tube_teaches_the_differences_nothing():
    made = learn_differences(network())
    tubes = torch.randn(2, 1, 3, 32, 32).expand(2, 3, 3, 32, 32)
    made(tubes).square().mean().backward()
    layers = [module for module in made.modules() if isinstance(module, TemporalConv)]
    assert layers
    for layer in layers:
        gradient = layer.parametrizations.weight.original.grad
        assert gradient[:, :, 1].abs().max() > 0
        assert gradient[:, :, [0, 2]].abs().max() < 1e-4 * gradient[:, :, 1].abs().max()
