import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_videos import corners, number_of, numbered

from dettrack.errors import OutputError
from dettrack.video import VideoWriter, open_video
from dettrack.video import writer as writer_module

IMAGES = [numbered(index) for index in range(10)]


def read(path):
    with open_video(path, shots=False) as reader:
        return reader.info, list(reader)


@pytest.mark.parametrize(
    "rate", [Fraction(25), Fraction(30000, 1001), Fraction(10), Fraction(2160, 77), Fraction(1, 2)]
)
def test_a_constant_rate_comes_back_exactly(tmp_path, rate):
    with VideoWriter(tmp_path / "a.mp4", (96, 128), rate) as out:
        for image in IMAGES:
            out.write(image)
    info, frames = read(tmp_path / "a.mp4")
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(10) / float(rate), atol=2e-4)
    assert float(info.fps) == pytest.approx(float(rate), rel=1e-3)


def test_given_times_are_kept_and_start_at_zero(tmp_path):
    times = [5.0, 5.1, 5.3, 5.35, 6.0]
    with VideoWriter(tmp_path / "a.mp4", (96, 128), Fraction(30)) as out:
        for image, time_s in zip(IMAGES, times, strict=False):
            out.write(image, time_s)
    _, frames = read(tmp_path / "a.mp4")
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(times) - 5, atol=2e-5)


def test_times_that_stand_still_run_backwards_or_are_unknown_do_no_harm(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", (96, 128), Fraction(10)) as out:
        for image, time_s in zip(IMAGES, [1.0, 1.0, 0.5, float("nan"), 2.0], strict=False):
            out.write(image, time_s)
    _, frames = read(tmp_path / "a.mp4")
    times = [frame.time_s for frame in frames]
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert (np.diff(times) > 0).all()
    assert times[3] == pytest.approx(0.1, abs=1e-3)
    assert times[4] == pytest.approx(1.0, abs=1e-3)


@settings(max_examples=12)
@given(st.integers(16, 67), st.integers(16, 67))
def test_odd_sizes_get_one_more_row_or_column(tmp_path_factory, width, height):
    path = tmp_path_factory.mktemp("odd") / "a.mp4"
    image = corners(width, height)
    with VideoWriter(path, (height, width), Fraction(10)) as out:
        out.write(image)
    info, frames = read(path)
    assert (info.width, info.height) == (width + width % 2, height + height % 2)
    spots = [[3, 3, -4, -4], [3, -4, 3, -4]]
    np.testing.assert_allclose(frames[0].image[tuple(spots)].astype(int), image[tuple(spots)], atol=16)


def boxes_of(path):
    data, place, found = path.read_bytes(), 0, []
    while place < len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        found.append(kind)
        place += size
    return found


def test_it_is_what_browsers_play(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, (96, 128), Fraction(25)) as out:
        out.write(IMAGES[0])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.pix_fmt == "yuv420p"
        context = stream.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
    kinds = boxes_of(path)
    assert kinds[0] == b"ftyp"
    assert kinds.index(b"moov") < kinds.index(b"mdat")  # playable before it is loaded whole


def test_the_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"the last run's")
    with VideoWriter(path, (96, 128), Fraction(25)) as out:
        for image in IMAGES:
            out.write(image)
            assert path.read_bytes() == b"the last run's"
    assert len(read(path)[1]) == 10
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_inside_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.mp4"
    out = VideoWriter(path, (96, 128), Fraction(25))
    out.write(IMAGES[0])
    out.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert list(tmp_path.iterdir()) == []


def test_no_frames_no_file(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", (96, 128), Fraction(25)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_or_a_path_that_is_taken_is_said(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*a\.mp4: its folder does not exist"):
        VideoWriter(tmp_path / "none" / "a.mp4", (96, 128), Fraction(25))
    (tmp_path / "a.mp4").mkdir()
    out = VideoWriter(tmp_path / "a.mp4", (96, 128), Fraction(25))
    out.write(IMAGES[0])
    with pytest.raises(OutputError, match=r"cannot write .*a\.mp4: "):
        out.close()
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mp4"]


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    out = VideoWriter(path, (96, 128), Fraction(25))

    def full(*args):
        raise OSError(28, "No space left on device")

    class Full:
        mux = full

        def close(self):
            full()

    real, out._container = out._container, Full()
    with pytest.raises(OutputError, match=r"cannot write .*a\.mp4: No space left on device"):
        out.write(IMAGES[0])
    real.close()
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_size_is_refused(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", (48, 64), Fraction(25)) as out, pytest.raises(ValueError, match="128x96"):
        out.write(IMAGES[0])


def test_other_encoders_stand_in_for_x264_and_without_any_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_ENCODERS", {"none_such": {}, "libvpx-vp9": {"b:v": "0", "crf": "30"}})
    if writer_module.choose_encoder() == "libvpx-vp9":
        with VideoWriter(tmp_path / "a.mp4", (96, 128), Fraction(25)) as out:
            for image in IMAGES:
                out.write(image)
        assert [number_of(frame.image) for frame in read(tmp_path / "a.mp4")[1]] == list(range(10))
    monkeypatch.setattr(writer_module, "_ENCODERS", {"none_such": {}})
    with pytest.raises(OutputError, match="no encoder"):
        VideoWriter(tmp_path / "b.mp4", (96, 128), Fraction(25))
    assert not (tmp_path / "b.mp4").exists()
