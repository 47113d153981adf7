"""Synchronised batch norm in one process is PyTorch's; over several processes `test_training_loop` compares it."""

import pytest
import torch
from torch import nn

from dettrack.training.batchnorm import SynchronisedBatchNorm2d, synchronise_batch_norm


def network():
    torch.manual_seed(3)
    inner = nn.Sequential(nn.BatchNorm2d(4, affine=False))
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), inner)
    with torch.no_grad():
        model[1].weight.uniform_(0.5, 1.5)
        model[1].running_mean.uniform_(-1, 1)
    return model


def test_names_values_and_other_modules_stay():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    synchronise_batch_norm(model)
    assert [type(m) is SynchronisedBatchNorm2d for m in model.modules() if isinstance(m, nn.BatchNorm2d)] == [True] * 2
    assert isinstance(model[0], nn.Conv2d)
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_batch_norms_of_other_kinds_are_left_alone():
    class Own(nn.BatchNorm2d):
        pass

    model = nn.Sequential(Own(3), nn.BatchNorm1d(3))
    synchronise_batch_norm(model)
    assert [type(module) for module in model] == [Own, nn.BatchNorm1d]


@pytest.mark.parametrize("training", [True, False])
def test_one_process_gives_what_pytorch_gives(training):
    plain, ours = network().train(training), network().train(training)
    synchronise_batch_norm(ours)
    x = torch.randn(5, 3, 8, 7, generator=torch.Generator().manual_seed(1))
    for _ in range(3):
        torch.testing.assert_close(ours(x), plain(x), rtol=0, atol=0)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name]), name
