"""`posetrack18.json` of one video, written while it is tracked; entries are those of `posetrack_entries`."""

from __future__ import annotations

from pathlib import Path

from dettrack.formats.coco import image_name
from dettrack.formats.part import JsonArrays
from dettrack.formats.posetrack import ImageInfo
from dettrack.formats.posetrack_entries import annotation_entries, categories, image_entry, image_id
from dettrack.structures import TrackTable, VideoInfo

__all__ = ["PoseTrackWriter"]


class PoseTrackWriter:
    """Writes PoseTrack18's form: 17 joints by name, every image listed, people or not."""

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self._file = JsonArrays(path, "annotations", "images", {"categories": categories()})
        self._info = info

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        number = image_id(self._info.name, frame_index)
        image = ImageInfo(image_name(self._info, frame_index, name), number)
        self._file.add(annotation_entries(number, rows), [image_entry(image, nframes=self._info.n_frames)])

    def close(self) -> None:
        """See `formats.Writer.close`."""
        self._file.close()
