"""The three real PoseTrack18 validation samples: read, evaluated against themselves and with the given detections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dettrack.evaluation import evaluate
from dettrack.evaluation.boxes import BoxCounts, detection_recall, read_detections
from dettrack.formats.posetrack.files import read_sequence, sequence_files
from dettrack.skeleton import POSETRACK17

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def folder(annotated: Path) -> Path:
    return annotated / "mmpose_tests" / "posetrack18" / "annotations"


def test_samples_are_read(folder: Path) -> None:
    sequences = [read_sequence(path) for path in sequence_files(folder / "val")]
    assert [s.name for s in sequences] == ["003418_mpii_test", "009473_mpii_test", "012834_mpii_test"]
    assert [len(s.people) for s in sequences] == [1, 2, 11]
    assert all(s.joint_set == POSETRACK17 and s.images[0].is_labeled for s in sequences)
    people = sequences[2].people
    assert not np.isnan(people.head_box).any()
    assert np.isnan(people.xy[:, [POSETRACK17.index("left_ear"), POSETRACK17.index("right_ear")]]).all()
    assert len(sequences[2].images[0].ignore_regions) > 0


def test_one_file_of_three_videos(folder: Path) -> None:
    path = folder / "test_posetrack18_val.json"
    first = read_sequence(path)
    assert "3 videos in one file" in first.notes[0]
    assert len(first.people) in (1, 2, 11)


def test_evaluated_against_themselves(folder: Path) -> None:
    sequences = [read_sequence(path) for path in sequence_files(folder / "val")]
    result = evaluate(sequences, sequences, hota=True)
    assert result.ap == 100
    np.testing.assert_allclose(result.HOTA["HOTA"][:15], 1)
    assert result.HOTA["DetA"][15] == pytest.approx(1)
    # PoseTrack21's total takes the mean of all joints per sequence; not all are annotated in each of these.
    assert 0.9 < result.HOTA["HOTA"][15] < 1
    assert result.boxes == BoxCounts(14, 14, 14)
    assert result.counts.frames == 0  # one frame each: officially there is no tracking
    assert evaluate(sequences, sequences, mode="clean").mota == 100


def test_recall_of_the_given_detections(folder: Path) -> None:
    detections = folder / "test_posetrack18_human_detections.json"
    sequences = [read_sequence(path) for path in sequence_files(folder / "val")]

    def counts(score: float) -> BoxCounts:
        boxes = read_detections(detections, score)
        return sum((detection_recall(s, boxes) for s in sequences), BoxCounts())

    assert (counts(0.0).annotated, counts(0.0).predicted) == (14, 278)
    assert counts(0.0).found >= counts(0.5).found >= counts(0.9).found
    assert counts(0.0).found == 12  # a recall of 85.7 %
