from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.formats.table import CsvWriter, ParquetWriter, read_csv, read_parquet
from dettrack.skeleton import JOINT_SETS, POSETRACK15
from dettrack.structures import TrackTable


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    joints=st.sampled_from(sorted(JOINT_SETS)),
    kind=st.sampled_from(["parquet", "csv"]),
    block=st.sampled_from([1, 5, 1000]),
)
def test_there_and_back(tmp_path_factory, random_video, write_all, info, seed, joints, kind, block):
    path = tmp_path_factory.mktemp("table") / f"tracks.{kind}"
    joint_set = JOINT_SETS[joints]
    writer = ParquetWriter(path, joint_set, info) if kind == "parquet" else CsvWriter(path, joint_set)
    writer._block._limit = block
    video = random_video(seed, joint_set)
    write_all(writer, video)
    rows = TrackTable.concatenate([rows for _, _, rows in video], joint_set)
    back = read_parquet(path) if kind == "parquet" else read_csv(path)
    assert back.joint_set == joint_set
    for name in ("frame", "track_id", "source", "support", "time_s"):
        np.testing.assert_array_equal(getattr(back, name), getattr(rows, name), name)
    for name in ("box", "xy", "spread", "score", "joint_scores"):
        np.testing.assert_allclose(getattr(back, name), getattr(rows, name), rtol=1e-6, err_msg=name)
        assert getattr(back, name).shape == getattr(rows, name).shape
    if rows.xy_smooth is None or not len(rows):
        assert back.xy_smooth is None
    else:
        np.testing.assert_allclose(back.xy_smooth, rows.xy_smooth, rtol=1e-6)


def test_parquet_says_what_it_is(tmp_path, random_video, write_all, info):
    path = tmp_path / "tracks.parquet"
    writer = ParquetWriter(path, POSETRACK15, info)
    writer._block._limit = 8
    write_all(writer, random_video(1, POSETRACK15))
    file = pq.ParquetFile(path)
    about = json.loads(file.schema_arrow.metadata[b"dettrack"])
    assert about["schema"] == 1
    assert about["joints"] == list(POSETRACK15.joints)
    assert about["video"] == {"name": "match", "width": 640, "height": 480, "fps": "30000/1001"}
    assert file.metadata.num_row_groups > 1
    table = file.read()
    assert table.column("nose_x").null_count > 0
    assert not np.isnan(table.column("nose_x").drop_null().to_numpy()).any()
    assert table.column_names[:9] == [
        *("frame_index", "time_s", "track_id", "source", "score", "box_x1", "box_y1", "box_x2", "box_y2")
    ]
    assert table.column_names[9:14] == ["nose_x", "nose_y", "nose_score", "nose_spread", "nose_support"]


def test_csv_reads_with_the_standard_library(tmp_path, random_video, write_all):
    path = tmp_path / "tracks.csv"
    video = random_video(2, POSETRACK15)
    write_all(CsvWriter(path, POSETRACK15), video)
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    rows = TrackTable.concatenate([rows for _, _, rows in video], POSETRACK15)
    assert [int(line["track_id"]) for line in lines] == rows.track_id.tolist()
    assert {line["source"] for line in lines} <= {"detected", "recovered", "interpolated"}
    for line, xy in zip(lines, rows.xy[:, 3], strict=True):
        assert (line["left_shoulder_x"] == "") == np.isnan(xy[0])
        if line["left_shoulder_x"]:
            assert float(line["left_shoulder_x"]) == pytest.approx(xy[0], rel=1e-6)
