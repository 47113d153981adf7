"""`tracks.xlsx`: a sheet for all people and a sheet for each person: positions, scores, angles. Needs XlsxWriter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from dettrack.errors import MissingExtraError, UsageError
from dettrack.files import NewFile, output_error
from dettrack.formats.angles import samples
from dettrack.formats.result import Result
from dettrack.measure.angles import angles_of, available
from dettrack.measure.motion import body_centre, distance, speeds
from dettrack.measure.scale import Scale
from dettrack.structures import Source, TrackTable

__all__ = ["write"]

_MOST_ROWS = 1_048_576
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\']")


def write(path: Path, result: Result, scale: Scale | None = None) -> list[Path]:
    """Write the workbook.

    Args:
        path: File.
        result: What to write.
        scale: Metres; positions then are in metres in the plane of the scale, y downwards as in the picture.

    Returns:
        The file.

    Raises:
        MissingExtraError: XlsxWriter is not installed.
        UsageError: A person has more frames than a sheet has lines.
        OutputError: It cannot be written.
    """
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtraError("xlsx", "export") from None
    if result.tracks.size and max(len(result.of(int(track))) for track in result.tracks) >= _MOST_ROWS:
        raise UsageError(f"xlsx: a sheet has at most {_MOST_ROWS} lines; choose a shorter --range")
    with NewFile(path) as new:
        # Cells are written to the disk line by line; text that looks like a formula or a link stays text.
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        book = xlsxwriter.Workbook(str(new.part), {**options, "nan_inf_to_errors": False})
        try:
            _fill(book, result, scale)
            book.close()
        except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
            raise output_error(path, error) from error
    return [path]


def _fill(book: Any, result: Result, scale: Scale | None) -> None:
    bold = book.add_format({"bold": True})
    taken: set[str] = set()
    people = book.add_worksheet("people")
    names = [_sheet_name(result.name_of(track), track, taken) for track in result.tracks.tolist()]
    unit = "m" if scale else "px"
    head = ["track_id", "name", "sheet", "frames", "first_s", "last_s", "mean_score", f"distance_{unit}"]
    head += [f"median_speed_{unit}_per_s", *(f"frames_{source.name.lower()}" for source in Source)]
    _line(people, 0, head, bold)
    for number, (track, name) in enumerate(zip(result.tracks.tolist(), names, strict=True), 1):
        _line(people, number, _summary(result, track, name, scale))
    for track, name in zip(result.tracks.tolist(), names, strict=True):
        sheet = book.add_worksheet(name)
        rows = result.of(track)
        _line(sheet, 0, _columns(rows, scale), bold)
        sheet.freeze_panes(1, 2)
        for number, values in enumerate(_values(result, track, rows, scale), 1):
            _line(sheet, number, values)


def _line(sheet: Any, number: int, values: list[Any], style: Any = None) -> None:
    for column, value in enumerate(values):
        if value is not None:
            sheet.write(number, column, value, style)


def _sheet_name(name: str, track: int, taken: set[str]) -> str:
    """A name that a sheet can have: at most 31 characters, some forbidden, unique without regard to case."""
    short = _NOT_IN_NAMES.sub(" ", name).strip()[:31] or f"person {track}"
    if short.lower() in taken | {"people", "history"}:
        short = f"{short[:20]} ({track})"
    taken.add(short.lower())
    return short


def _summary(result: Result, track: int, name: str, scale: Scale | None) -> list[Any]:
    rows = result.of(track)
    centre = body_centre(rows, scale)
    fast = speeds(centre, rows.time_s)
    middle = float(np.median(fast[np.isfinite(fast)])) if np.isfinite(fast).any() else None
    times = [None if np.isnan(t) else float(t) for t in (rows.time_s[0], rows.time_s[-1])]
    counts = [int((rows.source == source).sum()) for source in Source]
    score = float(np.mean(rows.score))
    return [track, result.name_of(track), name, len(rows), *times, score, distance(centre), middle, *counts]


def _columns(rows: TrackTable, scale: Scale | None) -> list[str]:
    unit = "m" if scale else "px"
    head = ["frame_index", "time_s", "source", "facing", f"speed_{unit}_per_s", "score"]
    joints = [f"{joint}_{what}" for joint in rows.joint_set.joints for what in (f"x_{unit}", f"y_{unit}", "score")]
    angles = [f"{angle.name}{what}" for angle in available(rows.joint_set) for what in ("", "_sd")]
    return [*head, *joints, *angles]


def _values(result: Result, track: int, rows: TrackTable, scale: Scale | None) -> list[list[Any]]:
    factor = 1.0
    if scale is not None:
        if scale.metres_per_px is None:
            raise UsageError("xlsx needs one scale for the whole body: give --metres a length or a person's height")
        factor = scale.metres_per_px
    xy, scores = rows.shown_xy * factor, rows.joint_scores
    joints = np.concatenate([xy, scores[..., None]], -1).reshape(len(rows), -1)
    out = []
    for i, line in enumerate(samples(result, track, rows, angles_of(rows), scale)):
        places = [float(value) if np.isfinite(value) else None for value in joints[i]]
        out.append([*line[2:7], float(rows.score[i]), *places, *line[7:]])
    return out
