"""Rules on frames, lists of joints, ignore regions and distance, each by a hand-made scene."""

from __future__ import annotations

import numpy as np
import pytest
from posetrack_scenes import FAR, NOSE, Person, body, counts, moved, scene

from dettrack.errors import InputError
from dettrack.evaluation import evaluate


def test_predictions_where_nobody_is_annotated_go_unpunished() -> None:
    gt = scene([Person(0, body())], [], [Person(0, body())], [Person(0, body())])
    pred = scene([Person(0, body(), 0.5)], [Person(0, FAR, 0.9)], [Person(0, body(), 0.5)], [Person(0, body(), 0.5)])
    assert evaluate([gt], [pred]).ap == 100
    assert counts(gt, pred)["num_false_positives"] == 0


def test_is_labeled_is_never_read_officially() -> None:
    gt = scene(*([Person(0, body())] for _ in range(3)), labeled=[True, False, True])
    pred = scene(*([Person(0, body(), 0.5)] for _ in range(3)))
    assert counts(gt, pred)["num_objects"] == 2
    assert evaluate([gt], [pred]).sequences[0].labels.annotated[NOSE] == 3


def test_clean_mode_counts_by_is_labeled() -> None:
    gt = scene([Person(0, body())], [], [Person(0, body())], labeled=[False, True, True])
    pred = scene(*([Person(0, body(), 0.5)] for _ in range(3)))
    clean = counts(gt, pred, mode="clean")
    assert (clean["num_objects"], clean["num_detections"], clean["num_false_positives"]) == (1, 1, 1)
    assert evaluate([gt], [pred], mode="clean").sequences[0].labels.annotated[NOSE] == 1


def test_clean_mode_without_the_flag_counts_inhabited_frames() -> None:
    gt = scene([Person(0, body())], [], [Person(0, body())])
    pred = scene(*([Person(0, body(), 0.5)] for _ in range(3)))
    assert counts(gt, pred, mode="clean")["num_false_positives"] == 0


def test_a_frame_whose_people_have_no_list_of_joints_stays_and_is_a_dummy() -> None:
    unlisted = Person(0, body(joints=()), listed=False)
    gt = scene([unlisted], [Person(0, body())])
    pred = scene([Person(0, FAR, 0.9), Person(1, body(), 0.8)], [Person(0, body(), 0.5)])
    labels = evaluate([gt], [pred]).sequences[0].labels
    assert (labels.correct[labels.joint == NOSE] == [False, False, True]).all()
    found = counts(gt, pred)
    assert (found["num_objects"], found["num_misses"], found["num_false_positives"]) == (1, 1, 1)


def test_predicted_people_without_a_list_of_joints_are_not_there() -> None:
    gt = scene([Person(0, body()), Person(1, FAR)], [Person(0, body())])
    pred = scene([Person(0, body(joints=()), listed=False)], [Person(0, body(), 0.5)])
    assert counts(gt, pred)["num_misses"] == 1  # a dummy, not two people missed


def test_a_person_with_an_empty_list_of_joints_stays() -> None:
    gt = scene([Person(0, body(joints=()))], [Person(0, body())])
    pred = scene([Person(0, FAR, 0.9), Person(1, FAR, 0.8)], [Person(0, body(), 0.5)])
    found = counts(gt, pred)
    assert (found["num_objects"], found["num_misses"], found["num_false_positives"]) == (0, 0, 2)


SQUARE = [np.array([[0.0, 0], [50, 0], [50, 50], [0, 50]])]


def test_joints_inside_a_region_are_removed_from_both_sides() -> None:
    inside = np.full((15, 2), 25.0)
    gt = scene([Person(0, inside), Person(1, body())], [Person(1, body())], regions={0: SQUARE})
    pred = scene([Person(0, inside, 0.9), Person(1, body(), 0.9)], [Person(1, body(), 0.9)])
    labels = evaluate([gt], [pred]).sequences[0].labels
    assert labels.annotated[NOSE] == 2
    assert len(labels.joint) == 30
    assert counts(gt, pred)["num_objects"] == 1


def test_the_border_of_a_region_is_not_in_it() -> None:
    on_border = np.full((15, 2), (50.0, 25.0))
    gt = scene([Person(0, on_border)], [Person(0, body())], regions={0: SQUARE})
    pred = scene([Person(0, on_border, 0.9)], [Person(0, body(), 0.9)])
    assert counts(gt, pred)["num_detections"] == 1


def test_only_the_annotated_frames_own_regions_count() -> None:
    inside = np.full((15, 2), 25.0)
    gt = scene([Person(0, inside)], [Person(0, inside)], regions={1: SQUARE})
    pred = scene([Person(0, inside, 0.9)], [Person(0, inside, 0.9)], regions={0: SQUARE})
    assert evaluate([gt], [pred]).sequences[0].labels.annotated[NOSE] == 1


def test_boxes_play_no_part_in_ignoring() -> None:
    boxed = Person(0, body(1000, 1000), box=(10, 10, 40, 40), head=(10, 10, 40, 50))
    gt = scene([boxed], [boxed], regions={0: SQUARE})
    pred = scene([Person(0, body(1000, 1000), 0.5)], [Person(0, body(1000, 1000), 0.5)])
    assert counts(gt, pred)["num_detections"] == 1


def test_who_has_no_joint_left_leaves_and_the_frame_becomes_a_dummy() -> None:
    gt = scene([Person(0, body()), Person(1, FAR)], [Person(0, body())], regions={0: SQUARE})
    pred = scene([Person(0, np.full((15, 2), 25.0), 0.9)], [Person(0, body(), 0.9)])
    found = counts(gt, pred)
    assert (found["num_objects"], found["num_misses"], found["num_false_positives"]) == (1, 1, 1)


def test_people_without_joints_leave_only_where_there_is_a_region() -> None:
    nobody = Person(0, body(joints=()))
    pred = scene([Person(0, FAR, 0.9), Person(1, FAR, 0.9)], [Person(0, body(), 0.9)])
    with_region = scene([nobody], [Person(0, body())], regions={0: SQUARE})
    assert counts(with_region, pred)["num_false_positives"] == 1
    assert counts(scene([nobody], [Person(0, body())]), pred)["num_false_positives"] == 2


def test_an_empty_region_is_a_region_too() -> None:
    gt = scene([Person(0, body(joints=()))], [Person(0, body())], regions={0: [np.zeros((0, 2))]})
    pred = scene([Person(0, FAR, 0.9), Person(1, FAR, 0.9)], [Person(0, body(), 0.9)])
    assert counts(gt, pred)["num_false_positives"] == 1


def test_all_annotated_people_ignored_leaves_false_positives_and_a_dummy() -> None:
    gt = scene([Person(0, np.full((15, 2), 25.0))], [Person(0, body())], regions={0: SQUARE})
    pred = scene([Person(0, FAR, 0.9), Person(1, FAR, 0.9)], [Person(0, body(), 0.9)])
    labels = evaluate([gt], [pred]).sequences[0].labels
    assert (~labels.correct[labels.joint == NOSE]).sum() == 2
    assert counts(gt, pred)["num_false_positives"] == 1


@pytest.mark.parametrize(("offset", "matches"), [(0.0, 1), (15.0, 1), (15.0001, 0), (-15.0, 1)])
def test_right_within_half_a_head_the_border_included(offset: float, matches: int) -> None:
    gt = scene(*([Person(0, body())] for _ in range(2)))  # head box 30 x 40: size 0.6 * 50 = 30, half of it 15
    pred = scene(*([Person(0, moved(offset), 0.5)] for _ in range(2)))
    found = counts(gt, pred)
    assert found["num_detections"] == matches
    assert found["sumD"] == pytest.approx(abs(offset) / 30 * matches)


def test_the_annotated_head_is_the_measure_not_the_predicted_one() -> None:
    gt = scene(*([Person(0, body())] for _ in range(2)))
    pred = scene(*([Person(0, moved(20), 0.5, head=(0, 0, 300, 400))] for _ in range(2)))
    assert counts(gt, pred)["num_detections"] == 0


def test_a_missing_head_box_matters_only_where_there_are_predictions() -> None:
    gt = scene([Person(0, body(), head=None)], [Person(0, body())], [Person(0, body())])
    absent = scene([], [Person(0, body(), 0.5)], [Person(0, body(), 0.5)])
    assert counts(gt, absent)["num_detections"] == 1
    present = scene([Person(0, FAR, 0.5)], [Person(0, body(), 0.5)], [Person(0, body(), 0.5)])
    with pytest.raises(InputError, match=r"000001_mpii_test.*frame 0 has no head box"):
        evaluate([gt], [present])


def test_a_head_box_without_area_matches_nothing() -> None:
    gt = scene(*([Person(0, body(), head=(5, 5, 5, 5))] for _ in range(2)))
    pred = scene(*([Person(0, body(), 0.5)] for _ in range(2)))
    assert counts(gt, pred)["num_detections"] == 0
