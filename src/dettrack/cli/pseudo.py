"""`dettrack pseudo`: label videos and photos by teachers that must agree, into a packed training set."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro

from dettrack.config import DetectConfig
from dettrack.errors import InputError, UsageError
from dettrack.files import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from dettrack.models.detector.protocol import Detector
    from dettrack.structures import Frame
    from dettrack.training.labels.people import PeopleSet
    from dettrack.training.labels.teachers import Teacher

__all__ = ["run"]


@dataclass(frozen=True)
class PseudoArgs:
    """Label all people in a video, in a folder of photos, or in an annotated set, by teachers that must agree.

    A video gives runs of consecutive frames, for tubes. The result is a packed set for `dettrack train`.

    Attributes:
        source: Video, folder of photos, LSP's joints.mat with its images beside it, or a file in COCO form (.json): its
            boxes are labelled, its joints stand before the teachers', and each person gets a small picture.
        out: Packed set (.npz).
        panel: Teacher and second together, several passes of each, and where most passes agree counts: better than
            either. The second does not count by itself then.
        images: Folder that the names in a COCO file are relative to; the default is the file's own.
        detector: Finds people; an ONNX file or whatever `dettrack track --detector` takes. "none": those who are
            annotated alone.
        detector_size: Longer side of the detector's input.
        teacher: 2D pose model with COCO's 17 joints (.onnx or .xml).
        second: A second one, where teacher and annotation differ, and for videos with --strict.
        run_frames: Consecutive frames of a video that are labelled in a run.
        every: Frames from the start of one run to the next.
        exclude: File names (without ending) in a folder of photos that are left out, for example held-out ones.
        longest: Images are stored with at most this many pixels on the longer side.
        strict: Only joints that both teachers agree on get a weight: for validation sets.
        limit: Use at most this many photos; 0 for all.
        threads: Threads of each model.
    """

    source: tyro.conf.Positional[Path]
    out: Path
    teacher: Path
    second: Path | None = None
    panel: bool = False
    images: Path | None = None
    detector: str = "default"
    detector_size: int = 0
    run_frames: int = 9
    every: int = 20
    exclude: tuple[str, ...] = ()
    longest: int = 768
    strict: bool = False
    limit: int = 0
    threads: int = 1


def run(args: Sequence[str]) -> int:
    """Run the command."""
    options = tyro.cli(PseudoArgs, args=args, prog="dettrack pseudo")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    from dettrack.training.labels.people import save_people
    from dettrack.training.labels.teachers import load_teacher

    if not options.source.exists():
        raise InputError(f"no such video, folder or joints.mat: {options.source}")
    first = load_teacher(options.teacher, threads=options.threads)
    second = load_teacher(options.second, threads=options.threads) if options.second else None
    if options.panel:
        from dettrack.training.labels.panel import make_panel

        if second is None or options.strict:
            raise UsageError("--panel needs --second, and leaves no second opinion for --strict")
        first, second = make_panel([first, second]), None
    stills = options.source.suffix == ".mat" or (
        options.source.is_dir() and any(file.suffix.lower() in IMAGE_SUFFIXES for file in options.source.iterdir())
    )
    if options.source.suffix == ".json":
        people = _known(options, first)
    else:
        people = _stills(options, first, second) if stills else _video(options, first, second)
    save_people(people, options.out)
    share = (people.weight >= 1).mean() if len(people) else 0.0
    sys.stdout.write(
        f"{options.out}: {len(people)} people in {len(people.images)} images, {share:.0%} of their joints trusted\n"
    )
    return 0


def _stills(options: PseudoArgs, first: Teacher, second: Teacher | None) -> PeopleSet:
    from dettrack.skeleton import POSETRACK15
    from dettrack.training.labels.people import read_image
    from dettrack.training.labels.pseudo import AgreementConfig, label_stills
    from dettrack.training.labels.sets import read_set

    pairs: list[tuple[Path | bytes, np.ndarray | None]] = []
    if options.source.suffix == ".mat":
        people, _ = read_set(options.source, "lsp", None, POSETRACK15)
        pairs = [(people.images[i], xy) for i, xy in zip(people.person_image, people.xy, strict=True)]
    else:
        files = sorted(file for file in options.source.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        pairs = [(file, None) for file in files if file.stem not in options.exclude]
    pairs = pairs[: options.limit or None]
    images = ((read_image(source), xy) for source, xy in pairs)
    return label_stills(images, _detector(options), first, second, AgreementConfig(), longest=options.longest)


def _known(options: PseudoArgs, teacher: Teacher) -> PeopleSet:
    """People of a file in COCO form."""
    from dettrack.training.labels.known_people import CutConfig, label_known, read_known
    from dettrack.training.labels.pseudo import AgreementConfig

    pictures = read_known(options.source, options.images or options.source.parent)
    return label_known(
        itertools.islice(pictures, options.limit or None),
        teacher,
        AgreementConfig(),
        CutConfig(),
        detector=_detector(options),
    )


def _video(options: PseudoArgs, first: Teacher, second: Teacher | None) -> PeopleSet:
    from dettrack.training.labels.pseudo import AgreementConfig, label_video
    from dettrack.video.reader import open_video

    detector = _detector(options)
    if detector is None:
        raise UsageError("--detector none: a video has no annotated people")
    config = replace(AgreementConfig(), confident=1.01, unsure=1.0) if options.strict else AgreementConfig()
    numbers: list[int] = []

    def frames() -> Iterator[Frame]:
        with open_video(str(options.source)) as reader:
            for frame in reader:
                if frame.index % options.every < options.run_frames:
                    numbers.append(frame.index)
                    yield frame

    # A second teacher runs only where it is given: one model a joint is enough for training.
    people = label_video(frames(), detector, first, second if options.strict else None, config, longest=options.longest)
    if not numbers:
        raise InputError(f"{options.source}: no frame could be read")
    frame = np.array(numbers)
    runs = np.cumsum(np.diff(frame, prepend=frame[0]) > 1)  # a run is a video of its own: tubes do not cross the gaps
    apart = int(people.track.max(initial=-1)) + 1
    return replace(people, video=runs, frame=frame, track=people.track + apart * runs[people.person_image])


def _detector(options: PseudoArgs) -> Detector | None:
    """The detector of the options, if any."""
    if options.detector == "none":
        return None
    from dettrack.models.detector import load_detector

    config = DetectConfig(detector=options.detector, detector_size=options.detector_size)
    return load_detector(config, threads=options.threads)
