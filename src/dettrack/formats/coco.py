"""`coco.json`: COCO keypoints in the run's own joint set, with image list, scores and track ids."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from dettrack.formats.part import JsonArrays
from dettrack.geometry import xywh_of
from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable, VideoInfo

__all__ = ["CocoWriter", "image_name"]


def image_name(info: VideoInfo, frame_index: int, name: str = "") -> str:
    """File name of a frame: its own, or one made of the video's name and the frame index.

    Args:
        info: The video.
        frame_index: Index of the frame.
        name: The frame's own file name, if it has one.

    Returns:
        Name for the entry in `images`.
    """
    return name or f"{info.name}/{frame_index:06d}.jpg"


class CocoWriter:
    """Writes an object with `images`, `annotations` and `categories`.

    An image's id is its frame index. `keypoints` holds x, y, v as COCO wants them: v is 2, or x, y, v are all 0 where
    the joint is missing; confidences are in `keypoint_scores`.
    """

    def __init__(self, path: Path, joint_set: JointSet, info: VideoInfo) -> None:
        """Open the file.

        Args:
            path: JSON file.
            joint_set: Joints of the rows.
            info: The video.

        Raises:
            OutputError: The folder cannot be written.
        """
        category = {
            "id": 1,
            "name": "person",
            "supercategory": "person",
            "keypoints": list(joint_set.joints),
            "skeleton": (joint_set.limbs + 1).tolist(),
        }
        self._file = JsonArrays(path, "annotations", "images", {"categories": [category]})
        self._info = info
        self._next_id = 1

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        info = self._info
        image = {
            "id": frame_index,
            "file_name": image_name(info, frame_index, name),
            "width": info.width,
            "height": info.height,
            "frame_index": frame_index,
            "time_s": None if math.isnan(time_s) else round(time_s, 6),
        }
        self._file.add(self._annotations(frame_index, rows), [image])
        self._next_id += len(rows)

    def _annotations(self, frame_index: int, rows: TrackTable) -> list[dict[str, Any]]:
        xy = rows.shown_xy
        present = np.isfinite(xy).all(-1)
        triplets = np.concatenate([xy, np.full((*present.shape, 1), 2.0)], -1)
        triplets = np.round(np.where(present[..., None], triplets, 0.0), 3)
        corners = rows.box
        boxes = np.round(xywh_of(corners), 3)
        areas = np.round(boxes[:, 2] * boxes[:, 3], 1)
        columns: dict[str, list[Any]] = {
            "id": list(range(self._next_id, self._next_id + len(rows))),
            "image_id": [frame_index] * len(rows),
            "category_id": [1] * len(rows),
            "track_id": rows.track_id.tolist(),
            "bbox": boxes.tolist(),
            "area": areas.tolist(),
            "iscrowd": [0] * len(rows),
            "score": np.round(rows.score.astype(float), 4).tolist(),
            "num_keypoints": present.sum(1).tolist(),
            "keypoints": triplets.reshape(len(rows), 3 * present.shape[1]).tolist(),
            "keypoint_scores": np.round(np.nan_to_num(rows.joint_scores.astype(float)), 4).tolist(),
        }
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def close(self) -> None:
        """See `formats.Writer.close`."""
        self._file.close()
