"""Does a tube stay with its person? Tubes that are right, that change over, and that should say nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from walking import walking

from dettrack.lab.ablation.right_person import FIGURES, RightPerson, figures
from dettrack.skeleton import POSETRACK17
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets

KEY = 6


def tracklets(gt, key=KEY, reach=2, follow=lambda person, offset: person, score=1.0):
    """The tubes of everybody in a keyframe; `follow` says whose pose a tube has, by offset from the keyframe."""
    people = gt.people
    frames = np.arange(key - reach, key + reach + 1)
    here = people[people.image == key]
    ids = here.track_id.tolist()
    xy = np.full((len(ids), len(frames), 17, 2), np.nan)
    for n, track in enumerate(ids):
        for c, frame in enumerate(frames):
            found = np.flatnonzero((people.image == frame) & (people.track_id == follow(track, frame - key)))
            xy[n, c] = people.xy[found[0]] if len(found) else 0.0
    return Tracklets(key, frames, Boxes(here.box, np.ones(len(ids))), xy, np.full(xy.shape[:3], score))


def measured(gt, *tubes, presence=0.2):
    counter = RightPerson(gt, POSETRACK17, presence).add([TrackletBatch(FrameTimes.of(()), tubes, 0, False)])
    return {name: float(value) for name, value in figures(counter.counts).items()}


def test_tubes_that_stay_with_their_person_are_right_everywhere():
    gt = walking(1)
    found = measured(gt, tracklets(gt))
    assert found["right_person"] == found["PCKh_key"] == found["PCKh_ends"] == 100
    assert np.isnan(found["right_person_near"]), "they walk far apart"
    assert np.isnan(found["silent"]), "nobody is gone"


def test_a_tube_that_changes_over_is_wrong_from_there_on():
    gt = walking(1)
    swap = {0: 1, 1: 0, 2: 2}
    found = measured(gt, tracklets(gt, follow=lambda person, offset: swap[person] if offset > 0 else person))
    assert found["right_person"] == pytest.approx(100 * (1 - 2 * 2 / 15))
    assert found["PCKh_key"] == 100
    assert found["PCKh_ends"] == pytest.approx(100 * (1 - 2 / 6))


def test_people_who_overlap_count_as_near():
    gt = walking(1)
    people = gt.people
    first, second = (np.flatnonzero(people.track_id == track) for track in (0, 1))
    xy, box, head = people.xy.copy(), people.box.copy(), people.head_box.copy()
    for values in (xy, box, head):
        values[second] = values[first] + 10
    close = replace(gt, people=replace(people, xy=xy, box=box, head_box=head))
    found = measured(close, tracklets(close, follow=lambda person, offset: min(person, 1) if person else 1))
    assert found["right_person_near"] == 50, "both tubes follow person 1"
    assert found["right_person"] == pytest.approx(100 / 3), "person 2's tube went to them too"


def test_silence_counts_only_where_the_person_is_gone():
    gt = walking(1)
    people = gt.people
    left = replace(gt, people=people[~((people.track_id == 0) & (people.image > KEY))])
    silent, loud = tracklets(left, score=0.1), tracklets(left, score=0.9)
    assert measured(left, silent)["silent"] == 100
    assert measured(left, loud)["silent"] == 0
    assert measured(left, silent, loud)["silent"] == 50


def test_boxes_beside_everybody_belong_to_nobody():
    gt = walking(1)
    tubes = tracklets(gt)
    away = replace(tubes, boxes=Boxes(tubes.boxes.xyxy + 5000, tubes.boxes.scores))
    assert all(np.isnan(value) for value in measured(gt, away).values())
    assert set(measured(gt, away)) == set(FIGURES)
