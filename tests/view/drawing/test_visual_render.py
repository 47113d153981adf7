import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
from people import table

from dettrack.errors import InputError, OutputError
from dettrack.formats import Writer
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Frame, Source, TrackTable
from dettrack.video import VideoWriter, open_video
from dettrack.view.drawing.contact import compare_runs, contact_sheet, pick_frames, save_image
from dettrack.view.drawing.render import RenderWriter, paint, zoom_for

BOX = (60.0, 40.0, 110.0, 150.0)
NOBODY = TrackTable.empty(POSETRACK15)


@pytest.fixture
def grey_video(tmp_path):
    """Twenty frames of 320x180, each a shade lighter, unevenly spaced in time."""
    path = tmp_path / "grey.mp4"
    with VideoWriter(path, (180, 320), Fraction(10)) as out:
        for index in range(20):
            out.write(np.full((180, 320, 3), 40 + 5 * index, np.uint8), (index + index // 10) / 10)
    return path


def people_in(image, shade):
    """Whether someone is drawn where the box is, on a picture of one grey."""
    height, width = image.shape[:2]
    inside = image[round(height * 0.2) : round(height * 0.85), round(width * 0.18) : round(width * 0.36)]
    return (np.abs(inside.astype(int) - shade).max(-1) > 40).mean() > 0.02


def render(source, rows, path, *, lag=0, **part):
    """Render a video as a run does whose rows become final `lag` frames after their frame was read."""
    tables = dict(rows.rows_by_frame())
    with open_video(source, shots=False, **part) as video:
        out, waiting = RenderWriter(path, video.info), []
        assert isinstance(out, Writer)
        for frame in video:
            out.add(frame)
            waiting.append(frame)
            if len(waiting) > lag:
                first = waiting.pop(0)
                out.write(first.index, first.time_s, tables.get(first.index, NOBODY))
        for frame in waiting:
            out.write(frame.index, frame.time_s, tables.get(frame.index, NOBODY))
    out.close()
    out.close()
    with open_video(path, shots=False) as reader:
        return reader.info, list(reader)


@pytest.mark.parametrize("lag", [0, 4, 99])
def test_people_are_drawn_on_their_own_frames_and_times_are_kept(grey_video, tmp_path, lag):
    with_people = [2, 3, 4, 11, 19]
    info, frames = render(grey_video, table(with_people, [BOX] * 5, [0, 0, 0, 1, 1]), tmp_path / "out.mp4", lag=lag)
    with open_video(grey_video, shots=False) as reader:
        times = [frame.time_s for frame in reader]
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-3)
    assert (info.height, info.width) == (720, 1280) == frames[0].image.shape[:2]
    assert [frame.index for frame in frames if people_in(frame.image, 40 + 5 * frame.index)] == with_people


def test_a_run_that_fails_or_was_interrupted_keeps_what_it_is_told_to(grey_video, tmp_path):
    with open_video(grey_video, shots=False) as video:
        frames = list(video)
    for name in ("kept", "gone"):
        out = RenderWriter(tmp_path / f"{name}.mp4", video.info)
        for frame in frames:
            out.add(frame)
        for index in (0, 1, 5):  # frames that have no rows are left out
            out.write(index, frames[index].time_s, NOBODY)
        with pytest.raises(ValueError, match="frame 3 came before"):
            out.write(3, 0.0, NOBODY)
        out.close() if name == "kept" else out.abort()
    assert {path.name for path in tmp_path.iterdir()} == {"grey.mp4", "kept.mp4"}
    with open_video(tmp_path / "kept.mp4", shots=False) as reader:
        assert [round(frame.image.mean()) for frame in reader] == pytest.approx([40, 45, 65], abs=8)


def test_a_part_of_a_video_is_rendered_with_the_whole_ones_numbering(grey_video, tmp_path):
    rows = table([3, 7, 12], [BOX] * 3, [0, 0, 0])
    _, frames = render(grey_video, rows, tmp_path / "out.mp4", start_s=0.5, end_s=0.9)
    assert [people_in(frame.image, 40 + 5 * (frame.index + 5)) for frame in frames] == [False, False, True, False]


def test_images_without_a_clock_are_shown_at_25_a_second(tmp_path):
    for index in range(5):
        save_image(tmp_path / f"{index}.png", np.full((90, 160, 3), 50, np.uint8))
    info, frames = render(tmp_path, NOBODY, tmp_path / "out.mp4")
    assert (info.fps, len(frames)) == (25, 5)


def test_a_folder_that_is_not_there_is_told_at_once(grey_video, tmp_path):
    with open_video(grey_video) as video, pytest.raises(OutputError, match="folder does not exist"):
        RenderWriter(tmp_path / "none" / "out.mp4", video.info)


@pytest.mark.parametrize(
    ("size", "zoom"),
    [((288, 384), 2.5), ((426, 240), 3.0), ((720, 1280), 1.0), ((2160, 3840), 1.0), ((1280, 720), 1.0)],
)
def test_small_videos_are_enlarged_and_large_ones_left(size, zoom):
    assert zoom_for(*size) == zoom


def test_painting_leaves_the_frame_alone_and_explains_itself():
    frame = Frame(7, 0.28, np.full((720, 1280, 3), 90, np.uint8))
    rows = table([7], [(400.0, 100.0, 600.0, 600.0)], [4], [Source.RECOVERED])
    bare = paint(frame, rows, legend=False)
    explained = paint(frame, rows)
    assert (frame.image == 90).all()
    corner = (slice(570, 720), slice(0, 190))
    assert (bare[corner] == 90).all()
    assert (explained[corner] != 90).any(-1).mean() > 0.9
    np.testing.assert_array_equal(bare[:, 200:], explained[:, 200:])
    unclocked = paint(Frame(7, math.nan, frame.image), None)
    assert (unclocked[corner] != explained[corner]).any()


@pytest.mark.parametrize("size", [(16, 16), (2000, 20), (31, 500)])
def test_any_size_can_be_painted(size):
    frame = Frame(0, 0.0, np.zeros((size[1], size[0], 3), np.uint8))
    rows = table([0], [(2.0, 2.0, 9.0, 12.0)], [0])
    for zoom in (1.0, zoom_for(*size)):
        if size[0] * zoom < 5000:
            assert paint(frame, rows, zoom=zoom).shape == (round(size[1] * zoom), round(size[0] * zoom), 3)


def test_a_contact_sheet_lays_out_its_cells():
    images = [np.full((50 + 10 * i, 100, 3), 20 * i, np.uint8) for i in range(5)]
    sheet = contact_sheet(images, ["one", "two"], columns=2, cell_width=100)
    assert sheet.shape == ((28 + 60 + 4) + (80 + 4) + (90 + 4), 2 * 104, 3)
    assert (sheet[60, 50] == 0).all()
    assert (sheet[60, 150] == 20).all()
    assert (sheet[110, 50] == 40).all()
    assert (sheet[-1] == 255).all()
    with pytest.raises(InputError, match="at least one image"):
        contact_sheet([])


def test_runs_stand_side_by_side(grey_video, tmp_path):
    one = table([2, 9], [BOX] * 2, [0, 0])
    sheet = compare_runs(grey_video, {"found": one, "missed": NOBODY}, frames=[2, 9], cell_width=320)
    assert sheet.shape == (2 * (28 + 180 + 4), 2 * 324, 3)
    cell = sheet[28:208]
    assert people_in(cell[:, :320], 50)
    assert not people_in(cell[:, 324:644], 50)
    assert compare_runs(grey_video, {"found": one}, frames=3).shape[1] == 3 * 484
    assert compare_runs(grey_video, {"missed": NOBODY}, frames=2, cell_width=64).shape[1] == 2 * 68
    save_image(tmp_path / "sheet.png", sheet)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], sheet)


def test_frames_are_picked_by_index(grey_video):
    found = pick_frames(grey_video, [3, 17, 400])
    assert sorted(found) == [3, 17]
    assert found[17].image.mean() == pytest.approx(40 + 5 * 17, abs=3)


def test_an_image_that_cannot_be_saved_says_why(tmp_path):
    image = np.zeros((4, 4, 3), np.uint8)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="unknown kind of image"):
        save_image(tmp_path / "a.nonsense", image)
    with pytest.raises(OutputError, match="cannot write"):
        save_image(tmp_path / "taken" / "a.png", image)
