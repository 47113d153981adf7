from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.structures import Frame
from dettrack.video import open_video
from dettrack.video.shots import change, mark_shots, thumbnail


def cuts(images):
    """Frame indices at which a new shot starts."""
    marked = list(mark_shots(Frame(i, i / 25, image) for i, image in enumerate(images)))
    assert [frame.index for frame in marked] == list(range(len(images)))
    for frame, image in zip(marked, images, strict=True):
        assert frame.image is image
    shots = [frame.shot for frame in marked]
    assert all(step in (0, 1) for step in np.diff(shots))
    return [i for i in range(1, len(shots)) if shots[i] != shots[i - 1]]


def scene(seed, height=180, width=320, margin=0):
    """A smooth random picture with a few hard-edged shapes."""
    rng = np.random.default_rng(seed)
    height, width = height + margin, width + margin
    image = cv2.resize(rng.integers(0, 256, (5, 8, 3)).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        x, y, w, h = rng.integers((width, height, width // 4, height // 4)[:4], size=4)
        image[y : y + h + 4, x : x + w + 4] = rng.integers(0, 256, 3)
    return image


def noisy(image, rng):
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@settings(max_examples=25)
@given(st.lists(st.integers(5, 12), min_size=1, max_size=4), st.integers(0, 1000))
def test_every_cut_between_still_scenes_is_found_and_no_other(lengths, seed):
    rng = np.random.default_rng(seed)
    images = [noisy(scene(seed * 10 + k), rng) for k, length in enumerate(lengths) for _ in range(length)]
    assert cuts(images) == np.cumsum(lengths[:-1]).tolist()


def test_a_pan_across_the_picture_is_no_cut():
    wide = scene(3, margin=400)
    images = [np.ascontiguousarray(wide[step * 2 :, step * 12 :][:180, :320]) for step in range(30)]
    assert cuts(images) == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_or_a_broken_frame_is_no_cut(length):
    still = scene(5)
    flash = np.clip(still.astype(int) * 3 + 150, 0, 255).astype(np.uint8)
    black, other = np.zeros_like(still), scene(6)
    for disturbance in (flash, black, other):
        assert cuts([still] * 8 + [disturbance] * length + [still] * 8) == []
        # ... and a real cut soon afterwards is still found.
        assert cuts([still] * 8 + [disturbance] * length + [still] * 5 + [other] * 6) == [8 + length + 5]


def test_light_that_changes_slowly_or_at_once_is_no_cut():
    still = scene(7)
    levels = [*np.linspace(1, 0.4, 10), *[1.0] * 10, *[0.5] * 10]
    assert cuts([(still * level).astype(np.uint8) for level in levels]) == []


def test_a_cut_at_the_very_end_and_to_black_are_cuts():
    still = scene(8)
    assert cuts([still] * 6 + [scene(9)]) == [6]
    assert cuts([still] * 6 + [np.zeros_like(still)] * 6) == [6]


def test_frames_pass_at_once_while_nothing_is_suspected():
    taken = []

    def frames():
        for i in range(10):
            taken.append(i)
            yield Frame(i, 0.0, scene(1))

    for frame in mark_shots(frames()):
        assert len(taken) == frame.index + 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (36, 64), (35, 2000), (1081, 1921)])
def test_any_size_can_be_compared(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert change(thumbnail(image), thumbnail(image)) == (0, 0)


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (2160, 3840)])
def test_a_comparison_reads_few_pixels_whatever_the_size(height, width):
    """All other pixels may hold anything: about two by two for each of the thumbnail are read."""
    stride = height // 72
    image, other = scene(1, height, width), scene(2, height, width)
    other[::stride, ::stride] = image[::stride, ::stride]
    assert change(thumbnail(image), thumbnail(other)) == (0, 0)


@pytest.fixture(scope="session")
def clips(videos):
    names = ["pinto_testvideo2.mp4", "felix_exercise.avi", "mmaction2_test_video_structuralize.mp4", "vtest.avi"]
    names += ["tfjs_pose_squats.mp4", "intel_aisle_preview.gif", "mmskeleton_ta_chi.mp4"]
    found = {}
    for name in names:
        with open_video(videos / name, end_s=6.0, shots=False) as reader:
            found[name] = [cv2.resize(frame.image, (320, 180), interpolation=cv2.INTER_AREA) for frame in reader]
    return found


@pytest.mark.data
def test_cuts_between_real_clips_are_all_found_and_no_other(clips):
    rng = np.random.default_rng(0)
    for _ in range(12):
        images, expected = [], []
        for name in rng.permutation(sorted(clips)):
            clip = clips[name]
            length = min(len(clip), int(rng.integers(5, 25)))
            start = int(rng.integers(0, len(clip) - length + 1))
            expected.append(len(images))
            images += clip[start : start + length]
        assert cuts(images) == expected[1:]


@pytest.mark.data
def test_a_cut_to_a_closer_view_of_the_same_scene_is_found(clips):
    for name, clip in clips.items():
        height, width = clip[0].shape[:2]
        closer = [cv2.resize(image[: height * 2 // 3, width // 3 :], (width, height)) for image in clip[10:20]]
        assert cuts(clip[:10] + closer) == [10], name


@pytest.mark.data
@pytest.mark.parametrize("stride", [2, 4])
def test_fast_motion_is_no_cut(clips, stride):
    for name, clip in clips.items():
        assert cuts(clip[::stride]) == [], name


@pytest.mark.data
def test_thresholds_lie_between_real_motion_and_real_cuts(clips):
    within = [change(thumbnail(a), thumbnail(b)) for clip in clips.values() for a, b in pairwise(clip[:60])]
    rng = np.random.default_rng(0)
    across = []
    for _ in range(200):
        one, two = rng.choice(sorted(clips), 2, replace=False)
        across.append(change(thumbnail(clips[one][rng.integers(30)]), thumbnail(clips[two][rng.integers(30)])))
    assert np.max(within, axis=0)[0] < 0.2
    assert np.max(np.sum(within, axis=1)) < 0.4
    assert np.min(across, axis=0)[0] > 0.32
    assert np.min(np.sum(across, axis=1)) > 0.7
