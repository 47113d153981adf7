"""`dettrack data check | pack | score | thin | split`: try sets, draw tubes; pack, thin; score; hold videos out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from dettrack.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from dettrack.training.labels.people import PeopleSet

__all__ = ["run"]


@dataclass(frozen=True)
class CheckArgs:
    """Check a training set: try every image and annotation, and draw random tubes with their targets.

    Attributes:
        path: File or folder of the set.
        format: pack (ours), posetrack (17, 18, 21; a file or a folder of them), coco, mpii, lsp, harmony4d, or tracks
            (the result folder of a run; its video is `images`).
        images: Folder that image names are relative to; the default is the annotation file's own.
        joints: Joint set to read into.
        draw: Picture that receives the tubes.
        count: Tubes in the picture.
        clip_length: |C| of the tubes.
        seed: Of the tubes.
        plain: Draw without augmentation.
    """

    path: tyro.conf.Positional[Path]
    format: Literal["pack", "posetrack", "coco", "mpii", "lsp", "harmony4d", "tracks"] = "pack"
    images: Path | None = None
    joints: str = "posetrack15"
    draw: Path = Path("tubes.png")
    count: int = 24
    clip_length: int = 9
    seed: int = 0
    plain: bool = False


@dataclass(frozen=True)
class ScoreArgs:
    """Score a pose model on people of packed sets: PCKh@0.5 over the twelve limb joints, from tubes at their boxes.

    Attributes:
        model: Our checkpoint (.safetensors), or a teacher (.onnx, .xml).
        sets: Packed sets that it was not trained on.
        offset: Frames from the tube's keyframe to the frame that is read.
        flip: Average over the mirror image.
        every: Take every so many-th person only.
        size: Height and width of the crops; 0 0 for the model's own.
        without: Parts of the body ("hip") that are left out on both sides, of the head sizes too: for sets that mark
            them elsewhere than others do.
        second: Another teacher: the score is that of both as a panel.
    """

    model: tyro.conf.Positional[Path]
    sets: tyro.conf.Positional[tuple[Path, ...]]
    offset: int = 0
    flip: bool = True
    every: int = 1
    size: tuple[int, int] = (0, 0)
    without: tuple[str, ...] = ()
    second: Path | None = None


@dataclass(frozen=True)
class PackArgs:
    """Pack data sets with their images into one file that travels, for `dettrack train` and `dettrack data score`.

    Attributes:
        out: Packed set (.npz).
        sets: FORMAT=PATH, or FORMAT=PATH@IMAGES where image names are relative to another folder; formats: see check.
        joints: Joint set of the pack.
        least_joints: People in stills with fewer known joints are left out.
        longest: Larger images are shrunk to this longer side in pixels, which makes training on tubes faster; 0 keeps
            them.
    """

    out: tyro.conf.Positional[Path]
    sets: tyro.conf.Positional[tuple[str, ...]]
    joints: str = "posetrack15"
    least_joints: int = 3
    longest: int = 0


@dataclass(frozen=True)
class ThinArgs:
    """Make packed sets small enough to travel: pictures are left out by chance, whole videos at a time.

    Attributes:
        packs: Packed sets.
        out: Folder that receives a smaller pack for each, under the same name.
        megabytes: Of all of them together, in MiB; each keeps the same share of its pictures.
        seed: Of the choice.
    """

    packs: tyro.conf.Positional[tuple[Path, ...]]
    out: Path
    megabytes: float = 60.0
    seed: int = 0


@dataclass(frozen=True)
class SplitArgs:
    """Hold training videos out: copies annotation files into the folders fit (to train on) and held_out.

    On the held-out ones checkpoints are chosen and per-joint thresholds learned (paper 4.1). The choice depends on the
    files' names and the seed alone; sequences of one video stay together.

    Attributes:
        train: Folder of annotation files.
        out: Folder that receives the two; the default is the folder that TRAIN is in.
        share: Of the videos that are held out.
        seed: Another one holds out others.
    """

    train: tyro.conf.Positional[Path]
    out: Path | None = None
    share: float = 0.1
    seed: int = 0


def run(args: Sequence[str]) -> int:
    """Run the command."""
    from dettrack.cli.data_boxes import run_ap, run_boxes

    commands = {
        "check": _check,
        "pack": _pack,
        "score": _score,
        "thin": _thin,
        "split": _split,
        "boxes": run_boxes,
        "ap": run_ap,
    }
    if not args or args[0] in ("--help", "-h"):
        names = "|".join(commands)
        sys.stdout.write(f"usage: dettrack data {names} ...\n\ndettrack data COMMAND --help says more.\n")
        return 0 if args else 2
    if args[0] not in commands:
        raise UsageError(f"unknown command {args[0]!r}; expected: dettrack data {' or '.join(commands)}")
    return commands[args[0]](list(args[1:]))


def _pack(args: list[str]) -> int:
    options = tyro.cli(PackArgs, args=args, prog="dettrack data pack")
    from dettrack.skeleton import joint_set
    from dettrack.training.labels.people import concatenate, save_people, shrunk
    from dettrack.training.labels.sets import read_set

    parts, notes = [], []
    for one in options.sets:
        format, equals, path = one.partition("=")
        if not equals:
            raise UsageError(f"{one!r}: expected FORMAT=PATH or FORMAT=PATH@IMAGES")
        file, _, images = path.partition("@")
        people, said = read_set(Path(file), format, Path(images) if images else None, joint_set(options.joints))
        # Whoever is in a video stays: frames in which little of them is known are not frames without them.
        kept = ((people.weight > 0).sum(1) >= options.least_joints) | (people.video >= 0)[people.person_image]
        parts.append(people.people(kept))
        notes += said
    for note in notes:
        sys.stdout.write(f"{note}\n")
    together = concatenate(parts)
    if options.longest:
        together = shrunk(together, options.longest)
    try:
        save_people(together, options.out)
    except OSError as error:
        raise InputError(f"cannot pack: {error}") from None
    size = options.out.stat().st_size / 1e6
    counts = f"{len(together)} people in {len(together.images)} images, {size:.1f} MB; {len(notes)} left out"
    sys.stdout.write(f"{options.out}: {counts}\n")
    return 0


def _thin(args: list[str]) -> int:
    options = tyro.cli(ThinArgs, args=args, prog="dettrack data thin")
    from dettrack.training.labels.people import load_people, save_people, thinned

    if not options.packs or options.megabytes <= 0:
        raise UsageError("data thin needs packs, and a size above 0 with --megabytes")
    names = [path.name for path in options.packs]
    if len(set(names)) < len(names):
        raise UsageError(f"the packs need different names, got {', '.join(names)}")
    total = sum(path.stat().st_size for path in options.packs if path.is_file())
    share = min(1.0, options.megabytes * 2**20 / max(total, 1))
    for path in options.packs:
        people = load_people(path)
        # A margin of a twentieth: what is not pictures does not shrink quite as much.
        small = thinned(people, 0.95 * share, options.seed) if share < 1 else people
        try:
            save_people(small, options.out / path.name)
        except OSError as error:
            raise OutputError(f"cannot write {options.out / path.name}: {error.strerror or error}") from error
        sys.stdout.write(f"{options.out / path.name}: {len(small)} of {len(people)} people\n")
    written = sum((options.out / name).stat().st_size for name in names)
    sys.stdout.write(f"{written / 2**20:.1f} MiB\n")
    return 0


def _split(args: list[str]) -> int:
    options = tyro.cli(SplitArgs, args=args, prog="dettrack data split")
    from dettrack.training.labels.split import split_videos

    out = options.out or options.train.parent
    for name, count in split_videos(options.train, out, options.share, options.seed).items():
        sys.stdout.write(f"{out / name}: {count} sequences\n")
    return 0


def _score(args: list[str]) -> int:
    options = tyro.cli(ScoreArgs, args=args, prog="dettrack data score")
    import numpy as np

    from dettrack.training.labels.people import load_people
    from dettrack.training.pose.score import LIMBS, head_sizes, leave_out, limb_pck

    parts = [name.removeprefix("left_") for name in LIMBS[::2]]
    sys.stdout.write(f"{'set':<20} people joints  PCKh@0.5  {'  '.join(f'{part:>8}' for part in parts)}\n")
    for path in options.sets:
        people = load_people(path)
        people = leave_out(people.people(np.arange(0, len(people), options.every)), options.without)
        right, counted = limb_pck(_poses(options, people), people, head_sizes(people))
        sides = right.reshape(-1, 6, 2).sum((0, 2)) / np.maximum(counted.reshape(-1, 6, 2).sum((0, 2)), 1)
        answered = int(counted.any(1).sum())
        row = "  ".join(f"{share:8.3f}" for share in sides)
        total = right.sum() / max(1, counted.sum())
        sys.stdout.write(f"{path.stem:<20} {answered:6} {counted.sum():6}  {total:8.3f}  {row}\n")
    return 0


def _poses(options: ScoreArgs, people: PeopleSet) -> np.ndarray:
    """Joints of all people by our network, or by a teacher (which reads the frame itself, in its own box)."""
    if options.model.suffix in (".onnx", ".xml"):
        import numpy as np

        from dettrack.geometry import crop_affines
        from dettrack.training.labels.panel import make_panel
        from dettrack.training.labels.people import read_image
        from dettrack.training.labels.pseudo import teach
        from dettrack.training.labels.teachers import load_teacher

        teacher = load_teacher(options.model)
        if options.second is not None:
            teacher = make_panel([teacher, load_teacher(options.second)])
        found = [
            teach(teacher, read_image(people.images[image]), crop_affines(box[None], teacher.size))[0]
            for image, box in zip(people.person_image, people.boxes, strict=True)
        ]
        return np.concatenate(found)
    from dettrack.models.pose.checkpoint import load_checkpoint
    from dettrack.training.pose.score import predict

    checkpoint = load_checkpoint(options.model)
    spec = replace(checkpoint.spec, size=options.size) if all(options.size) else checkpoint.spec
    return predict(checkpoint.network, people, spec, offset=options.offset, flip=options.flip).xy


def _check(args: list[str]) -> int:
    options = tyro.cli(CheckArgs, args=args, prog="dettrack data check")
    import cv2

    from dettrack.skeleton import joint_set
    from dettrack.training.labels.inspect import find_faults
    from dettrack.training.labels.sets import read_set
    from dettrack.training.pose.augment import NO_AUGMENTATION, AugmentConfig
    from dettrack.training.pose.draw import draw_tubes
    from dettrack.training.pose.tubes import TubeConfig

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
