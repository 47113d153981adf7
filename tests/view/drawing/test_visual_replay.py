"""A result is drawn on the video that was tracked, and on no other that has taken its place."""

import cv2
import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.cli import main
from dettrack.errors import InputError
from dettrack.formats.read import read_result
from dettrack.view.drawing.replay import find_video
from dettrack.view.opened import open_result


@pytest.fixture
def result(tmp_path):
    scene = draw_scene(tmp_path / "walkers", np.array([[40.0, 30.0]]), np.array([[2.0, 0]]), 6)
    models = ("--detector", str(write_boxes(tmp_path / "boxes.json", scene)), "--no-flip")
    models += ("--model", str(write_model(tmp_path / "dots.onnx")), "--min-track-score", "0")
    assert main(["track", str(scene.folder), *models, "--fps", "25", "--quiet", "--out", str(tmp_path)]) == 0
    return tmp_path / "walkers.dettrack"


def test_a_video_that_was_replaced_is_not_drawn_on(result, tmp_path, capsys):
    video, out = tmp_path / "walkers", tmp_path / "drawn.mp4"
    assert find_video(read_result(result)) == video
    assert open_result(result).source == video
    (video / "000003.png").write_bytes((video / "000000.png").read_bytes())
    with pytest.raises(InputError, match="has changed since it was tracked"):
        open_result(result)
    assert main(["render", str(result), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "has changed since it was tracked" in said
    assert said.count("\n") == 1
    assert not out.exists()
    assert open_result(result, video).source == video  # who names it means it
    assert find_video(read_result(result), video) == video


def test_a_video_of_another_size_is_told_in_one_line(result, tmp_path, capsys):
    scene = draw_scene(tmp_path / "smaller", np.array([[40.0, 30.0]]), np.array([[2.0, 0]]), 6)
    for path in scene.folder.glob("*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path))[:100, :100])
    for command, out in (("render", tmp_path / "drawn.mp4"), ("frames", tmp_path / "frames")):
        assert main([command, str(result), "--video", str(scene.folder), "--out", str(out)]) == 1
        said = capsys.readouterr().err
        assert "smaller: 100x100 pixels, but" in said
        assert said.count("\n") == 1
        assert not out.exists()


def test_a_video_that_was_moved_is_the_same(result, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "walkers").rename(tmp_path / "elsewhere" / "walkers")
    result = result.rename(tmp_path / "elsewhere" / result.name)
    assert find_video(read_result(result)) == moved
    assert open_result(result).source == moved
