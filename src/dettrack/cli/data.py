"""`dettrack data check`: try every image and annotation of a training set, and draw tubes with their targets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from dettrack.errors import InputError, OutputError, UsageError

__all__ = ["run"]


@dataclass(frozen=True)
class CheckArgs:
    """Check a training set: try every image and annotation, and draw random tubes with their targets.

    Attributes:
        path: File or folder of the set.
        format: pack (ours), posetrack (17, 18, 21; a file or a folder of them), coco, mpii or lsp.
        images: Folder that image names are relative to; the default is the annotation file's own.
        joints: Joint set to read into.
        draw: Picture that receives the tubes.
        count: Tubes in the picture.
        clip_length: |C| of the tubes.
        seed: Of the tubes.
        plain: Draw without augmentation.
    """

    path: tyro.conf.Positional[Path]
    format: Literal["pack", "posetrack", "coco", "mpii", "lsp"] = "pack"
    images: Path | None = None
    joints: str = "posetrack15"
    draw: Path = Path("tubes.png")
    count: int = 24
    clip_length: int = 9
    seed: int = 0
    plain: bool = False


def run(args: Sequence[str]) -> int:
    """Run the command; 1 if anything is broken."""
    if not args or args[0] != "check":
        if args[:1] in ([], ["--help"], ["-h"]):
            sys.stdout.write("usage: dettrack data check SET [OPTIONS]\n\ndettrack data check --help says more.\n")
            return 0 if args else 2
        raise UsageError(f"unknown command {args[0]!r}; expected: dettrack data check SET")
    options = tyro.cli(CheckArgs, args=list(args[1:]), prog="dettrack data check")
    import cv2

    from dettrack.skeleton import joint_set
    from dettrack.training.augment import NO_AUGMENTATION, AugmentConfig
    from dettrack.training.inspect import draw_tubes, find_faults
    from dettrack.training.sets import read_set
    from dettrack.training.tubes import TubeConfig

    people, notes = read_set(options.path, options.format, options.images, joint_set(options.joints))
    faults = [*notes, *find_faults(people)]
    for fault in faults:
        sys.stdout.write(f"{fault}\n")
    videos = len(set(people.video[people.video >= 0].tolist()))
    known = 100 * (people.weight > 0).mean(0) if len(people) else []
    sys.stdout.write(
        f"{len(people)} people in {len(people.images)} images, {videos} videos, "
        f"{int((~people.labelled).sum())} frames without annotation; {len(faults)} faults\n"
    )
    for joint, share in zip(people.joint_set.joints, known, strict=False):
        sys.stdout.write(f"  {joint:<16} known in {share:5.1f} %\n")
    if len(people):
        augment = NO_AUGMENTATION if options.plain else AugmentConfig()
        config = TubeConfig((192, 160), options.clip_length, augment=augment)
        try:
            picture = draw_tubes(people, config, count=options.count, seed=options.seed, across=4)
        except InputError as error:
            raise InputError(f"no tubes can be drawn: {error}") from None
        if not cv2.imwrite(str(options.draw), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
            raise OutputError(f"cannot write {options.draw}: is its folder there, and does it end in .png or .jpg?")
        sys.stdout.write(f"tubes: {options.draw}\n")
    return 1 if faults else 0
