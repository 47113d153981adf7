"""The errors that reach a user: each says what was wrong, what was expected and what to do."""

from __future__ import annotations

__all__ = ["DettrackError", "InputError", "MismatchError", "MissingExtraError", "OutputError", "UsageError"]


class DettrackError(Exception):
    """Base of every error that the command line prints as one line instead of a traceback."""

    exit_code = 1


class InputError(DettrackError, ValueError):
    """A file, folder, stream or array given by the user cannot be used."""


class MismatchError(InputError):
    """Two inputs do not belong together, as is known at the end only: nothing that was made of them is kept."""


class OutputError(DettrackError, OSError):
    """Results cannot be written (no permission, disk full, path taken)."""


class UsageError(DettrackError, ValueError):
    """A setting is out of range or contradicts another one; exit code 2 on the command line."""

    exit_code = 2


class MissingExtraError(DettrackError, ImportError):
    """An optional dependency is not installed; the message carries the install command."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional dependency: pip install 'dettrack[{extra}]'")
