"""`dettrack render` and `dettrack frames`: a result drawn on its video, and the bare images of its frames."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from dettrack.cli.export import Selection, default_out, open_result

if TYPE_CHECKING:
    from dettrack.view.drawing.blur import FaceBlur

__all__ = ["FramesArgs", "RenderArgs", "run", "run_frames"]


@dataclass(frozen=True)
class RenderArgs:
    """Draw a result on its video, with the corrections that people made, without tracking again.

    Attributes:
        run: Result folder of `dettrack track`, or a file of poses.
        out: MP4 file; RUN/export/render.mp4, or NAME.render.mp4 beside a file, if not given.
        video: The video, where it is no longer where the run read it.
        trails: Seconds for which the way of a person stays visible; 0 draws none.
        blur_faces: Make the heads of all people unrecognisable, also of those who are not drawn.
        side_by_side: The bare video to the left.
        slower: Slow motion: the picture is so many times slower than the video.
        no_boxes: Draw no boxes.
        no_ids: Draw no ids.
        no_legend: Draw no legend.
        min_score: Joints with a lower score are not drawn.
        quiet: Print nothing.
    """

    run: tyro.conf.Positional[Path]
    out: Path | None = None
    video: Path | None = None
    trails: float = 0.0
    blur_faces: bool = False
    side_by_side: bool = False
    slower: float = 1.0
    no_boxes: bool = False
    no_ids: bool = False
    no_legend: bool = False
    min_score: float = 0.15
    quiet: bool = False
    select: tyro.conf.OmitArgPrefixes[Selection] = field(default_factory=Selection)


@dataclass(frozen=True)
class FramesArgs:
    """Write the frames of a result as images, under the names that its COCO and PoseTrack files give them.

    Attributes:
        run: Result folder of `dettrack track`, or a file of poses.
        out: Folder that the names start from; RUN/export, or the file's folder, if not given.
        video: The video, where it is no longer where the run read it.
        blur_faces: Make the heads of all people unrecognisable.
        people_only: Leave out frames without anybody.
        quiet: Print nothing.
    """

    run: tyro.conf.Positional[Path]
    out: Path | None = None
    video: Path | None = None
    blur_faces: bool = False
    people_only: bool = False
    quiet: bool = False
    select: tyro.conf.OmitArgPrefixes[Selection] = field(default_factory=Selection)


def run(args: Sequence[str]) -> int:
    """Entry point of `dettrack render`; see `dettrack.cli.main` for the exit codes."""
    options = tyro.cli(RenderArgs, args=list(args), prog="dettrack render")
    from dettrack.formats.exports import list_file
    from dettrack.formats.read import read_rows
    from dettrack.view.drawing.draw import Style
    from dettrack.view.drawing.replay import Replay, find_video, render_result

    result = open_result(options.run, options.select)
    style = Style(not options.no_boxes, not options.no_ids, min_score=options.min_score)
    replay = Replay(
        style, options.trails, options.blur_faces, options.side_by_side, not options.no_legend, options.slower
    )
    out = options.out or default_out(options.run, "export/render.mp4", "render.mp4")
    out.parent.mkdir(parents=True, exist_ok=True)
    everybody = read_rows(options.run, edits=False).table if options.blur_faces else None
    blur = render_result(result, find_video(result, options.video), out, replay, everybody)
    if options.out is None and options.run.is_dir():
        list_file(out, result)
    if not options.quiet:
        sys.stdout.write(f"{out}\n{_blurred(blur) if options.blur_faces else ''}")
    return 0


def run_frames(args: Sequence[str]) -> int:
    """Entry point of `dettrack frames`; see `dettrack.cli.main` for the exit codes."""
    options = tyro.cli(FramesArgs, args=list(args), prog="dettrack frames")
    from dettrack.view.drawing.replay import find_video, write_frames

    result = open_result(options.run, options.select)
    out = options.out or (options.run / "export" if options.run.is_dir() else options.run.parent)
    video = find_video(result, options.video)
    count, blur = write_frames(result, video, out, options.blur_faces, options.people_only)
    if not options.quiet:
        sys.stdout.write(f"{out}: {count} images\n{_blurred(blur) if options.blur_faces else ''}")
    return 0


def _blurred(blur: FaceBlur) -> str:
    by_joints = 100 * blur.by_joints / blur.heads if blur.heads else 100.0
    return (
        f"heads of tracked people covered: {blur.covered} of {blur.heads} ({100 * blur.share:.1f} %), "
        f"{by_joints:.1f} % by joints of the head; people who were not found are not covered\n"
    )
