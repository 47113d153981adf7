"""`dettrack picture`: two runs of one video side by side."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from dettrack.cli import main
from dettrack.formats.jsonl import JsonlWriter
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Source, TrackTable
from dettrack.video import VideoWriter

FRAMES = 6


def people(frame: int, count: int) -> TrackTable:
    joints = len(POSETRACK15)
    xy = np.stack([np.linspace(20, 140, joints), np.linspace(20, 100, joints)], -1)
    return TrackTable(
        POSETRACK15,
        frame=np.full(count, frame),
        time_s=np.full(count, frame / 10),
        track_id=np.arange(count),
        box=np.tile([15.0, 15.0, 145.0, 105.0], (count, 1)),
        score=np.ones(count),
        xy=np.tile(xy, (count, 1, 1)),
        joint_scores=np.ones((count, joints)),
        spread=np.zeros((count, joints)),
        support=np.ones((count, joints), np.int64),
        source=np.full(count, int(Source.DETECTED)),
    )


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A grey video; run "full" has somebody in every frame, run "empty" nobody."""
    with VideoWriter(tmp_path / "grey.mp4", (120, 160), Fraction(10)) as video:
        for index in range(FRAMES):
            video.write(np.full((120, 160, 3), 90, np.uint8), index / 10)
    for name, count in (("full", 1), ("empty", 0)):
        (tmp_path / name).mkdir()
        writer = JsonlWriter(tmp_path / name / "tracks.jsonl")
        for index in range(FRAMES):
            writer.write(index, index / 10, people(index, count))
        writer.close()
    return tmp_path


def test_each_run_has_a_column_and_each_frame_a_row(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(scene / "full"), str(scene / "empty")]
    out = scene / "out.png"
    assert (
        main(["picture", str(scene / "grey.mp4"), *runs, "--out", str(out), "--frames", "1,4", "--width", "320"]) == 0
    )
    image = cv2.imread(str(out))
    assert f"{image.shape[1]}x{image.shape[0]}" in capsys.readouterr().out
    assert 640 <= image.shape[1] < 680
    half = image.shape[1] // 2
    drawn = [float((np.ptp(part, axis=-1) > 40).mean()) for part in (image[:, :half], image[:, half:])]
    assert drawn[0] > 0.01  # colours of a track on grey
    assert drawn[1] == 0


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--frames", "none"], 2, "--frames 'none'"),
        (["--frames", "0"], 2, "--frames '0'"),
        (["--titles", "only"], 2, "expected 2 different names"),
        (["--width", "3"], 2, "--width 3"),
        (["--out", "picture.doc"], 1, "expected .png or .jpg"),
    ],
)
def test_mistakes_are_named(
    scene: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(scene)
    assert main(["picture", "grey.mp4", "full", "empty", "--out", "out.png", *more]) == code
    assert said in capsys.readouterr().err
    assert not Path("out.png").exists()


def test_at_least_one_run_is_needed(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["picture", str(scene / "grey.mp4"), "--out", str(scene / "out.png")]) == 2
    assert "at least one result folder" in capsys.readouterr().err


def test_a_folder_without_tracks_is_named(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scene / "nothing").mkdir()
    args = ["picture", str(scene / "grey.mp4"), str(scene / "nothing"), "--out", str(scene / "out.png")]
    assert main(args) == 1
    assert "nothing: no tracks in it" in capsys.readouterr().err
