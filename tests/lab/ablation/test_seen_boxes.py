"""A detector searches each frame once, in this run and in later ones; sequences do not mix."""

from __future__ import annotations

import numpy as np
import pytest

from dettrack.errors import OutputError
from dettrack.lab.ablation.seen_boxes import SeenBoxes
from dettrack.models.detector import Detector
from dettrack.structures import Boxes, Frame


class Counting:
    """Finds as many people as the frame's number, plus `more`."""

    description = "counts"

    def __init__(self) -> None:
        self.searched: list[int] = []
        self.more = 0

    def detect(self, frames):
        self.searched += [frame.index for frame in frames]
        numbers = [frame.index + self.more for frame in frames]
        return [Boxes(np.full((number, 4), float(number)), np.ones(number)) for number in numbers]


def frames(*numbers):
    return [Frame(number, 0.0, np.zeros((2, 2, 3), np.uint8)) for number in numbers]


def test_each_frame_is_searched_once_and_later_runs_read_the_file(tmp_path):
    detector, path = Counting(), tmp_path / "new" / "boxes.npz"
    seen = SeenBoxes(detector)
    assert isinstance(seen, Detector)
    with seen.sequence(path):
        first = seen.detect(frames(0, 2))
        assert [len(boxes) for boxes in first] == [0, 2]
        assert [len(boxes) for boxes in seen.detect(frames(2, 3, 0))] == [2, 3, 0]
    assert detector.searched == [0, 2, 3]
    again = SeenBoxes(detector)
    with again.sequence(path):
        assert [len(boxes) for boxes in again.detect(frames(3, 0, 2))] == [3, 0, 2]
        np.testing.assert_array_equal(again.detect(frames(2))[0].xyxy, first[1].xyxy)
    assert detector.searched == [0, 2, 3]


def test_sequences_with_the_same_frame_numbers_do_not_mix(tmp_path):
    detector = Counting()
    seen = SeenBoxes(detector)
    with seen.sequence(tmp_path / "one.npz"):
        assert len(seen.detect(frames(1))[0]) == 1
    detector.more = 5
    with seen.sequence(tmp_path / "other.npz"):
        assert len(seen.detect(frames(1))[0]) == 6
    with seen.sequence(tmp_path / "one.npz"):
        assert len(seen.detect(frames(1))[0]) == 1
    assert detector.searched == [1, 1]


def test_an_error_leaves_the_file_and_the_detector_as_they_were(tmp_path):
    path = tmp_path / "boxes.npz"
    seen = SeenBoxes(Counting())
    with seen.sequence(path):
        seen.detect(frames(1))
    before = path.read_bytes()

    def broken_off():
        with seen.sequence(path):
            seen.detect(frames(2))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert path.read_bytes() == before
    with seen.sequence(tmp_path / "other.npz"):
        assert [len(boxes) for boxes in seen.detect(frames(1, 2))] == [1, 2]


def test_nothing_is_written_where_nothing_is_new(tmp_path):
    path = tmp_path / "boxes.npz"
    seen = SeenBoxes(Counting())
    with seen.sequence(path):
        pass
    assert not path.exists()
    with seen.sequence(path):
        seen.detect(frames(1))
    before = path.stat().st_mtime_ns
    with seen.sequence(path):
        seen.detect(frames(1))
    assert path.stat().st_mtime_ns == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    seen = SeenBoxes(Counting())

    def search():
        with seen.sequence(tmp_path / "file" / "boxes.npz"):
            seen.detect(frames(1))

    with pytest.raises(OutputError, match=r"cannot write .*boxes"):
        search()
