"""Pose models of the transformers library (ViTPose, ViTPose++, SynthPose, Sapiens2), `--model hf:NAME_OR_PATH`.

Crops are prepared here, from the model's `preprocessor_config.json`: the library's own processors need torchvision,
which must fit torch's build exactly. ViTPose++ has experts for several data sets: `hf:NAME#3` takes that of data set 3
(0, COCO, is the default).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from dettrack.config import EstimateConfig
from dettrack.errors import InputError
from dettrack.models.pose.calibration import find_calibration
from dettrack.models.pose.frame_estimator import FrameEstimator
from dettrack.models.pose.frame_layout import FrameLayout, Stated, joints_for
from dettrack.models.runtime.hub import load_hub, preprocessor_config
from dettrack.models.runtime.runner import ImageInput
from dettrack.skeleton import JointSet, joint_set_of, named_joints

__all__ = ["open_transformers_pose"]

_DEFAULT_SIZE = {"height": 256, "width": 192}
_LICENCES = {"sapiens2": "Sapiens2 licence of Meta: read it before any use"}


class _HeatmapNetwork:
    """A `Runner` (see there): crops as they are cut in, heatmaps out."""

    def __init__(self, model: Any, device: str, images: ImageInput, experts: int, dataset: int) -> None:
        self._model, self.device, self._images = model, "cpu", images
        self._place, self._experts, self._dataset = device, experts, dataset
        self.runtime = f"PyTorch, {device}"

    def run(self, batch: UInt8[np.ndarray, "n h w 3"]) -> list[Any]:
        """See `Runner.run`."""
        pixels = torch.from_numpy(self._images.prepare(batch)).to(self._place)
        more = {"dataset_index": torch.full((len(batch),), self._dataset, device=self._place)} if self._experts else {}
        with torch.inference_mode():
            return [self._model(pixel_values=pixels, **more).heatmaps.float().cpu().numpy()]


def open_transformers_pose(name: str, options: EstimateConfig) -> FrameEstimator:
    """Load a model.

    Args:
        name: Folder written by `save_pretrained`, or a name of the hub (downloads, unless already there); with
            `#NUMBER` behind it, the expert of that data set.
        options: Settings.

    Returns:
        The model, ready to run.

    Raises:
        InputError: No such model, no pose model, or joints of which nothing is known.
        MissingExtraError: transformers is not installed.
    """
    place, _, number = name.partition("#")
    if number and not number.isdecimal():
        raise InputError(f"hf:{name}: expected hf:NAME#NUMBER with the number of a data set")
    model, device = load_hub("AutoModelForPoseEstimation", place, options.device, "pose model")
    config, recipe = model.config, preprocessor_config(place)
    size = {**_DEFAULT_SIZE, **(recipe.get("size") or {})}
    height, width = int(size["height"]), int(size["width"])
    backbone = getattr(config, "backbone_config", None)
    experts = int(getattr(backbone, "num_experts", 1) or 1)
    experts = experts if experts > 1 else 0
    if number and int(number) >= max(experts, 1):
        raise InputError(f"hf:{name}: it has experts for {max(experts, 1)} data sets, counted from 0")
    network = _HeatmapNetwork(model, device, _image_input(recipe), experts, int(number or 0))
    count = network.run(np.zeros((1, height, width, 3), np.uint8))[0].shape[1]
    layout = FrameLayout(
        kind="udp-heatmaps",
        size=(height, width),
        joint_set=_joints(place, config.id2label, count, options.joints),
        outputs=(0,),
        images=ImageInput(),
    )
    licence = _LICENCES.get(config.model_type)
    calibration = find_calibration(Path(place), options.calibration)
    return FrameEstimator(network, layout, options, f"hf:{name}" + (f" [{licence}]" if licence else ""), calibration)


def _image_input(recipe: dict[str, Any]) -> ImageInput:
    scale = recipe.get("rescale_factor", 1 / 255) if recipe.get("do_rescale", True) else 1.0
    normal = recipe.get("do_normalize", True)
    mean = recipe.get("image_mean") or (0.485, 0.456, 0.406) if normal else (0.0, 0.0, 0.0)
    std = recipe.get("image_std") or (0.229, 0.224, 0.225) if normal else (1.0, 1.0, 1.0)
    means, stds = [float(value) / scale for value in mean], [float(value) / scale for value in std]
    return ImageInput(mean=(means[0], means[1], means[2]), std=(stds[0], stds[1], stds[2]))


def _joints(name: str, labels: dict[Any, str], count: int, wanted: str) -> JointSet:
    """A known set where the labels, or else their number, say so; or the labels themselves."""
    names = [str(labels[key]) for key in sorted(labels, key=int)] if len(labels) == count else []
    stated = named_joints(_plain(names), "labels") if names and not names[0].startswith("LABEL_") else None
    usual = joint_set_of(count)
    if stated is None or stated.name != "labels":
        return stated or joints_for(f"hf:{name}", count, Stated(), wanted)
    # Markers have the labels of no other set: what begins as a usual set of as many joints is that one.
    return usual if usual is not None and usual.joints[:17] == stated.joints[:17] else stated


def _plain(labels: Sequence[str]) -> list[str]:
    """Labels as names of joints: "L_Eye" is left_eye; a name that would come twice stays as it is."""
    sides = {"l": "left", "r": "right"}
    names: list[str] = []
    for label in labels:
        words = re.sub(r"[^a-z0-9]+", "_", label.strip().lower()).strip("_")
        side, _, rest = words.partition("_")
        name = f"{sides[side]}_{rest}" if side in sides and rest else words
        name = name if name not in names else words
        names.append(name if name not in names else f"{words}_{len(names)}")
    return names
