"""dettrack: find every person in a video, follow each one, and give their joints in every frame.

The names below are the public surface; torch and the readers are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

_HOMES = {
    "DettrackError": "dettrack.errors",
    "Pipeline": "dettrack.pipeline",
    "Run": "dettrack.pipeline",
    "Segment": "dettrack.structures",
    "Source": "dettrack.structures",
    "TrackConfig": "dettrack.config",
    "TrackTable": "dettrack.structures",
    "open_video": "dettrack.video",
    "read_tracks": "dettrack.formats",
    "track": "dettrack.pipeline",
    "track_all": "dettrack.pipeline",
    "tune_process": "dettrack.threads",
}
__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from dettrack.config import TrackConfig as TrackConfig
    from dettrack.errors import DettrackError as DettrackError
    from dettrack.formats import read_tracks as read_tracks
    from dettrack.pipeline import Pipeline as Pipeline
    from dettrack.pipeline import Run as Run
    from dettrack.pipeline import track as track
    from dettrack.pipeline import track_all as track_all
    from dettrack.structures import Segment as Segment
    from dettrack.structures import Source as Source
    from dettrack.structures import TrackTable as TrackTable
    from dettrack.threads import tune_process as tune_process
    from dettrack.video import open_video as open_video


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dettrack' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
