"""Known weights of other people: where they lie, what they weigh, and which bytes they must be.

Addresses may rot; sums do not, and a mirror (a folder, or another web address) can stand in for an address. Each entry
says where its sum comes from: `file`, computed from the file when it was at hand, or `records`, taken from public
records of people who downloaded it; of those the file itself has never been run here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal

from dettrack.errors import InputError
from dettrack.files.toml import read_toml

__all__ = ["External", "ExternalFile", "catalogue", "external"]


@dataclass(frozen=True)
class ExternalFile:
    """One file of an entry.

    Attributes:
        url: Web address of the file, or of a zip in which it is the one .onnx file.
        sha256: Of its content.
        bytes: Its size; 0 where nobody wrote it down.
    """

    url: str
    sha256: str
    bytes: int = 0

    @property
    def ending(self) -> str:
        """Of its name here: .onnx, .xml or .bin."""
        suffix = PurePosixPath(self.url).suffix
        return ".onnx" if suffix == ".zip" else suffix

    def places(self, name: str, mirror: str) -> list[str]:
        """Where the file may be in a mirror: under the entry's name, or under the name it has at its source.

        Args:
            name: Of the entry.
            mirror: Folder or web address.

        Returns:
            Paths or addresses, to be tried in this order.
        """
        names = (name + self.ending, PurePosixPath(self.url).name)
        if mirror.startswith(("https://", "http://")):
            return [f"{mirror.rstrip('/')}/{one}" for one in names]
        return [str(Path(mirror) / one) for one in names]


@dataclass(frozen=True)
class External:
    """Weights that can be fetched by name.

    Attributes:
        name: Of the entry, and later in the store.
        kind: "detector" or "model".
        about: What it is.
        licence: As its source states it.
        use: Options of `dettrack track`.
        files: What it consists of.
        accuracy: What its makers say that it reaches, on what.
        trained_on: Data sets; whoever evaluates on one of them measures nothing.
        sums: "file" or "records"; see the module.
    """

    name: str
    kind: str
    about: str
    licence: str
    use: str
    files: tuple[ExternalFile, ...]
    accuracy: str = ""
    trained_on: str = ""
    sums: Literal["file", "records"] = "file"

    @property
    def size(self) -> str:
        """Of all its files together, for a listing."""
        total = sum(file.bytes for file in self.files)
        return f"{total / 1e6:.1f} MB" if total else "-"


@cache
def catalogue() -> dict[str, External]:
    """All entries by name."""
    table = read_toml(Path(__file__).with_name("catalogue.toml"))
    return {
        name: External(name=name, **{**entry, "files": tuple(ExternalFile(**file) for file in entry["files"])})
        for name, entry in table.items()
    }


def external(name: str) -> External:
    """An entry; raises `InputError` with the known names."""
    known = catalogue()
    if name not in known:
        raise InputError(f"no known weights called {name!r}: `dettrack weights list` shows {', '.join(known)}")
    return known[name]
