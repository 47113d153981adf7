"""The arrays that flow from a video to finished tracks, one frozen dataclass each.

Conventions, everywhere: pixels are those of the displayed frame (after the container's display matrix), x to the
right and y down, with integer coordinates at pixel centres; boxes are `x1, y1, x2, y2`; images are RGB uint8;
`frame` is the index of a frame in its video, from 0, and `time_s` its timestamp in seconds; scores lie in [0, 1];
NaN means missing, never (0, 0).
"""

from dettrack.structures.frames import Clip, Frame, FrameTimes, VideoInfo
from dettrack.structures.people import Boxes, SewnBatch, TrackletBatch, Tracklets, Tubes
from dettrack.structures.tracks import CloseLink, Segment, Source, TrackTable

__all__ = [
    "Boxes",
    "Clip",
    "CloseLink",
    "Frame",
    "FrameTimes",
    "Segment",
    "SewnBatch",
    "Source",
    "TrackTable",
    "TrackletBatch",
    "Tracklets",
    "Tubes",
    "VideoInfo",
]
