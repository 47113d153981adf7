"""dettrack: find every person in a video, follow each one, and give their joints in every frame.

The names below are the public surface; torch and the readers are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

_HOMES = {
    "Boxes": "dettrack.structures",
    "CutConfig": "dettrack.config",
    "DetectConfig": "dettrack.config",
    "Detector": "dettrack.models.detector",
    "DettrackError": "dettrack.errors",
    "EstimateConfig": "dettrack.config",
    "Estimator": "dettrack.models.pose",
    "FinishConfig": "dettrack.config",
    "Frame": "dettrack.structures",
    "ImageList": "dettrack.video",
    "JointSet": "dettrack.skeleton",
    "Linker": "dettrack.sew",
    "Pipeline": "dettrack.pipeline",
    "PolishConfig": "dettrack.config",
    "Run": "dettrack.pipeline",
    "Segment": "dettrack.structures",
    "SewConfig": "dettrack.config",
    "Source": "dettrack.structures",
    "TrackConfig": "dettrack.config",
    "TrackTable": "dettrack.structures",
    "Tracklets": "dettrack.structures",
    "joint_set": "dettrack.skeleton",
    "load_config": "dettrack.config",
    "open_video": "dettrack.video",
    "read_tracks": "dettrack.formats",
    "track": "dettrack.runs.track",
    "track_all": "dettrack.runs.track",
    "tune_process": "dettrack.threads",
}
__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from dettrack.config import CutConfig as CutConfig
    from dettrack.config import DetectConfig as DetectConfig
    from dettrack.config import EstimateConfig as EstimateConfig
    from dettrack.config import FinishConfig as FinishConfig
    from dettrack.config import PolishConfig as PolishConfig
    from dettrack.config import SewConfig as SewConfig
    from dettrack.config import TrackConfig as TrackConfig
    from dettrack.config import load_config as load_config
    from dettrack.errors import DettrackError as DettrackError
    from dettrack.formats import read_tracks as read_tracks
    from dettrack.models.detector import Detector as Detector
    from dettrack.models.pose import Estimator as Estimator
    from dettrack.pipeline import Pipeline as Pipeline
    from dettrack.pipeline import Run as Run
    from dettrack.runs.track import track as track
    from dettrack.runs.track import track_all as track_all
    from dettrack.sew import Linker as Linker
    from dettrack.skeleton import JointSet as JointSet
    from dettrack.skeleton import joint_set as joint_set
    from dettrack.structures import Boxes as Boxes
    from dettrack.structures import Frame as Frame
    from dettrack.structures import Segment as Segment
    from dettrack.structures import Source as Source
    from dettrack.structures import Tracklets as Tracklets
    from dettrack.structures import TrackTable as TrackTable
    from dettrack.threads import tune_process as tune_process
    from dettrack.video import ImageList as ImageList
    from dettrack.video import open_video as open_video


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dettrack' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
