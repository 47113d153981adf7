"""`openpose/`: one JSON file a frame in OpenPose's BODY_25 order, for tools that read its `--write_json` folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dettrack.errors import OutputError
from dettrack.files import output_error
from dettrack.formats.part import PartFile
from dettrack.skeleton import JointSet
from dettrack.structures import TrackTable, VideoInfo

__all__ = ["BODY_25", "OpenPoseWriter", "to_body_25"]

# Joint names in BODY_25's order; neck and mid hip are the middles of shoulders and hips, as in OpenPose's training
# data. Feet are not ours: always missing.
BODY_25 = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
)
_MIDDLES = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}


def to_body_25(rows: TrackTable) -> Float[np.ndarray, "rows 25 3"]:
    """x, y, confidence of every BODY_25 point; 0, 0, 0 where missing, as OpenPose writes it."""
    joints: JointSet = rows.joint_set
    out = np.zeros((len(rows), len(BODY_25), 3))
    for column, name in enumerate(BODY_25):
        parts = [joints.joints.index(part) for part in _MIDDLES.get(name, (name,)) if part in joints.joints]
        if len(parts) == len(_MIDDLES.get(name, (name,))):
            out[:, column, :2] = rows.shown_xy[:, parts].mean(1)
            out[:, column, 2] = rows.joint_scores[:, parts].min(1)
    return np.where(np.isfinite(out).all(-1, keepdims=True), out, 0.0)


class OpenPoseWriter:
    """Writes a folder; files of an earlier run in it are removed first."""

    def __init__(self, folder: Path, info: VideoInfo) -> None:
        """Make the folder.

        Args:
            folder: Folder of one file for each frame.
            info: The video, whose name the files bear.

        Raises:
            OutputError: It cannot be written.
        """
        self._folder, self._stem = folder, info.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("*_keypoints.json"):
                old.unlink()
        except OSError as error:
            raise output_error(folder, error) from error

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        points = np.round(to_body_25(rows), 4).reshape(len(rows), 3 * len(BODY_25)).tolist()
        empty: list[float] = []
        others = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")
        people = [
            {"person_id": [track], "pose_keypoints_2d": person, **dict.fromkeys(others, empty)}
            for track, person in zip(rows.track_id.tolist(), points, strict=True)
        ]
        file = PartFile(self._folder / f"{self._stem}_{frame_index:012d}_keypoints.json", sync=False)  # one a frame
        try:
            file.write(json.dumps({"version": 1.3, "people": people}))
        except OutputError:
            file.discard()
            raise
        file.close()

    def close(self) -> None:
        """See `formats.Writer.close`."""
