"""`dettrack report`: one self-contained HTML page about a result."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from dettrack.cli.export import Selection, default_out, open_result
from dettrack.errors import InputError

__all__ = ["ReportArgs", "run"]


@dataclass(frozen=True)
class ReportArgs:
    """Write an HTML page about a result: people, how long, coverage, scores and spread, angles, suspects, settings.

    Attributes:
        run: Result folder of `dettrack track`, or a file of poses.
        out: HTML file; RUN/report.html, or NAME.report.html beside a file, if not given.
        metres: As of `dettrack export`.
        video: The video, where it is no longer where the run read it; for a picture of each person.
        no_pictures: No pictures of people.
        blur_faces: Make the faces in these pictures unrecognisable.
        quiet: Print nothing.
    """

    run: tyro.conf.Positional[Path]
    out: Path | None = None
    metres: str = ""
    video: Path | None = None
    no_pictures: bool = False
    blur_faces: bool = False
    quiet: bool = False
    select: tyro.conf.OmitArgPrefixes[Selection] = field(default_factory=Selection)


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    options = tyro.cli(ReportArgs, args=list(args), prog="dettrack report")
    from dettrack.measure.scale import parse_metres
    from dettrack.view.drawing.replay import find_video
    from dettrack.view.drawing.report import write_report

    result = open_result(options.run, options.select)
    scale = parse_metres(options.metres, result.table) if options.metres else None
    out = options.out or default_out(options.run, "report.html", "report.html")
    video = None
    if not options.no_pictures:
        try:
            video = find_video(result, options.video)
        except InputError:
            if options.video is not None:
                raise
    write_report(result, out, scale, video, options.blur_faces)
    if not options.quiet:
        sys.stdout.write(f"{out}\n")
    return 0
