"""`dettrack data boxes | ap`: COCO's people for the detector's training, and AP as COCO measures it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

__all__ = ["run_ap", "run_boxes"]


@dataclass(frozen=True)
class BoxesArgs:
    """Pack the annotated people of COCO (or of a set in its form) for `dettrack train configs/sniper_*.toml`.

    Attributes:
        annotations: instances_*.json.
        images: Folder of the images.
        out: Pack (.npz); it is made in memory: some 10 GB for COCO's training images.
        source: Name of the set in the pack, which the recipe's [detector.sources] gives a share.
        empty: Take so many images without people too.
        every: Take every so many-th image only.
    """

    annotations: tyro.conf.Positional[Path]
    images: Path
    out: Path
    source: str = "coco"
    empty: int = 0
    every: int = 1


@dataclass(frozen=True)
class ApArgs:
    """Measure a detector on COCO's person class: AP over overlaps .5 to .95, by pycocotools (the paper's: 57.9).

    Attributes:
        detector: Anything that `dettrack track --detector` takes but a file of boxes.
        annotations: instances_val2017.json.
        images: Folder of the images.
        size: Longer side of the input in pixels; 0 takes the detector's own.
        scales: Several input sizes, whose boxes are merged (our detectors).
        every: Take every so many-th image only.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    detector: tyro.conf.Positional[str]
    annotations: tyro.conf.Positional[Path]
    images: Path
    size: int = 0
    scales: tuple[int, ...] = ()
    every: int = 1
    device: str = "auto"


def run_boxes(args: Sequence[str]) -> int:
    """Run `dettrack data boxes`."""
    options = tyro.cli(BoxesArgs, args=list(args), prog="dettrack data boxes")
    from dettrack.training.detector.coco import coco_people, pack_coco
    from dettrack.training.detector.photos import PERSON

    pack = pack_coco(coco_people(options.annotations, options.images)[:: options.every], options.source, options.empty)
    pack.save(options.out)
    people = int((pack.kinds == PERSON).sum())
    counts = f"{len(pack)} images, {people} people, {len(pack.kinds) - people} regions to ignore"
    sys.stdout.write(f"{options.out}: {counts}\n")
    return 0


def run_ap(args: Sequence[str]) -> int:
    """Run `dettrack data ap`."""
    options = tyro.cli(ApArgs, args=list(args), prog="dettrack data ap")
    from dettrack.config import DetectConfig
    from dettrack.models.detector import load_detector
    from dettrack.training.detector.coco import coco_ap

    config = DetectConfig(
        detector=options.detector, detector_size=options.size, detector_scales=options.scales, detector_threshold=0.0
    )
    detector = load_detector(config, device=options.device)
    for name, value in coco_ap(options.annotations, options.images, detector, options.every).items():
        sys.stdout.write(f"{name:<10} {value:5.1f}\n")
    return 0
