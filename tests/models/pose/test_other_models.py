"""Models of other people: what they are is recognised or stated, and they track from end to end."""

from __future__ import annotations

import numpy as np
import pytest
from other_models import SIZE, save_vitpose, write_spot

import dettrack
from dettrack.config import EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.errors import InputError
from dettrack.models.pose import load_estimator
from dettrack.models.pose.simcc import decode_simcc, unmirror_simcc
from dettrack.skeleton import JointMap, joint_set
from dettrack.structures import Boxes, Clip, Frame

COCO_LABELS = [
    *("Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow"),
    *("L_Wrist", "R_Wrist", "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle"),
]


def spot(x, y):
    """A picture with a round red spot."""
    rows, columns = np.mgrid[:240, :320]
    image = np.zeros((240, 320, 3), np.uint8)
    image[..., 0] = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 14**2))
    return image


PLACES = [(100.0 + 4 * i, 90.0 + i) for i in range(12)]
BOX = np.array([[60.0, 40.0, 150.0, 160.0]])


def reference_simcc(x, y):
    """One joint at a time: the highest bin, half a pixel wide."""
    out = np.zeros((*x.shape[:2], 2))
    scores = np.zeros(x.shape[:2])
    for n in range(x.shape[0]):
        for j in range(x.shape[1]):
            column, row = list(x[n, j]).index(max(x[n, j])), list(y[n, j]).index(max(y[n, j]))
            out[n, j] = column / 2, row / 2
            scores[n, j] = min(max(x[n, j]), max(y[n, j]))
    return out, scores


def test_simcc_is_read_as_its_makers_do():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(3, 5, 96)), rng.normal(size=(3, 5, 128))
    xy, scores = decode_simcc(x, y)
    expected, values = reference_simcc(x, y)
    np.testing.assert_allclose(xy, expected)
    np.testing.assert_allclose(scores, values.clip(0, 1))
    y[1, 2] = -1.0
    xy, scores = decode_simcc(x, y)
    assert np.isnan(xy[1, 2]).all()
    assert scores[1, 2] == 0


def test_a_mirrored_simcc_comes_back_to_the_same_bin():
    x, y = np.zeros((1, 2, 96)), np.zeros((1, 2, 128))
    x[0, :, [30, 40]], y[0, :, [10, 11]] = 1.0, 1.0
    swap = np.array([1, 0])
    mirrored = np.zeros_like(x)
    for joint in range(2):
        mirrored[0, swap[joint], 2 * 47 - int(x[0, joint].argmax())] = 1.0
    back_x, back_y = unmirror_simcc(mirrored, y[:, swap], swap)
    np.testing.assert_array_equal(back_x.argmax(-1), x.argmax(-1))
    np.testing.assert_array_equal(back_y, y)


@pytest.mark.parametrize(
    ("kind", "joints", "name", "flip"),
    [
        ("simcc", 17, "coco17", True),
        ("simcc", 26, "halpe26", False),
        ("simcc", 133, "wholebody133", False),
        ("heatmaps", 26, "halpe26", True),
    ],
)
def test_a_spot_is_found_from_end_to_end(tmp_path, kind, joints, name, flip):
    model = write_spot(tmp_path / "model.onnx", joints, kind)
    images = [spot(x, y) for x, y in PLACES]
    pipeline = dettrack.Pipeline(
        model=model, detections=[BOX] * len(images), flip=flip, joints="own", min_box_area=0, min_track_score=0
    )
    table = pipeline.track(images, fps=25).gather()
    assert f"2D, {kind}" in pipeline.estimator.description
    assert table.joint_set.name == name
    assert len(table) == len(images)
    near = np.abs(table.xy - np.array(PLACES)[table.frame][:, None]).max(-1)
    assert np.nanmax(near) < 3  # half a bin of a crop that is four times smaller
    assert table.joint("left_knee").shape == (len(images), 2)


def test_joints_of_models_with_more_than_a_body_stay(tmp_path):
    file = str(write_spot(tmp_path / "feet.onnx", 26, "simcc"))
    assert load_estimator(EstimateConfig(file)).joint_set == joint_set("halpe26")
    assert load_estimator(EstimateConfig(file, joints="posetrack15")).approximated == ()
    body = str(write_spot(tmp_path / "body.onnx", 17, "simcc"))
    assert load_estimator(EstimateConfig(body)).joint_set == joint_set("posetrack15")


def test_unusual_joints_are_named(tmp_path):
    file = write_spot(tmp_path / "odd.onnx", 5, "heatmaps")
    with pytest.raises(InputError, match=r"5 joints are no usual set: name them with --joints FILE\.toml"):
        load_estimator(EstimateConfig(str(file)))
    joints = ["nose", "left_hand", "right_hand", "left_paw", "right_paw"]
    (tmp_path / "cat.toml").write_text(f'joints = {joints}\nlimbs = [["nose", "left_hand"]]\n')
    named = load_estimator(EstimateConfig(str(file), joints=str(tmp_path / "cat.toml")))
    assert named.joint_set.joints == tuple(joints)
    assert named.joint_set.flip_permutation.tolist() == [0, 2, 1, 4, 3]
    (tmp_path / "odd.toml").write_text('joints = "cat.toml"\nlayout = "heatmaps"\n')
    assert load_estimator(EstimateConfig(str(file))).joint_set.joints == tuple(joints)
    (tmp_path / "odd.toml").write_text(f"joints = {joints}\n")
    images = [spot(x, y) for x, y in PLACES]
    table = dettrack.track_all(images, model=file, detections=[BOX] * 12, min_box_area=0, min_track_score=0)
    assert table.joint_set.joints == tuple(joints)
    assert len(table) == 12


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layout = 3", "expected one of"),
        ("size = [3]", "size: expected size of 2"),
        ("std = [0, 1, 1]", "mean and std of 3 numbers"),
        ('joints = "coco17"', "it has 26 joints, and coco17 has 17"),
        ('joints = "nothing"', "unknown joint set"),
        ("colour = 3", "unknown key"),
        ("a = ", "not valid TOML"),
    ],
)
def test_what_is_wrong_in_the_file_beside_a_model_is_one_line(tmp_path, text, said):
    file = write_spot(tmp_path / "feet.onnx", 26, "simcc")
    (tmp_path / "feet.toml").write_text(text)
    with pytest.raises(InputError, match=said) as error:
        load_estimator(EstimateConfig(str(file)))
    assert "\n" not in str(error.value)


def test_the_order_of_the_channels_and_the_normalisation_are_stated(tmp_path):
    """The model undoes ImageNet's red on the first channel: fed with blue first, it sees nothing red."""
    file = write_spot(tmp_path / "spot.onnx", 17, "heatmaps")
    clip = Clip((Frame(0, 0.0, spot(100, 90)),), 0)

    def score():
        model = load_estimator(EstimateConfig(str(file), joints="own", flip=False))
        return model.estimate([(clip, make_tubes(Boxes(BOX, np.ones(1)), SIZE))])[0].scores.max()

    assert score() > 0.9
    (tmp_path / "spot.toml").write_text("bgr = true\nmean = [123.675, 116.28, 103.53]\nstd = [58.395, 57.12, 57.375]\n")
    assert score() < 0.1
    (tmp_path / "spot.toml").write_text("std = [1.0, 1.0, 1.0]\n")
    assert score() >= 0.9


def test_a_layout_that_is_not_there_is_refused(tmp_path):
    file = write_spot(tmp_path / "spot.onnx", 17, "heatmaps")
    with pytest.raises(InputError, match="not a known pose model"):
        load_estimator(EstimateConfig(str(file), model_layout="simcc"))


def track_random(model, **settings):
    """Random joints: that they come, have names and lie within the crops."""
    images = [spot(x, y) for x, y in PLACES]
    settings = {"min_box_area": 0, "min_track_score": 0, "presence": 0, "min_joint_score": 0, **settings}
    pipeline = dettrack.Pipeline(model=model, detections=[BOX] * 12, **settings)
    table = pipeline.track(images, fps=25).gather()
    assert set(table.frame.tolist()) == set(range(12))  # joints at random do not always look like one person's
    found = table.xy[np.isfinite(table.xy).all(-1)]
    assert len(found)
    assert ((found > (0, -20)) & (found < (230, 230))).all()
    return pipeline, table


def test_vitpose_from_a_folder(tmp_path):
    folder = save_vitpose(tmp_path / "vitpose", 17, labels=COCO_LABELS)
    pipeline, table = track_random(f"hf:{folder}", joints="own")
    assert table.joint_set.name == "coco17"
    assert "udp-heatmaps" in pipeline.estimator.description


def test_vitpose_plus_has_experts(tmp_path):
    folder = save_vitpose(tmp_path / "plus", 17, experts=6, labels=COCO_LABELS)
    _, first = track_random(f"hf:{folder}", joints="own")
    _, third = track_random(f"hf:{folder}#3", joints="own")
    assert not np.allclose(first.joint_scores, third.joint_scores)
    with pytest.raises(InputError, match="experts for 6 data sets"):
        load_estimator(EstimateConfig(f"hf:{folder}#6"))


def test_markers_of_synthpose_have_names(tmp_path):
    labels = [*COCO_LABELS, "sternum", *(f"marker {i}" for i in range(34))]
    _, table = track_random(f"hf:{save_vitpose(tmp_path / 'synth', 52, labels=labels)}")
    assert table.joint_set.name == "synthpose52"
    assert table.joint("left_calcaneus").shape == (len(table), 2)


def test_labels_of_a_model_become_joints(tmp_path):
    labels = ["Nose", "L_Paw", "R_Paw", "tail tip"]
    _, table = track_random(f"hf:{save_vitpose(tmp_path / 'cat', 4, labels=labels)}")
    assert table.joint_set.joints == ("nose", "left_paw", "right_paw", "tail_tip")


def test_what_is_no_pose_model_is_one_line(tmp_path):
    for name in (str(tmp_path / "nothing"), str(tmp_path)):
        with pytest.raises(InputError, match=r"no such folder|not a pose model") as error:
            load_estimator(EstimateConfig(f"hf:{name}"))
        assert "\n" not in str(error.value)


def test_sets_are_data_and_convert_by_name():
    feet, body = joint_set("halpe26"), joint_set("posetrack15")
    assert JointMap(feet, body).missing == ()
    assert JointMap(feet, body).approximated == ()
    whole = joint_set("wholebody133")
    assert len(whole.limbs) > 100
    assert whole.joints[whole.flip_permutation[whole.index("face_0")]] == "face_16"
