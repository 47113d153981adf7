"""A detector is asked once for each frame, in this run and in later ones."""

from __future__ import annotations

import numpy as np

from dettrack.lab.ablation.seen_boxes import SeenBoxes
from dettrack.models.detector import Detector
from dettrack.structures import Boxes, Frame


class Counting:
    description = "counts"

    def __init__(self) -> None:
        self.asked: list[int] = []

    def detect(self, frames):
        self.asked += [frame.index for frame in frames]
        return [Boxes(np.full((frame.index, 4), float(frame.index)), np.ones(frame.index)) for frame in frames]


def frames(*numbers):
    return [Frame(number, 0.0, np.zeros((2, 2, 3), np.uint8)) for number in numbers]


def test_each_frame_is_looked_at_once_and_later_runs_read_the_file(tmp_path):
    detector, path = Counting(), tmp_path / "new" / "boxes.npz"
    seen = SeenBoxes(detector, path)
    assert isinstance(seen, Detector)
    first = seen.detect(frames(0, 2))
    assert [len(boxes) for boxes in first] == [0, 2]
    assert [len(boxes) for boxes in seen.detect(frames(2, 3, 0))] == [2, 3, 0]
    assert detector.asked == [0, 2, 3]
    seen.save()
    again = SeenBoxes(detector, path)
    assert [len(boxes) for boxes in again.detect(frames(3, 0, 2))] == [3, 0, 2]
    np.testing.assert_array_equal(again.detect(frames(2))[0].xyxy, first[1].xyxy)
    assert detector.asked == [0, 2, 3]


def test_nothing_is_written_where_nothing_is_new(tmp_path):
    path = tmp_path / "boxes.npz"
    SeenBoxes(Counting(), path).save()
    assert not path.exists()
    seen = SeenBoxes(Counting(), path)
    seen.detect(frames(1))
    seen.save()
    before = path.stat().st_mtime_ns
    later = SeenBoxes(Counting(), path)
    later.detect(frames(1))
    later.save()
    assert path.stat().st_mtime_ns == before
