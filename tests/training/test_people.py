"""The one description of data sets: packing, joining, and images that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from training_scenes import JOINTS, make_set

from dettrack.errors import InputError
from dettrack.skeleton import COCO17
from dettrack.training.labels.people import (
    PeopleSet,
    concatenate,
    load_people,
    read_image,
    save_people,
    seen_from_behind,
    shrunk,
    thinned,
)


def test_a_pack_gives_back_the_set(tmp_path: Path) -> None:
    people = make_set(videos=1, frames=4)
    save_people(people, tmp_path / "pack.npz")
    again = load_people(tmp_path / "pack.npz")
    assert again.joint_set == people.joint_set
    assert list(again.images) == list(people.images)
    for name in ("video", "frame", "labelled", "person_image", "track", "boxes", "xy", "height", "weight"):
        np.testing.assert_array_equal(getattr(again, name), getattr(people, name))


def test_joined_sets_keep_videos_and_identities_apart() -> None:
    a, b = make_set(videos=2, frames=3), make_set(videos=1, frames=2)
    both = concatenate([a, b])
    assert len(both) == len(a) + len(b)
    assert set(both.video.tolist()) == {0, 1, 2}
    assert not set(both.track[: len(a)]) & set(both.track[len(a) :])
    last = both.person_image[len(a) :]
    assert all(both.images[i] == b.images[j] for i, j in zip(last, b.person_image, strict=True))
    stills = make_set(videos=0, frames=2)
    assert (concatenate([stills, a]).video[:2] == -1).all()


def test_sets_of_different_joints_are_not_joined() -> None:
    a = make_set()
    other = PeopleSet(**{**a.__dict__, "joint_set": COCO17, "xy": np.zeros((len(a), 17, 2)),
                         "height": np.zeros((len(a), 17)), "weight": np.zeros((len(a), 17))})  # fmt: skip
    with pytest.raises(InputError, match="one joint set"):
        concatenate([a, other])


def test_images_are_rgb_from_files_and_bytes(tmp_path: Path) -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    image[..., 0] = 200  # red
    cv2.imwrite(str(tmp_path / "red.png"), image[..., ::-1])
    for source in (tmp_path / "red.png", (tmp_path / "red.png").read_bytes()):
        np.testing.assert_array_equal(read_image(source), image)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 not a picture"])
def test_broken_images_say_which(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.jpg").write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.jpg"):
        read_image(tmp_path / "broken.jpg")
    with pytest.raises(InputError, match=r"gone\.jpg"):
        read_image(tmp_path / "gone.jpg")


def test_what_is_no_pack_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pack.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "other.npz", a=np.zeros(1))
    for name in ("pack", "other", "absent"):
        with pytest.raises(InputError, match="expected a pack of people"):
            load_people(tmp_path / f"{name}.npz")


def test_shrunk_images_keep_people_on_the_same_pixels() -> None:
    people = make_set(videos=1, frames=2)
    height, width = read_image(people.images[0]).shape[:2]
    small = shrunk(people, max(height, width) // 2)
    assert max(read_image(small.images[0]).shape[:2]) == max(height, width) // 2
    # A corner of the image, at -0.5, stays one; the middle of the image stays its middle.
    known = people.weight > 0
    for old, new in ((people.xy[known], small.xy[known]), (people.boxes.reshape(-1, 2), small.boxes.reshape(-1, 2))):
        np.testing.assert_allclose((new + 0.5) * 2, old + 0.5, atol=0.02 * max(height, width) / 2)
    assert list(shrunk(people, max(height, width)).images) == list(people.images)


def test_who_turns_their_back() -> None:
    """Mirrored joints are a back; turned upside down they still are; from the side, or half unknown, nobody knows."""
    front = make_set(people=1, frames=1)
    flipped = front.xy[:, JOINTS.flip_permutation]
    turned = flipped @ np.array([[-1.0, 0.0], [0.0, -1.0]])
    quarter = flipped @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    flat = front.xy * [0.1, 1.0]
    known = np.repeat(front.weight, 6, 0)
    known[5, JOINTS.index("left_hip")] = 0
    poses = np.concatenate([front.xy, flipped, turned, quarter, flat, flipped])
    people = replace(
        front,
        person_image=np.zeros(6, int),
        track=np.arange(6),
        boxes=np.repeat(front.boxes, 6, 0),
        xy=poses,
        height=np.ones((6, len(JOINTS))),
        weight=known,
    )
    assert seen_from_behind(people).tolist() == [False, True, True, True, False, False]


def test_thinned_sets_fit_and_keep_videos_whole() -> None:
    """Every kept person has the picture that they had, and a video is there whole or not at all."""
    stills, videos = make_set(frames=8), make_set(videos=4, frames=5)
    for people in (stills, videos):
        total = sum(len(image) for image in people.images)
        small = thinned(people, 0.5, seed=3)
        assert 0.25 * total < sum(len(image) for image in small.images) <= total // 2
        for box, image, track in zip(small.boxes, small.person_image, small.track, strict=True):
            row = np.flatnonzero((people.track == track) & (people.boxes == box).all(1))[0]
            before, after = people.person_image[row], image
            assert small.images[after] == people.images[before]
            assert (small.video[after], small.frame[after]) == (people.video[before], people.frame[before])
        assert len(small) == 2 * len(small.images)
    counts = np.bincount(small.video[small.video >= 0])
    assert set(counts.tolist()) <= {0, 5}
    assert len(thinned(stills, 1.0)) == len(stills)
