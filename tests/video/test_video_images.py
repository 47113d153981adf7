import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image
from sample_videos import corners, number_of, numbered

from dettrack.errors import InputError
from dettrack.threads import tune_process
from dettrack.video import ImageList, open_video
from dettrack.video.images import read_image


def inside(image):
    """Four pixels far from the edges, where JPEG blurs."""
    return image[[10, 10, -10, -10], [10, -10, 10, -10]].astype(int)


def save(path, image):
    assert cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(corners()).save(path, quality=95, exif=exif)
    acts = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: np.rot90(a),
    }
    expected = acts[orientation](corners())
    got = read_image(path)
    assert got.shape == expected.shape
    np.testing.assert_allclose(inside(got), inside(expected), atol=12)


def test_grey_sixteen_bit_alpha_and_cmyk_become_rgb(tmp_path):
    grey = np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8)
    as_rgb = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(read_image(save(tmp_path / "grey.png", grey)), as_rgb)
    deep = save(tmp_path / "deep.png", grey.astype(np.uint16) * 257)
    np.testing.assert_allclose(read_image(deep).astype(int), as_rgb, atol=1)
    with_alpha = np.dstack([as_rgb, np.full((8, 8), 128, np.uint8)])
    np.testing.assert_array_equal(read_image(save(tmp_path / "alpha.png", with_alpha)), as_rgb)
    Image.fromarray(corners()).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    got = read_image(tmp_path / "cmyk.jpg")
    np.testing.assert_allclose(inside(got), inside(corners()), atol=16)
    Image.fromarray(corners()).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), corners())


def test_a_name_outside_ascii_is_no_trouble(tmp_path):
    path = tmp_path / "Füße_走.png"
    path.write_bytes(cv2.imencode(".png", corners()[..., ::-1])[1].tobytes())
    np.testing.assert_array_equal(read_image(path), corners())


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_what_is_no_image_is_one_clear_line(tmp_path, content, capfd):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    tune_process()  # as every command does
    with pytest.raises(InputError, match=r"a\.png: not an image"):
        open_video(tmp_path)
    assert capfd.readouterr().err == ""


def sequence(tmp_path, count=6):
    return tuple(save(tmp_path / f"{i}.png", numbered(i)[..., ::-1]) for i in range(count))


def test_a_rate_gives_the_images_times(tmp_path):
    images = ImageList(sequence(tmp_path), fps=Fraction(30000, 1001))
    with open_video(images, start_s=0.06, end_s=0.14) as reader:
        frames = list(reader)
    assert [number_of(frame.image) for frame in frames] == [2, 3, 4]
    assert [frame.index for frame in frames] == [2, 3, 4]
    assert frames[0].time_s == pytest.approx(2 * 1001 / 30000)
    assert reader.info.n_frames == 3


def test_times_without_a_rate_are_refused(tmp_path):
    paths = sequence(tmp_path)
    with pytest.raises(InputError, match="images have no clock"):
        open_video(list(paths), end_s=1.0)
    with open_video(list(paths)) as reader:
        assert all(math.isnan(frame.time_s) for frame in reader)


def test_a_damaged_image_ends_the_video_with_a_note(tmp_path):
    paths = sequence(tmp_path)
    paths[3].write_bytes(b"damaged")
    with open_video(tmp_path) as reader:
        assert [number_of(frame.image) for frame in reader] == [0, 1, 2]
    assert not reader.complete
    assert reader.notes[0].startswith("reading stopped at frame 3: ")
    assert "3.png" in reader.notes[0]
