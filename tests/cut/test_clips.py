from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.config import CutConfig
from dettrack.cut.clips import (
    earliest_later_frame,
    group_keyframes,
    iter_clips,
    keyframe_indices,
    keyframes_at_once,
    make_clip,
    make_tubes,
)
from dettrack.errors import InputError
from dettrack.geometry import to_image
from dettrack.models.pose.crops import sample_tubes
from dettrack.structures import Boxes, Frame, FrameTimes

PIXEL = np.zeros((1, 1, 3), np.uint8)


def frames(n: int, start: int = 0, shot: int = 0) -> list[Frame]:
    return [Frame(start + i, (start + i) / 25, np.zeros((4, 4, 3), np.uint8), shot) for i in range(n)]


def boxes(*corners: tuple[float, float, float, float]) -> Boxes:
    return Boxes(np.array(corners, float).reshape(-1, 4), np.ones(len(corners)))


lengths = st.integers(0, 9).map(lambda reach: 2 * reach + 1)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), lengths, st.data())
def test_streamed_clips_are_the_windows_around_each_shots_keyframes(shots, clip_length, data):
    step = data.draw(st.integers(1, max(1, clip_length - 1)))
    video, expected = [], []
    for shot, n in enumerate(shots):
        start = len(video) + 3
        video += frames(n, start, shot)
        for key in keyframe_indices(start, start + n, step, clip_length):
            low, high = max(start, key - clip_length // 2), min(start + n, key + clip_length // 2 + 1)
            expected.append((key, list(range(low, high))))
    clips = list(iter_clips(video, clip_length, step))
    assert [(clip.keyframe.index, clip.indices.tolist()) for clip in clips] == expected
    covered = {index for clip in clips for index in clip.indices.tolist()}
    assert covered == {frame.index for frame in video}


def test_a_clip_comes_as_soon_as_its_last_frame_is_read_and_few_frames_are_held():
    read = []

    def reading():
        for frame in frames(1000):
            read.append(frame.index)
            yield frame

    for clip in iter_clips(reading(), 9, 3):
        assert read[-1] - clip.keyframe.index <= 4


def test_the_last_frame_becomes_a_keyframe_where_no_tube_would_reach_it():
    assert keyframe_indices(0, 16, 8, 9).tolist() == [0, 8, 15]
    assert keyframe_indices(0, 13, 8, 9).tolist() == [0, 8]
    assert keyframe_indices(5, 5, 1, 9).tolist() == []


def test_a_gap_in_the_frames_of_a_shot_is_refused():
    with pytest.raises(InputError, match="consecutive"):
        make_clip([*frames(3), *frames(3, start=5)], 2, 5)


def test_sampled_pixels_lie_where_the_affine_says_and_beyond_the_picture_is_black():
    rng = np.random.default_rng(0)
    video = [Frame(i, i / 25, rng.integers(1, 255, (120, 160, 3), np.uint8)) for i in range(3)]
    clip = make_clip(video, 1, 3)
    # a box of the crop's own size: the affine is a shift by whole pixels
    tubes = make_tubes(boxes((19.5, 29.5, 67.5, 93.5), (-24.5, -32.5, 23.5, 31.5)), (64, 48), 1.0)
    crops = sample_tubes(clip, tubes)
    assert crops.shape == (2, 3, 64, 48, 3)
    for t in range(3):
        np.testing.assert_array_equal(crops[0, t], video[t].image[30:94, 20:68])
        assert not crops[1, t, :32].any()
        assert not crops[1, t, :, :24].any()
        np.testing.assert_array_equal(crops[1, t, 32:, 24:], video[t].image[:32, :24])


def test_a_white_dot_is_found_at_its_mapped_position():
    image = np.zeros((200, 300, 3), np.uint8)
    image[80, 120] = 255
    clip = make_clip([Frame(0, 0.0, image)], 0, 1)
    tubes = make_tubes(boxes((100, 60, 140, 120)), (256, 192))
    crop = sample_tubes(clip, tubes)[0, 0, ..., 0].astype(float)
    y, x = np.mgrid[:256, :192]
    centroid = np.array([(crop * x).sum(), (crop * y).sum()]) / crop.sum()
    np.testing.assert_allclose(to_image(centroid[None, None], tubes.affines)[0, 0], [120, 80], atol=0.02)


def test_without_boxes_there_are_no_crops():
    assert sample_tubes(make_clip(frames(1), 0, 1), make_tubes(Boxes.empty(), (64, 48))).shape == (0, 1, 64, 48, 3)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("immediate", [False, True])
@given(st.integers(1, 60), st.sampled_from([(9, 8), (9, 2), (5, 3), (3, 1)]), st.integers(0, 60))
def test_groups_hold_every_keyframe_and_frame_once_and_bound_what_comes_later(
    adaptive, immediate, n, clip_step, cut_at
):
    clip, step = clip_step
    cut = CutConfig(clip_length=clip, step=step, adaptive=adaptive)
    video = [Frame(i, i / 25, PIXEL, int(i >= cut_at and not immediate), f"{i}.png") for i in range(n)]
    groups = list(group_keyframes(iter(video), cut, immediate=immediate))
    assert [c.keyframe.index for g in groups for c in g.clips] == [
        c.keyframe.index for c in iter_clips(iter(video), clip, step)
    ]
    times = FrameTimes.concatenate([group.frames for group in groups])
    read = len(times)
    assert times.index.tolist() == list(range(read))
    assert times.name == tuple(f"{i}.png" for i in range(read))
    assert read == n or immediate, "live, the last frames without a keyframe of their own come with no group"
    for i, group in enumerate(groups):
        assert len({one.keyframe.shot for one in group.clips}) == 1
        assert not immediate or len(group.clips) == 1
        for later in groups[i + 1 :]:
            assert all(one.frames[0].index >= min(group.final_before, n) for one in later.clips)
    if not immediate:
        assert groups[-1].shot_ended
        assert sum(group.shot_ended for group in groups) == len({frame.shot for frame in video})


@pytest.mark.parametrize("clip", [1, 3, 5, 9])
@pytest.mark.parametrize("n", [1, 7, 20])
def test_no_later_clip_starts_before_the_bound(clip, n):
    for step in range(1, max(clip, 2)):
        made = list(iter_clips((Frame(i, 0.0, PIXEL) for i in range(n)), clip, step))
        for i, one in enumerate(made):
            bound = earliest_later_frame(one.keyframe.index, clip, step)
            assert all(later.frames[0].index >= min(bound, n) for later in made[i + 1 :])


@pytest.mark.parametrize(
    ("width", "height", "step", "expected"),
    [(768, 576, 8, 4), (1920, 1080, 1, 4), (1920, 1080, 8, 2), (3840, 2160, 8, 1)],
)
def test_large_frames_share_a_pass_with_fewer(width, height, step, expected):
    assert keyframes_at_once(width * height * 3, step) == expected
