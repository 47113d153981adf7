"""`c3d/`: one C3D file per person, for Mokka, Visual3D, Vicon and biomechanics toolboxes. Needs ezc3d.

x to the right, z upwards, y = 0: C3D's usual axes have z up. Missing joints are NaN with a residual of -1, as the
format has it. The rate is constant in C3D: a video of variable rate is resampled to its mean rate, and says so.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from dettrack.errors import MissingExtraError
from dettrack.files import NewFile, output_error
from dettrack.formats.result import Result
from dettrack.formats.trc import marker_name, plane_factor
from dettrack.measure.scale import Scale
from dettrack.structures import TrackTable

__all__ = ["even_rate", "write"]

_UNEVEN = 0.02  # share of a frame's duration by which frames may be early or late


def write(path: Path, result: Result, scale: Scale | None = None) -> list[Path]:
    """Write the folder; files of an earlier export in it are removed first.

    Args:
        path: Folder.
        result: What to write.
        scale: Metres; None writes one pixel as one millimetre.

    Returns:
        The files.

    Raises:
        MissingExtraError: ezc3d is not installed.
        UsageError: The scale is good for the floor alone.
        OutputError: It cannot be written.
    """
    try:
        import ezc3d
    except ImportError:
        raise MissingExtraError("c3d", "export") from None
    millimetres = 1000 * plane_factor(scale, "c3d")
    try:
        path.mkdir(parents=True, exist_ok=True)
        for old in path.glob("person_*.c3d"):
            old.unlink()
    except OSError as error:
        raise output_error(path, error) from error
    files = []
    about = "1 mm is 1 pixel" if scale is None else scale.about
    for track in result.tracks.tolist():
        files.append(path / f"person_{track:03d}.c3d")
        rows = result.of(track)
        frames, rate, xy, note = even_rate(rows, None if result.info.fps is None else float(result.info.fps))
        c3d = ezc3d.c3d()
        labels = [marker_name(joint) for joint in rows.joint_set.joints]
        c3d["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
        c3d["parameters"]["POINT"]["RATE"]["value"] = [rate]
        c3d["parameters"]["POINT"]["LABELS"]["value"] = labels
        c3d.add_parameter("SUBJECTS", "NAMES", [result.name_of(track)])
        c3d.add_parameter("DETTRACK", "SCALE", [about])
        c3d.add_parameter("DETTRACK", "NOTE", [note])
        c3d.add_parameter("DETTRACK", "FIRST_FRAME", [int(frames)])
        points = np.full((4, len(labels), len(xy)), np.nan)
        points[0], points[1], points[3] = xy[..., 0].T * millimetres, 0.0, 1.0
        points[2] = (result.info.height - 1 - xy[..., 1].T) * millimetres
        missing = np.isnan(points[0])
        points[:3, missing] = np.nan
        c3d["data"]["points"] = points
        residuals = np.where(missing, -1.0, 0.0)[None]
        c3d["data"]["meta_points"]["residuals"] = residuals
        with NewFile(files[-1]) as new:
            written = new.part.with_name(f"{new.part.name}.c3d")  # the library writes no other ending
            c3d.write(str(written))
            written.replace(new.part)
    return files


def even_rate(rows: TrackTable, fps: float | None) -> tuple[int, float, Float[np.ndarray, "frames joints 2"], str]:
    """A person's positions at a constant rate, from the first frame of the person to the last.

    Args:
        rows: Rows of one person.
        fps: Frames per second of the video; None where it has no clock.

    Returns:
        First frame index, rate, positions (NaN where missing), and a note on how they were made.
    """
    n = int(rows.frame[-1] - rows.frame[0]) + 1
    xy = np.full((n, rows.xy.shape[1], 2), np.nan)
    at = rows.frame - rows.frame[0]
    xy[at] = rows.shown_xy
    rate = fps or 25.0
    time_s = np.interp(np.arange(n), at, rows.time_s)
    if n < 3 or not np.isfinite(time_s).all() or not (np.diff(time_s) > 0).all():
        return int(rows.frame[0]), rate, xy, "one sample a frame"
    even = np.linspace(time_s[0], time_s[-1], n)
    rate = (n - 1) / float(time_s[-1] - time_s[0])
    if np.abs(even - time_s).max() * rate <= _UNEVEN:
        return int(rows.frame[0]), rate, xy, "one sample a frame"
    out = np.full_like(xy, np.nan)
    below = np.clip(np.searchsorted(time_s, even, side="right") - 1, 0, n - 2)
    share = ((even - time_s[below]) / (time_s[below + 1] - time_s[below]))[:, None, None]
    out = np.where(share == 0, xy[below], (1 - share) * xy[below] + share * xy[below + 1])
    out[-1] = xy[-1]
    return int(rows.frame[0]), rate, out, "frames of variable rate, resampled linearly to their mean rate"
