from __future__ import annotations

import numpy as np
import pytest

from dettrack.structures import Boxes
from dettrack.training.detector.validation import AnnotatedBoxes, score_boxes

NONE = np.zeros((0, 4))


def _box(x: float, width: float = 10.0) -> list[float]:
    return [x, 0.0, x + width, 20.0]


def test_a_perfect_answer_scores_one() -> None:
    labels = [AnnotatedBoxes(np.array([_box(0), _box(50)]), NONE), AnnotatedBoxes(NONE, NONE)]
    found = [Boxes(labels[0].people, np.array([0.9, 0.4])), Boxes.empty()]
    scores = score_boxes(found, labels)
    assert (scores.ap, scores.precision, scores.recall, scores.people) == (1.0, 1.0, 1.0, 2)


def test_a_false_hit_between_two_true_ones() -> None:
    labels = [AnnotatedBoxes(np.array([_box(0), _box(50)]), NONE)]
    found = [Boxes(np.array([_box(0), _box(100), _box(50)]), np.array([0.9, 0.8, 0.7]))]
    assert score_boxes(found, labels).ap == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert score_boxes(found, labels).best_threshold == 0.7
    assert score_boxes(found, labels, threshold=0.75).recall == 0.5
    assert score_boxes(found, labels, threshold=0.75).precision == 0.5


def test_a_second_box_on_one_person_is_wrong() -> None:
    labels = [AnnotatedBoxes(np.array([_box(0)]), NONE)]
    found = [Boxes(np.array([_box(0), _box(1)]), np.array([0.9, 0.8]))]
    assert score_boxes(found, labels).precision == 0.5


def test_boxes_on_unsure_regions_count_for_nothing() -> None:
    labels = [AnnotatedBoxes(np.array([_box(0)]), np.array([_box(50)]))]
    found = [Boxes(np.array([_box(51), _box(0)]), np.array([0.95, 0.9]))]
    scores = score_boxes(found, labels)
    assert (scores.ap, scores.precision, scores.recall) == (1.0, 1.0, 1.0)


def test_nothing_found_scores_zero() -> None:
    scores = score_boxes([Boxes.empty()], [AnnotatedBoxes(np.array([_box(0)]), NONE)])
    assert (scores.ap, scores.recall) == (0.0, 0.0)
    assert np.isnan(scores.precision)
