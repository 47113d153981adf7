"""What holds for all formats: whole or absent, failures in one line, memory flat."""

from __future__ import annotations

import json
import resource
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest

from dettrack.errors import DettrackError, InputError, OutputError, UsageError
from dettrack.formats import FORMATS, Writer, open_writers, read_tracks
from dettrack.formats.part import PartFile
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.structures import TrackTable


@pytest.fixture
def disk_of():
    """Lets no file grow beyond so many bytes, as a full disk would."""
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_all_formats_side_by_side(tmp_path, random_video, info):
    out = tmp_path / "new" / "match.dettrack"
    writers = open_writers(list(FORMATS), out, info, POSETRACK15)
    assert all(isinstance(writer, Writer) for writer in writers)
    video = random_video(1, POSETRACK15)
    for frame_index, time_s, rows in video:
        for writer in writers:
            writer.write(frame_index, time_s, rows)
    # only folders of frames-as-files may show anything under its final name while the run lasts
    unfinished = {path.name for path in out.iterdir() if path.is_file()}
    assert all(name.endswith(".part") for name in unfinished)
    for writer in writers:
        writer.close()
        writer.close()
    assert {path.name for path in out.iterdir()} == set(FORMATS.values())
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("frames", [0, 3])
def test_nobody_in_view_gives_valid_files(tmp_path, info, name, frames):
    (writer,) = open_writers([name], tmp_path, info, COCO17)
    for i in range(frames):
        writer.write(i, i / 25, TrackTable.empty(COCO17))
    writer.close()
    path = tmp_path / FORMATS[name]
    assert path.exists()
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        assert len(content["images"]) == frames
        assert content["annotations"] == []
        assert content["categories"]
    if name in ("parquet", "csv") or (name == "jsonl" and frames):
        table = read_tracks(path)
        assert len(table) == 0
        assert table.joint_set == COCO17


@pytest.mark.parametrize("name", FORMATS)
def test_an_earlier_result_is_replaced_at_the_end(tmp_path, random_video, info, write_all, name):
    for seed in (1, 2):
        (writer,) = open_writers([name], tmp_path, info, POSETRACK15)
        write_all(writer, random_video(seed, POSETRACK15))
    alone = tmp_path / "alone"
    (writer,) = open_writers([name], alone, info, POSETRACK15)
    write_all(writer, random_video(2, POSETRACK15))

    def content(folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file() and alone not in path.parents)
        return [(path.name, path.read_bytes()) for path in files]

    second = content(tmp_path)
    expected = [(path.name, path.read_bytes()) for path in sorted(alone.rglob("*")) if path.is_file()]
    assert second == expected


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_one_line_and_no_half_file(tmp_path, random_video, info, disk_of, name):
    """Files may not grow beyond 3000 bytes: less than the video needs, or (OpenPose) than one crowded frame does."""
    video = [frame for seed in range(20) for frame in random_video(seed, POSETRACK15)]
    (writer,) = open_writers([name], tmp_path, info, POSETRACK15)
    disk_of(3000 if name != "openpose" else 500)
    errors = []
    try:
        for i, (_, time_s, rows) in enumerate(video):
            writer.write(i, time_s, rows)
    except OutputError as error:
        errors.append(error)
    try:
        writer.close()
    except OutputError as error:
        errors.append(error)
    assert errors
    assert all("\n" not in str(error) and "File too large" in str(error) for error in errors)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix != ".part":
            # what has its final name is whole
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".jsonl":
                assert [frame for frame, _, _ in _frames(path)] == list(range(len(path.read_text().splitlines())))
            else:
                assert path.read_text().endswith("\n") or (name == "mot" and not path.read_text())


def _frames(path):
    from dettrack.formats.jsonl import iter_jsonl

    return list(iter_jsonl(path))


def test_what_fitted_on_a_full_disk_is_kept(tmp_path, random_video, info, disk_of):
    video = random_video(3, POSETRACK15, frames=60)
    (writer,) = open_writers(["jsonl"], tmp_path, info, POSETRACK15)
    disk_of(20_000)

    def write_all():
        for frame in video:
            writer.write(*frame)

    with pytest.raises(OutputError, match=r"tracks\.jsonl"):
        write_all()
    writer.close()
    kept = _frames(tmp_path / "tracks.jsonl")
    assert 2 < len(kept) < 60
    assert [frame for frame, _, _ in kept] == [frame for frame, _, _ in video[: len(kept)]]


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, info, name):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="taken"):
        open_writers([name], tmp_path / "taken", info, POSETRACK15)


def test_unknown_formats_name_the_known_ones(tmp_path, info):
    with pytest.raises(UsageError, match=r"xml.*jsonl, parquet"):
        open_writers(["jsonl", "xml"], tmp_path, info, POSETRACK15)


def test_read_tracks_prefers_parquet(tmp_path, random_video, info, write_all):
    for name in ("jsonl", "parquet"):
        (writer,) = open_writers([name], tmp_path, info, POSETRACK15)
        write_all(writer, random_video(5 if name == "jsonl" else 6, POSETRACK15, frames=30))
    rows = TrackTable.concatenate([rows for _, _, rows in random_video(6, POSETRACK15, frames=30)], POSETRACK15)
    np.testing.assert_array_equal(read_tracks(tmp_path).track_id, rows.track_id)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.parquet", None, "no such tracks file"),
        ("bad.parquet", b"PAR1 but not really", "expected a Parquet file"),
        ("bad.csv", b"a,b\n1,2\n", "no track table"),
        ("empty.csv", b"", "expected a CSV file"),
        ("bad.jsonl", b"{}\n", r"line 1: .* expected a frame"),
        ("bad.jsonl", b"not json\n", r"line 1: .* expected a frame"),
        ("bad.jsonl", b'{"schema":99}\n', "newer than this dettrack"),
        ("bad.jsonl", b"\xff\xfe\n", "cannot be read"),
        ("empty.jsonl", b"", "empty"),
        ("tracks.doc", b"", "unknown kind"),
    ],
)
def test_wrong_track_files_get_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_tracks(path)
    assert "\n" not in str(error.value)


def test_a_folder_without_tracks_says_what_it_expects(tmp_path):
    with pytest.raises(DettrackError, match=r"tracks\.parquet, tracks\.jsonl"):
        read_tracks(tmp_path)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "openpose"])
def test_memory_does_not_grow_with_the_video(tmp_path, random_video, info, name, monkeypatch):
    """Peak of the second, five times longer part against the first, with small blocks of rows."""
    monkeypatch.setattr("dettrack.formats.trc._LINES_AT_ONCE", 20)
    monkeypatch.setattr("dettrack.formats.table._ROWS_PER_GROUP", 20)
    monkeypatch.setattr("dettrack.formats.table._ROWS_PER_CSV_BLOCK", 20)
    frames = [rows for _, _, rows in random_video(9, POSETRACK15, frames=30)]
    (writer,) = open_writers([name], tmp_path, info, POSETRACK15)
    tracemalloc.start()
    peaks = []
    try:
        index = 0
        for length in (50, 250):
            tracemalloc.reset_peak()
            for _ in range(length):
                rows = frames[index % 30]
                writer.write(index, index / 25, TrackTable(**{**vars(rows), "track_id": rows.track_id % 7}))
                index += 1
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    writer.close()
    assert peaks[1] < peaks[0] * 1.5 + 50_000


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [0, 2_000])
def test_where_there_is_no_room_nothing_half_written_stays(tmp_path, random_video, info, disk_of, name, size):
    (writer,) = open_writers([name], tmp_path, info, POSETRACK15)
    disk_of(size)
    with pytest.raises(OutputError) if size == 0 else suppress(OutputError):
        for index, time_s, rows in random_video(9, POSETRACK15, frames=30):
            writer.write(index, time_s, rows)
        writer.close()
    with suppress(OutputError):
        writer.close()
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupt_within_a_write_leaves_whole_frames(tmp_path):
    file = PartFile(tmp_path / "a.txt")
    file.write("first\n")
    real = file._file

    class Torn:
        def write(self, data):
            real.write(data[:3])
            raise KeyboardInterrupt

        def __getattr__(self, name):
            return getattr(real, name)

    file._file = Torn()
    with pytest.raises(KeyboardInterrupt):
        file.write("second\n")
    file.close()
    assert (tmp_path / "a.txt").read_text() == "first\n"
