"""`angles/`: joint and segment angles, a `.mot` motion file for OpenSim per person, and one CSV with everything.

`.mot` holds joint angles in degrees; OpenSim stops reading at a missing value, so gaps are interpolated there. The CSV
has one line for each person and frame: time, source of the sample, speed, and every angle with its standard deviation,
empty where missing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dettrack.files import output_error, write_text
from dettrack.formats.result import Result
from dettrack.measure.angles import ANGLES, Angles, angles_of, available, facing
from dettrack.measure.motion import Step, body_centre, speeds, steps
from dettrack.measure.scale import Scale
from dettrack.structures import Source, TrackTable

__all__ = ["samples", "write"]


def write(path: Path, result: Result, scale: Scale | None = None) -> list[Path]:
    """Write the folder; files of an earlier export in it are removed first.

    Args:
        path: Folder.
        result: What to write.
        scale: Metres; without one speeds are pixels per second.

    Returns:
        The files.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        for old in (*path.glob("person_*.mot"), path / "angles.csv", path / "steps.csv"):
            old.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    files, lines, contacts = [], [_header(result, scale)], [_STEPS]
    for track in result.tracks.tolist():
        rows = result.of(track)
        angles = angles_of(rows)
        files.append(path / f"person_{track:03d}.mot")
        write_text(files[-1], _mot(rows, angles))
        lines += samples(result, track, rows, angles, scale)
        contacts += [_contact(result, track, step) for step in steps(rows)]
    for name, table in (("angles.csv", lines), ("steps.csv", contacts)):
        files.append(path / name)
        write_text(files[-1], _csv(table))
    return files


_STEPS: list[object] = ["track_id", "name", "side", "frame_index", "time_s", "step_s"]


def _contact(result: Result, track: int, step: Step) -> list[object]:
    return [track, result.name_of(track), step.side, step.frame, round(step.time_s, 6), _cell(step.step_s, 4)]


def _header(result: Result, scale: Scale | None) -> list[object]:
    unit = "m" if scale else "px"
    first = ["track_id", "name", "frame_index", "time_s", "source", "facing", f"speed_{unit}_per_s"]
    names = [angle.name for angle in available(result.table.joint_set)]
    return [*first, *(column for name in names for column in (name, f"{name}_sd"))]


def samples(
    result: Result, track: int, rows: TrackTable, angles: Angles, scale: Scale | None = None
) -> list[list[object]]:
    """The lines of one person in `angles.csv`; missing values are None.

    Args:
        result: What the rows are of.
        track: Id of the person.
        rows: Rows of the person.
        angles: Their angles.
        scale: Metres.

    Returns:
        One list for each row.
    """
    side = {1: "right", -1: "left", 0: ""}[facing(rows)]
    fast = speeds(body_centre(rows, scale), rows.time_s)
    by_hand = np.zeros(len(rows), bool) if rows.human is None else np.any(rows.human, axis=1)
    both = np.stack([angles.degrees, angles.sd], -1).reshape(len(rows), -1)
    name = result.name_of(track)
    out = []
    for i in range(len(rows)):
        source = "human" if by_hand[i] else Source(int(rows.source[i])).name.lower()
        time_s = None if np.isnan(rows.time_s[i]) else round(float(rows.time_s[i]), 6)
        head = [track, name, int(rows.frame[i]), time_s, source, side, _cell(fast[i], 4)]
        out.append([*head, *(_cell(value, 3) for value in both[i])])
    return out


def _cell(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None


def _csv(lines: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _mot(rows: TrackTable, angles: Angles) -> str:
    """OpenSim's storage format, version 1; one line for each row, at its own time."""
    joint_names = {angle.name for angle in ANGLES}
    time_s = np.where(np.isnan(rows.time_s), rows.frame.astype(float), rows.time_s)
    seen = np.isfinite(angles.degrees)
    columns = [i for i, name in enumerate(angles.names) if name in joint_names and seen[:, i].any()]
    values = [np.interp(time_s, time_s[seen[:, i]], angles.degrees[seen[:, i], i]) for i in columns]
    names = ["time", *(angles.names[i] for i in columns)]
    lines = np.stack([time_s, *values], 1).tolist()
    body = ("\t".join([f"{line[0]:.6f}", *(f"{value:.4f}" for value in line[1:])]) for line in lines)
    head = ["angles", "version=1", f"nRows={len(rows)}", f"nColumns={len(names)}", "inDegrees=yes", "endheader"]
    return "\n".join([*head, "\t".join(names), *body]) + "\n"
