"""`dettrack correct`: corrections of a result from the command line, kept in its edit list."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from dettrack.errors import InputError, UsageError

__all__ = ["CorrectArgs", "run"]

_Pair = Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="ID ID")]
_Id = Annotated[int | None, tyro.conf.arg(metavar="ID")]


@dataclass(frozen=True)
class CorrectArgs:
    """Correct a result: one operation a call, added to edits.jsonl in RUN; without one, the list is printed.

    dettrack correct match.dettrack --swap 3 7 --from 12.4

    The files of the run stay as they are; every reader, export and picture applies the list. `--undo` takes back the
    last edit that counts, or the one of that number. Times are timestamps of the video in seconds.

    Attributes:
        run: Result folder of `dettrack track`.
        swap: Two tracks exchange their ids.
        merge: The second track becomes part of the first one, whose pose stays where both have one.
        split: The part of a track from --from on becomes a track of its own.
        rename: Give a track a name, with --name.
        delete: Remove a track, or the part of it in --from to --to.
        flip_sides: Exchange left and right of a track.
        move_joint: Put --joint of a track in --frame at --xy.
        drop_joint: Remove --joint of a track, in --frame or in --from to --to.
        mark_bad: Mark a stretch of a track bad: its joints become missing. -1: of everybody in --from to --to.
        confirm: Say that a track is right in --frame; nothing changes, but a suspect there is settled.
        undo: Number of an edit; 0 takes the last one that counts.
        from_: First second.
        to: Second at which it ends; that frame is not part of it.
        name: For --rename; "" takes the name away.
        frame: Frame index, from 0.
        joint: Name of a joint, as left_knee.
        xy: Position in pixels of the displayed frame.
        by: Who makes the correction; your user name if not given.
        quiet: Print nothing.
    """

    run: tyro.conf.Positional[Path]
    swap: _Pair = None
    merge: _Pair = None
    split: _Id = None
    rename: _Id = None
    delete: _Id = None
    flip_sides: _Id = None
    move_joint: _Id = None
    drop_joint: _Id = None
    mark_bad: _Id = None
    confirm: _Id = None
    undo: Annotated[int | None, tyro.conf.arg(metavar="EDIT")] = None
    from_: Annotated[float | None, tyro.conf.arg(name="from")] = None
    to: float | None = None
    name: str | None = None
    frame: int | None = None
    joint: str | None = None
    xy: tuple[float, float] | None = None
    by: str = ""
    quiet: bool = False


_ON_TRACKS = ("split", "rename", "delete", "flip_sides", "move_joint", "drop_joint", "mark_bad", "confirm")


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    options = tyro.cli(CorrectArgs, args=list(args), prog="dettrack correct")
    from dettrack.edit import append, read
    from dettrack.edit.apply import active
    from dettrack.formats.read import read_rows

    if not options.run.is_dir():
        raise InputError(f"{options.run}: no result folder; expected one that `dettrack track` wrote")
    if (operation := _operation(options)) is None:
        counting = {edit.id for edit in active(read(options.run))}
        lines = [_line(edit.as_json(), edit.id in counting or edit.op == "undo") for edit in read(options.run)]
        sys.stdout.write("\n".join(lines or [f"{options.run}: no corrections yet; see dettrack correct --help"]) + "\n")
        return 0
    if operation.get("undoes") == 0:
        last = active(read(options.run))[-1:]
        if not last:
            raise InputError(f"{options.run}: no correction to undo")
        operation["undoes"] = last[0].id
    edit = append(options.run, operation, read_rows(options.run).table, by=options.by)
    if not options.quiet:
        sys.stdout.write(_line(edit.as_json(), True) + "\n")
    return 0


def _operation(options: CorrectArgs) -> dict[str, Any] | None:
    """What was asked for, or None for nothing."""
    asked = [name for name in ("swap", "merge", *_ON_TRACKS, "undo") if getattr(options, name) is not None]
    operands = {
        "from": options.from_,
        "to": options.to,
        "name": options.name,
        "frame": options.frame,
        "joint": options.joint,
        "xy": options.xy,
    }
    given = {key: value for key, value in operands.items() if value is not None}
    if len(asked) > 1:
        raise UsageError(f"--{' and --'.join(asked).replace('_', '-')}: one operation a call")
    if not asked:
        if given:
            raise UsageError(f"--{next(iter(given))} without an operation: name one, as --swap 3 7")
        return None
    op = asked[0]
    value = getattr(options, op)
    if op in ("swap", "merge"):
        given |= {"track": value[0], "other": value[1]}
    elif op == "undo":
        given["undoes"] = value
    elif op != "mark_bad" or value != -1:
        given["track"] = value
    return {"op": op, **given}


def _line(edit: dict[str, Any], counts: bool) -> str:
    operands = " ".join(f"{key} {value}" for key, value in edit.items() if key not in ("v", "id", "time", "by", "op"))
    undone = "" if counts else "  (undone)"
    return f"edit {edit['id']}: {edit['op']} {operands}  by {edit['by']}, {edit['time'][:19]}{undone}"
