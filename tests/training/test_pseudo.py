"""Pseudo-labels: who is believed when, and labels of images and videos by teachers that we control."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from training_scenes import JOINTS, body, draw, make_set

from dettrack.geometry import crop_affines
from dettrack.skeleton import COCO17, POSETRACK15, JointMap
from dettrack.structures import Boxes, Frame
from dettrack.training.labels.people import read_image
from dettrack.training.labels.pseudo import AgreementConfig, agree, label_stills, label_video
from dettrack.training.labels.teachers import Teacher, load_teacher

CONFIG = AgreementConfig(min_height=20.0)
WRIST, KNEE, HIP = (POSETRACK15.index(f"left_{part}") for part in ("wrist", "knee", "hip"))
NECK, TOP = POSETRACK15.index("head_bottom"), POSETRACK15.index("head_top")


def poses(**moved: tuple[float, float]) -> np.ndarray:
    xy = body(50.0, 10.0, 100.0)[None]  # torso: 32 pixels; agreement within 9.6
    for joint, shift in moved.items():
        xy[0, POSETRACK15.index(joint)] += shift
    return xy


def test_who_is_believed() -> None:
    nothing = np.full_like(poses(), np.nan)
    sure, unsure = np.full((1, 15), 0.9), np.full((1, 15), 0.1)
    # Teacher and annotation agree: their mean, whatever the teacher's confidence.
    xy, height, weight = agree(poses(), unsure, poses(left_wrist=(6.0, 0.0)), nothing, CONFIG)
    np.testing.assert_allclose(xy[0, WRIST], poses()[0, WRIST] + [3, 0])
    assert (height == 1).all()
    assert (weight == 1).all()
    # They differ: a sure teacher counts half, an unsure one not at all.
    far = poses(left_wrist=(30.0, 0.0))
    for score, expected in ((sure, 0.5), (unsure, 0.0)):
        xy, _, weight = agree(poses(), score, far, nothing, CONFIG)
        assert weight[0, WRIST] == expected
        np.testing.assert_allclose(xy[0, WRIST], poses()[0, WRIST])
    # The second opinion decides: for the annotation, or for the teacher.
    xy, _, weight = agree(poses(), sure, far, poses(left_wrist=(28.0, 0.0)), CONFIG)
    assert weight[0, WRIST] == 1
    np.testing.assert_allclose(xy[0, WRIST], poses()[0, WRIST] + [29, 0])
    xy, _, weight = agree(poses(), sure, far, poses(left_wrist=(2.0, 0.0)), CONFIG)
    assert weight[0, WRIST] == 1
    np.testing.assert_allclose(xy[0, WRIST], poses()[0, WRIST] + [1, 0])


def test_unannotated_joints_follow_the_teachers_confidence() -> None:
    nothing = np.full_like(poses(), np.nan)
    scores = np.full((1, 15), 0.9)
    scores[0, [WRIST, KNEE]] = 0.4, 0.1
    _, height, weight = agree(poses(), scores, nothing, nothing, CONFIG)
    assert (weight[0, [HIP, WRIST, KNEE]] == [1, 0.5, 0]).all()
    assert height[0, WRIST] == pytest.approx(0.4 / CONFIG.confident)
    assert height[0, HIP] == 1


class Finds:
    """A detector that knows the boxes."""

    description = "known boxes"

    def __init__(self, boxes: list[np.ndarray]) -> None:
        self.boxes, self.asked = boxes, 0

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        found = self.boxes[min(self.asked, len(self.boxes) - 1)]
        self.asked += 1
        return [Boxes(found, np.ones(len(found)))]


def knowing_teacher() -> Teacher:
    """Reads each joint's dot by its colour from crops of 160 x 120; joints that it does not see score 0."""

    def run(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        xy, score = np.zeros((len(crops), 17, 2)), np.zeros((len(crops), 17))
        for n, crop in enumerate(crops.astype(float)):
            for k, joint in enumerate(COCO17.joints):
                if joint in JOINTS.joints:
                    near = (np.abs(crop[..., 0] - 100 - 10 * JOINTS.index(joint)) < 4) & (crop[..., 2] > 251)
                    near[:, :25] = near[:, 95:] = False  # the neighbour's
                    if near.any():
                        ys, xs = np.nonzero(near)
                        xy[n, k], score[n, k] = (xs.mean(), ys.mean()), 0.9
        return xy, score

    # Colours do not change sides in a mirror: its teacher must not either.
    def symmetric(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        xy, score = run(crops)
        left = xy[:, COCO17.index("left_hip"), 0].mean() < xy[:, COCO17.index("right_hip"), 0].mean()
        swap = COCO17.flip_permutation if left else np.arange(17)
        return xy[:, swap], score[:, swap]

    return Teacher("colours", (160, 120), symmetric)


def test_stills_are_labelled_where_the_people_are() -> None:
    people = make_set(frames=1)
    detector = Finds([people.boxes])
    labels = label_stills([(read_image(people.images[0]), None)], detector, knowing_teacher(), None, CONFIG)
    assert len(labels) == 2
    limbs = [i for i, joint in enumerate(JOINTS.joints) if joint.startswith(("left", "right"))]
    gap = np.linalg.norm(labels.xy[:, limbs] - people.xy[:, limbs], axis=-1)
    assert np.median(gap) < 1.0
    assert (labels.weight[:, limbs] == 1).mean() > 0.8
    assert (labels.weight[:, TOP] == 0).all()  # made from the shoulders and the nose: not good enough
    assert (labels.weight[:, NECK] <= CONFIG.approximated).all()


def test_the_annotated_person_is_not_found_twice_and_keeps_its_head() -> None:
    people = make_set(frames=1)
    labels = label_stills(
        [(read_image(people.images[0]), people.xy[0])],
        Finds([people.boxes]),
        knowing_teacher(),
        knowing_teacher(),
        CONFIG,
    )
    assert len(labels) == 2  # the annotated one, and the other
    np.testing.assert_allclose(labels.xy[0, TOP], people.xy[0, TOP])
    assert labels.weight[0, TOP] == 1
    assert np.abs(labels.boxes[0] - people.boxes[0]).max() < 10


def test_upside_down_people_are_turned_before_the_teacher_looks() -> None:
    xy = body(60.0, 20.0, 60.0)
    upside_down = np.array([119.0, 99.0]) - xy
    image = draw([upside_down])
    seen: list[np.ndarray] = []

    def watch(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = knowing_teacher().run(crops)
        seen.append(found[0][0])
        return found

    label_stills([(image, upside_down)], Finds([np.zeros((0, 4))]), Teacher("watch", (160, 120), watch), None, CONFIG)
    shoulder, hip = (COCO17.index(f"left_{part}") for part in ("shoulder", "hip"))
    assert seen[0][shoulder, 1] < seen[0][hip, 1] - 20  # upright in the crop


def test_videos_follow_people_by_their_boxes() -> None:
    people = make_set(videos=1, frames=4)
    boxes = [people.boxes[people.person_image == t][:: 1 if t % 2 else -1] for t in range(4)]  # the order changes
    frames = [Frame(t, t / 10, read_image(image)) for t, image in enumerate(people.images)]
    labels = label_video(frames, Finds(boxes), knowing_teacher(), None, CONFIG)
    assert labels.frame.tolist() == [0, 1, 2, 3]
    for track in set(labels.track.tolist()):
        xs = labels.boxes[labels.track == track][:, 0]
        np.testing.assert_allclose(np.diff(xs), 2)
    assert len(set(labels.track.tolist())) == 2


@pytest.mark.data
@pytest.mark.parametrize("file", ["tinypose_256_192.xml", "movenet_thunder_256.onnx", "ultralight_simplepose.onnx"])
def test_real_teachers_agree_with_an_annotation(file: str, weights, annotated) -> None:  # type: ignore[no-untyped-def]
    from dettrack.training.labels.sets import read_set
    from dettrack.training.pose.score import head_sizes, limb_pck

    people, _ = read_set(annotated / "mmpose_tests" / "jhmdb" / "test_jhmdb_sub1.json", "coco", None, POSETRACK15)
    teacher = load_teacher(weights / file)
    found = []
    for box, image in zip(people.boxes, people.person_image, strict=True):
        xy, score = teacher(read_image(people.images[image]), crop_affines(box[None], teacher.size))
        found.append(JointMap(COCO17, POSETRACK15)(xy, score)[0][0])
    right, counted = limb_pck(np.array(found), people, 2 * head_sizes(people))
    assert right.sum() / counted.sum() > 0.8
