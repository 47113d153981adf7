"""Prediction files from track tables, and the entries that they are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dettrack.errors import InputError
from dettrack.evaluation import evaluate
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.files import prediction_sequence, read_image_list, read_sequence, write_sequence
from dettrack.formats.posetrack.year2018 import annotation_entries, categories, image_entry, image_id, parse_posetrack18
from dettrack.skeleton import COCO17, POSETRACK15, POSETRACK17, JointSet
from dettrack.structures import TrackTable

NAME = "000342_mpii_test"


def table(frames: list[int], tracks: list[int], joint_set: JointSet = POSETRACK15, seed: int = 0) -> TrackTable:
    rng = np.random.default_rng(seed)
    n, joints = len(frames), len(joint_set)
    corner = rng.uniform(0, 100, (n, 2))
    xy = rng.uniform(1, 500, (n, joints, 2))
    return TrackTable(
        joint_set,
        frame=np.array(frames),
        time_s=np.array(frames) / 25,
        track_id=np.array(tracks),
        box=np.concatenate([corner, corner + 50], 1),
        score=rng.random(n),
        xy=xy,
        joint_scores=rng.random((n, joints)),
        spread=np.zeros((n, joints)),
        support=np.ones((n, joints), int),
        source=np.zeros(n, int),
    )


def annotations(year: int, n: int = 5) -> PoseSequence:
    images = tuple(ImageInfo(f"images/val/{NAME}/{i:06d}.jpg", image_id(NAME, i), is_labeled=True) for i in range(n))
    xy = np.arange(30.0).reshape(1, 15, 2) + 1
    people = People.build([0], xy, track_id=[0], head_box=[[0, 0, 30, 40]])
    sequence = PoseSequence(NAME, "posetrack18", POSETRACK15, images, people)
    if year == 17:
        images = tuple(replace(image, image_id=-1, imgnum=i + 1) for i, image in enumerate(images))
        sequence = replace(sequence, format="posetrack17", images=images)
    return sequence


@pytest.mark.parametrize("year", [17, 18])
def test_a_prediction_file_lists_the_same_images_and_our_poses(tmp_path: Path, year: int) -> None:
    write_sequence(annotations(year), tmp_path / f"{NAME}.json")
    images = read_image_list(tmp_path / f"{NAME}.json")
    rows = table([2, 0, 2, 4], [70, 12, 12, 12])
    prediction, notes = prediction_sequence(images, rows)
    write_sequence(prediction, tmp_path / "pred.json")
    again = read_sequence(tmp_path / "pred.json")
    assert notes == []
    assert again.format == f"posetrack{year}"
    assert [i.file_name for i in again.images] == [i.file_name for i in annotations(year).images]
    assert [i.image_id for i in again.images] == [i.image_id for i in annotations(year).images]
    assert again.people.image.tolist() == [0, 2, 2, 4]
    assert again.people.track_id.tolist() == [0, 0, 1, 0]  # numbered in the order in which they appear
    back = again.with_joints(POSETRACK15).people
    np.testing.assert_allclose(back.xy, rows.sorted().xy)
    np.testing.assert_allclose(back.scores, rows.sorted().joint_scores)
    evaluate([annotations(year)], [again])


def test_of_too_many_tracks_the_longest_are_written() -> None:
    frames = [0] * 1200 + [1] * 600
    tracks = [*range(1200), *range(600, 1200)]
    prediction, notes = prediction_sequence(replace(annotations(18), joint_set=POSETRACK17), table(frames, tracks))
    ids = prediction.people.track_id
    assert len(np.unique(ids)) == 1000
    assert (ids.min(), ids.max()) == (0, 999)
    assert (np.bincount(ids) == 2).sum() == 600
    assert "1200 tracks, of which the 1000 longest" in notes[0]


def test_nobody_is_a_prediction_too_and_other_frames_are_refused() -> None:
    assert len(prediction_sequence(annotations(18), TrackTable.empty(POSETRACK15))[0].people) == 0
    with pytest.raises(InputError, match="poses up to frame 5, but the sequence has 5 images"):
        prediction_sequence(annotations(18), table([5], [0]))


@pytest.mark.parametrize("joint_set", [POSETRACK15, POSETRACK17])
def test_entries_make_a_file_that_reads(joint_set: JointSet) -> None:
    rows = table([3, 3], [5, 9])
    rows.xy[0, 2] = np.nan
    info = ImageInfo("frames/000003.jpg", 1003)
    data = {
        "images": [image_entry(info, vid_id="000342", nframes=9)],
        "annotations": annotation_entries(1003, rows, joint_set),
        "categories": categories(joint_set),
    }
    sequence = parse_posetrack18(data, Path("video.json"))
    assert (sequence.vid_id, sequence.nframes, sequence.joint_set) == ("000342", 9, joint_set)
    assert sequence.people.track_id.tolist() == [5, 9]
    back = sequence.with_joints(POSETRACK15).people
    np.testing.assert_allclose(back.xy, rows.xy, atol=6e-4)
    np.testing.assert_allclose(back.box, rows.box, atol=2e-3)
    np.testing.assert_allclose(back.score, rows.score, atol=1e-8)
    assert data["annotations"][0]["keypoints"][6:9] == [0, 0, 0]
    assert [a["id"] for a in data["annotations"]] == [100300, 100301]


def test_entries_of_other_joint_sets_are_converted_by_name() -> None:
    rows = table([0], [1], COCO17)
    keypoints = np.array(annotation_entries(7, rows)[0]["keypoints"]).reshape(17, 3)
    wrist = POSETRACK17.index("left_wrist")
    np.testing.assert_allclose(keypoints[wrist, :2], rows.xy[0, COCO17.index("left_wrist")], atol=6e-4)


def test_limbs_are_pairs_of_positions_from_one() -> None:
    person = categories(POSETRACK17)[0]
    assert [16, 14] in person["skeleton"]
    assert len(person["skeleton"]) == 19
    small = categories(POSETRACK15)[0]
    assert all(1 <= k <= 15 for limb in small["skeleton"] for k in limb)


def test_image_ids_follow_posetracks_rule() -> None:
    assert image_id("000342_mpii_test", 5) == 10003420005
    assert image_id("024317_bonn", 0) == 20243170000
    assert image_id("000001_mpiinew_test", 12) == 30000010012
    assert image_id("holiday", 3) == 90000000003
