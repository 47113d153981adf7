"""PoseTrack's files of 2017, 2018 and 2021 behind one description of a sequence."""

from dettrack.formats.posetrack.sequence import NO_ID, Format, ImageInfo, People, PoseSequence, head_box_sizes

__all__ = ["NO_ID", "Format", "ImageInfo", "People", "PoseSequence", "head_box_sizes"]
