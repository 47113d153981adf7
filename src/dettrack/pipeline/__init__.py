"""Video in, finished poses out: cut, sew and polish in one pass over the frames, with flat memory.

Frames stream through a window of one clip; a keyframe's tubes are cut as soon as its clip is complete; a frame's poses
leave as soon as no later tube covers it and its paths are decided.
"""

from dettrack.pipeline.pipeline import Pipeline
from dettrack.pipeline.run import BatchSink, Run, Video

__all__ = ["BatchSink", "Pipeline", "Run", "Video"]
