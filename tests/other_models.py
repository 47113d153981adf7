"""Small models of other people's kinds, as files: their answers are known, or random."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from dettrack.models.runtime.to_onnx import to_onnx

SIZE = (64, 48)  # of the crops, height and width


class Spot(nn.Module):
    """Answers with where the crop is reddest, for each joint; the red of ImageNet's normalisation is undone."""

    def __init__(self, joints: int, kind: str) -> None:
        super().__init__()
        self.joints, self.kind = joints, kind

    def forward(self, image):
        red = (image[:, :1] * 0.229 + 0.485).clamp(0, 1)
        if self.kind == "simcc":
            bins = [nn.functional.interpolate(red.amax(axis), scale_factor=2.0, mode="linear") for axis in (2, 3)]
            return tuple(part.repeat(1, self.joints, 1) for part in bins)
        return red[:, :, ::4, ::4].repeat(1, self.joints, 1, 1)


def write_spot(path: Path, joints: int, kind: str) -> Path:
    """A top-down model that finds a red spot; "simcc" or "heatmaps"."""
    outputs = ("simcc_x", "simcc_y") if kind == "simcc" else ("heatmaps",)
    names = ("input", *outputs)
    content = to_onnx(Spot(joints, kind).eval(), torch.zeros(1, 3, *SIZE), names, {name: {0: "n"} for name in names})
    path.write_bytes(content)
    return path


class Constant(nn.Module):
    """Always the same answer, whatever the picture."""

    def __init__(self, *answers: torch.Tensor) -> None:
        super().__init__()
        self.answers = answers

    def forward(self, image):
        nothing = image.float().mean() * 0
        return tuple(answer + nothing.to(answer.dtype) for answer in self.answers)


def write_constant(path: Path, answers: dict[str, torch.Tensor], size: tuple[int, int] = (64, 64)) -> Path:
    """A detector file with these outputs."""
    names = ("images", *answers)
    path.write_bytes(to_onnx(Constant(*answers.values()).eval(), torch.zeros(1, 3, *size), names, {}))
    return path


def save_vitpose(folder: Path, joints: int, experts: int = 1, labels: list[str] | None = None) -> Path:
    """A random ViTPose as `save_pretrained` writes it; with experts, a ViTPose++."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        image_size=list(SIZE),
        patch_size=[16, 16],
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_experts=experts,
        part_features=4 if experts > 1 else 0,
        out_indices=[1],
    )
    named = dict(enumerate(labels or [])) or {i: f"LABEL_{i}" for i in range(joints)}
    config = VitPoseConfig(backbone_config=backbone, num_labels=joints, id2label=named)
    VitPoseForPoseEstimation(config).save_pretrained(folder)
    recipe = {"size": {"height": SIZE[0], "width": SIZE[1]}, "do_normalize": True, "do_rescale": True}
    recipe |= {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(recipe))
    return folder
