from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.cut.clips import make_clip
from dettrack.cut.estimate import TubeEstimation, small_people
from dettrack.models.pose.load import smaller
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Frame, Tracklets

JOINTS = len(POSETRACK15)


@dataclass
class Line:
    """A network that answers with a place that depends on the box and the frame alone."""

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


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.floats(20, 300), max_size=4), min_size=1, max_size=3),
    st.integers(1, 12),
    st.sampled_from([0.0, 100.0, 10000.0]),
)
def test_every_box_has_its_tracklet_in_every_frame_whatever_crop_it_got(people, n, below):
    large, small = Line((192, 160)), Line((128, 96))
    estimation = TubeEstimation(large, 1.25, small, below)
    clips = [clip_of(n, min(i, n - 1)) for i in range(len(people))]
    work = [(clip, boxes(*heights)) for clip, heights in zip(clips, people, strict=True)]
    made, tally = estimation.estimate(work)
    for (clip, found), tracklets in zip(work, made, strict=True):
        np.testing.assert_array_equal(tracklets.frames, clip.indices)
        np.testing.assert_array_equal(tracklets.boxes.xyxy, found.xyxy)
        whole = Line((192, 160)).estimate([(clip, _Tubes(found))])[0]
        np.testing.assert_allclose(tracklets.xy, whole.xy, atol=1e-9)
    crops = sum(len(frames) * n for call in large.calls + small.calls for frames, n in call)
    assert crops == sum(number for name, number in tally.counts.items() if name.startswith("crops"))
    assert sum(n for call in small.calls for _, n in call) == sum(h < below for heights in people for h in heights)


@dataclass
class _Tubes:
    boxes: Boxes
    size: tuple[int, int] = (192, 160)

    def __len__(self):
        return len(self.boxes)


def test_wide_people_are_as_high_as_the_crop_that_holds_them():
    people = Boxes(np.array([[0.0, 0, 20, 90], [0, 0, 90, 20], [0, 0, 20, 110]]), np.ones(3))
    assert small_people(people, (128, 96), 100.0).tolist() == [True, False, False]
    assert not small_people(people, (128, 96), 0.0).any()


def test_two_thirds_of_a_size_in_steps_of_32():
    assert smaller((192, 160)) == (128, 96)
    assert smaller((256, 192)) == (160, 128)
    assert smaller((384, 288)) == (256, 192)
    assert smaller((128, 96)) is None
