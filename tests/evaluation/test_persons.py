"""The official assignment of people, against the same rule one pair at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from posetrack_scenes import HEAD, Person, Scene, body

from dettrack.errors import InputError
from dettrack.evaluation.persons import FramePairs, assign_people, frame_pairs
from dettrack.evaluation.prepare import prepare
from dettrack.evaluation.rules import OFFICIAL

counts = st.integers(0, 4)


def pairs(distance, has_gt):
    p, g = distance.shape[:2]
    return FramePairs(slice(0, g), slice(0, p), has_gt, np.ones((p, 15), bool), distance)


def slow_assignment(distance, has_gt):
    """Each prediction competes for one annotated person; each annotated person takes the best that competes for it."""
    p, g = distance.shape[:2]
    share = [[(distance[i, k] <= 0.5).sum() / max(has_gt[k].sum(), 1) for k in range(g)] for i in range(p)]
    wanted = [max(range(g), key=lambda k, i=i: (share[i][k], -k)) for i in range(p)] if g else []
    assigned = [-1] * p
    for k in range(g):
        competing = [i for i in range(p) if wanted[i] == k and share[i][k] > 0]
        if competing:
            assigned[max(competing, key=lambda i, k=k: (share[i][k], -i))] = k
    return assigned


@given(st.data(), counts, counts)
def test_assignments_are_those_of_the_rule_one_by_one(data, p, g):
    steps = data.draw(hnp.arrays(np.int64, (p, g, 15), elements=st.integers(0, 4)))
    has_gt = data.draw(hnp.arrays(bool, (g, 15)))
    distance = np.where(has_gt[None], steps / 4, np.inf)
    assert assign_people(pairs(distance, has_gt)).tolist() == slow_assignment(distance, has_gt)


@given(st.data(), st.integers(1, 4), st.integers(1, 4))
def test_nobody_is_assigned_twice(data, p, g):
    distance = data.draw(hnp.arrays(np.float64, (p, g, 15), elements=st.floats(0, 2)))
    assigned = assign_people(pairs(distance, np.ones((g, 15), bool)))
    taken = assigned[assigned >= 0]
    assert len(set(taken.tolist())) == len(taken)


def of_frame(gt, pred):
    (found,) = frame_pairs(prepare(Scene([gt]).build(), Scene([pred]).build(), OFFICIAL))
    return found


@pytest.mark.parametrize(("shift", "right"), [(0.0, True), (14.9, True), (15.0, True), (15.1, False)])
def test_distances_are_in_head_sizes_and_the_border_is_right(shift, right):
    found = of_frame([Person(1, body(100))], [Person(1, body(100 + shift))])
    np.testing.assert_allclose(found.distance, shift / 30)
    assert found.match.all() == right


def test_a_joint_that_either_side_lacks_is_infinitely_far():
    found = of_frame([Person(1, body(joints=(0, 1)))], [Person(1, body(joints=(1, 2)))])
    assert np.isfinite(found.distance[0, 0]).nonzero()[0].tolist() == [1]
    assert found.has_gt[0, :3].tolist() == [True, True, False]
    assert found.has_pred[0, :3].tolist() == [False, True, True]


def test_a_missing_head_box_is_told_where_there_are_predictions():
    assert of_frame([Person(1, body(), head=None)], []).distance.shape == (0, 1, 15)
    with pytest.raises(InputError, match="no head box"):
        of_frame([Person(1, body(), head=None)], [Person(1, body())])
    flat = of_frame([Person(1, body(), head=(0.0, 0.0, 0.0, 0.0))], [Person(1, body(101))])
    assert not flat.match.any(), "a head box without area matches nothing that is not exactly there"
    assert HEAD[2:] == (30.0, 40.0)
