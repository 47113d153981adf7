"""Networks with random weights whose heatmaps have peaks, as networks have that were trained."""

from __future__ import annotations

import torch
from torch import nn

from dettrack.models.pose.checkpoint import NetworkSpec, build_network
from dettrack.models.pose.export import probe_crops


def lively_network(spec: NetworkSpec) -> nn.Module:
    """Random weights, and batch norms with the figures of what they really see."""
    torch.manual_seed(0)
    network = build_network(spec)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # running figures of what it really sees
    nn.init.normal_(network.final_layer.weight, std=0.1)
    crops = torch.from_numpy(probe_crops(spec.size, spec.clip_length)).permute(0, 1, 4, 2, 3).float() / 64 - 2
    with torch.no_grad():
        network.train()(crops)
    return network
