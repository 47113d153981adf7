"""Recall of person boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from posetrack_scenes import Person, body, scene

from dettrack.errors import InputError
from dettrack.evaluation.boxes import BoxCounts, box_counts, count_boxes, detection_recall, read_detections

A = (0.0, 0.0, 10.0, 10.0)


def test_a_box_serves_one_person() -> None:
    two = np.array([A, A])
    assert box_counts(two, two[:1]) == BoxCounts(annotated=2, found=1, predicted=1)
    assert box_counts(two, np.zeros((0, 4))) == BoxCounts(annotated=2)


def test_as_many_as_possible_are_found() -> None:
    # The first prediction overlaps both people, the second only the first person: greedy could waste it.
    gt = np.array([[0.0, 0, 10, 10], [0, 3, 10, 13]])
    pred = np.array([[0.0, 1.5, 10, 11.5], [0, -3, 10, 7]])
    assert box_counts(gt, pred).found == 2


def test_half_overlap_is_enough() -> None:
    assert box_counts(np.array([A]), np.array([[0.0, 0, 10, 5]])).recall == 100
    assert box_counts(np.array([A]), np.array([[0.0, 0, 10, 4.99]])).recall == 0


def test_frames_count_by_the_flag_and_joints_stand_in_for_boxes() -> None:
    around = (100.0, 100.0, 280.0, 280.0)  # the body's joints
    gt = scene([Person(0, body(), box=around)], [Person(0, body(), box=around)], labeled=[True, False])
    pred = scene([Person(0, body(), 0.5)], [Person(0, body(), 0.5)])
    counts = count_boxes(gt, pred)
    assert (counts.annotated, counts.found, counts.predicted) == (1, 1, 1)
    assert counts.to_json()["recall"] == 100
    no_boxes = count_boxes(scene([Person(0, body())]), scene([Person(0, body(), 0.5)]))
    assert no_boxes.annotated == 0
    assert np.isnan(no_boxes.recall)
    assert np.isnan(BoxCounts(annotated=1).precision)


def test_detections_by_image_id(tmp_path: Path) -> None:
    path = tmp_path / "detections.json"
    box = [0, 0, 10, 10]
    path.write_text(json.dumps([{"image_id": 10000010000, "bbox": box, "score": s} for s in (0.9, 0.2)]))
    gt = scene([Person(0, body(), box=A)], labeled=[True])
    assert detection_recall(gt, read_detections(path)) == BoxCounts(1, 1, 2)
    assert detection_recall(gt, read_detections(path, 0.5)) == BoxCounts(1, 1, 1)
    assert detection_recall(gt, read_detections(path, 0.95)) == BoxCounts(1, 0, 0)


@pytest.mark.parametrize("text", ["{", '{"a": 1}', '[{"bbox": [1, 2, 3, 4]}]', '[{"image_id": 1, "bbox": [1, 2]}]'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "detections.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"detections\.json: (not JSON|.*; expected a list of detections)"):
        read_detections(path)
    with pytest.raises(InputError, match="cannot read"):
        read_detections(tmp_path / "none.json")
