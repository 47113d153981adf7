"""Tubes: pixels and targets stay together whatever the augmentation, in every frame, and broken data is passed over."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from training_scenes import JOINTS, make_set

from dettrack.errors import InputError
from dettrack.training.pose.augment import NO_AUGMENTATION, AugmentConfig, degrade
from dettrack.training.pose.tubes import TubeConfig, TubeMaker

MOVES_ONLY = AugmentConfig(half_body=0.0, colour=0.0, blur=0.0, jpeg=0.0, occluder=0.0)
SIZE = (128, 96)


def peaks(targets: np.ndarray) -> np.ndarray:
    """Arg max of each map, in crop pixels."""
    flat = targets.reshape(*targets.shape[:-2], -1).argmax(-1)
    return np.stack([flat % targets.shape[-1], flat // targets.shape[-1]], -1) * 4.0


@given(seed=st.integers(0, 10_000), clip=st.sampled_from([1, 3, 5]), stills=st.booleans())
@hypothesis_settings(max_examples=25)
def test_targets_lie_where_the_pixels_are(seed: int, clip: int, stills: bool) -> None:
    """Turned, scaled, mirrored, reversed, walked: the dot under each joint still has that joint's colour."""
    people = make_set(videos=0 if stills else 1, frames=9, people=1)
    config = TubeConfig(size=SIZE, clip_length=clip, augment=MOVES_ONLY, sigma=1.0)
    tube = TubeMaker(people, config)(seed, 0)
    assert tube.crops.shape == (clip, *SIZE, 3)
    assert tube.targets.shape == (clip, len(JOINTS), 32, 24)
    height, width = SIZE
    checked = 0
    for frame in range(clip):
        for joint, (x, y) in enumerate(tube.xy[frame]):
            if not (3 <= x < width - 3 and 3 <= y < height - 3):
                continue
            pixel = tube.crops[frame, round(y), round(x)].astype(int)
            # Mirroring swaps left and right: the dot keeps the colour of the side that it was drawn for.
            colours = {100 + 10 * joint, 100 + 10 * int(JOINTS.flip_permutation[joint])}
            near = min(abs(pixel[0] - colour) for colour in colours)
            overlapped = np.sum(np.linalg.norm(tube.xy[frame] - (x, y), axis=-1) < 9) > 1
            if pixel[2] > 245 and not overlapped:
                assert near <= 12, (frame, joint, pixel)
                checked += 1
            distance = np.abs(peaks(tube.targets[frame])[joint] - (x, y)).max()
            assert distance <= 2.01
    assert checked or clip == 1


def test_mirrored_people_swap_sides() -> None:
    people = make_set(people=1)
    always = TubeMaker(people, TubeConfig(size=SIZE, augment=replace(NO_AUGMENTATION, flip=1.0)))(0, 0)
    never = TubeMaker(people, TubeConfig(size=SIZE, augment=NO_AUGMENTATION))(0, 0)
    left, right = JOINTS.index("left_wrist"), JOINTS.index("right_wrist")
    assert never.xy[0, left, 0] > never.xy[0, right, 0]
    assert always.xy[0, left, 0] > always.xy[0, right, 0]  # still on the person's own left, which is now a mirror's
    np.testing.assert_array_equal(always.crops[0, :, ::-1], never.crops[0])


def test_the_paper_box_is_enlarged_by_a_quarter() -> None:
    people = make_set(people=1)
    tube = TubeMaker(people, TubeConfig(size=SIZE, augment=NO_AUGMENTATION))(0, 0)
    x1, y1, x2, y2 = people.boxes[0]
    assert np.ptp(tube.xy[0, :, 1]) == pytest.approx(SIZE[0] / 1.25, rel=1e-6)  # taller than wide: height decides
    centre = (tube.xy[0].min(0) + tube.xy[0].max(0)) / 2
    np.testing.assert_allclose(centre, [(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])
    assert (y2 - y1) / (x2 - x1) > SIZE[0] / SIZE[1]


def test_a_tube_stands_still_while_the_person_moves() -> None:
    people = make_set(videos=1, frames=9, people=1, step=2.0)
    maker = TubeMaker(people.people(people.frame[people.person_image] == 4), TubeConfig(size=SIZE))
    assert len(maker.people) == 1
    whole = TubeMaker(people, TubeConfig(size=SIZE, clip_length=5, augment=NO_AUGMENTATION), 1.0 * (np.arange(9) == 4))
    tube = whole(0, 0)
    steps = np.diff(tube.xy[:, :, 0], axis=0)
    zoom = SIZE[0] / 1.25 / np.ptp(people.xy[4, :, 1])
    np.testing.assert_allclose(steps, 2 * zoom)
    backwards = replace(NO_AUGMENTATION, reverse=1.0)
    back = TubeMaker(people, TubeConfig(size=SIZE, clip_length=5, augment=backwards), 1.0 * (np.arange(9) == 4))(0, 0)
    np.testing.assert_allclose(back.xy, tube.xy[::-1])
    np.testing.assert_array_equal(back.crops, tube.crops[::-1])


def test_frames_beyond_the_video_repeat_its_border() -> None:
    people = make_set(videos=1, frames=4, people=1)
    first = TubeMaker(people, TubeConfig(size=SIZE, clip_length=5, augment=NO_AUGMENTATION), 1.0 * (np.arange(4) == 0))
    tube = first(0, 0)
    np.testing.assert_array_equal(tube.crops[0], tube.crops[2])
    np.testing.assert_allclose(tube.xy[0], tube.xy[2])
    assert not np.array_equal(tube.crops[3], tube.crops[2])


@pytest.mark.parametrize(
    ("absent", "labelled", "weight"), [("empty", True, 1), ("unknown", True, 0), ("empty", False, 0)]
)
def test_frames_without_the_person(absent: str, labelled: bool, weight: float) -> None:
    """Absent in a labelled frame: an empty target (paper 3.1). Not annotated: no loss."""
    people = make_set(videos=1, frames=3, people=2)
    keep = np.ones(len(people), bool)
    keep[-2] = False  # the first person leaves before the last frame; the other one stays in the crop
    fewer = replace(people.people(keep), labelled=np.array([True, True, labelled]))
    config = TubeConfig(size=SIZE, clip_length=3, augment=NO_AUGMENTATION, absent=absent)
    tube = TubeMaker(fewer, config, 1.0 * (np.arange(5) == 2))(0, 0)
    assert (tube.weight[:2] == 1).all()
    assert (tube.weight[2] == weight).all()
    assert tube.targets[2].max() == 0
    assert np.isnan(tube.xy[2]).all()


def test_heights_and_weights_reach_the_targets() -> None:
    people = make_set(people=1)
    height, weight = people.height.copy(), people.weight.copy()
    height[:, 0], weight[:, 1], height[:, 2] = 0.5, 0.25, 0
    config = TubeConfig(size=SIZE, augment=NO_AUGMENTATION)
    tube = TubeMaker(replace(people, height=height, weight=weight), config)(0, 0)
    assert tube.targets[0, 0].max() == pytest.approx(0.5, abs=0.06)
    assert tube.weight[0, 1] == 0.25
    assert tube.targets[0, 2].max() == 0  # known to be hidden: no answer wanted
    assert tube.weight[0, 2] == 1


def test_the_same_seed_gives_the_same_tube_anywhere() -> None:
    people = make_set(videos=1, frames=5)
    a, b = (TubeMaker(people, TubeConfig(size=SIZE, clip_length=3)) for _ in range(2))
    first, again, other = a(3, 17), b(3, 17), b(4, 17)
    np.testing.assert_array_equal(first.crops, again.crops)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert not np.array_equal(first.crops, other.crops)


def test_broken_data_is_reported_counted_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    people = make_set(frames=4, people=1)
    boxes = people.boxes.copy()
    boxes[0, 2] = boxes[0, 0]  # no area
    boxes[1, 0] = np.nan
    images = [*people.images[:2], b"\xff\xd8 broken", people.images[3]]
    maker = TubeMaker(replace(people, boxes=boxes, images=images), TubeConfig(size=SIZE, augment=NO_AUGMENTATION))
    with caplog.at_level(logging.WARNING, logger="dettrack.training"):
        tubes = [maker(0, index) for index in range(20)]
    good = make_set(frames=4, people=1)
    for tube in tubes:
        np.testing.assert_allclose(
            tube.xy[0, 0], TubeMaker(good, TubeConfig(size=SIZE, augment=NO_AUGMENTATION))(0, 0).xy[0, 0]
        )
    assert sum(tube.skipped for tube in tubes) == len(caplog.records) > 0
    assert any("not an image" in record.message for record in caplog.records)
    assert any("its box is" in record.message for record in caplog.records)
    hopeless = TubeMaker(replace(people, images=[b""] * 4), TubeConfig(size=SIZE))
    with pytest.raises(InputError, match="data check"):
        hopeless(0, 0)


def test_degrading_is_alike_in_all_frames() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (1, 64, 48, 3), np.uint8)
    tube = np.repeat(crop, 3, 0)
    for seed in range(12):
        out = degrade(tube, AugmentConfig(), np.random.default_rng(seed))
        assert out.dtype == np.uint8
        np.testing.assert_array_equal(out[0], out[1])
        np.testing.assert_array_equal(out[0], out[2])
    np.testing.assert_array_equal(degrade(tube, NO_AUGMENTATION, np.random.default_rng(0)), tube)


def test_nobody_to_train_on() -> None:
    people = make_set()
    with pytest.raises(InputError, match="no people"):
        TubeMaker(people.people(np.zeros(len(people), bool)), TubeConfig())
    with pytest.raises(InputError, match="empty or unknown"):
        TubeConfig(absent="maybe")


def test_a_tube_that_its_person_has_left_is_to_say_nothing() -> None:
    """Paper 3.1. In a still, a joint beyond the crop's border is no loss: half bodies are meant to be cut off."""
    people = make_set(videos=1, frames=5, people=1, step=60.0)
    config = TubeConfig(size=SIZE, clip_length=5, augment=NO_AUGMENTATION)
    maker = TubeMaker(people, config)
    row = int(np.flatnonzero(people.frame[people.person_image] == 2)[0])
    tube = maker._cut(row, np.random.default_rng(0), 0)
    gone = (tube.xy[..., 0] > SIZE[1] + 40) | (tube.xy[..., 0] < -40)
    assert gone.any()
    assert (tube.targets[gone] < 0.02).all()
    assert (tube.weight[gone] == 1).all()
    assert tube.targets[2].max() > 0.9
    still = make_set(people=1)
    shifted = replace(still, boxes=still.boxes + 500.0)
    outside = TubeMaker(shifted, replace(config, clip_length=1))._cut(0, np.random.default_rng(0), 0)
    assert (outside.weight == 0).all()
