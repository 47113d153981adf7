"""Suspects after corrections: their ids go with the people, and what was mended or confirmed is settled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dettrack.edit import Edit, follow_suspects, parse
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Source, TrackTable


def two_people(n_frames: int = 40) -> TrackTable:
    """Tracks 1 and 2 at 10 frames a second, a row of each in every frame."""
    frame, track = (part.ravel() for part in np.meshgrid(np.arange(n_frames), [1, 2], indexing="ij"))
    n, joints = len(frame), len(POSETRACK15)
    xy = np.random.default_rng(3).uniform(0, 90, (n, joints, 2)) + 100.0 * track[:, None, None]
    return TrackTable(
        frame=frame,
        time_s=frame / 10,
        track_id=track,
        box=np.column_stack([xy.min(1), xy.max(1)]),
        score=np.ones(n),
        source=np.full(n, Source.DETECTED),
        xy=xy,
        joint_scores=np.ones((n, joints)),
        spread=np.zeros((n, joints)),
        support=np.ones((n, joints), int),
        joint_set=POSETRACK15,
    )


EXCHANGE = {"rank": 1, "kind": "exchange", "track": 1, "other": 2, "frame": 10, "from_frame": 9, "to_frame": 10}
EXCHANGE |= {"reason": "tracks 1 and 2 may have been exchanged: each goes on where the other was"}
SIDES = {"rank": 2, "kind": "sides", "track": 1, "other": None, "frame": 30, "from_frame": 29, "to_frame": 30}
SIDES |= {"reason": "left and right of track 1 are exchanged"}


def followed(*operations: dict[str, Any]) -> list[dict[str, Any]]:
    edits: list[Edit] = [parse({"id": i + 1, **operation}) for i, operation in enumerate(operations)]
    return follow_suspects([EXCHANGE, SIDES], two_people(), edits)


def test_without_corrections_all_are_open() -> None:
    assert followed() == [{**EXCHANGE, "settled": False}, {**SIDES, "settled": False}]


def test_a_swap_settles_its_suspect_and_later_ones_follow_the_person() -> None:
    exchange, sides = followed({"op": "swap", "track": 1, "other": 2, "from": 1.0})
    assert exchange["settled"]
    assert (sides["track"], sides["settled"]) == (2, False)
    assert sides["reason"] == "left and right of track 2 are exchanged"


@pytest.mark.parametrize(
    ("operation", "settled"),
    [
        ({"op": "flip_sides", "track": 1, "from": 3.0}, [False, True]),
        ({"op": "confirm", "track": 1, "frame": 30}, [False, True]),
        ({"op": "confirm", "track": 2, "frame": 10}, [True, False]),
        ({"op": "confirm", "track": 1, "frame": 20}, [False, False]),
        ({"op": "delete", "track": 1}, [True, True]),
        ({"op": "mark_bad", "track": 1, "from": 2.5, "to": 3.5}, [False, True]),
        ({"op": "split", "track": 1, "other": 7, "from": 3.0}, [False, True]),
        ({"op": "split", "track": 1, "other": 7, "from": 2.0}, [False, False]),
        ({"op": "rename", "track": 1, "name": "Ann"}, [False, False]),
        ({"op": "swap", "track": 1, "other": 2}, [False, False]),
    ],
)
def test_what_settles(operation: dict[str, Any], settled: list[bool]) -> None:
    assert [each["settled"] for each in followed(operation)] == settled


def test_an_undone_correction_settles_nothing() -> None:
    swap = {"op": "swap", "track": 1, "other": 2, "from": 1.0}
    assert followed(swap, {"op": "undo", "undoes": 1}) == followed()


def test_a_whole_swap_renames_in_words_and_numbers() -> None:
    exchange, _ = followed({"op": "swap", "track": 1, "other": 2})
    assert (exchange["track"], exchange["other"]) == (2, 1)
    assert exchange["reason"].startswith("tracks 2 and 1 may have been exchanged")
