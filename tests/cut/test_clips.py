from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.cut.clips import iter_clips, keyframe_indices, make_clip, make_tubes, sample_tubes
from dettrack.errors import InputError
from dettrack.geometry import to_image
from dettrack.structures import Boxes, Frame


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
