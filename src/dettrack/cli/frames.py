"""`dettrack frames`: the images that COCO and PoseTrack files of a result name."""

from dettrack.cli.render import run_frames as run

__all__ = ["run"]
