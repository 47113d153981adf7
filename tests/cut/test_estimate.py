from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.config import CutConfig, EstimateConfig, TrackConfig
from dettrack.cut.clips import make_clip
from dettrack.cut.estimate import ThriftyEstimator, filled, frames_to_look_at, small_people
from dettrack.errors import UsageError
from dettrack.models.pose.small import smaller
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Frame, Tracklets

JOINTS = len(POSETRACK15)


@dataclass
class Line:
    """A network that answers with a place on a straight line, so that interpolation loses nothing."""

    size: tuple[int, int]
    temporal: bool = False
    description: str = "a line"
    joint_set = POSETRACK15
    approximated: tuple[str, ...] = ()
    calls: list = field(default_factory=list)

    def estimate(self, work):
        self.calls.append([(clip.indices.tolist(), len(tubes)) for clip, tubes in work])
        made = []
        for clip, tubes in work:
            assert tubes.size == self.size
            xy = tubes.boxes.xyxy[:, None, None, :2] + np.arange(JOINTS)[:, None]
            xy = xy + 3.0 * clip.indices[None, :, None, None]
            made.append(Tracklets(clip.keyframe.index, clip.indices, tubes.boxes, xy, np.full(xy.shape[:3], 0.5)))
        return made


def clip_of(n, key, length=9, first=0):
    pixel = np.zeros((1, 1, 3), np.uint8)
    return make_clip([Frame(first + i, i / 25, pixel) for i in range(n)], key, length)


def boxes(*heights):
    corners = np.array([[10.0 * i, 5.0, 10.0 * i + 8, 5.0 + h] for i, h in enumerate(heights)]).reshape(-1, 4)
    return Boxes(corners, np.linspace(0.9, 0.5, len(heights)))


def config(stride=1, below=0.0):
    return TrackConfig(cut=CutConfig(tube_stride=stride), estimate=EstimateConfig(small_crops_below=below))


@given(st.integers(1, 30), st.integers(0, 29), st.integers(1, 9))
def test_the_keyframe_and_both_ends_are_looked_at_and_no_gap_is_longer_than_the_stride(length, key, stride):
    key = min(key, length - 1)
    places = frames_to_look_at(length, key, stride)
    assert {0, key, length - 1} <= set(places.tolist())
    assert (np.diff(places) <= stride).all()
    assert (np.diff(places) > 0).all()
    assert len(places) <= (length - 1) // stride + 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.floats(20, 300), max_size=4), min_size=1, max_size=3),
    st.integers(1, 12),
    st.integers(1, 5),
    st.sampled_from([0.0, 100.0, 10000.0]),
)
def test_whatever_is_saved_every_box_has_its_tracklet_in_every_frame(people, n, stride, below):
    large, small = Line((192, 160)), Line((128, 96))
    thrifty = ThriftyEstimator(config(stride, below), large, small)
    clips = [clip_of(n, min(i, n - 1)) for i in range(len(people))]
    work = [(clip, boxes(*heights)) for clip, heights in zip(clips, people, strict=True)]
    for (clip, found), tracklets in zip(work, thrifty.estimate(work), strict=True):
        np.testing.assert_array_equal(tracklets.frames, clip.indices)
        np.testing.assert_array_equal(tracklets.boxes.xyxy, found.xyxy)
        whole = Line((192, 160)).estimate([(clip, _Tubes(found))])[0]
        np.testing.assert_allclose(tracklets.xy, whole.xy, atol=1e-9)
    looked = sum(len(frames) * n for call in large.calls + small.calls for frames, n in call)
    assert looked == sum(number for name, number in thrifty.counts.items() if name.startswith("crops"))
    assert sum(n for call in small.calls for _, n in call) == sum(h < below for heights in people for h in heights)


@dataclass
class _Tubes:
    boxes: Boxes
    size: tuple[int, int] = (192, 160)

    def __len__(self):
        return len(self.boxes)


def test_interpolation_is_the_straight_line_of_numpy_and_nan_stays_between_its_neighbours():
    clip = clip_of(9, 4, first=20)
    rng = np.random.default_rng(0)
    at = np.array([0, 4, 8])
    xy, scores = rng.uniform(0, 100, (2, 3, JOINTS, 2)), rng.uniform(0, 1, (2, 3, JOINTS))
    xy[0, 1, 3] = np.nan
    thin = Tracklets(24, clip.indices[at], boxes(50, 60), xy, scores)
    whole = filled(thin, clip)
    for t in range(9):
        np.testing.assert_allclose(whole.scores[1, t, 0], np.interp(t, at, scores[1, :, 0]))
        np.testing.assert_allclose(whole.xy[1, t, 5, 0], np.interp(t, at, xy[1, :, 5, 0]))
    assert np.isnan(whole.xy[0, 1:8, 3]).all()
    np.testing.assert_array_equal(whole.xy[0, [0, 8], 3], xy[0, [0, 2], 3])


def test_a_clip_of_one_frame_is_left_alone():
    thrifty = ThriftyEstimator(config(stride=4), Line((192, 160)), None)
    (tracklets,) = thrifty.estimate([(clip_of(1, 0), boxes(50))])
    assert tracklets.xy.shape == (1, 1, JOINTS, 2)


def test_wide_people_are_as_high_as_the_crop_that_holds_them():
    people = Boxes(np.array([[0.0, 0, 20, 90], [0, 0, 90, 20], [0, 0, 20, 110]]), np.ones(3))
    assert small_people(people, (128, 96), 100.0).tolist() == [True, False, False]
    assert not small_people(people, (128, 96), 0.0).any()


def test_a_temporal_network_refuses_a_time_stride():
    with pytest.raises(UsageError, match="temporal filters"):
        ThriftyEstimator(config(stride=2), Line((192, 160), temporal=True), None)
    ThriftyEstimator(config(), Line((192, 160), temporal=True), None)


def test_two_thirds_of_a_size_in_steps_of_32():
    assert smaller((192, 160)) == (128, 96)
    assert smaller((256, 192)) == (160, 128)
    assert smaller((384, 288)) == (256, 192)
    assert smaller((128, 96)) is None
