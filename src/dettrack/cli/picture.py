"""`dettrack picture`: frames of a video as one or several runs saw them, side by side, in one picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dettrack.errors import UsageError

__all__ = ["PictureArgs", "run"]


@dataclass(frozen=True)
class PictureArgs:
    """Draw frames of a video with the people that runs found: one column per run, one row per frame.

    dettrack picture match.mp4 results/ours results/theirs --out compare.jpg

    Attributes:
        video: The video that was tracked.
        runs: Result folders of `dettrack track`, or files of poses (see `dettrack export`). One run alone fills a grid.
        out: Picture to write, .jpg or .png.
        titles: Comma-separated names of the runs, in their order; the folders' names if not given.
        frames: How many frames, evenly spread; or comma-separated frame indices, as 12,40,95.
        person: Draw how the hypotheses of this person were merged, in one run with saved tracklets: all of them, their
            clusters, the merged pose, and what the highest score alone would give. Needs the indices of --frames.
        columns: Cells in a row, for one run alone.
        width: Width of a cell in pixels.
    """

    video: tyro.conf.Positional[Path]
    runs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN...")]]
    out: Path
    titles: str = ""
    frames: str = "4"
    person: int | None = None
    columns: int = 3
    width: int = 480


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    options = tyro.cli(PictureArgs, args=list(args), prog="dettrack picture")
    if not options.runs:
        raise UsageError("name at least one result folder of `dettrack track` after the video")
    titles = [title.strip() for title in options.titles.split(",")] if options.titles else _names(options.runs)
    if len(titles) != len(options.runs) or len(set(titles)) != len(titles):
        raise UsageError(f"--titles {options.titles!r}: expected {len(options.runs)} different names, one per run")
    frames = _frames(options.frames)
    if options.width < 32 or options.columns < 1:
        raise UsageError(f"--width {options.width} --columns {options.columns}: expected at least 32 and 1")
    from dettrack.formats import read_tracks
    from dettrack.view.drawing.contact import compare_runs, save_image

    if options.person is None:
        tables = dict(zip(titles, map(read_tracks, options.runs), strict=True))
        image = compare_runs(options.video, tables, frames=frames, columns=options.columns, cell_width=options.width)
    else:
        from dettrack.runs.merging_picture import merging_picture

        if len(options.runs) != 1 or isinstance(frames, int):
            raise UsageError("--person draws one run, in the frames that --frames lists (one: --frames 47,)")
        image = merging_picture(options.runs[0], options.video, options.person, frames, cell_width=options.width)
    save_image(options.out, image)
    sys.stdout.write(f"{options.out}: {image.shape[1]}x{image.shape[0]} pixels\n")
    return 0


def _names(runs: Sequence[Path]) -> list[str]:
    """Short names that differ: the folders' own, or their whole paths where two folders are called alike."""
    folders = [path if path.is_dir() else path.parent for path in runs]
    short = [folder.name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def _frames(given: str) -> int | list[int]:
    """A number of frames, or a list of indices where there is a comma."""
    try:
        numbers = [int(part) for part in given.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0 or ("," not in given and numbers[0] < 1):
        raise UsageError(f"--frames {given!r}: expected how many frames, as 4, or their indices, as 12,40,95")
    return numbers if "," in given else numbers[0]
