"""The user's own way to give tracklets their identities."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int

from dettrack.errors import InputError, UsageError
from dettrack.sew.linker import Linker
from dettrack.structures import Tracklets
from dettrack.structures.report import Tally

__all__ = ["CallableLinker", "linker_maker"]


class CallableLinker:
    """A function of the tracklets of one keyframe that gives their track ids, as a `Linker`, with checks."""

    tally = Tally()

    def __init__(self, function: Callable[[Tracklets], Any]) -> None:
        self._function = function
        self._name = getattr(function, "__qualname__", type(function).__name__)

    def add(self, tracklets: Tracklets) -> Int[np.ndarray, " n"]:
        """See `Linker.add`; raises `InputError` where the function's answer is no list of ids."""
        answer = np.asarray(self._function(tracklets))
        ids = answer.reshape(0).astype(np.int64) if not answer.size else answer
        named = ids[ids >= 0] if ids.dtype.kind in "iu" else ids
        if ids.shape != (len(tracklets),) or ids.dtype.kind not in "iu" or len(np.unique(named)) < len(named):
            raise InputError(
                f"{self._name}, keyframe {tracklets.keyframe}: gave {answer.tolist()!r:.80} for {len(tracklets)} "
                "tracklets: expected one whole number for each, none twice, below 0 for no track"
            )
        return ids.astype(np.int64)

    def end_shot(self) -> None:
        """A function that wants to know has a method `end_shot`."""
        getattr(self._function, "end_shot", lambda: None)()


def linker_maker(given: Any) -> Callable[[], Linker | None]:
    """What makes the linker of each run.

    Args:
        given: None for the one that the settings name; an object with the protocol `Linker`, of which each run gets a
            copy; a class, of which each run gets an object; or a function `Tracklets -> ids`, the same for all runs.

    Returns:
        A function without arguments.

    Raises:
        UsageError: None of these.
    """
    if given is None:
        return lambda: None
    if isinstance(given, type):
        return lambda: _as_linker(given())
    if isinstance(given, Linker):
        return lambda: copy.deepcopy(given)
    linker = _as_linker(given)
    return lambda: linker


def _as_linker(given: Any) -> Linker:
    if isinstance(given, Linker):
        return given
    if callable(given):
        return CallableLinker(given)
    raise UsageError(
        f"linker is a {type(given).__name__}: expected a name, a function of the tracklets of a keyframe, or an object "
        "with add(tracklets), end_shot() and tally (dettrack.Linker)"
    )
