import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image
from sample_videos import corners, number_of, numbered

from dettrack.errors import InputError, UsageError
from dettrack.threads import tune_process
from dettrack.video import ImageList, open_video
from dettrack.video.images import read_image
from dettrack.video.picture_file import picture_header


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


@pytest.mark.parametrize("damage", [b"damaged", "cut", "turned"])
def test_for_an_image_that_cannot_be_used_the_one_before_stands_in(tmp_path, damage):
    paths = sequence(tmp_path)
    if damage == "turned":
        save(paths[3], numbered(3, 96, 128))
    else:
        paths[3].write_bytes(paths[3].read_bytes()[:-200] if damage == "cut" else damage)
    with open_video(tmp_path) as reader:
        assert [(frame.index, number_of(frame.image), frame.name[0]) for frame in reader] == [
            (0, 0, "0"), (1, 1, "1"), (2, 2, "2"), (3, 2, "3"), (4, 4, "4"), (5, 5, "5")
        ]  # fmt: skip
    assert not reader.complete
    assert reader.notes[0].startswith("1 of 6 images could not be used, and the picture before stands in (frame 3): ")
    assert "3.png" in reader.notes[0]


def test_for_the_first_images_the_first_that_can_be_used_stands_in(tmp_path):
    paths = sequence(tmp_path)
    for path in paths[:2]:
        path.write_bytes(b"damaged")
    with open_video(tmp_path) as reader:
        assert [(frame.index, number_of(frame.image)) for frame in reader][:4] == [(0, 2), (1, 2), (2, 2), (3, 3)]
    for path in paths:
        path.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"0\.png: not an image"):
        open_video(tmp_path)


JPEGS = {
    "plain": [],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "every colour": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
}


def jpeg(index, kind, grey=False):
    grain = np.random.default_rng(index).integers(-20, 20, (96, 128, 3))
    image = np.clip(numbered(index).astype(int) + grain, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", image[..., 0] if grey else image, JPEGS[kind])[1].tobytes()


@pytest.mark.parametrize("exif", [b"", b"\xff\xe1\0\x08Exif\0\0"])
@pytest.mark.parametrize("kind", JPEGS)
def test_damage_within_a_jpeg_is_found_and_counted(tmp_path, kind, exif):
    for index in range(5):
        data = jpeg(index, kind)
        if index == 3:
            middle = len(data) // 2
            data = data[:middle] + bytes(300) + data[middle + 300 :]
        (tmp_path / f"{index}.jpg").write_bytes(data[:2] + exif + data[2:])
    with open_video(tmp_path) as reader:
        assert [number_of(frame.image) for frame in reader] == [0, 1, 2, 2, 4]
    assert not reader.complete
    assert reader.unreadable == 1
    assert "stands in (frame 3)" in reader.notes[0]
    assert "the image is damaged" in reader.notes[0]


@pytest.mark.parametrize("kind", JPEGS)
def test_jpegs_are_decoded_to_the_same_pixels_as_by_opencv(tmp_path, kind):
    for grey in (False, True):
        path = tmp_path / "a.jpg"
        path.write_bytes(jpeg(1, kind, grey))
        expected = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        np.testing.assert_array_equal(read_image(path), expected)


def test_a_jpeg_that_is_filled_up_or_has_something_behind_it_is_whole(tmp_path):
    data = jpeg(1, "plain")
    for number, filled in enumerate((data[:-2] + bytes(6) + data[-2:], data + b"behind", data + bytes(100))):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(filled)
        assert number_of(read_image(path)) == 1


ENDINGS = ("bmp", "jp2", "jpg", "png", "pgm", "ppm", "tif", "webp")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_header_says_the_size_and_whether_the_file_is_whole(tmp_path, ending):
    picture = numbered(5, 120, 90)
    data = save(tmp_path / f"a.{ending}", picture[..., 0] if ending == "pgm" else picture).read_bytes()
    header = picture_header(data)
    assert (header.width, header.height, header.whole, header.animated) == (120, 90, True, False)
    for share in (0.3, 0.6, 0.95):
        cut = picture_header(data[: int(share * len(data))])
        assert cut is None or not cut.whole


@pytest.mark.parametrize("ending", ENDINGS)
def test_any_change_of_a_file_is_read_or_refused_in_one_line(tmp_path, ending):
    picture = numbered(5, 48, 36)
    data = save(tmp_path / f"a.{ending}", picture[..., 0] if ending == "pgm" else picture).read_bytes()
    chance = np.random.default_rng(0)
    tune_process()
    for _ in range(60):
        changed = bytearray(data)
        for place in chance.integers(0, min(len(data), 80), chance.integers(1, 4)):
            changed[place] = chance.integers(256)
        path = tmp_path / f"b.{ending}"
        path.write_bytes(changed[: chance.integers(1, len(changed) + 1)] if chance.random() < 0.3 else changed)
        try:
            assert read_image(path, max_pixels=10_000).size <= 30_000
        except InputError as error:
            said = str(error)
            assert "\n" not in said


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(tmp_path):
    data = bytearray(save(tmp_path / "a.png", numbered(0)).read_bytes())
    data[16:24] = (30_000).to_bytes(4, "big") * 2
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match="30000x30000 is more than the 100000000 pixels"):
        open_video(tmp_path)


def test_bits_in_use_are_the_same_for_all_images(tmp_path):
    """12 bits; the first image alone looks like 10."""
    levels = [200, 1000, 3000, 4000]
    for i, level in enumerate(levels):
        save(tmp_path / f"{i}.png", np.full((8, 8), level, np.uint16))
    with open_video(tmp_path) as reader:
        assert [int(frame.image[0, 0, 0]) for frame in reader] == [level >> 4 for level in levels]
    assert reader.notes == ["of the images' 16 bits 12 are in use: scaled to them"]


def test_a_real_dark_image(cases):
    with open_video(cases / "dark_12bit") as reader:
        (frame,) = reader
    raw = cv2.imread(str(cases / "dark_12bit" / "g000.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(frame.image[..., 0], raw >> 2)
    assert reader.notes == ["of the images' 16 bits 10 are in use: scaled to them"]


def test_images_in_the_order_of_a_shell(tmp_path):
    paths = sequence(tmp_path, 12)
    with open_video(sorted(map(str, paths))) as reader:
        assert [number_of(frame.image) for frame in reader] == list(range(12))
    assert "10 before 2" in reader.notes[0]
    with open_video(ImageList(tuple(sorted(paths, key=str)))) as reader:  # an order that was made on purpose
        assert number_of(list(reader)[2].image) == 10
    with pytest.raises(UsageError, match="--fps is -1"):
        open_video(tmp_path, fps=-1.0)
    with open_video(tmp_path, fps=5.0, start_s=0.4) as reader:
        assert [frame.time_s for frame in reader] == pytest.approx([i / 5 for i in range(2, 12)])


def animation(path, count=6):
    frames = cv2.Animation()
    frames.frames = [np.dstack([numbered(i)[..., ::-1], np.full((96, 128), 255, np.uint8)]) for i in range(count)]
    frames.durations = np.array([100] * count)
    assert cv2.imwriteanimation(str(path), frames)
    return path


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_all_frames_of_an_animated_image_are_read(tmp_path, ending):
    path = animation(tmp_path / f"a.{ending}")
    with open_video(path) as reader:
        frames = list(reader)
    assert [number_of(frame.image) for frame in frames] == list(range(6))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 10 for i in range(6)])
    assert (reader.complete, reader.notes) == (True, [])
    save(tmp_path / "other.png", numbered(0))
    if ending == "webp":
        with open_video([path, tmp_path / "other.png"]) as reader:
            assert len(list(reader)) == 2
        assert reader.notes == ["1 files hold several pictures: only the first of each is read"]


@pytest.mark.parametrize("deep", [False, True])
def test_all_pages_of_a_tiff_are_read(tmp_path, deep):
    pages = [numbered(i)[..., ::-1] for i in range(6)]
    path = tmp_path / "a.tif"
    assert cv2.imwritemulti(str(path), [page.astype(np.uint16) << 4 for page in pages] if deep else pages)
    with open_video(path) as reader:
        frames = list(reader)
    assert [number_of(frame.image) for frame in frames] == list(range(6))
    assert math.isnan(frames[0].time_s)
    assert reader.complete
    assert len(reader.notes) == deep
    with open_video(path, fps=10.0, start_s=0.2) as reader:
        assert [frame.index for frame in reader] == [2, 3, 4, 5]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    tune_process()
    with open_video(path) as reader:
        assert 0 < len(list(reader)) < 6
    assert not reader.complete


def test_a_real_animated_image(cases):
    with open_video(cases / "animated_images" / "anim.webp") as reader:
        frames = list(reader)
    assert len(frames) == len({frame.image.tobytes() for frame in frames}) == 12
    assert reader.complete


def test_one_name_in_two_formats_is_noted(tmp_path):
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), numbered(index))
    cv2.imwrite(str(tmp_path / "1.jpg"), numbered(1))
    with open_video(tmp_path) as reader:
        assert len(list(reader)) == 4
    assert reader.notes == ["1 names are there in two formats, as 1.jpg and 1.png: every file is read as a frame"]
