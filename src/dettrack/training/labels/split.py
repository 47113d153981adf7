"""Training videos held out of training, for thresholds and for choosing among checkpoints (paper 4.1)."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from dettrack.errors import OutputError, UsageError
from dettrack.files import NewFile, output_error
from dettrack.formats.posetrack.files import sequence_files

__all__ = ["choose_held_out", "split_videos"]


def choose_held_out(names: Sequence[str], share: float, seed: int = 0) -> set[str]:
    """Which sequences are held out; those of one video, by the number that names start with, stay together.

    Args:
        names: Of all sequences.
        share: Of the videos that are held out, in (0, 1); at least one is, and at least one is not.
        seed: Another one holds out others.

    Returns:
        Their names. The choice depends on names and seed alone, so it is the same on every machine.

    Raises:
        UsageError: `share` is out of range, or there is only one video.
    """
    if not 0 < share < 1:
        raise UsageError(f"--share is {share}: expected a number between 0 and 1")
    videos: dict[str, list[str]] = {}
    for name in names:
        number = re.match(r"\d+", name)
        videos.setdefault(number.group() if number else name, []).append(name)
    if len(videos) < 2:
        raise UsageError(f"{len(videos)} videos cannot be split: expected two or more")
    order = sorted(videos, key=lambda video: hashlib.sha256(f"{seed} {video}".encode()).hexdigest())
    count = min(max(1, round(share * len(videos))), len(videos) - 1)
    return {name for video in order[:count] for name in videos[video]}


def split_videos(train: Path, out: Path, share: float, seed: int = 0) -> dict[str, int]:
    """Copy the annotation files of a training split into `out/fit` and `out/held_out`.

    Args:
        train: Folder of annotation files.
        out: Folder that receives the two.
        share: See `choose_held_out`.
        seed: See `choose_held_out`.

    Returns:
        Number of sequences in each.

    Raises:
        InputError: No annotation files are in `train`.
        OutputError: A folder holds files of another split, or cannot be written.
        UsageError: See `choose_held_out`.
    """
    files = sequence_files(train)
    held_out = choose_held_out([path.stem for path in files], share, seed)
    wanted = {
        out / name: {path.name: path for path in files if (path.stem in held_out) == (name == "held_out")}
        for name in ("fit", "held_out")
    }
    for folder, sources in wanted.items():
        others = sorted({path.name for path in folder.glob("*")} - {*sources}) if folder.is_dir() else []
        if others:
            raise OutputError(
                f"{folder} holds {others[0]}, which is not of this split: remove it or take another --out"
            )
    try:
        for folder, sources in wanted.items():
            folder.mkdir(parents=True, exist_ok=True)
            for name, source in sources.items():
                with NewFile(folder / name) as new:
                    shutil.copyfile(source, new.part)
    except OSError as error:
        raise output_error(out, error) from error
    return {folder.name: len(sources) for folder, sources in wanted.items()}
