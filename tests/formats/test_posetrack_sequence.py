"""The people of a sequence as arrays: built, cut, reordered, and never confused with those of other images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.errors import InputError
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.sequence import NO_ID, head_box_sizes, load_object, polygons
from dettrack.skeleton import COCO17, POSETRACK15, POSETRACK17

images = st.lists(st.integers(0, 5), max_size=12)


def people(image, joints=15, **columns):
    n = len(image)
    rng = np.random.default_rng(n)
    return People.build(image, rng.uniform(0, 100, (n, joints, 2)), track_id=np.arange(n), **columns)


def sequence(image, joint_set=POSETRACK15, **columns):
    infos = tuple(ImageInfo(f"{i}.jpg", i) for i in range(6))
    return PoseSequence("a", "posetrack18", joint_set, infos, people(image, len(joint_set), **columns))


@given(images)
def test_people_are_sorted_by_image_and_keep_their_order_within_it(image):
    built = people(image)
    assert built.image.tolist() == sorted(image)
    expected = [row for _, row in sorted((where, row) for row, where in enumerate(image))]
    assert built.track_id.tolist() == expected


@given(images)
def test_starts_say_whose_image_a_row_is_of(image):
    one = sequence(image)
    assert len(one.starts) == len(one) + 1
    for i, (start, stop) in enumerate(zip(one.starts, one.starts[1:], strict=False)):
        assert (one.people.image[start:stop] == i).all()
        assert stop - start == image.count(i)


def test_what_is_not_known_is_missing():
    built = people([0, 1])
    for name in ("scores", "visible", "head_box", "box", "score"):
        assert np.isnan(getattr(built, name)).all(), name
    assert (built.person_id == NO_ID).all()
    assert built.listed.all()


@given(images, st.data())
def test_rows_are_chosen_in_all_columns_alike(image, data):
    built = people(image, score=np.linspace(0, 1, len(image)), box=np.ones((len(image), 4)))
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(image), max_size=len(image))), bool)
    kept = built[keep]
    assert len(kept) == keep.sum()
    np.testing.assert_array_equal(kept.xy, built.xy[keep])
    np.testing.assert_array_equal(kept.score, built.score[keep])
    np.testing.assert_array_equal(kept.image, built.image[keep])


@pytest.mark.parametrize(
    ("source", "target"), [(POSETRACK17, POSETRACK15), (POSETRACK15, POSETRACK17), (COCO17, POSETRACK15)]
)
def test_joints_are_reordered_by_name_and_lacking_ones_are_missing(source, target):
    one = sequence([0, 0, 3], source, scores=np.arange(3.0 * len(source)).reshape(3, -1))
    other = one.with_joints(target)
    assert other.joint_set == target
    for column, joint in enumerate(target.joints):
        if joint in source.joints:
            before = source.joints.index(joint)
            np.testing.assert_array_equal(other.people.xy[:, column], one.people.xy[:, before])
            np.testing.assert_array_equal(other.people.scores[:, column], one.people.scores[:, before])
        else:
            assert np.isnan(other.people.xy[:, column]).all()
            assert np.isnan(other.people.scores[:, column]).all()
    np.testing.assert_array_equal(other.people.track_id, one.people.track_id)
    assert one.with_joints(source) is one


@given(st.floats(1, 500), st.floats(1, 500), st.floats(-100, 100), st.floats(-100, 100))
def test_a_head_size_is_six_tenths_of_the_diagonal_wherever_the_box_lies(width, height, x, y):
    size = head_box_sizes(np.array([[x, y, x + width, y + height]]))
    assert size[0] == pytest.approx(0.6 * np.hypot(width, height), rel=1e-6)
    assert np.isnan(head_box_sizes(np.full((1, 4), np.nan))).all()


def test_ignore_regions_are_polygons_of_the_common_length():
    one, other = polygons([[0, 1, 1], [5, 6, 6, 5]], [[0, 0, 1], [5, 5, 6]], "here")
    assert one.tolist() == [[0, 0], [1, 0], [1, 1]]
    assert other.tolist() == [[5, 5], [6, 5], [6, 6]], "as the official evaluator reads lists of unequal length"
    assert polygons([], [], "here") == ()


@pytest.mark.parametrize("xs", [[[float("nan"), 1.0]], [[1.0, float("inf")]]])
def test_a_coordinate_that_is_no_number_is_told_with_its_place(xs):
    with pytest.raises(InputError, match=r"a\.json, image 3"):
        polygons(xs, [[0, 1]], "a.json, image 3")


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", "3", '"images"'])
def test_a_file_that_is_no_object_is_told(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.json"):
        load_object(path)
    with pytest.raises(InputError, match=r"none\.json"):
        load_object(tmp_path / "none.json")
