"""A result folder that holds one run: made beside its place, and put there when the run has ended.

A run writes into `NAME.dettrack.part`. When it ends, this folder takes the place of `NAME.dettrack` and of an earlier
result in it. So whatever interrupts a run, its place holds the earlier result or the new one, whole, and never files of
two runs. The folder under way is also the lock: two runs cannot write one result.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from dettrack.edit import EDITS
from dettrack.errors import OutputError
from dettrack.formats import FORMATS, FRAMES, SUSPECTS
from dettrack.formats.exports import EXPORT_LIST, listed_files
from dettrack.formats.read import SUMMARY, TRACKLETS
from dettrack.runs.owner import OWNER, take_folder

__all__ = ["EARLIER_EDITS", "EXPORTS", "RENDER", "SUMMARY", "TRACKLETS", "NewResult", "is_complete", "read_summary"]

RENDER = "render.mp4"
EXPORTS = "export"
"""Folder that `dettrack export` writes into; it lists its files in `export.json`."""
EARLIER_EDITS = "edits.earlier.jsonl"
"""Corrections of a result that was replaced: their track ids mean nothing in the new one."""

REPORT = "report.html"

_RESERVE = "reserve"
_RESERVED_BYTES = 64 << 10  # a full disk still has room for the summary
_HARMLESS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_IN_FOLDERS = {"openpose": "*_keypoints.json", "trc": "person_*.trc"}
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux's renameat2


def read_summary(out: Path) -> dict[str, Any] | None:
    """Summary of a result folder, or None if it holds no readable one."""
    try:
        summary = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return summary if isinstance(summary, dict) else None


def is_complete(out: Path) -> bool:
    """Whether `out` holds the result of a run that came to its end."""
    return bool((read_summary(out) or {}).get("complete"))


class NewResult:
    """The result of one run, under way; a context manager. A block that fails leaves what was there before.

    Attributes:
        out: Where the result belongs.
        path: Where to write it.
    """

    def __init__(self, out: Path) -> None:
        """Make the folder to write into.

        Args:
            out: Where the result belongs; it may hold an earlier result, which stays until `commit`.

        Raises:
            OutputError: `out` holds something else, another run writes there, or it cannot be written.
        """
        self.out = out.resolve() if out.is_symlink() else out.absolute()
        self.path = self.out.with_name(self.out.name + ".part")
        self._old = self.out.with_name(self.out.name + ".old")
        try:
            self._recover()
            _refuse_strangers(self.out)
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._take()
            (self.path / _RESERVE).write_bytes(bytes(_RESERVED_BYTES))
        except OutputError:
            raise
        except OSError as error:
            self.discard()
            raise OutputError(f"cannot write to {out}: {error.strerror or error}; name another --out") from error

    def free_reserve(self) -> None:
        """Give back the space that is kept for the summary."""
        (self.path / _RESERVE).unlink(missing_ok=True)

    def commit(self, *, whole: bool = True) -> Path:
        """Put the result in its place.

        Args:
            whole: The run came to its end. A run that broke off does not replace one that did: it is put beside it.

        Returns:
            Where the result is now.

        Raises:
            OutputError: It cannot be put there; the earlier result stays.
        """
        self.free_reserve()
        target = self.out
        if not whole and is_complete(self.out):
            target = self.out.with_name(f"{self.out.stem}.interrupted{self.out.suffix}")
        try:
            for left in [path for path in self.path.rglob("*.part") if path.is_file()]:
                left.unlink()  # of a writer that could not even clear up
            _refuse_strangers(target)
            _keep_edits(target, self.path)
            _exchange(self.path, target, self._old)
            (target / OWNER).unlink(missing_ok=True)
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write to {target}: {error.strerror or error}; name another --out") from error
        return target

    def discard(self) -> None:
        """Remove what was written; an earlier result stays."""
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> NewResult:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()  # nothing is there any more after `commit`

    def _take(self) -> None:
        """Make the folder; what ended runs left is removed."""
        take_folder(self.path, f"{self.out}", "wait for it, or name another --out")

    def _recover(self) -> None:
        """Where a run was killed between the two halves of an exchange, put the earlier result back."""
        if self._old.is_dir():
            if not self.out.exists():
                self._old.rename(self.out)
            elif read_summary(self._old) is not None:
                shutil.rmtree(self._old)


def _keep_edits(earlier: Path, new: Path) -> None:
    """People's work is not lost with the result that it was made on."""
    kept = [path for name in (EARLIER_EDITS, EDITS) if (path := earlier / name).is_file()]
    if kept and not (new / EARLIER_EDITS).exists():
        (new / EARLIER_EDITS).write_bytes(b"".join(path.read_bytes() for path in kept))


def _exchange(new: Path, out: Path, old: Path) -> None:
    """Put `new` in the place of `out`, in one step where the system can, and remove what was there."""
    if not out.exists():
        new.rename(out)
        return
    if _swap(new, out):
        shutil.rmtree(new, ignore_errors=True)
        return
    out.rename(old)
    new.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _swap(a: Path, b: Path) -> bool:
    """Exchange two folders in one step; False where the system or file system cannot."""
    if sys.platform != "linux":
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0


def _refuse_strangers(out: Path) -> None:
    """Never touch a folder that holds something else than a result."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"cannot write to {out}: it is a file; name another --out")
    strangers = sorted(_strangers(out)) if out.is_dir() else []
    if strangers:
        raise OutputError(f"{out} holds {strangers[0]}, which is no result of ours: name another --out")


def _strangers(out: Path) -> Iterator[str]:
    ours = {SUMMARY, RENDER, TRACKLETS, EDITS, EARLIER_EDITS, OWNER, FRAMES, SUSPECTS, REPORT, *FORMATS.values()}
    for path in out.iterdir():
        if path.name == EXPORTS and (listed := exported_files(path)):
            strange = (each for each in path.rglob("*") if each.is_file() and not _is_ours(each, each in listed))
            yield from (str(each.relative_to(out)) for each in strange)
            continue
        if path.name in _IN_FOLDERS and path.is_dir() and not path.is_symlink():
            known = set(path.glob(_IN_FOLDERS[path.name])) | set(path.glob("*.part"))
            yield from (f"{path.name}/{each.name}" for each in path.iterdir() if not _is_ours(each, each in known))
        elif not _is_ours(path, path.name in ours or ".part" in path.name):
            yield path.name


def exported_files(folder: Path) -> frozenset[Path]:
    """What `dettrack export` wrote into a folder, its list included; nothing where there is no list."""
    listed = listed_files(folder)
    return frozenset({folder / name for name in listed} | ({folder / EXPORT_LIST} if listed else set()))


def _is_ours(path: Path, known: bool) -> bool:
    return path.name in _HARMLESS or (known and not path.is_symlink())
