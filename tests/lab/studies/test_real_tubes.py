"""The study of real tubes: who is in the way, whom an answer means, and a table of models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dettrack.lab.studies.real_tubes import in_the_way, main, nearer_to_own, resampled, with_whole_tubes
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, save_checkpoint
from dettrack.models.weights import SHIPPED
from dettrack.skeleton import POSETRACK15
from dettrack.training.labels.people import PeopleSet, save_people


def pair(frames: int = 9, apart: float = 12.0) -> PeopleSet:
    """Two people beside each other, in a grey video; the second keeps `apart` pixels to the right."""
    import cv2

    image = cv2.imencode(".png", np.full((100, 120, 3), 128, np.uint8))[1].tobytes()
    rng = np.random.default_rng(4)
    pose = rng.uniform([20, 10], [50, 90], (15, 2))
    xy = np.stack([pose, pose + np.array([apart, 0])] * frames)
    known = np.ones(xy.shape[:2])
    return PeopleSet(
        POSETRACK15,
        [image] * frames,
        np.zeros(frames, int),
        np.arange(frames),
        np.ones(frames, bool),
        np.repeat(np.arange(frames), 2),
        np.tile([0, 1], frames),
        np.concatenate([xy.min(1), xy.max(1)], 1),
        xy,
        known,
        known.copy(),
    )


def test_people_are_in_the_way_of_each_other_where_boxes_overlap() -> None:
    assert in_the_way(pair(2)).tolist() == [1, 0, 3, 2]
    assert in_the_way(pair(2, apart=60)).tolist() == [-1] * 4


def test_an_answer_means_whom_it_is_nearer_to() -> None:
    people = pair(2)
    other = in_the_way(people)
    answer = people.xy.copy()
    answer[0] += [11, 0]  # this one is about the neighbour
    answer[1] += [2, 0]
    answer[3] = np.nan
    assert nearer_to_own(answer, people, other)[:3].tolist() == [0, 1, 1]
    assert np.isnan(nearer_to_own(answer, people, other)[3])
    nobody = replace(people, weight=people.weight * 0)
    assert np.isnan(nearer_to_own(answer, nobody, other)).all()


def test_only_whole_tubes_are_read() -> None:
    """Nine frames have one keyframe with four on either side; an end is read in the tube of the middle."""
    people = pair()
    assert people.frame[people.person_image][with_whole_tubes(people, 0, 9)].tolist() == [4, 4]
    assert people.frame[people.person_image][with_whole_tubes(people, 4, 9)].tolist() == [8, 8]
    assert people.frame[people.person_image][with_whole_tubes(people, -4, 9)].tolist() == [0, 0]
    assert with_whole_tubes(people, 0, 1).all()
    assert not with_whole_tubes(replace(people, video=people.video - 1), 0, 1).any()


def test_tracks_are_drawn_whole() -> None:
    people = pair()
    for rows in resampled(people.track, 5):
        assert len(rows) == len(people)
        assert set(np.bincount(rows, minlength=len(people))[people.track == 0].tolist()) <= {0, 1, 2}


def test_a_row_for_each_model_and_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_people(pair(), tmp_path / "pair.npz")
    spec = NetworkSpec(architecture="lite", width=8, variant="early", clip_length=3, size=(64, 64))
    (tmp_path / "temporal").mkdir()
    temporal = tmp_path / "temporal" / "model.safetensors"
    save_checkpoint(temporal, build_network(spec), spec)
    main(
        (SHIPPED / "pose.safetensors", temporal),
        (tmp_path / "pair.npz",),
        (0, 1),
        (64, 64),
        every=2,
        repeats=20,
        crossings=2,
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    names = [["weights", "+0"], ["temporal", "+0"], ["weights", "+1"], ["temporal", "+1"]]
    assert [row[:2] for row in rows[2:6]] == names
    assert rows[2][4] == ""
    assert "to" in rows[3][4]
    assert all(np.isfinite(figures_of) for figures_of in (float(row[3]) for row in rows[2:6]))
    assert [row[0] for row in rows[8:]] == ["weights", "temporal"]
    assert all(0 <= float(row[2]) <= 100 for row in rows[8:])
