from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dettrack.config import DetectConfig
from dettrack.models.detector.filters import filter_boxes, for_frame
from dettrack.structures import Boxes

EVERYTHING = DetectConfig(detector_threshold=0.0, min_box_area=0.0, detector_nms=1.0)


def random_boxes(seed: int, n: int, extent: float = 100.0) -> Boxes:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, extent, (n, 2))
    return Boxes(np.concatenate([low, low + rng.uniform(5, 60, (n, 2))], 1), rng.integers(0, 8, n) / 8)


@given(
    hnp.arrays(float, (9, 4), elements=st.floats(-50, 400) | st.just(np.nan) | st.just(np.inf)),
    hnp.arrays(float, 9, elements=st.floats(0, 1) | st.just(np.nan)),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 9000),
    st.integers(0, 5),
)
def test_every_box_is_kept_or_counted_once(xyxy, scores, threshold, nms, area, people):
    config = DetectConfig(detector_threshold=threshold, detector_nms=nms, min_box_area=area, max_people=people)
    kept, dropped = filter_boxes(Boxes(xyxy, scores), config)
    extended = np.isfinite(xyxy).all(1) & np.isfinite(scores) & (xyxy[:, 2:] > xyxy[:, :2]).all(1)
    weak = int((extended & (scores < threshold)).sum())  # no more than candidates: not counted
    assert len(kept) + sum(dropped.values()) + weak == 9
    assert (kept.scores >= threshold).all()
    assert all(count > 0 for count in dropped.values())
    assert np.isfinite(kept.xyxy).all()
    assert (np.diff(kept.scores) <= 0).all()
    assert not people or len(kept) <= people
    again, nothing = filter_boxes(kept, config)
    assert nothing == {}
    np.testing.assert_array_equal(again.xyxy, kept.xyxy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"detector_nms": 0.5}, "boxes_overlap"),
        ({"min_box_area": 3200.0}, "boxes_small"),
        ({"max_people": 2}, "boxes_over_limit"),
    ],
)
def test_each_reason_has_its_name(change, reason):
    boxes = Boxes(
        np.array([[0.0, 0, 100, 100], [5, 5, 100, 100], [300, 0, 340, 79]]),
        np.array([0.9, 0.8, 0.4]),
    )
    everything = {"detector_threshold": 0.0, "min_box_area": 0.0, "detector_nms": 1.0}
    kept, dropped = filter_boxes(boxes, DetectConfig(**{**everything, **change}))
    assert dropped == {reason: 1}
    assert len(kept) == 2


def test_no_boxes():
    kept, dropped = filter_boxes(Boxes.empty(), DetectConfig())
    assert len(kept) == 0
    assert dropped == {}


def test_inverted_boxes_are_invalid():
    kept, dropped = filter_boxes(Boxes(np.array([[50.0, 50, 10, 90]]), np.ones(1)), EVERYTHING)
    assert dropped == {"boxes_invalid": 1}
    assert len(kept) == 0


def test_smallest_area_shrinks_with_small_frames_only():
    config = DetectConfig(min_box_area=3200.0)
    assert for_frame(config, np.zeros((360, 640, 3), np.uint8)).min_box_area == 800
    assert for_frame(config, np.zeros((2160, 3840, 3), np.uint8)).min_box_area == 3200
    fixed = DetectConfig(min_box_area=3200.0, scale_min_area=False)
    assert for_frame(fixed, np.zeros((36, 64, 3), np.uint8)).min_box_area == 3200
