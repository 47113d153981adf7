"""Faults in training sets are found and named; drawn tubes show what the network sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_scenes import JOINTS, make_set

from dettrack.training.labels.inspect import find_faults
from dettrack.training.labels.people import upright_angle
from dettrack.training.pose.augment import NO_AUGMENTATION
from dettrack.training.pose.draw import draw_tube, draw_tubes
from dettrack.training.pose.tubes import TubeConfig, TubeMaker

TUBES = TubeConfig(size=(64, 48), clip_length=3, augment=NO_AUGMENTATION)


def changed(array: np.ndarray, row: int, value: object) -> np.ndarray:
    out = array.copy()
    out[row] = value
    return out


def test_a_good_set_has_no_faults() -> None:
    assert list(find_faults(make_set(videos=2))) == []


def test_each_fault_is_one_line_that_says_where() -> None:
    people = make_set(videos=1, frames=3)
    images = [b"no picture", *people.images[1:-1], Path("absent.jpg")]
    found = list(find_faults(replace(people, images=images)))
    assert len(found) == 2
    assert found[0].startswith("image 0: ")
    assert "absent.jpg" in found[1]
    outside = changed(people.boxes, 1, [-50.0, 10, -2, 80])
    assert list(find_faults(replace(people, boxes=outside))) == [
        "person 1: box [-50.0, 10.0, -2.0, 80.0] outside image 0 of [120. 100.]"
    ]
    far = people.xy.copy()
    far[2, JOINTS.index("nose")] = [250.0, 40.0]  # more than the picture's width beyond it
    assert list(find_faults(replace(people, xy=far))) == ["person 2: nose at [250.0, 40.0], far outside image 1"]
    near = people.xy.copy()
    near[2, JOINTS.index("nose")] = [200.0, 40.0]  # an athlete who leaves the picture is no fault
    assert list(find_faults(replace(people, xy=near))) == []


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_weights_out_of_range_are_found(value: float) -> None:
    people = make_set()
    weight = people.weight.copy()
    weight[3, 2] = value
    assert list(find_faults(replace(people, weight=weight))) == ["person 3: a height or weight is out of range"]


def test_a_frame_that_is_listed_twice_is_found() -> None:
    people = make_set(videos=2, frames=3)
    assert list(find_faults(replace(people, frame=changed(people.frame, 1, 0)))) == ["video 0: frame 0 is listed twice"]


def test_what_cannot_be_read_hides_no_other_fault() -> None:
    people = make_set(frames=2)
    boxes = changed(people.boxes, 3, [500.0, 500, 600, 600])
    found = list(find_faults(replace(people, images=[b"", people.images[1]], boxes=boxes)))
    assert [line.split(":")[0] for line in found] == ["image 0", "person 3"]


def test_a_drawn_tube_shows_its_frames_joints_and_targets() -> None:
    tube = TubeMaker(make_set(videos=1, frames=5), TUBES)(0, 0)
    drawn = draw_tube(tube)
    assert drawn.shape == (64, 3 * 48 + 4, 3)
    assert (drawn[:, -4:] == 255).all(), "a white line ends a tube"
    plain = np.concatenate(list(tube.crops), axis=1)
    changed_pixels = (drawn[:, : 3 * 48] != plain).any(-1)
    for t in range(3):
        for x, y in tube.xy[t][tube.weight[t] > 0]:
            if 1 <= x < 47 and 1 <= y < 63:
                assert changed_pixels[round(y), 48 * t + round(x)]
    bare = draw_tube(replace(tube, targets=np.zeros_like(tube.targets), weight=np.zeros_like(tube.weight)))
    np.testing.assert_array_equal(bare[:, : 3 * 48], plain)


def test_tubes_fill_a_sheet_row_by_row_and_the_rest_is_black() -> None:
    people = make_set(videos=1, frames=4)
    sheet = draw_tubes(people, TUBES, count=3, seed=5, across=2)
    height, width = 64, 3 * 48 + 4
    assert sheet.shape == (2 * height, 2 * width, 3)
    assert not sheet[height:, width:].any()
    maker = TubeMaker(people, TUBES)
    np.testing.assert_array_equal(sheet[height:, :width], draw_tube(maker(5, 2)))


@pytest.mark.parametrize("angle", [-2.5, -0.4, 0.0, 0.7, 3.0])
def test_the_angle_that_turns_somebody_upright(angle: float) -> None:
    from dettrack.geometry import rotation

    xy = make_set().xy[0] @ rotation(-angle).T
    assert upright_angle(xy) == pytest.approx(angle, abs=1e-6)
    xy[JOINTS.index("left_hip")] = np.nan
    assert upright_angle(xy) == 0.0
