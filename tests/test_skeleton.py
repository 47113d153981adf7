import numpy as np
import pytest

from dettrack.errors import InputError
from dettrack.skeleton import APPROXIMATIONS, COCO17, JOINT_SETS, MPII16, POSETRACK15, JointMap, joint_set


@pytest.mark.parametrize("joints", JOINT_SETS.values(), ids=str)
def test_flip_is_an_involution_that_swaps_sides(joints):
    flip = joints.flip_permutation
    np.testing.assert_array_equal(flip[flip], np.arange(len(joints)))
    for i, j in enumerate(flip):
        assert joints.joints[i].replace("left", "right") == joints.joints[j].replace("left", "right")
        assert (i == j) == ("left" not in joints.joints[i] and "right" not in joints.joints[i])


def test_coco_sigmas_are_those_of_the_coco_evaluation():
    golden = [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]
    np.testing.assert_allclose(COCO17.sigmas * 1000, golden)


def test_joints_are_mapped_by_name():
    xy = np.arange(32.0).reshape(16, 2)
    out, scores = JointMap(MPII16, POSETRACK15)(xy, np.linspace(0, 1, 16))
    for name in ("head_top", "head_bottom", "left_wrist", "right_ankle"):
        np.testing.assert_array_equal(out[POSETRACK15.index(name)], xy[MPII16.index(name)])
    assert scores[POSETRACK15.index("left_wrist")] == 1.0


def test_what_coco_lacks_is_approximated_and_said_so_or_missing():
    joint_map = JointMap(COCO17, POSETRACK15)
    assert joint_map.approximated == ("head_bottom", "head_top")
    xy = np.zeros((17, 2))
    xy[COCO17.index("nose")] = (100, 50)
    xy[COCO17.index("left_shoulder")] = (120, 90)
    xy[COCO17.index("right_shoulder")] = (80, 90)
    xy[COCO17.index("left_ear")] = (110, 45)
    xy[COCO17.index("right_ear")] = (90, 45)
    out, _ = joint_map(xy, np.ones(17))
    top, neck = out[POSETRACK15.index("head_top")], out[POSETRACK15.index("head_bottom")]
    assert top[1] < 50 < neck[1] < 90
    assert top[0] == pytest.approx(100)

    plain = JointMap(COCO17, POSETRACK15, approximate=False)
    assert plain.missing == ("head_bottom", "head_top")
    out, scores = plain(xy, np.ones(17))
    assert np.isnan(out[POSETRACK15.index("head_top")]).all()
    assert scores[POSETRACK15.index("head_top")] == 0


def test_a_missing_source_joint_stays_missing():
    xy = np.ones((17, 2))
    xy[COCO17.index("left_ear")] = np.nan
    out, _ = JointMap(COCO17, POSETRACK15)(xy, np.ones(17))
    assert np.isnan(out[POSETRACK15.index("head_top")]).all()
    np.testing.assert_allclose(out[POSETRACK15.index("head_bottom")], 1.0)


def test_approximations_move_with_the_pose():
    """Weights sum to 1: a shifted pose has shifted approximations."""
    for weights in APPROXIMATIONS.values():
        assert sum(weights.values()) == pytest.approx(1.0)


def test_unknown_names_are_told():
    with pytest.raises(InputError, match="posetrack15"):
        joint_set("coco133")
    with pytest.raises(InputError, match="left_wrist"):
        COCO17.index("tail")
