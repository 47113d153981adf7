"""Video in and out: sequential reading with true timestamps, shot cuts, H.264 writing."""

from dettrack.video.reader import VideoReader, open_video
from dettrack.video.sources import ImageList
from dettrack.video.writer import VideoWriter, choose_encoder

__all__ = ["ImageList", "VideoReader", "VideoWriter", "choose_encoder", "open_video"]
