from __future__ import annotations

import json

import numpy as np
import pytest

from dettrack.config import EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.errors import InputError
from dettrack.geometry import to_crop
from dettrack.models.pose import Estimator, load_estimator
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.structures import Boxes, Clip, Frame

HEATMAP_FILES = ("heatmaps.onnx", "fixed.onnx", "heatmaps_nhwc.onnx", "heatmaps.xml")


def spot_clip(places) -> Clip:
    """Black frames with a round red spot."""
    rows, columns = np.mgrid[:240, :320]
    frames = []
    for i, (x, y) in enumerate(places):
        image = np.zeros((240, 320, 3), np.uint8)
        image[..., 0] = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 14**2))
        frames.append(Frame(10 + i, i / 25, image))
    return Clip(tuple(frames), len(frames) // 2)


PLACES = [(100.0, 90.0), (104.5, 92.25), (110.0, 99.0)]
BOXES = Boxes(np.array([[60.0, 40.0, 150.0, 160.0], [70.0, 30.0, 140.0, 180.0]]), np.array([0.9, 0.4]))


@pytest.mark.parametrize("file", HEATMAP_FILES)
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("decoding", "within"), [("dark", 0.35), ("quarter", 3.2)])
def test_a_spot_is_found_where_it_is(tiny_models, file, flip, decoding, within):
    """Box, affine, crop, mirror image, decoding and the way back, in one."""
    options = EstimateConfig(
        str(tiny_models / file), joints="coco17", flip=flip, decoding=decoding, threads=1, precision="fp32"
    )
    estimator = load_estimator(options)
    clip = spot_clip(PLACES)
    (tracklets,) = estimator.estimate([(clip, make_tubes(BOXES, estimator.size))])
    assert tracklets.keyframe == 11
    assert tracklets.frames.tolist() == [10, 11, 12]
    assert tracklets.xy.shape == (2, 3, 17, 2)
    error = np.abs(tracklets.xy - np.array(PLACES)[None, :, None])
    assert error.max() < within
    assert (tracklets.boxes.scores == BOXES.scores).all()


def test_all_runtimes_and_layouts_agree(tiny_models):
    clip = spot_clip(PLACES)
    found = []
    for file in HEATMAP_FILES:
        estimator = load_estimator(EstimateConfig(str(tiny_models / file), threads=1, precision="fp32"))
        found.append(estimator.estimate([(clip, make_tubes(BOXES, estimator.size))])[0])
    for other in found[1:]:
        np.testing.assert_allclose(other.xy, found[0].xy, atol=0.05)
        np.testing.assert_allclose(other.scores, found[0].scores, atol=1e-4)


def test_work_is_batched_without_mixing(tiny_models):
    """Several keyframes, one of them without people, one with more crops than a batch: as one by one."""
    estimator = load_estimator(EstimateConfig(str(tiny_models / "heatmaps.onnx"), threads=2, precision="fp32"))
    clips = [spot_clip(PLACES), spot_clip(PLACES[:1]), spot_clip(PLACES * 20)]
    boxes = [BOXES, Boxes.empty(), BOXES]
    work = [(c, make_tubes(b, estimator.size)) for c, b in zip(clips, boxes, strict=True)]
    together = estimator.estimate(work)
    alone = [estimator.estimate([item])[0] for item in work]
    assert [len(t) for t in together] == [2, 0, 2]
    assert together[1].xy.shape == (0, 1, 15, 2)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
    assert estimator.estimate([]) == []
    assert [len(t) for t in estimator.estimate([work[1]])] == [0]


@pytest.mark.parametrize(("flip", "x"), [(False, 0.25), (True, 0.5)])
def test_coordinates_are_averaged_with_the_mirror_image(tiny_models, flip, x):
    """The model always says x = 0.25, so its mirror image says 0.75."""
    options = EstimateConfig(
        str(tiny_models / "coordinates.onnx"), joints="coco17", flip=flip, threads=1, precision="fp32"
    )
    estimator = load_estimator(options)
    assert estimator.size == (64, 64)
    clip = spot_clip(PLACES)
    tubes = make_tubes(BOXES, estimator.size)
    (tracklets,) = estimator.estimate([(clip, tubes)])
    crop_xy = to_crop(tracklets.xy, tubes.affines)
    np.testing.assert_allclose(crop_xy[..., 0], x * 64 - 0.5, atol=1e-3)
    np.testing.assert_allclose(crop_xy[..., 1], 0.5 * 64 - 0.5, atol=1e-3)
    np.testing.assert_allclose(tracklets.scores, 0.9, atol=1e-5)


def test_joint_sets_and_what_is_approximated(tiny_models):
    file = str(tiny_models / "heatmaps.onnx")
    default = load_estimator(EstimateConfig(file))
    assert isinstance(default, Estimator)
    assert default.joint_set == POSETRACK15
    assert default.approximated == ("head_bottom", "head_top")
    assert "coco17: head_bottom, head_top approximated" in default.description
    own = load_estimator(EstimateConfig(file, joints="coco17"))
    assert own.joint_set == COCO17
    assert own.approximated == ()
    mpii = load_estimator(EstimateConfig(file, joints="mpii16"))
    assert "pelvis, thorax missing" in mpii.description
    clip = spot_clip(PLACES)
    (tracklets,) = mpii.estimate([(clip, make_tubes(BOXES, mpii.size))])
    assert np.isnan(tracklets.xy[..., mpii.joint_set.index("pelvis"), :]).all()
    assert (tracklets.scores[..., mpii.joint_set.index("pelvis")] == 0).all()


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        (
            "detector.onnx",
            {},
            r"image \(1, 3, 64, 48\) float32; outputs answer \(1, 9216\).*Supported: one image input",
        ),
        ("heatmaps.xml", {"precision": "fp16"}, "fp16: OpenVINO on a CPU offers fp32 and bf16"),
        ("heatmaps.xml", {"device": "cuda"}, "run on the CPU"),
        ("absent.onnx", {}, "no such pose model"),
    ],
)
def test_what_cannot_be_used_is_named(tiny_models, file, options, message):
    with pytest.raises(InputError, match=message):
        load_estimator(EstimateConfig(str(tiny_models / file), **options))


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pth", ".safetensors"])
def test_rubbish_is_refused_in_one_line(tmp_path, suffix):
    path = tmp_path / f"rubbish{suffix}"
    path.write_bytes(b"not a model at all")
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"not a readable|expected an? ") as caught:
        load_estimator(EstimateConfig(str(path)))
    assert "\n" not in str(caught.value)


def test_an_xml_needs_its_bin(tmp_path):
    (tmp_path / "a.xml").write_text("<net/>")
    with pytest.raises(InputError, match=r"a\.bin are not beside it"):
        load_estimator(EstimateConfig(str(tmp_path / "a.xml")))


def test_unknown_names_and_endings(tmp_path):
    with pytest.raises(InputError, match="no weights called 'nobody'"):
        load_estimator(EstimateConfig("nobody"))
    (tmp_path / "a.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"expected a file ending in \.safetensors"):
        load_estimator(EstimateConfig(str(tmp_path / "a.pt")))


@pytest.fixture(scope="session")
def coco_people(annotated):
    """Clips of one frame, boxes and joints of the people with at least ten annotated joints on four COCO photos."""
    import cv2

    folder = annotated / "mmpose_tests" / "coco"
    content = json.loads((folder / "test_coco.json").read_text())
    found = []
    for image in content["images"]:
        people = [a for a in content["annotations"] if a["image_id"] == image["id"] and a["num_keypoints"] >= 10]
        pixels = cv2.imread(str(folder / image["file_name"]))[..., ::-1].copy()
        boxes = np.array([a["bbox"] for a in people], float)
        boxes[:, 2:] += boxes[:, :2]
        joints = np.array([a["keypoints"] for a in people], float).reshape(-1, 17, 3)
        area = np.array([a["area"] for a in people])
        found.append((Clip((Frame(0, 0.0, pixels),), 0), Boxes(boxes, np.ones(len(people))), joints, area))
    return found


# Measured: .89, .81, .84 without flip and .90, .82, .85 with it; a shift by three pixels or swapped sides cost more.
@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "size", "floor"),
    [
        ("tinypose_256_192.xml", (256, 192), 0.85),
        ("ultralight_simplepose.onnx", (256, 192), 0.75),
        ("movenet_thunder_256.onnx", (256, 256), 0.8),
    ],
)
@pytest.mark.parametrize("flip", [False, True])
def test_real_models_find_annotated_joints(weights, coco_people, file, size, floor, flip):
    estimator = load_estimator(
        EstimateConfig(str(weights / file), joints="coco17", threads=1, flip=flip, precision="fp32")
    )
    assert estimator.size == size
    work = [(clip, make_tubes(boxes, size)) for clip, boxes, _, _ in coco_people]
    oks = []
    for found, (_, _, joints, area) in zip(estimator.estimate(work), coco_people, strict=True):
        distance = ((found.xy[:, 0] - joints[..., :2]) ** 2).sum(-1)
        similarity = np.exp(-distance / (2 * area[:, None] * (2 * COCO17.sigmas) ** 2))
        seen = joints[..., 2] > 0
        oks += ((similarity * seen).sum(1) / seen.sum(1)).tolist()
    assert len(oks) == 12
    assert np.mean(oks) > floor


def test_an_exported_model_is_not_inflated(tiny_models):
    path = str(tiny_models / "heatmaps.onnx")
    with pytest.raises(InputError, match=r"--variant early: heatmaps\.onnx runs as it was exported"):
        load_estimator(EstimateConfig(path, variant="early"))
    assert load_estimator(EstimateConfig(path, variant="none", threads=1)).size == (64, 48)
