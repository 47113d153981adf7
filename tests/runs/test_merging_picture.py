"""The paper's figure 4 of any run: `dettrack picture --person`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from viewer_results import people, write_result, write_tracklets, write_video

from dettrack.cli import main

FRAMES = 20


@pytest.fixture
def run(tmp_path: Path) -> Path:
    times = np.arange(FRAMES) / 25
    table = people(times)
    write_video(tmp_path / "numbered.mp4", times)
    folder = write_result(tmp_path / "numbered.dettrack", table, times, tmp_path / "numbered.mp4")
    write_tracklets(folder / "tracklets.parquet", table)
    return folder


def draw(run: Path, *options: str) -> int:
    out = run.parent / "out.png"
    return main(["picture", str(run.parent / "numbered.mp4"), str(run), "--out", str(out), *options])


def test_four_panels_for_each_frame(run: Path) -> None:
    assert draw(run, "--person", "1", "--frames", "7,8,999", "--width", "200") == 0
    image = cv2.imread(str(run.parent / "out.png"))
    height, width = image.shape[:2]
    assert width // 200 == 4
    rows = [image[: height // 2], image[height // 2 :]]
    for row in rows:
        panels = [row[40:-10, 204 * i : 204 * i + 200].astype(int) for i in range(4)]
        assert all(panel.std() > 5 for panel in panels)  # something is drawn in each
        assert all(np.abs(panels[i] - panels[j]).max() > 50 for i in range(3) for j in range(i))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--person", "1", "--frames", "3"], "in the frames that --frames lists"),
        (["--person", "9", "--frames", "3,4"], "no hypotheses of person 9"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    run: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw(run, *options) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_run_without_tracklets_says_so(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "tracklets.parquet").unlink()
    assert draw(run, "--person", "1", "--frames", "3,4") == 1
    assert "--save-tracklets" in capsys.readouterr().err
