"""The detector in its thread: every keyframe once, in order, by one thread, and not further ahead than it may be."""

import threading

import numpy as np
import pytest

from dettrack.config import CutConfig, DetectConfig
from dettrack.cut.clips import KeyframeGroup, iter_clips
from dettrack.cut.detect import DetectionThread
from dettrack.cut.plan import Requested, Visit
from dettrack.errors import InputError
from dettrack.structures import Boxes, Frame, FrameTimes
from dettrack.structures.report import Tally

HANG_S = 60  # nothing waits so long unless it hangs
PIXEL = np.zeros((720, 1280, 3), np.uint8)
SETTINGS = DetectConfig(min_box_area=100.0)


class Finder:
    """A detector with known answers: two people in every frame, and a box that is too small."""

    description = "known boxes"

    def __init__(self):
        self.frames, self.threads, self.calls = [], set(), []

    def detect(self, frames):
        self.threads.add(threading.current_thread().name)
        self.frames += [frame.index for frame in frames]
        self.calls.append(len(frames))
        xyxy = np.array([[0.0, 0, 40, 100], [200, 0, 240, 100], [0, 0, 5, 5]])
        return [Boxes(xyxy + frame.index * np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7])) for frame in frames]


class Watchful(Finder):
    """One that wants to know where a video begins and ends."""

    def __init__(self):
        super().__init__()
        self.told = []

    def begin(self):
        self.told.append("begin")

    def end(self):
        self.told.append("end")


def groups(n=40, at_once=2):
    cut = CutConfig(clip_length=9, step=4, adaptive=False)
    clips = list(iter_clips((Frame(i, i / 25, PIXEL) for i in range(n)), cut.clip_length, cut.step))
    for i in range(0, len(clips), at_once):
        yield KeyframeGroup(tuple(clips[i : i + at_once]), FrameTimes.of(()), 0, False, Tally())


def visits(group):
    return [Visit(clip) for clip in group.clips]


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("dettrack")]


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_every_keyframe_of_the_grid_is_searched_once_in_order(ahead):
    finder, keys = Finder(), []
    with DetectionThread(finder, SETTINGS, ahead) as detection:
        for group in detection.search(groups()):
            people, tally = detection.find(visits(group))
            keys += [clip.keyframe.index for clip, _ in people]
            assert [len(boxes) for _, boxes in people] == [2] * len(people)
            assert tally.counts == {"keyframes": len(people), "boxes": 2 * len(people)}
            assert tally.dropped["boxes_small"] == len(people)
            assert set(tally.seconds) == {"detect"}
    assert finder.frames == keys == list(range(0, 40, 4))
    assert set(finder.calls) == {2}
    assert len(finder.threads) == 1
    assert threading.current_thread().name not in finder.threads
    assert not threads()


def test_it_searches_as_far_ahead_as_it_may_and_no_further():
    read, grown = [], threading.Condition()

    def counted():
        for group in groups():
            with grown:
                read.append(group)
                grown.notify()
            yield group

    with DetectionThread(Finder(), SETTINGS, 2) as detection:
        for number, _ in enumerate(detection.search(counted())):
            furthest = min(number + 1 + 2, 5)
            with grown:
                assert grown.wait_for(lambda most=furthest: len(read) >= most, HANG_S)
                assert len(read) == furthest


def test_an_added_keyframe_is_searched_when_it_is_visited_and_only_requested_people_stay():
    finder = Finder()
    with DetectionThread(finder, SETTINGS) as detection:
        group = next(iter(detection.search(groups(n=9))))
        clip = group.clips[0]
        where = np.array([[0.0, 0, 40, 100], [200, 0, 240, 100]])
        detection.find(visits(group))
        request = Requested(Boxes(where[1:], np.ones(1)), where[:1])
        people, tally = detection.find([Visit(clip, request)])
    assert people[0][1].xyxy.tolist() == where[1:].tolist()
    assert set(tally.seconds) == {"detect_added"}
    assert tally.counts["boxes"] == 2, "found before the choice"
    assert finder.frames == [0, 4, 8, 0], "those of the grid, then the added one"


def test_an_error_of_the_detector_reaches_the_caller_and_ends_the_thread():
    class Broken(Finder):
        def detect(self, frames):
            if frames[0].index >= 16:
                raise InputError("the detector broke")
            return super().detect(frames)

    found = []
    with pytest.raises(InputError, match="the detector broke"), DetectionThread(Broken(), SETTINGS) as detection:  # noqa: PT012
        for group in detection.search(groups()):
            people, _ = detection.find(visits(group))
            found += people
    assert len(found) == 4, "what came before is there"
    assert not threads()


def test_a_detector_may_know_where_a_video_begins_and_ends():
    finder = Watchful()
    for _ in range(2):
        with DetectionThread(finder, SETTINGS) as detection:
            for group in detection.search(groups(n=9)):
                detection.find(visits(group))
    assert finder.told == ["begin", "end"] * 2


def test_leaving_early_ends_the_thread():
    with DetectionThread(Finder(), SETTINGS, 2) as detection:
        next(iter(detection.search(groups(n=400))))
    assert not threads()
