"""Known weights of other people: where they lie, what they weigh, and which bytes they must be.

The addresses are those that the files were taken from when their sums were written down. They may rot; the sums do not,
and a mirror (a folder, or another web address) can stand in for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from dettrack.errors import InputError
from dettrack.files.toml import read_toml

__all__ = ["External", "ExternalFile", "catalogue", "external"]


@dataclass(frozen=True)
class ExternalFile:
    """One file of an entry.

    Attributes:
        url: Web address.
        sha256: Of its content.
        bytes: Its size.
    """

    url: str
    sha256: str
    bytes: int

    @property
    def ending(self) -> str:
        """Of its name: .onnx, .xml or .bin."""
        return PurePosixPath(self.url).suffix

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
    """

    name: str
    kind: str
    about: str
    licence: str
    use: str
    files: tuple[ExternalFile, ...]

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(file.bytes for file in self.files)


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
