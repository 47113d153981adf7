"""Which videos a batch is made of, and what they are called."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.config import TrackConfig
from dettrack.errors import InputError, UsageError
from dettrack.runs.batch.inputs import Entry, find_entries, of_shard

CONFIG = TrackConfig()


@pytest.fixture
def folder(tmp_path):
    for name in ("b/x2.mp4", "b/x10.mp4", "a.MOV", "notes.md", ".hidden.mp4", "r.mp4.dettrack/render.mp4", "out/z.mp4"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "in"


def names(entries):
    return [entry.name for entry in entries]


def find(inputs, out="/nowhere"):
    from pathlib import Path

    return find_entries([str(one) for one in inputs], CONFIG, Path(out))


def test_a_folder_is_searched_and_results_in_it_are_left_alone(folder):
    found = find([folder], folder / "out")
    assert names(found) == ["a.MOV", "b/x2.mp4", "b/x10.mp4"]
    assert found[0].result(folder / "out") == folder / "out" / "a.MOV.dettrack"


def test_patterns_lists_and_single_files(folder):
    assert names(find([f"{folder}/b/*.mp4"])) == ["x2.mp4", "x10.mp4"]
    (folder / "list.txt").write_text("# some\nb/x2.mp4\n\na.MOV\n")
    assert names(find([folder / "list.txt", folder / "notes.md"])) == ["x2.mp4", "a.MOV", "notes.md"]


def test_a_folder_of_frames_is_one_video(tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.png").write_bytes(b"")
    assert names(find([tmp_path / "frames"])) == ["frames"]


def test_a_table_gives_ranges_and_settings(folder):
    table = folder / "table.csv"
    table.write_text("video;name;start;step;shots;detector\nb/x2.mp4;first;1.5;4;false;boxes.json\nb/x2.mp4;all;;;;\n")
    first, everything = find([table])
    assert (first.name, first.start_s, first.end_s) == ("first", 1.5, None)
    cut = replace(CONFIG.cut, step=4, shots=False)
    assert first.config == replace(CONFIG, cut=cut, detect=replace(CONFIG.detect, detector="boxes.json"))
    assert everything == Entry("all", str(folder / "b/x2.mp4"), CONFIG)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file\nx\n", "no column `video`"),
        ("video,sped\nx,1\n", "unknown column 'sped'"),
        ("video,step\nx,12.5\n", "line 2: --step is 12.5"),
        ("video,step\nx,12\n", "line 2: --step is 12 with --clip-length 9"),
        ("video,start\nx,soon\n", "line 2"),
        ("video,start\n,1\n", "line 2: expected a video"),
        ("video\nx,1,2\n", "line 2"),
        ("video,name\nx,../y\n", "expected a plain name"),
    ],
)
def test_wrong_tables_are_one_line(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        find([tmp_path / "t.csv"])
    assert "\n" not in str(caught.value)


def test_two_videos_of_one_name_are_refused(folder, tmp_path):
    (tmp_path / "a.MOV").write_bytes(b"")
    with pytest.raises(UsageError, match="would both be"):
        find([folder, tmp_path / "a.MOV"])
    assert len(find([folder, folder], folder / "out")) == 3


@pytest.mark.parametrize("given_", ["missing.mp4", "missing/*.mp4"])
def test_what_is_not_there_is_said(given_, tmp_path):
    with pytest.raises(InputError, match="missing"):
        find([tmp_path / given_])


@given(st.integers(1, 9), st.sets(st.text(min_size=1), max_size=30))
def test_shards_are_a_partition(n, given_names):
    entries = [Entry(name, name, CONFIG) for name in given_names]
    shares = [of_shard(entries, (i, n)) for i in range(n)]
    assert sorted(names(entries)) == sorted(name for share in shares for name in names(share))
    assert of_shard(entries[1:], (0, n)) == [one for one in shares[0] if one in entries[1:]]
