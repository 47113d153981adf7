"""Images by name, where two sides name them from different folders."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from dettrack.errors import InputError

__all__ = ["ImageNames"]


class ImageNames:
    """Names of a file's images; `images/val/000342_mpii_test/000007.jpg` is also `000342_mpii_test/000007.jpg`."""

    def __init__(self, names: Collection[str], repeated: Collection[str] = ()) -> None:
        """Index them.

        Args:
            names: As the file has them.
            repeated: Those that several of its images have.
        """
        self._names, self._repeated = frozenset(names), frozenset(repeated)
        self._ends: dict[str, str | None] = {}  # None: the end of several names
        for name in self._names:
            for end in _ends(name):
                self._ends[end] = None if end in self._ends else name

    def find(self, name: str) -> str | None:
        """The file's name of an image: equal to `name`, or its end, or `name` is the end of that one alone.

        Raises:
            InputError: Several images of the file have it.
        """
        name = str(PurePosixPath(name.replace("\\", "/")))
        found = next((end for end in _ends(name) if end in self._names), None) or self._ends.get(name)
        if found in self._repeated:
            raise InputError(f"several of its images are called {found}: give them names with their folders")
        return found


def _ends(name: str) -> Iterator[str]:
    """The name, and the name without its first folder, its first two folders ..."""
    parts = name.split("/")
    return ("/".join(parts[i:]) for i in range(len(parts)))
