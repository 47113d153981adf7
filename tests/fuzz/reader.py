"""What a kind of file is for the fuzz harness, and how its first files are made."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Make = Callable[[Path], list[Path]]


@dataclass(frozen=True)
class Reader:
    """One kind of file.

    Attributes:
        seeds: Makes whole files of the kind in a folder, which mutants are made of.
        read: Reads a mutant.
    """

    seeds: Make
    read: Callable[[Path], object]


def text(name: str, *contents: str) -> Make:
    """Seeds with these contents; `name` decides on their ending."""

    def make(folder: Path) -> list[Path]:
        paths = [folder / f"{i}_{name}" for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_text(content)
        return paths

    return make


def within(make_folder: Callable[[Path], None], name: str, read: Callable[[Path], object]) -> Reader:
    """A file that is read as part of a folder.

    Args:
        make_folder: Fills a new folder.
        name: The file in it that mutants replace.
        read: Reads the folder.
    """

    @cache
    def folder() -> Path:
        made = Path(tempfile.mkdtemp(prefix="fuzz-folder-"))
        make_folder(made)
        shutil.copyfile(made / name, made.with_suffix(Path(name).suffix))
        return made

    def put_and_read(path: Path) -> object:
        shutil.copyfile(path, folder() / name)
        return read(folder())

    return Reader(lambda _: [folder().with_suffix(Path(name).suffix)], put_and_read)
