"""Harmony4D's layout: what its tools write is read, and nothing in its pickles is run."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from dettrack.errors import InputError
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.training.labels.harmony4d import read_poses
from dettrack.training.labels.sets import read_set


def pose(x: float) -> np.ndarray:
    """17 joints with confidences; the last one is not to be trusted."""
    values = np.stack([x + np.arange(17.0), 20 + 2 * np.arange(17.0), np.ones(17)], 1)
    values[-1, 2] = 0.1
    return values


def write(root: Path, sequence: str, frames: int = 3) -> Path:
    """Two cameras, two people; frame 2 is not annotated; a worn camera, which is not read."""
    folder = root / sequence
    for camera in ("cam01", "cam02"):
        for kind in ("poses2d", "bbox"):
            (folder / "processed_data" / kind / camera).mkdir(parents=True)
        (folder / "exo" / camera / "images").mkdir(parents=True)
        for number in range(1, frames + 1):
            cv2.imwrite(str(folder / "exo" / camera / "images" / f"{number:05d}.jpg"), np.zeros((90, 120, 3), np.uint8))
            if number == 2:
                continue
            people = {"aria01": pose(10.0 + number), "aria02": pose(60.0 - number)}
            name = f"{camera}/{number:05d}.npy"
            np.save(folder / "processed_data" / "poses2d" / name, people, allow_pickle=True)
            boxes = {"aria01": np.array([8.0, 15, 40, 80])}
            np.save(folder / "processed_data" / "bbox" / name, boxes, allow_pickle=True)
    (folder / "ego" / "aria01" / "images" / "rgb").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("below", [True, False])
def test_each_camera_is_a_video(tmp_path: Path, below: bool) -> None:
    sequence = write(tmp_path / "train" / "02_grappling", "001")
    people, notes = read_set(tmp_path if below else sequence, "harmony4d", None, POSETRACK15)
    assert notes == []
    assert people.video.tolist() == [0, 0, 0, 1, 1, 1]
    assert people.frame.tolist() == [1, 2, 3] * 2
    assert people.labelled.tolist() == [True, False, True] * 2
    assert len(people) == 8
    assert len(set(people.track.tolist())) == 4  # two people in each video, the same in its frames
    wrist, ankle = POSETRACK15.index("left_wrist"), POSETRACK15.index("right_ankle")
    expected = pose(11.0)[COCO17.index("left_wrist"), :2]
    np.testing.assert_allclose(people.xy[0, wrist], expected)
    assert np.isnan(people.xy[:, ankle]).all()  # not confident
    np.testing.assert_allclose(people.boxes[0], [8, 15, 40, 80])
    np.testing.assert_allclose(people.boxes[1][:2], [59, 20])  # no box: the joints' extent


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("evil",)


def test_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a.npy", {"aria01": _Evil()}, allow_pickle=True)
    with pytest.raises(InputError, match="is no array"):
        read_poses(tmp_path / "a.npy")
    assert not Path("evil").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"aria01": np.zeros((24, 2))}, r"shape \(24, 2\), expected COCO's 17"),
        (np.zeros(3), "expected a dictionary of people"),
        ({"aria01": "text"}, "could not convert"),
    ],
)
def test_other_files_are_one_line(tmp_path: Path, content: object, says: str) -> None:
    np.save(tmp_path / "a.npy", content, allow_pickle=True)
    with pytest.raises(InputError, match=says):
        read_poses(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="the magic string"):
        read_poses(tmp_path / "b.npy")
    with pytest.raises(InputError, match="no exo/CAMERA/images"):
        read_set(tmp_path, "harmony4d", None, POSETRACK15)


def test_what_a_pickle_announces_is_not_reserved(tmp_path: Path) -> None:
    """A place in the unpickler's memory took 10 GB, an empty array of a wrong shape as much as it says."""
    np.save(tmp_path / "a.npy", {"aria01": pose(1.0)}, allow_pickle=True)
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "b.npy").write_bytes(content[:-1] + b"r\xff\xff\xff\x4c.")
    with pytest.raises(InputError, match="at place"):
        read_poses(tmp_path / "b.npy")
    (tmp_path / "c.npy").write_bytes(content.replace(b"K\x00\x85", b"J\xff\xff\xff\x7f\x85", 1)[: len(content) + 3])
    with pytest.raises(InputError, match="shape"):
        read_poses(tmp_path / "c.npy")
