import gc
import math
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import Colorspace
from sample_videos import corners, number_of, numbered, set_display_matrix, write_video

from dettrack.errors import InputError, UsageError
from dettrack.video import ImageList, open_video

COUNT = 12
IMAGES = [numbered(index) for index in range(COUNT)]


def numbers(reader):
    return [number_of(frame.image) for frame in reader]


KINDS = [
    ("libx264", "yuv420p", "mp4"),
    ("libx264", "yuv420p", "mkv"),
    ("libx264", "yuv422p10le", "mp4"),
    ("libx264", "yuv444p", "mp4"),
    ("libx264", "yuv420p", "ts"),
    ("libx265", "yuv420p", "mp4"),
    ("libx265", "yuv420p10le", "mkv"),
    ("libvpx-vp9", "yuv420p", "webm"),
    ("mpeg4", "yuv420p", "avi"),
    ("msmpeg4", "yuv420p", "avi"),
    ("mjpeg", "yuvj420p", "avi"),
    ("mjpeg", "yuvj422p", "mov"),
    ("gif", "rgb8", "gif"),
    ("ffv1", "gray", "mkv"),
    ("ffv1", "yuva420p", "mkv"),
    ("ffv1", "bgr0", "mkv"),
    ("png", "rgba", "mov"),
    ("prores_ks", "yuv422p10le", "mov"),
    ("wmv2", "yuv420p", "wmv"),
]


@pytest.mark.parametrize(("codec", "pix_fmt", "ending"), KINDS)
def test_every_codec_gives_every_frame_in_order_and_in_colour(tmp_path, codec, pix_fmt, ending):
    grey = pix_fmt == "gray"
    path = write_video(tmp_path / f"a.{ending}", IMAGES, codec, pix_fmt)
    with open_video(path) as reader:
        frames = list(reader)
    assert (reader.info.width, reader.info.height, reader.info.fps) == (128, 96, 10)
    assert reader.info.n_frames == COUNT
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    assert [frame.index for frame in frames] == list(range(COUNT))
    np.testing.assert_allclose(np.diff([frame.time_s for frame in frames]), 0.1, atol=1e-3)
    assert frames[0].image.dtype == np.uint8
    assert frames[0].image.flags.c_contiguous
    truth = np.mean(IMAGES[3], -1, keepdims=True) if grey else IMAGES[3]
    assert np.abs(frames[3].image.astype(float) - truth).mean() < (15 if ending == "gif" or grey else 4)
    assert (reader.notes, reader.complete) == ([], True)


# Number of the matrix in the stream's header, and in swscale.
MATRICES = {"ITU-R 601": (6, 5), "ITU-R 709": (1, 1), "ITU-R 2020": (9, 9)}


@pytest.mark.parametrize("matrix", MATRICES)
def test_colours_follow_the_matrix_that_the_stream_names(tmp_path, matrix):
    if matrix == "ITU-R 2020" and not hasattr(Colorspace, "BT2020"):
        pytest.skip("PyAV 17 takes this matrix for ITU-R 709: colours are off by up to 30 of 255")
    image = corners()
    number, space = MATRICES[matrix]
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv444p"
        stream.codec_context.colorspace = number
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv444p", dst_colorspace=space)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with open_video(path) as reader:
        shown = next(iter(reader)).image
    assert np.abs(shown.astype(int) - image).max() <= 4


# Display matrices as cameras write them, and what they do to an upright picture.
TURNS = {
    "0": ([(1, 0, 0), (0, 1, 0), (0, 0, 1)], lambda image: image),
    "90": ([(0, 1, 0), (-1, 0, 0), (64, 0, 1)], lambda image: np.rot90(image, -1)),
    "180": ([(-1, 0, 0), (0, -1, 0), (96, 64, 1)], lambda image: np.rot90(image, 2)),
    "270": ([(0, -1, 0), (1, 0, 0), (0, 96, 1)], lambda image: np.rot90(image, 1)),
    "mirrored": ([(-1, 0, 0), (0, 1, 0), (96, 0, 1)], lambda image: image[:, ::-1]),
    "upside down": ([(1, 0, 0), (0, -1, 0), (0, 64, 1)], lambda image: image[::-1]),
    "transposed": ([(0, 1, 0), (1, 0, 0), (0, 0, 1)], lambda image: image.transpose(1, 0, 2)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_pixels_are_turned_once_as_the_display_matrix_says(tmp_path, turn):
    matrix, act = TURNS[turn]
    path = write_video(tmp_path / "a.mp4", [corners()] * 3)
    set_display_matrix(path, matrix)
    expected = act(corners())
    with open_video(path) as reader:
        frames = list(reader)
    assert (reader.info.height, reader.info.width) == expected.shape[:2]
    for frame in frames:
        assert frame.image.shape == expected.shape
        inner = np.abs(frame.image.astype(int) - expected)[[10, 10, -10, -10], [10, -10, 10, -10]]
        assert inner.max() < 12


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (256, 96)), (Fraction(3, 4), (128, 128))])
def test_pixels_are_made_square_by_growing_one_side(tmp_path, aspect, size):
    path = write_video(tmp_path / "a.mkv", IMAGES[:4], aspect=aspect)
    with open_video(path) as reader:
        assert (reader.info.width, reader.info.height) == size
        assert numbers(reader) == [0, 1, 2, 3]


def test_an_oblong_pixel_is_stretched_before_the_picture_is_turned(tmp_path):
    path = write_video(tmp_path / "a.mp4", [corners()], aspect=Fraction(2))
    set_display_matrix(path, TURNS["90"][0])
    with open_video(path) as reader:
        assert (reader.info.width, reader.info.height) == (64, 192)


def test_times_are_the_containers_own_with_gaps_and_a_late_start(tmp_path):
    ticks = [5000, 5033, 5100, 5450, 5451, 7000]
    path = write_video(tmp_path / "a.mkv", IMAGES[:6], ticks=ticks, time_base=Fraction(1, 1000), options={"bf": "0"})
    with open_video(path) as reader:
        frames = list(reader)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(ticks) / 1000)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4, 5]


def test_ntsc_rate_is_an_exact_fraction(tmp_path):
    path = write_video(tmp_path / "a.mp4", IMAGES, rate=Fraction(30000, 1001))
    with open_video(path) as reader:
        assert reader.info.fps == Fraction(30000, 1001)
        assert [frame.time_s for frame in reader] == [float(Fraction(1001 * i, 30000)) for i in range(COUNT)]


def test_frames_without_timestamps_are_timed_by_the_rate(tmp_path):
    path = write_video(tmp_path / "a.h264", IMAGES, container="h264", options={"bf": "0"})
    with open_video(path) as reader:
        times = [frame.time_s for frame in reader]
    assert len(times) == COUNT
    np.testing.assert_allclose(np.diff(times), 0.1, rtol=1e-6)
    assert reader.info.fps == 10
    assert reader.notes == ["the file has no timestamps: its frames are taken as evenly spaced"]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_start_and_end_count_from_the_first_frame_and_keep_the_files_numbering(tmp_path, ending):
    path = write_video(tmp_path / f"a.{ending}", IMAGES)
    with open_video(path) as whole:
        times = [frame.time_s for frame in whole]
    with open_video(path, start_s=0.3, end_s=0.7) as reader:
        frames = list(reader)
    assert [number_of(frame.image) for frame in frames] == [3, 4, 5, 6]
    assert [frame.index for frame in frames] == [3, 4, 5, 6]
    assert [frame.time_s for frame in frames] == times[3:7]
    assert reader.info.n_frames == 4


def test_times_that_make_no_sense_are_refused(tmp_path):
    path = write_video(tmp_path / "a.mp4", IMAGES)
    with pytest.raises(UsageError, match="--start"):
        open_video(path, start_s=-1.0)
    with pytest.raises(UsageError, match="--start"):
        open_video(path, start_s=math.nan)
    with pytest.raises(UsageError, match="--end"):
        open_video(path, start_s=2.0, end_s=2.0)
    with pytest.raises(InputError, match="no frame lies between 5 s and the end"):
        open_video(path, start_s=5.0)


def test_one_frame_is_a_video(tmp_path):
    with open_video(write_video(tmp_path / "a.mp4", IMAGES[:1])) as reader:
        assert numbers(reader) == [0]
        assert reader.complete


def concatenated(tmp_path, *parts):
    whole = tmp_path / "a.h264"
    whole.write_bytes(
        b"".join(
            write_video(tmp_path / f"{i}.h264", images, container="h264", options={"bf": "0"}).read_bytes()
            for i, images in enumerate(parts)
        )
    )
    return whole


def test_another_size_of_the_same_shape_is_scaled_to_the_first(tmp_path):
    small = [cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA) for image in IMAGES[6:]]
    with open_video(concatenated(tmp_path, IMAGES[:6], small)) as reader:
        frames = list(reader)
    assert {frame.image.shape for frame in frames} == {(96, 128, 3)}
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    assert reader.notes[0] == "at frame 6 the picture changes from 128x96 to 64x48: scaled to the first size"
    assert reader.complete


def test_reading_stops_where_the_picture_changes_its_shape(tmp_path):
    turned = [numbered(index, 96, 128) for index in range(6, 12)]
    with open_video(concatenated(tmp_path, IMAGES[:6], turned)) as reader:
        assert numbers(reader) == [0, 1, 2, 3, 4, 5]
    assert reader.notes == [
        "at frame 6 the picture changes from 128x96 to 96x128, another shape: reading stopped there"
    ]
    assert not reader.complete


def test_leaving_early_ends_the_thread(tmp_path):
    path = write_video(tmp_path / "a.mp4", IMAGES * 5)
    with open_video(path) as reader:
        next(iter(reader))
    assert not [thread for thread in threading.enumerate() if "read-ahead" in thread.name]
    reader.close()
    assert list(reader) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted as on Linux")
def test_a_forgotten_reader_leaves_neither_thread_nor_file(tmp_path):
    path = write_video(tmp_path / "forgotten.mp4", IMAGES * 5)
    reader = open_video(path)
    next(iter(reader))
    del reader
    gc.collect()
    assert not [thread for thread in threading.enumerate() if "read-ahead" in thread.name]
    assert not [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and link.resolve() == path]


def test_shots_are_numbered_unless_told_otherwise(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered(0)] * 12 + [255 - numbered(0, seed=7)[::-1]] * 12)
    with open_video(path) as reader:
        assert [frame.shot for frame in reader] == [0] * 12 + [1] * 12
    with open_video(path, shots=False) as reader:
        assert {frame.shot for frame in reader} == {0}


def test_images_give_frames_with_names_and_no_clock(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), IMAGES[i][..., ::-1])
    with open_video(ImageList(tuple(paths), name="sequence")) as reader:
        frames = list(reader)
    assert reader.info.name == "sequence"
    assert (reader.info.fps, reader.info.n_frames) == (None, 5)
    assert [frame.name for frame in frames] == [f"{i}.png" for i in range(5)]
    assert all(math.isnan(frame.time_s) for frame in frames)
    np.testing.assert_array_equal(frames[2].image, IMAGES[2])


REAL = {
    "felix_exercise.avi": (393, 384, 288, Fraction(10)),
    "intel_aisle_preview.gif": (67, 480, 270, Fraction(50, 3)),
    "intel_classroom_preview.gif": (45, 480, 270, Fraction(50, 3)),
    "mmaction2_demo_skeleton.mp4": (72, 1920, 1080, Fraction(2160, 77)),
    "mmaction2_test_video_structuralize.mp4": (300, 426, 240, Fraction(30000, 1001)),
    "mmpose_demo.mp4": (5, 960, 540, Fraction(5)),
    "mmskeleton_ta_chi.mp4": (300, 340, 256, Fraction(30000, 1001)),
    "pinto_testvideo2.mp4": (384, 480, 270, Fraction(24000, 1001)),
    "tfjs_pose_squats.mp4": (65, 720, 1280, Fraction(5)),
    "vtest.avi": (795, 768, 576, Fraction(10)),
}


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_videos_are_read_whole_and_are_single_shots(videos, name):
    count, width, height, fps = REAL[name]
    with open_video(videos / name) as reader:
        frames = [(frame.index, frame.time_s, frame.shot) for frame in reader]
    assert (reader.info.n_frames, reader.info.width, reader.info.height, reader.info.fps) == (count, width, height, fps)
    indices, times, shots = zip(*frames, strict=True)
    assert list(indices) == list(range(count))
    assert (np.diff(times) > 0).all()
    assert set(shots) == {0}
    assert (reader.notes, reader.complete) == ([], True)
