"""The operations of an edit list: their operands, and how they look as a line of JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dettrack.errors import InputError

__all__ = ["OPERATIONS", "VERSION", "Edit", "parse"]

VERSION = 1
"""Of the format; grows when a reader of older lists would misread newer ones."""

# operation -> operands that it must have, operands that it may have
OPERATIONS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "swap": (frozenset({"track", "other"}), frozenset({"from", "to"})),
    "merge": (frozenset({"track", "other"}), frozenset({"from", "to"})),
    "split": (frozenset({"track", "from"}), frozenset({"other", "to"})),
    "rename": (frozenset({"track", "name"}), frozenset()),
    "delete": (frozenset({"track"}), frozenset({"from", "to"})),
    "flip_sides": (frozenset({"track"}), frozenset({"from", "to"})),
    "move_joint": (frozenset({"track", "frame", "joint", "xy"}), frozenset()),
    "drop_joint": (frozenset({"track", "joint"}), frozenset({"frame", "from", "to"})),
    "mark_bad": (frozenset(), frozenset({"track", "from", "to"})),
    "confirm": (frozenset({"track", "frame"}), frozenset()),
    "undo": (frozenset({"undoes"}), frozenset()),
}
"""What each operation takes: required operands, optional ones. `confirm` changes nothing: a person found it right."""

_ABOUT = frozenset({"v", "id", "time", "by", "op"})
_LONGEST_NAME = 200
_FARTHEST = 1e6  # pixels


@dataclass(frozen=True)
class Edit:
    """One line of an edit list.

    Attributes:
        op: A key of `OPERATIONS`.
        id: Number of the line, from 1.
        time: When it was made, ISO 8601.
        by: Who made it.
        track: Id of the track that it is about, as the rows are after all earlier edits.
        other: The second track; of a split, the id that the later part gets.
        start_s: First timestamp that it covers, in seconds (`from`); None: from the first row on. Where the source has
            no clock, frame indices stand for timestamps.
        end_s: First timestamp that it no longer covers (`to`); None: to the last row.
        frame: Frame index, for operations on one frame.
        joint: Name of a joint.
        xy: Position in displayed pixels.
        name: What the person is called; "" for nothing.
        undoes: `id` of the edit that this one takes back; taking an undo back restores.
    """

    op: str
    id: int = 0
    time: str = ""
    by: str = ""
    track: int | None = None
    other: int | None = None
    start_s: float | None = None
    end_s: float | None = None
    frame: int | None = None
    joint: str | None = None
    xy: tuple[float, float] | None = None
    name: str | None = None
    undoes: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The object of its line; operands that it does not have are left out."""
        line: dict[str, Any] = {"v": VERSION, "id": self.id, "time": self.time, "by": self.by, "op": self.op}
        operands = {
            "track": self.track,
            "other": self.other,
            "from": self.start_s,
            "to": self.end_s,
            "frame": self.frame,
            "joint": self.joint,
            "xy": None if self.xy is None else list(self.xy),
            "name": self.name,
            "undoes": self.undoes,
        }
        return line | {key: value for key, value in operands.items() if value is not None}


def parse(line: Mapping[str, Any]) -> Edit:
    """An edit from the object of its line, or from what a person asked for (without `id`, `time` and `by`).

    Raises:
        InputError: An unknown operation; an operand that is missing, unknown to it, or of the wrong kind or range.
    """
    if not isinstance(line, Mapping):
        raise InputError(f"edit {line!r}: expected an object with the key op")
    version, op = line.get("v", VERSION), line.get("op")
    if version != VERSION:
        raise InputError(f"edit list of version {version!r}: this dettrack reads version {VERSION}; update dettrack")
    if not isinstance(op, str) or op not in OPERATIONS:
        raise InputError(f"edit operation {op!r}: expected one of {', '.join(OPERATIONS)}")
    required, optional = OPERATIONS[op]
    given = {key for key, value in line.items() if value is not None} - _ABOUT
    if missing := required - given:
        raise InputError(f"{op} needs {', '.join(sorted(missing))}")
    if unknown := given - required - optional:
        raise InputError(f"{op} does not take {', '.join(sorted(unknown))}: it takes {_listed(required | optional)}")
    edit = Edit(
        op,
        id=_whole(line, "id") or 0,
        time=str(line.get("time", "")),
        by=str(line.get("by", ""))[:_LONGEST_NAME],
        track=_whole(line, "track"),
        other=_whole(line, "other"),
        start_s=_real(line, "from"),
        end_s=_real(line, "to"),
        frame=_whole(line, "frame"),
        joint=_text(line, "joint"),
        xy=_point(line),
        name=_text(line, "name"),
        undoes=_whole(line, "undoes"),
    )
    _check_ranges(edit)
    return edit


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _check_ranges(edit: Edit) -> None:
    if edit.other is not None and edit.other == edit.track:
        raise InputError(f"{edit.op} of track {edit.track} with itself: name two tracks")
    if edit.start_s is not None and edit.end_s is not None and edit.start_s >= edit.end_s:
        raise InputError(f"{edit.op} from {edit.start_s} to {edit.end_s} s: the end must lie after the start")
    if edit.frame is not None and (edit.start_s is not None or edit.end_s is not None):
        raise InputError(f"{edit.op}: name one frame, or from and to in seconds, not both")
    if edit.op == "mark_bad" and edit.track is None and edit.start_s is None and edit.end_s is None:
        raise InputError("mark_bad needs a track, or from and to in seconds; else it would mark everything")


def _whole(line: Mapping[str, Any], key: str) -> int | None:
    value = line.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise InputError(f"edit: {key} is {value!r}, expected a whole number from 0")
    return value


def _real(line: Mapping[str, Any], key: str) -> float | None:
    value = line.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise InputError(f"edit: {key} is {str(value)[:40]}, expected seconds")
    return float(value)


def _text(line: Mapping[str, Any], key: str) -> str | None:
    value = line.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        raise InputError(f"edit: {key} is {value!r:.60}, expected one line of at most {_LONGEST_NAME} characters")
    return value


def _point(line: Mapping[str, Any]) -> tuple[float, float] | None:
    value = line.get("xy")
    if value is None:
        return None
    numbers = list(value) if isinstance(value, list | tuple) else []
    if len(numbers) != 2 or not all(
        isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= _FARTHEST for n in numbers
    ):
        raise InputError(f"edit: xy is {value!r:.60}, expected two numbers in pixels")
    return float(numbers[0]), float(numbers[1])
