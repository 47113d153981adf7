"""Every export read back by a reader that is not ours, with edits and smoothing in it, numbers equal."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dettrack.edit import append
from dettrack.errors import InputError, UsageError
from dettrack.files import write_json
from dettrack.formats import open_writers, read_tracks
from dettrack.formats.exports import EXPORT_LIST, export, export_names
from dettrack.formats.read import read_result
from dettrack.formats.result import Result, video_entry
from dettrack.formats.trc import marker_name
from dettrack.measure.angles import angles_of
from dettrack.measure.scale import length_scale
from dettrack.skeleton import POSETRACK15, JointSet
from dettrack.structures import TrackTable, VideoInfo

INFO = VideoInfo("match", "clips/match.mp4", 640, 480, Fraction(25), 40)


def walkers(joints: JointSet, frames: int = 40) -> TrackTable:
    """Three people who move smoothly, with missing joints, a gap, and ids with gaps."""
    rng = np.random.default_rng(3)
    parts = []
    for track, first, last in ((2, 0, frames), (5, 4, frames), (9, 10, frames - 7)):
        frame = np.array([f for f in range(first, last) if not (track == 5 and 12 <= f < 15)])
        n, j = len(frame), len(joints)
        base = rng.uniform(100, 300, (1, j, 2)) + np.array([40.0 * track, 0])
        xy = base + frame[:, None, None] * np.array([2.0, 0.3]) + rng.normal(0, 1, (n, j, 2))
        xy[rng.random((n, j)) < 0.05] = np.nan
        missing = np.isnan(xy[..., 0])
        parts.append(
            TrackTable(
                joints,
                frame=frame,
                time_s=2.0 + frame / 25,
                track_id=np.full(n, track),
                box=np.concatenate([np.nanmin(xy, 1) - 5, np.nanmax(xy, 1) + 5], 1),
                score=np.full(n, 0.75),
                xy=xy,
                joint_scores=np.where(missing, 0, 0.5),
                spread=np.where(missing, np.nan, 1.5),
                support=np.where(missing, 0, 4),
                source=np.where(frame % 8 == 0, 0, 1),
            )
        )
    return TrackTable.concatenate(parts).sorted()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A result folder of a run that smoothed, corrected by hand."""
    out = tmp_path / "match.dettrack"
    raw = walkers(POSETRACK15)
    table = Result(out, raw, read_times(raw), INFO).smoothed("one-euro").table
    for writer in open_writers(["jsonl", "parquet"], out, INFO, POSETRACK15):
        for index in range(42):
            writer.write(index, 2.0 + index / 25, table[table.frame == index])
        writer.close()
    settings = {"finish": {"smooth": "one-euro", "smooth_window_s": 0.3}}
    write_json(out / "summary.json", {"video": video_entry(INFO), "settings": settings, "complete": True})
    for operation in (
        {"op": "swap", "track": 2, "other": 5, "from": 2.8},
        {"op": "rename", "track": 5, "name": "Ann [7]/x"},
        {"op": "move_joint", "track": 9, "frame": 20, "joint": "nose", "xy": [11.5, 22.25]},
        {"op": "drop_joint", "track": 9, "joint": "left_wrist", "from": 2.9},
    ):
        append(out, operation, read_tracks(out))
    return out


def read_times(table: TrackTable):
    from dettrack.structures import FrameTimes

    return FrameTimes.of([(i, 2.0 + i / 25, 0, "") for i in range(42)]) if len(table) else FrameTimes.of(())


@pytest.fixture
def result(folder: Path) -> Result:
    return read_result(folder)


@pytest.fixture
def opensim():
    library = pytest.importorskip("opensim")
    library.Logger.removeFileSink()  # else it writes a log into the working folder
    return library


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "exported"


def people(result: Result) -> Iterator[tuple[int, TrackTable]]:
    for track in result.tracks.tolist():
        yield track, result.of(track)


def test_a_result_is_read_with_its_edits(folder, result):
    raw, table = read_tracks(folder, edits=False), result.table
    late, before = table[table.frame >= 20], raw[raw.frame >= 20]
    np.testing.assert_array_equal(late[late.track_id == 5].xy, before[before.track_id == 2].xy)
    assert result.names == {5: "Ann [7]/x"}
    assert len(result.times) == 42
    assert [len(rows) for _, _, rows, _ in result.frames()][-2:] == [0, 0]
    assert table.human is not None
    # Smoothing at the swap does not mix two people: as if the people had never been exchanged.
    swapped = replace(result, table=replace(table, xy_smooth=None)).smoothed("one-euro").table
    np.testing.assert_allclose(table.xy_smooth, swapped.xy_smooth)
    mixed = raw.xy_smooth[(raw.track_id == 2) & (raw.frame == 19)]
    assert not np.allclose(table.xy_smooth[(table.track_id == 2) & (table.frame == 19)], mixed, equal_nan=True)


def test_a_stretch_and_some_people(result):
    part = result.select(2.4, 2.8, [2])
    assert part.times.index.tolist() == list(range(10, 20))
    assert set(part.table.track_id.tolist()) == {2}
    assert set(part.table.frame.tolist()) == set(range(10, 20))
    with pytest.raises(InputError, match="no track 3; there are 2, 5, 9"):
        result.select(people=[3])
    with pytest.raises(InputError, match=r"the run is 2.000 to 3.640 s"):
        result.select(90.0)


def test_slow_motion_gives_true_times(result):
    fast = result.slowed(8.0)
    np.testing.assert_allclose(fast.table.time_s, result.table.time_s / 8)
    assert fast.info.fps == 200


@pytest.mark.parametrize("name", ["parquet", "csv"])
def test_tables_by_pandas(result, out, name):
    pandas = pytest.importorskip("pandas")
    (path,) = export(result, [name], out)
    frame = pandas.read_parquet(path) if name == "parquet" else pandas.read_csv(path)
    table = result.table
    assert frame.track_id.tolist() == table.track_id.tolist()
    for i, joint in enumerate(POSETRACK15.joints):
        np.testing.assert_allclose(frame[f"{joint}_x"], table.xy[:, i, 0], rtol=1e-6)
        np.testing.assert_allclose(frame[f"{joint}_y_smooth"], table.xy_smooth[:, i, 1], rtol=1e-6)
        np.testing.assert_array_equal(frame[f"{joint}_human"].astype(bool), table.human[:, i])
    again = read_tracks(path)
    np.testing.assert_array_equal(again.human, table.human)


def test_jsonl_by_json(result, out):
    (path,) = export(result, ["jsonl"], out)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 42
    smooth = [person["joints_smooth"] for line in lines for person in line["people"]]
    np.testing.assert_allclose(np.array(smooth, float), result.table.xy_smooth, atol=6e-4)
    np.testing.assert_array_equal(read_tracks(path).human, result.table.human)


def test_coco_by_pycocotools(result, out):
    coco = pytest.importorskip("pycocotools.coco")
    (path,) = export(result, ["coco"], out)
    data = coco.COCO(str(path))
    assert len(data.getImgIds()) == 42
    found = data.loadAnns(data.getAnnIds())
    points = np.array([entry["keypoints"] for entry in found]).reshape(len(found), -1, 3)
    expected = result.table.xy_smooth
    np.testing.assert_allclose(points[..., :2], np.nan_to_num(expected), atol=6e-4)
    assert [entry["track_id"] for entry in found] == result.table.track_id.tolist()
    predicted = data.loadRes([entry for entry in found if entry["num_keypoints"]])
    assert len(predicted.getAnnIds()) == len(result.table)


def test_mot_by_numpy(result, out):
    (path,) = export(result, ["mot"], out)
    values = np.loadtxt(path, delimiter=",")
    np.testing.assert_array_equal(values[:, 1], result.table.track_id)
    np.testing.assert_allclose(values[:, 2:4], result.table.box[:, :2], atol=0.006)


@pytest.mark.parametrize("metres", [None, 0.004])
def test_trc_by_opensim(opensim, result, out, metres):
    scale = None if metres is None else length_scale((0.0, 0.0), (100.0, 0.0), 100 * metres)
    (path,) = export(result, ["trc"], out, scale)
    for track, rows in people(result):
        file = str(path / f"person_{track:03d}.trc")
        table = opensim.TimeSeriesTableVec3(file)
        assert list(table.getColumnLabels()) == [marker_name(joint) for joint in POSETRACK15.joints]
        values = np.array([[v.to_numpy() for v in _vectors(table, i)] for i in range(table.getNumRows())])
        at = rows.frame - rows.frame[0]
        up = rows.xy_smooth * (1, -1) + (0, INFO.height - 1)
        np.testing.assert_allclose(values[at, :, :2], up * (metres or 1), atol=6e-4 if metres is None else 1e-6)
        assert np.isnan(np.delete(values, at, 0)).all()
        np.testing.assert_allclose(np.array(table.getIndependentColumn())[at], rows.time_s, atol=1e-6)
        # the reader of OpenSim's scaling and inverse kinematics, which stops at units that it does not know
        markers = opensim.MarkerData(file)
        assert markers.getUnits().getAbbreviation() == ("mm" if metres is None else "m")
        assert markers.getNumFrames() == len(values)


def _vectors(table, row):
    line = table.getRowAtIndex(row)
    return [line[column] for column in range(line.size())]


def test_motion_files_by_opensim_and_angles_by_pandas(opensim, result, out):
    pandas = pytest.importorskip("pandas")
    (path,) = export(result, ["angles"], out)
    frame = pandas.read_csv(path / "angles.csv")
    for track, rows in people(result):
        angles, mine = angles_of(rows), frame[frame.track_id == track]
        for i, name in enumerate(angles.names):
            np.testing.assert_allclose(mine[name], angles.degrees[:, i], atol=6e-4)
            np.testing.assert_allclose(mine[f"{name}_sd"], angles.sd[:, i], atol=6e-4)
        assert ("human" in mine.source.tolist()) == (track == 9)
        storage = opensim.Storage(str(path / f"person_{track:03d}.mot"))
        assert storage.isInDegrees()
        assert storage.getSize() == len(rows)
        knee, values = opensim.ArrayDouble(), angles.degrees[:, angles.names.index("knee_angle_r")]
        storage.getDataColumn("knee_angle_r", knee)
        seen = np.isfinite(values)
        np.testing.assert_allclose(np.array([knee.get(i) for i in range(len(rows))])[seen], values[seen], atol=1e-3)


def test_xlsx_by_openpyxl(result, out):
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("xlsxwriter")
    (path,) = export(result, ["xlsx"], out)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["people", "person 2", "Ann  7  x", "person 9"]
    for sheet, (_, rows) in zip(book.worksheets[1:], people(result), strict=True):
        head, *lines = [[cell.value for cell in line] for line in sheet.iter_rows()]
        assert [line[0] for line in lines] == rows.frame.tolist()
        for i, joint in enumerate(POSETRACK15.joints):
            column = np.array([line[head.index(f"{joint}_x_px")] for line in lines], float)
            np.testing.assert_allclose(column, rows.xy_smooth[:, i, 0], rtol=1e-12)


@pytest.mark.parametrize("metres", [None, 0.004])
def test_c3d_by_a_pure_python_reader(result, out, metres):
    c3d = pytest.importorskip("c3d")
    pytest.importorskip("ezc3d")
    scale = None if metres is None else length_scale((0.0, 0.0), (100.0, 0.0), 100 * metres)
    (path,) = export(result, ["c3d"], out, scale)
    for track, rows in people(result):
        with warnings.catch_warnings(), (path / f"person_{track:03d}.c3d").open("rb") as file:
            warnings.simplefilter("ignore")
            reader = c3d.Reader(file)
            points = np.array([points for _, points, _ in reader.read_frames()])
        labels = [label.strip() for label in reader.point_labels]
        assert labels == [marker_name(joint) for joint in POSETRACK15.joints]
        assert reader.point_rate == 25
        at = rows.frame - rows.frame[0]
        seen = np.isfinite(rows.xy_smooth[..., 0])
        assert (points[at][..., 3] >= 0).tolist() == seen.tolist()
        up = (rows.xy_smooth * (1, -1) + (0, INFO.height - 1)) * (1000 * metres if metres else 1)
        np.testing.assert_allclose(points[at][..., [0, 2]][seen], up[seen], rtol=1e-5)


def test_posetrack_by_the_official_layout(result, out):
    (path,) = export(result, ["posetrack18"], out)
    content = json.loads(path.read_text())
    points = np.array([entry["keypoints"] for entry in content["annotations"]]).reshape(-1, 17, 3)
    names = content["categories"][0]["keypoints"]
    knee = POSETRACK15.index("left_knee")
    expected = np.nan_to_num(result.table.xy_smooth[:, knee])
    np.testing.assert_allclose(points[:, names.index("left_knee"), :2], expected, atol=6e-4)


def test_a_posetrack_file_can_be_the_ground_truth(result, out):
    from dettrack.formats.posetrack.files import read_sequence
    from dettrack.formats.posetrack.sequence import head_box_sizes

    (path,) = export(result, ["posetrack18"], out)
    people = read_sequence(path).people
    top, bottom = (result.table.xy_smooth[:, POSETRACK15.index(name)] for name in ("head_top", "head_bottom"))
    np.testing.assert_allclose(head_box_sizes(people.head_box), np.hypot(*(top - bottom).T), atol=0.01)


def test_an_export_says_what_it_was_made_from(result, out):
    export(result, ["csv"], out)
    export(result, ["mot"], out)
    about = json.loads((out / EXPORT_LIST).read_text())
    assert about["files"] == ["mot.txt", "tracks.csv"]
    assert [edit["op"] for edit in about["edits"]] == ["swap", "rename", "move_joint", "drop_joint"]
    assert about["names"] == {"5": "Ann [7]/x"}
    assert about["run"]["settings"]["finish"]["smooth"] == "one-euro"
    with pytest.raises(UsageError, match="expected some of jsonl"):
        export(result, ["word"], out)
    assert len(set(export_names())) == len(export_names())


def test_rerun_by_its_own_reader(result, out):
    chunk = pytest.importorskip("rerun.chunk")
    (path,) = export(result, ["rerun"], out)
    positions: dict[tuple[str, int], list] = {}
    for part in chunk.RrdReader(path).stream():
        if part.entity_path.endswith("/joints"):
            columns = part.to_record_batch().to_pydict()
            places = columns["Points2D:positions"]
            positions |= {
                (part.entity_path, f): p for f, p in zip(columns["frame"], places, strict=True) if p is not None
            }
    table = result.table
    assert len(positions) == len(table)
    for i in range(len(table)):
        found = positions[f"/people/{table.track_id[i]}/joints", int(table.frame[i])]
        xy = table.xy_smooth[i]
        np.testing.assert_allclose(found, xy[np.isfinite(xy[:, 0])], rtol=1e-6)
