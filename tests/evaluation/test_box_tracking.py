"""MOTA and IDF1 of boxes: figures worked out by hand, areas against shapely, and where the two protocols differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from dettrack.errors import UsageError
from dettrack.evaluation.box_tracking import BoxTracking, covered_area, track_boxes
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.skeleton import POSETRACK15

REGION = np.array([[100.0, 0], [300, 0], [300, 200], [100, 200]])


def sequence(people: list[tuple[int, int, tuple[float, float, float, float]]], frames: int = 3) -> PoseSequence:
    """People as (frame, id, box); a region to ignore in every frame."""
    images = tuple(ImageInfo(f"images/val/1/{t:06d}.jpg", t, True, ignore_regions=(REGION,)) for t in range(frames))
    frame, ids, boxes = (list(column) for column in zip(*people, strict=True)) if people else ([], [], [])
    xy = np.full((len(people), 15, 2), np.nan)
    found = People.build(frame, xy, track_id=ids, box=np.array(boxes, float).reshape(-1, 4))
    return PoseSequence("a", "posetrack21", POSETRACK15, images, found)


LEFT, SMALL_IN_REGION, HALF_IN_REGION = (0, 0, 40, 80), (150, 50, 170, 90), (60, 0, 140, 80)
TRUTH = sequence([(0, 7, LEFT), (1, 7, LEFT)])  # nobody is annotated in frame 2
PREDICTED = sequence(
    [
        *[(0, 1, LEFT), (0, 2, SMALL_IN_REGION), (0, 3, HALF_IN_REGION)],
        *[(1, 4, LEFT), (1, 2, SMALL_IN_REGION)],  # another id: a switch
        *[(2, 4, LEFT)],
    ]
)


def test_what_counts_by_either_protocol() -> None:
    """A small box in a large region: 800 of 40,000 pixels by union, all of it by its own area."""
    iou = track_boxes([(TRUTH, PREDICTED)], "boxes-iou")
    # wrong: the small box twice, the box half in the region (3200 of 43,200), the one where nobody is annotated
    assert (iou.objects, iou.misses, iou.false_positives, iou.switches, iou.ignored) == (2, 0, 4, 1, 0)
    assert iou.mota == pytest.approx(100 * (1 - 5 / 2))
    coverage = track_boxes([(TRUTH, PREDICTED)], "boxes-coverage")
    assert (coverage.objects, coverage.misses, coverage.false_positives, coverage.switches) == (2, 0, 0, 1)
    assert coverage.ignored == 3
    assert coverage.mota == pytest.approx(50.0)
    assert coverage.identity == (1, 1, 1)
    assert coverage.idf1 == pytest.approx(50.0)


def test_whoever_matches_in_a_region_counts() -> None:
    truth = sequence([(0, 1, SMALL_IN_REGION)], frames=1)
    found = track_boxes([(truth, sequence([(0, 5, SMALL_IN_REGION)], frames=1))], "boxes-coverage")
    assert (found.misses, found.false_positives, found.ignored, found.idf1) == (0, 0, 0, 100.0)
    nobody = replace(truth, people=truth.people[:0])
    assert np.isnan(track_boxes([(nobody, nobody)], "boxes-iou").mota)
    assert track_boxes([], "boxes-iou") == BoxTracking()
    with pytest.raises(UsageError, match="boxes-iou, boxes-coverage"):
        track_boxes([], "boxes")


coordinate = st.floats(-50, 150)


@given(
    st.lists(st.tuples(st.floats(0, 6.28), st.floats(5, 80)), min_size=3, max_size=9),
    st.tuples(coordinate, coordinate, st.floats(1, 120), st.floats(1, 120)),
)
def test_the_area_that_a_polygon_and_a_box_share(corners: list[tuple[float, float]], xywh: tuple[float, ...]) -> None:
    """Star-shaped polygons, convex or not, against an independent library."""
    spread = sorted(corners)
    polygon = np.array([(50 + r * np.cos(angle), 50 + r * np.sin(angle)) for angle, r in spread])
    shape = Polygon(polygon)
    if not shape.is_valid or shape.area < 1e-3:
        return
    x, y, width, height = xywh
    expected = shape.intersection(box(x, y, x + width, y + height)).area
    assert covered_area(polygon, np.array([x, y, x + width, y + height])) == pytest.approx(expected, abs=1e-6)
