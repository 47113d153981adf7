"""Which linker the settings name, and what all of them have in common."""

import numpy as np
import pytest

from dettrack.config import SewConfig
from dettrack.sew.baselines import KeyframeLinker
from dettrack.sew.linker import gap_frames, make_linker
from dettrack.sew.sewer import Sewer
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Tracklets

LINKINGS = ("tubes", "oks-gbm", "oks-gbm-greedy", "oks-velocity")
FIGURE = np.random.default_rng(3).uniform((5, 5), (35, 95), (15, 2))


def walkers(key, people=2, reach=4):
    """People side by side who walk to the right."""
    frames = np.arange(key - reach, key + reach + 1)
    corner = np.stack([100.0 * np.arange(people), np.zeros(people)], 1)
    moved = corner[:, None] + np.stack([2.0 * frames, 0.0 * frames], 1)
    boxes = corner + np.array([2.0 * key, 0])
    return Tracklets(
        key,
        frames,
        Boxes(np.concatenate([boxes, boxes + np.array([40, 100])], 1), np.ones(people)),
        moved[:, :, None] + FIGURE,
        np.ones((people, len(frames), 15)),
    )


@pytest.mark.parametrize("linking", LINKINGS)
def test_settings_name_their_linker(linking):
    linker = make_linker(SewConfig(linking=linking), POSETRACK15, 9)
    assert isinstance(linker, Sewer if linking == "tubes" else KeyframeLinker)


def test_tubes_of_one_frame_are_linked_as_the_papers_2d_baseline():
    linker = make_linker(SewConfig(linking="tubes"), POSETRACK15, 1)
    assert isinstance(linker, KeyframeLinker)
    same = make_linker(SewConfig(linking="oks-gbm"), POSETRACK15, 1)
    for key in range(3):
        np.testing.assert_array_equal(linker.add(walkers(key, reach=0)), same.add(walkers(key, reach=0)))


@pytest.mark.parametrize("linking", LINKINGS)
def test_people_keep_their_identity_and_none_is_used_twice(linking):
    linker = make_linker(SewConfig(linking=linking), POSETRACK15, 9)
    first, second = linker.add(walkers(4)), linker.add(walkers(6))
    np.testing.assert_array_equal(first, second)
    assert sorted(first.tolist()) == [0, 1]
    linker.end_shot()
    after = linker.add(walkers(8))
    assert not set(after.tolist()) & {0, 1}, "a shot cut ends all tracks"
    assert len(linker.add(walkers(10, people=0))) == 0


@pytest.mark.parametrize("linking", LINKINGS)
def test_duplicates_are_dropped_and_counted(linking):
    linker = make_linker(SewConfig(linking=linking), POSETRACK15, 9)
    one = walkers(4, people=1)
    twice = Tracklets(
        4, one.frames, Boxes(np.repeat(one.boxes.xyxy, 2, 0), np.array([0.9, 0.5])),
        np.repeat(one.xy, 2, 0), np.repeat(one.scores, 2, 0),
    )  # fmt: skip
    ids = linker.add(twice)
    assert ids[0] == 0
    assert ids[1] < 0
    assert linker.tally.dropped == {"oks_nms": 1}


@pytest.mark.parametrize(("linking", "frames"), [("tubes", 0), ("oks-gbm", 0), ("oks-velocity", 16)])
def test_only_a_linker_with_a_memory_leaves_gaps_to_fill(linking, frames):
    assert gap_frames(SewConfig(linking=linking)) == frames
