"""`dettrack export`: a result in other formats, without tracking again; or a pose network as a file for a runtime."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from dettrack.cli.settings import format_names
from dettrack.errors import UsageError

if TYPE_CHECKING:
    from dettrack.formats.result import Result, Smoothing

__all__ = ["ExportArgs", "Selection", "open_result", "run"]

_NETWORKS = ("onnx", "openvino", "tensorrt")


@dataclass(frozen=True)
class Selection:
    """Which part of a result, and how it is smoothed.

    Attributes:
        range: First and last second, as 12.5:20; either may be left out.
        people: Comma-separated track ids; everybody if not given.
        smooth: Smooth the joints, also where the run did not.
        raw: Leave smoothing out, also where the run did it.
        slow_motion: How many times slower than life the video plays (240 frames/s shown at 30: 8); times and speeds
            become true.
        no_edits: As the run wrote it, without the corrections.
    """

    range: str = ""
    people: str = ""
    smooth: bool = False
    raw: bool = False
    slow_motion: float = 1.0
    no_edits: bool = False


@dataclass(frozen=True)
class ExportArgs:
    """Write a result in other formats, with the corrections that people made, without tracking again.

    dettrack export match.dettrack --to xlsx,trc,angles --range 12.5:20 --people 3,7 --metres 3=1.83

    `dettrack export MODEL --to onnx` (or openvino, tensorrt) writes a pose network; see its own --help.

    Attributes:
        run: Result folder of `dettrack track`, or a file of poses, also of other programs (docs/formats.md).
        to: Comma-separated: jsonl, parquet, csv, posetrack18, coco, mot, trc, openpose, angles, xlsx, c3d, cvat,
            label-studio, npz, sleap, nwb, rerun.
        out: Folder to write into; RUN/export, or NAME.export beside a file, if not given.
        metres: For trc, c3d, xlsx, angles. A known length: X1,Y1,X2,Y2=METRES in pixels; the height of a person:
            ID=METRES; four points of the floor: X,Y=U,V;X,Y=U,V;... in pixels and metres.
        quiet: Print nothing.
    """

    run: tyro.conf.Positional[Path]
    to: str
    out: Path | None = None
    metres: str = ""
    quiet: bool = False
    select: tyro.conf.OmitArgPrefixes[Selection] = Selection()


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    if _is_network(args):
        from dettrack.cli.export_network import run as export_network

        return export_network(list(args))
    options = tyro.cli(ExportArgs, args=list(args), prog="dettrack export")
    from dettrack.formats.exports import export
    from dettrack.measure.scale import parse_metres

    result = open_result(options.run, options.select)
    scale = parse_metres(options.metres, result.table) if options.metres else None
    out = options.out or default_out(options.run, "export", "export")
    for path in export(result, format_names(options.to), out, scale):
        if not options.quiet:
            sys.stdout.write(f"{path}\n")
    return 0


def default_out(run: Path, inside: str, ending: str) -> Path:
    """Where something made from a result goes unless it is said.

    Args:
        run: Result folder, or a file of poses.
        inside: Its place in a folder.
        ending: What it has for the ending of a file beside it.

    Returns:
        The path.
    """
    return run / inside if run.is_dir() else run.with_name(f"{run.stem}.{ending}")


def _is_network(args: Sequence[str]) -> bool:
    """Whether a network is meant: by its kind of file, or, where none is named, by what is no result."""
    kinds = [args[i + 1] for i, arg in enumerate(args[:-1]) if arg == "--to"]
    kinds += [arg.partition("=")[2] for arg in args if arg.startswith("--to=")]
    if kinds:
        return kinds[-1] in _NETWORKS
    first = next((arg for arg in args if not arg.startswith("-")), "")
    return bool(first) and not Path(first).is_dir() and Path(first).suffix not in (".parquet", ".jsonl", ".csv")


def open_result(path: Path, select: Selection) -> Result:
    """A result as the options of a command choose it.

    Args:
        path: Result folder or file of poses.
        select: Which part of it.

    Returns:
        The result.

    Raises:
        UsageError: Options that contradict each other or cannot be read.
        InputError: The result cannot be read, or there is nothing in the range.
    """
    if select.smooth and select.raw:
        raise UsageError("--smooth and --raw: choose one")
    if not 0 < select.slow_motion < 1e6:
        raise UsageError(f"--slow-motion {select.slow_motion}: expected a factor above 0, as 8 for 240 frames/s at 30")
    from dettrack.formats.read import read_result

    result = read_result(path, edits=not select.no_edits)
    start_s, end_s = _range(select.range)
    kind: Smoothing = "none" if select.raw else "as-run"
    if select.smooth and result.table.xy_smooth is None:
        kind = "one-euro"
    result = result.smoothed(kind)  # before the cut, so that a range has no borders inside the video
    if select.range or select.people:
        result = result.select(start_s, end_s, _people(select.people))
    return result.slowed(select.slow_motion) if select.slow_motion != 1 else result


def _range(text: str) -> tuple[float | None, float | None]:
    if not text:
        return None, None
    first, colon, last = text.partition(":")
    try:
        start_s, end_s = float(first) if first else None, float(last) if last else None
    except ValueError:
        colon = ""
        start_s = end_s = None
    if not colon or (start_s is not None and end_s is not None and not start_s < end_s):
        raise UsageError(f"--range {text!r}: expected seconds as 12.5:20, 12.5: or :20")
    return start_s, end_s


def _people(text: str) -> list[int] | None:
    if not text:
        return None
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"--people {text!r}: expected track ids, as 3,7") from None
