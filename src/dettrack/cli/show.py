"""`dettrack show`: what is in a result, a checkpoint, or a file of poses."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from dettrack.errors import InputError

__all__ = ["ShowArgs", "run"]


@dataclass(frozen=True)
class ShowArgs:
    """Say what is in a result folder, a file of poses (ours, COCO, PoseTrack, OpenPose, CVAT, SLEAP), or a checkpoint.

    Attributes:
        file: Result folder, file of poses, or weights.
    """

    file: tyro.conf.Positional[Path]


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    options = tyro.cli(ShowArgs, args=list(args), prog="dettrack show")
    if not options.file.exists():
        raise InputError(f"{options.file}: no such file or folder")
    lines = _checkpoint(options.file) if options.file.suffix == ".safetensors" else _result(options.file)
    for line in lines:
        sys.stdout.write(line + "\n")
    return 0


def _result(path: Path) -> Iterator[str]:
    from dettrack.edit import active
    from dettrack.formats.read import read_result
    from dettrack.structures import Source

    result = read_result(path)
    info, table, times = result.info, result.table, result.times
    rate = "no clock" if info.fps is None else f"{float(info.fps):.3f} frames/s"
    yield f"video      {info.name}, {info.width}x{info.height}, {rate}, {info.path}"
    if len(times):
        span = "" if np.isnan(times.time_s).any() else f", {times.time_s[0]:.3f} to {times.time_s[-1]:.3f} s"
        shots = f", {len(np.unique(times.shot))} shots" if times.shot.any() else ""
        yield f"frames     {times.index[0]} to {times.index[-1]}{span}{shots}"
    joints = table.joint_set
    yield f"joints     {joints.name}: {', '.join(joints.joints)}"
    sources = ", ".join(f"{int((table.source == s).sum())} {s.name.lower()}" for s in Source)
    known = len(result.tracks)
    smooth = "smoothed" if table.xy_smooth is not None else "not smoothed"
    yield f"poses      {len(table)} of {known} {'person' if known == 1 else 'people'} ({sources}), {smooth}"
    if result.summary:
        state = "complete" if result.summary.get("complete") else "not complete"
        version = result.summary.get("versions", {}).get("dettrack", "unknown")
        yield f"run        {state}, dettrack {version}"
        yield from (f"{key:<10} {result.summary[key]}" for key in ("detector", "model") if result.summary.get(key))
        for note in result.summary.get("notes", []):
            yield f"note       {note}"
    if result.edits:
        yield f"edits      {len(active(result.edits))} count, of {len(result.edits)} in the list"
    for track, rows in table.by_person().items():
        times_s = f"{rows.time_s[0]:9.3f} to {rows.time_s[-1]:9.3f} s" if np.isfinite(rows.time_s).all() else ""
        frames = f"frames {rows.frame[0]:6d} to {rows.frame[-1]:6d}"
        name = f"  {result.names[track]}" if track in result.names else ""
        yield f"track {track:4d}  {frames}  {times_s}  {len(rows):6d} poses, score {rows.score.mean():.2f}{name}"


def _checkpoint(path: Path) -> Iterator[str]:
    import json

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            about = dict(file.metadata() or {})
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (no dictionary)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read as weights: {str(error).splitlines()[0]}") from error
    count = sum(int(np.prod(shape)) for shape in shapes)
    yield f"weights    {len(shapes)} arrays, {count} numbers, {path.stat().st_size} bytes"
    for key, text in sorted(about.items()):
        try:
            value = json.dumps(json.loads(text), indent=1)
        except ValueError:
            value = text
        yield f"{key}: {value if len(value) < 2000 else value[:2000] + ' ...'}"
