"""The tracks of all videos as one data set, read by what people use."""

from pathlib import Path

import numpy as np
import pytest

from dettrack.formats import read_tracks
from dettrack.formats.table import ParquetWriter
from dettrack.runs.batch.manifest import Row
from dettrack.runs.batch.tables import add_tracks, write_videos
from dettrack.skeleton import joint_set
from dettrack.structures import TrackTable, VideoInfo

JOINTS = joint_set("posetrack15")


def result(folder: Path, n_frames: int, *, smooth=False, joints=JOINTS) -> Path:
    folder.mkdir(parents=True)
    writer = ParquetWriter(folder / "tracks.parquet", joints, VideoInfo("a", "a", 64, 64, None, None))
    n, rng = len(joints), np.random.default_rng(n_frames)
    for t in range(n_frames):
        row = TrackTable(
            joints,
            frame=np.array([t]),
            time_s=np.array([t / 25]),
            track_id=np.array([3]),
            box=rng.random((1, 4)),
            score=np.array([0.5]),
            xy=rng.random((1, n, 2)),
            joint_scores=rng.random((1, n)),
            spread=rng.random((1, n)),
            support=np.ones((1, n), int),
            source=np.array([0]),
            xy_smooth=rng.random((1, n, 2)) if smooth else None,
        )
        writer.write(t, t / 25, row)
    writer.close()
    return folder


@pytest.fixture
def data_set(tmp_path):
    frames = {"a/x y.mp4": 4, "b=%.mp4": 0, "ü.mp4": 7}
    for i, (video, n) in enumerate(frames.items()):
        assert add_tracks(tmp_path, video, result(tmp_path / "results" / str(i), n), JOINTS, False) == ""
    return tmp_path, {video: n for video, n in frames.items() if n}


def test_pyarrow_pandas_polars_and_duckdb_read_it(data_set):
    import pyarrow.dataset as ds

    folder, frames = data_set
    rows = ds.dataset(folder / "tracks", partitioning="hive").to_table().to_pandas()
    assert rows.groupby("video", observed=True).size().to_dict() == frames
    pandas = pytest.importorskip("pandas").read_parquet(folder / "tracks")
    assert pandas.groupby("video", observed=True).size().to_dict() == frames
    polars = pytest.importorskip("polars")
    scanned = polars.scan_parquet(folder / "tracks" / "**/*.parquet", hive_partitioning=True)
    assert dict(scanned.group_by("video").len().collect().rows()) == frames
    duckdb = pytest.importorskip("duckdb")
    query = (
        f"select video, count(*) from read_parquet('{folder}/tracks/**/*.parquet', hive_partitioning=true) group by 1"
    )
    assert dict(duckdb.sql(query).fetchall()) == frames


def test_a_file_is_the_result_itself_and_is_replaced_whole(tmp_path):
    first, second = result(tmp_path / "one", 2), result(tmp_path / "two", 3)
    for _ in range(2):  # again, by a run that finds the result of one that was killed
        add_tracks(tmp_path, "v", first, JOINTS, False)
    part = tmp_path / "tracks" / "video=v" / "tracks.parquet"
    assert part.stat().st_ino == (first / "tracks.parquet").stat().st_ino
    assert [path.name for path in part.parent.iterdir()] == ["tracks.parquet"]
    add_tracks(tmp_path, "v", second, JOINTS, False)
    assert len(read_tracks(part)) == 3
    assert [path.name for path in part.parent.iterdir()] == ["tracks.parquet"]


def test_there_is_one_schema(tmp_path):
    import pyarrow.parquet as pq

    assert add_tracks(tmp_path, "nobody", result(tmp_path / "nobody", 0, smooth=True), JOINTS, True) == ""
    assert add_tracks(tmp_path, "somebody", result(tmp_path / "somebody", 3, smooth=True), JOINTS, True) == ""
    schemas = [pq.read_schema(path).remove_metadata() for path in tmp_path.glob("tracks/*/*.parquet")]
    assert schemas[0] == schemas[1]
    assert "nose_x_smooth" in schemas[0].names


def test_the_table_of_videos(tmp_path):
    import pyarrow.parquet as pq

    rows = [Row("b", state="failed", reason="no video", ended=1e9 + 0.5), Row("a", state="done", frames=7, stamp=[42])]
    table = pq.read_table(write_videos(tmp_path, rows)).to_pylist()
    assert [row["video"] for row in table] == ["a", "b"]
    assert (table[0]["bytes"], table[0]["frames"], table[0]["ended"]) == (42, 7, None)
    assert table[1]["ended"].timestamp() == 1e9 + 0.5
