"""`tracks.npz`: boxes and COCO's 17 joints by id, as programs that lift to 3D take them (GVHMR, WHAM and their kin)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dettrack.files import NewFile
from dettrack.formats.result import Result
from dettrack.measure.scale import Scale
from dettrack.skeleton import COCO17, JointMap

__all__ = ["write"]

_ROOM = 1.2  # of the square that those programs cut out, over the longer side of the box


def write(path: Path, result: Result, scale: Scale | None = None) -> list[Path]:
    """Write the file.

    Args:
        path: The file. Arrays, one row for each person and frame, sorted by id, then by frame: `track_id`, `frame`,
            `time_s`, `bbox` (x1, y1, x2, y2), `bbx_xys` (middle and side of a square with room), `keypoints` (17 of x,
            y, score; 0, 0, 0 where missing). `joints` are the names, `video` is JSON about the video.
        result: What to write.
        scale: Not used: the file is in pixels.

    Returns:
        The file.

    Raises:
        OutputError: It cannot be written.
    """
    table = result.table
    table = table[np.lexsort((table.frame, table.track_id))]
    xy, scores = JointMap(table.joint_set, COCO17)(table.shown_xy, table.joint_scores)
    keypoints = np.concatenate([xy, scores[..., None]], -1)
    keypoints = np.where(np.isfinite(xy).all(-1, keepdims=True), keypoints, 0.0)
    size = (table.box[:, 2:] - table.box[:, :2]).max(1, keepdims=True) * _ROOM
    info = result.info
    about = {"name": info.name, "width": info.width, "height": info.height}
    about["fps"] = None if info.fps is None else str(info.fps)
    with NewFile(path) as new, new.part.open("wb") as file:
        np.savez_compressed(
            file,
            track_id=table.track_id,
            frame=table.frame,
            time_s=table.time_s,
            bbox=table.box.astype(np.float32),
            bbx_xys=np.concatenate([(table.box[:, :2] + table.box[:, 2:]) / 2, size], 1).astype(np.float32),
            keypoints=keypoints.astype(np.float32),
            joints=np.array(COCO17.joints),
            video=np.array(json.dumps(about)),
        )
    return [path]
