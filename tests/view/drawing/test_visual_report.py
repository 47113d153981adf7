"""The report page, the drawn-again video, blurred faces."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dettrack.cli import main
from dettrack.edit import append
from dettrack.errors import InputError
from dettrack.formats import read_tracks
from dettrack.formats.read import read_result
from dettrack.video.reader import open_video
from dettrack.video.writer import VideoWriter
from dettrack.view.drawing.blur import FaceBlur, head_discs
from dettrack.view.drawing.replay import Replay, render_result, write_frames
from dettrack.view.drawing.report import write_report

sys.path.insert(0, str(Path(__file__).parents[2] / "formats"))
from test_exports import folder  # noqa: F401 (a fixture)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Noise, 42 frames of the size of the result's video, from 2 s on."""
    rng = np.random.default_rng(0)
    path = tmp_path / "match.mp4"
    writer = VideoWriter(path, (480, 640), Fraction(25))
    picture = rng.integers(0, 255, (48, 64, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    for index in range(42):
        writer.write(picture, 2.0 + index / 25)
    writer.close()
    return path


def test_the_page_is_whole_and_nothing_in_it_runs(folder: Path, video: Path, tmp_path: Path) -> None:  # noqa: F811
    append(folder, {"op": "rename", "track": 9, "name": "<script>alert(1)</script>"}, read_tracks(folder))
    (folder / "suspects.jsonl").write_text(
        '{"rank": 1, "frame": 5, "reason": "<img src=x onerror=alert(1)>", "tracks": [2]}\nbroken\n'
    )
    out = tmp_path / "report.html"
    write_report(read_result(folder), out, video=video, blur_faces=True)
    text = out.read_text()
    page = Page()
    page.feed(text)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "http" not in text.replace("http-equiv", "")
    assert page.text.count("<script>alert(1)</script>") >= 2
    assert "<img src=x onerror=alert(1)>" in page.text
    assert page.tags.count("tr") == 1 + 3 + 1 + 1
    assert page.tags.count("img") == 3
    assert "person 2" in page.text


def test_a_report_of_nobody_is_a_page(folder: Path, tmp_path: Path) -> None:  # noqa: F811
    result = read_result(folder)
    write_report(replace(result, table=result.table[:0]), tmp_path / "report.html")
    assert "Nobody." in (tmp_path / "report.html").read_text()


def test_the_report_says_what_share_of_heads_the_blur_covered(folder: Path, tmp_path: Path) -> None:  # noqa: F811
    result = read_result(folder)
    said = {"blurred_heads": {"heads": 200, "covered": 199, "by_joints": 150}}
    write_report(replace(result, summary=result.summary | said), tmp_path / "report.html")
    assert "199 of 200 heads of tracked people (99.5 %), 150 of them" in (tmp_path / "report.html").read_text()


def test_heads_are_covered_whatever_is_known_of_them(folder: Path) -> None:  # noqa: F811
    rows = read_tracks(folder)
    rows = rows[rows.frame == 15][:3]
    head = [rows.joint_set.index(name) for name in ("nose", "head_top", "head_bottom")]
    shoulders = [rows.joint_set.index(f"{side}_shoulder") for side in ("left", "right")]
    rows.xy[1:, head] = np.nan
    rows.xy[2, shoulders] = np.nan
    discs, by_head = head_discs(rows)
    assert by_head.tolist() == [True, False, False]
    assert np.isfinite(discs).all()
    x, y, radius = discs[0]
    points = rows.xy[0, head]
    points = points[np.isfinite(points).all(1)]
    assert (np.hypot(*(points - (x, y)).T) <= radius).all()
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    blur, before = FaceBlur(), image.copy()
    blur(image, rows)
    assert (blur.heads, blur.covered, blur.by_joints) == (3, 3, 1)
    changed = (image != before).any(-1)
    columns, lines = np.meshgrid(np.arange(640), np.arange(480))
    inside = np.zeros((480, 640), bool)
    for x, y, radius in discs:
        inside |= (columns - x) ** 2 + (lines - y) ** 2 <= radius**2
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.9


def test_a_result_is_drawn_again(folder: Path, video: Path, tmp_path: Path) -> None:  # noqa: F811
    result = read_result(folder).select(2.4, 2.8, [2])
    out = tmp_path / "drawn.mp4"
    blur = render_result(
        result, video, out, Replay(trail_s=0.5, blur_faces=True, beside=True, slower=2.0), read_tracks(folder)
    )
    assert blur.share == 1.0
    assert blur.heads > 10  # also those who are not drawn
    with open_video(str(out)) as drawn:
        frames = list(drawn)
    assert len(frames) == 10
    assert frames[0].image.shape == (720, 1920, 3)
    assert frames[9].time_s - frames[0].time_s == pytest.approx(9 * 2 / 25, abs=0.01)
    assert not np.allclose(frames[5].image[:, :960], frames[5].image[:, 960:])
    far = replace(result, times=replace(result.times, index=result.times.index + 900))
    with pytest.raises(InputError, match="is it the right video"):
        render_result(far, video, tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()


def test_images_have_the_names_of_coco_files(folder: Path, video: Path, tmp_path: Path) -> None:  # noqa: F811
    count, _ = write_frames(read_result(folder), video, tmp_path / "images")
    assert count == 42
    names = sorted(path.relative_to(tmp_path / "images").as_posix() for path in (tmp_path / "images").rglob("*.jpg"))
    assert names == [f"match/{index:06d}.jpg" for index in range(42)]


def test_show_says_what_is_there(folder: Path, capsys: pytest.CaptureFixture) -> None:  # noqa: F811
    assert main(["show", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "match, 640x480, 25.000 frames/s" in out
    assert "edits      4 count, of 4 in the list" in out
    assert "Ann [7]/x" in out
    weights = Path(__file__).parents[3] / "src/dettrack/models/weights/pose.safetensors"
    assert main(["show", str(weights)]) == 0
    assert "arrays" in capsys.readouterr().out
    assert main(["show", str(folder / "nothing")]) == 1
