"""Images by name, where two sides name them from different folders."""

from __future__ import annotations

import pytest

from dettrack.errors import InputError
from dettrack.models.detector.image_names import ImageNames


@pytest.mark.parametrize(
    ("listed", "asked", "found"),
    [
        (["images/val/1_a/0.jpg", "images/val/2_b/0.jpg"], "images/val/2_b/0.jpg", "images/val/2_b/0.jpg"),
        (["1_a/0.jpg", "2_b/0.jpg"], "images/val/2_b/0.jpg", "2_b/0.jpg"),
        (["images/val/1_a/0.jpg", "images/val/2_b/0.jpg"], "2_b/0.jpg", "images/val/2_b/0.jpg"),
        (["images/val/1_a/0.jpg", "images/val/2_b/0.jpg"], "0.jpg", None),  # of two images
        (["images/val/1_a/0.jpg", "images/val/1_a/1.jpg"], "0.jpg", "images/val/1_a/0.jpg"),
        (["images/val/1_a/0.jpg"], "images/val/2_b/0.jpg", None),  # another video's, of the same name
        (["0.jpg"], "images/val/2_b/0.jpg", "0.jpg"),
        (["1_a/0.jpg"], "1_a\\0.jpg", "1_a/0.jpg"),
        (["1_a/10.jpg"], "0.jpg", None),  # the end of a text, but not of a path
    ],
)
def test_one_is_the_end_of_the_other(listed: list[str], asked: str, found: str | None) -> None:
    assert ImageNames(listed).find(asked) == found


def test_a_name_that_several_images_have() -> None:
    names = ImageNames(["0.jpg", "1.jpg"], ["0.jpg"])
    assert names.find("a/1.jpg") == "1.jpg"
    with pytest.raises(InputError, match=r"several of its images are called 0\.jpg"):
        names.find("a/0.jpg")
