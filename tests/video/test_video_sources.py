from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.video.sources import ImageList, find_source, natural_key


@given(st.lists(st.integers(0, 10**6), unique=True), st.text("abc_-.", max_size=5), st.integers(0, 3))
def test_numbers_in_names_sort_as_numbers(numbers, stem, zeros):
    names = [f"{stem}{'0' * zeros}{number}.jpg" for number in numbers]
    assert sorted(names, key=natural_key) == [f"{stem}{'0' * zeros}{number}.jpg" for number in sorted(numbers)]


@given(st.lists(st.text(max_size=8), max_size=6))
def test_any_names_can_be_sorted(names):
    assert sorted(sorted(names, key=natural_key)) == sorted(names)


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in ("f10.jpg", "f9.JPG", "f1.png", ".hidden.jpg", "readme.txt"):
        (folder / name).touch()
    return folder


def names(images):
    return [path.name for path in images.paths]


def test_a_folder_gives_its_images_in_natural_order(frames):
    images = find_source(frames)
    assert names(images) == ["f1.png", "f9.JPG", "f10.jpg"]
    assert images.title == "frames"


def test_a_pattern_gives_what_it_matches(frames):
    assert names(find_source(str(frames / "f*.[jJ]*"))) == ["f9.JPG", "f10.jpg"]
    assert find_source(str(frames / "f*.jpg")).title == "frames"
    with pytest.raises(InputError, match="no images there"):
        find_source(str(frames / "g*.jpg"))


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    path = tmp_path / "match [final].mp4"
    path.touch()
    assert find_source(str(path)) == path


def test_a_list_keeps_its_order_and_one_image_is_a_video(frames):
    order = [frames / "f10.jpg", frames / "f1.png"]
    assert find_source(order).paths == tuple(order)
    assert find_source([str(path) for path in order]).paths == tuple(order)
    assert find_source(frames / "f1.png").title == "f1"


def test_what_is_not_there_is_named(frames, tmp_path):
    with pytest.raises(InputError, match=r"f7\.jpg: no such image \(1 of 2 are missing\)"):
        find_source([frames / "f7.jpg", frames / "f1.png"])
    with pytest.raises(InputError, match=r"nothing\.mp4: no such file or folder"):
        find_source(tmp_path / "nothing.mp4")
    with pytest.raises(InputError, match="the list of images is empty"):
        find_source([])
    with pytest.raises(InputError, match="addresses are not opened"):
        find_source("https://example.org/a.mp4")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        find_source("/dev/null")
    with pytest.raises(InputError, match=r"cannot be read|no such file"):
        find_source("x" * 5000)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").touch()
    with pytest.raises(InputError, match=r"only other files such as a\.mp4"):
        find_source(tmp_path / "clips")
    with pytest.raises(InputError, match="must be positive"):
        ImageList((frames / "f1.png",), fps=Fraction(0))
