from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.formats.jsonl import JsonlWriter, frame_line, iter_jsonl, read_jsonl
from dettrack.skeleton import JOINT_SETS, POSETRACK15
from dettrack.structures import TrackTable


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), joints=st.sampled_from(sorted(JOINT_SETS)))
def test_there_and_back(tmp_path_factory, random_video, write_all, seed, joints):
    path = tmp_path_factory.mktemp("jsonl") / "tracks.jsonl"
    video = random_video(seed, JOINT_SETS[joints])
    write_all(JsonlWriter(path), video)
    back = list(iter_jsonl(path))
    assert [frame for frame, _, _ in back] == [frame for frame, _, _ in video]
    for (_, time_s, read), (_, expected_s, rows) in zip(back, video, strict=True):
        assert time_s == pytest.approx(expected_s, abs=1e-6)
        assert read.joint_set == rows.joint_set
        for name in ("frame", "track_id", "source", "support"):
            np.testing.assert_array_equal(getattr(read, name), getattr(rows, name))
        for name, tolerance in (("box", 5e-4), ("xy", 5e-4), ("spread", 5e-4), ("score", 5e-5), ("joint_scores", 5e-5)):
            np.testing.assert_allclose(getattr(read, name), getattr(rows, name), atol=tolerance * 1.01, rtol=0)
        if rows.xy_smooth is not None and len(rows):
            np.testing.assert_allclose(read.xy_smooth, rows.xy_smooth, atol=5.1e-4, rtol=0)
    assert len(read_jsonl(path)) == sum(len(rows) for _, _, rows in video)


def test_the_layout_is_the_documented_one():
    rows = TrackTable(
        POSETRACK15,
        frame=np.array([7]),
        time_s=np.array([0.28]),
        track_id=np.array([12]),
        box=np.array([[10.0, 20, 110.5, 220.12345]]),
        score=np.array([0.5]),
        xy=np.full((1, 15, 2), np.nan),
        joint_scores=np.zeros((1, 15)),
        spread=np.full((1, 15), np.nan),
        support=np.zeros((1, 15), np.int64),
        source=np.array([1]),
    )
    rows.xy[0, 0] = 60.1239, 33
    rows.spread[0, 0] = 1.5
    rows.support[0, 0] = 9
    rows.joint_scores[0, 0] = 0.87654
    text = frame_line(7, 0.28, rows)
    assert text.endswith("\n")
    assert text.count("\n") == 1
    line = json.loads(text)
    assert list(line)[:3] == ["frame_index", "time_s", "people"]
    assert line["joint_set"] == "posetrack15"
    assert line["schema"] == 1
    (person,) = line["people"]
    assert person["track_id"] == 12
    assert person["box"] == [10, 20, 110.5, 220.123]
    assert person["joints"] == [[60.124, 33]] + [[None, None]] * 14
    assert person["scores"] == [0.8765] + [0] * 14
    assert person["spread"] == [1.5] + [None] * 14
    assert person["support"] == [9] + [0] * 14
    assert person["source"] == "recovered"


def test_a_line_can_be_read_while_the_file_grows(tmp_path, random_video):
    writer = JsonlWriter(tmp_path / "tracks.jsonl")
    for number, frame in enumerate(random_video(2, POSETRACK15), 1):
        writer.write(*frame)
        assert len(list(iter_jsonl(tmp_path / "tracks.jsonl.part"))) == number
    writer.close()


def test_a_broken_line_is_named(tmp_path, random_video, write_all):
    path = tmp_path / "tracks.jsonl"
    write_all(JsonlWriter(path), random_video(4, POSETRACK15))
    lines = path.read_text().splitlines()
    lines[5] = lines[5][:30]
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"line 6: .* expected a frame"):
        read_jsonl(path)
