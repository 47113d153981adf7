"""`dettrack correct` and `dettrack export` on a result folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dettrack.cli import main
from dettrack.formats import read_tracks
from dettrack.runs.result import NewResult

sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))
from test_exports import folder  # noqa: F401 (a fixture)


def files(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_correction_is_kept_beside_the_result_and_undone(folder: Path, capsys: pytest.CaptureFixture) -> None:  # noqa: F811
    before, rows = files(folder), read_tracks(folder)
    assert main(["correct", str(folder), "--swap", "2", "9", "--from", "3.0", "--by", "Ann"]) == 0
    assert "edit 5: swap track 2 other 9 from 3.0  by Ann" in capsys.readouterr().out
    after = files(folder)
    assert {name for name in after if after[name] != before.get(name)} == {"edits.jsonl"}
    swapped = read_tracks(folder)
    late = swapped[swapped.frame >= 25].by_person()
    for now, once in ((2, 9), (9, 2)):
        np.testing.assert_array_equal(late[now].xy, rows[rows.frame >= 25].by_person()[once].xy)
    assert main(["correct", str(folder), "--undo", "0", "--quiet"]) == 0
    again = read_tracks(folder)
    np.testing.assert_array_equal(again.track_id, rows.track_id)
    np.testing.assert_array_equal(again.xy_smooth, rows.xy_smooth)
    assert main(["correct", str(folder)]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.endswith("(undone)") for line in listed] == [False] * 4 + [True, False]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--swap", "2", "77"], 1, "no track 77"),
        (["--swap", "2", "5", "--delete", "2"], 2, "one operation a call"),
        (["--from", "3"], 2, "name one, as --swap 3 7"),
        (["--split", "2"], 1, "needs from"),
        (["--rename", "2"], 1, "needs name"),
        (["--move-joint", "9", "--frame", "12", "--joint", "tail", "--xy", "1", "2"], 1, "unknown joint"),
    ],
)
def test_wrong_corrections_are_one_line(folder, capsys, args, code, words) -> None:  # noqa: F811
    before = files(folder)
    assert main(["correct", str(folder), *args]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert files(folder) == before


def test_an_export_has_the_corrections_the_range_and_the_people(folder, capsys) -> None:  # noqa: F811
    args = ["--to", "csv,trc,mot", "--range", "2.4:3", "--people", "5,9", "--metres", "0,0,100,0=0.5"]
    assert main(["export", str(folder), *args]) == 0
    out = folder / "export"
    assert {path.name for path in out.iterdir()} == {"tracks.csv", "trc", "mot.txt", "export.json"}
    rows = read_tracks(out / "tracks.csv")
    assert set(rows.track_id.tolist()) == {5, 9}
    assert (rows.frame.min(), rows.frame.max()) == (10, 24)
    about = json.loads((out / "export.json").read_text())
    assert about["scale"] == "0.5 m between (0.0, 0.0) and (100.0, 0.0)"
    assert about["frames"] == [10, 24]
    assert main(["export", str(folder), "--to", "csv", "--raw", "--no-edits", "--quiet"]) == 0
    raw = read_tracks(out / "tracks.csv")
    assert raw.xy_smooth is None
    np.testing.assert_array_equal(raw.track_id, read_tracks(folder, edits=False).track_id)


def test_a_new_run_keeps_the_corrections_of_the_old_one(folder) -> None:  # noqa: F811
    main(["export", str(folder), "--to", "mot", "--quiet"])
    lines = (folder / "edits.jsonl").read_bytes()
    with NewResult(folder) as result:
        (result.path / "summary.json").write_text('{"complete": true}')
        result.commit()
    assert {path.name for path in folder.iterdir()} == {"summary.json", "edits.earlier.jsonl"}
    assert (folder / "edits.earlier.jsonl").read_bytes() == lines


def test_a_strange_file_among_the_exports_is_never_removed(folder) -> None:  # noqa: F811
    from dettrack.errors import OutputError

    main(["export", str(folder), "--to", "mot", "--quiet"])
    (folder / "export" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"export/notes\.txt"):
        NewResult(folder)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--to", "word"], "expected some of jsonl"),
        (["--to", "csv", "--range", "3"], "expected seconds as 12.5:20"),
        (["--to", "csv", "--people", "x"], "expected track ids"),
        (["--to", "csv", "--smooth", "--raw"], "choose one"),
        (["--to", "csv", "--slow-motion", "0"], "expected a factor above 0"),
        (["--to", "trc", "--metres", "0,0=0,0;9,0=1,0;9,9=1,1;0,9=0,1"], "needs one scale for the whole body"),
    ],
)
def test_wrong_exports_are_one_line(folder, capsys, args, words) -> None:  # noqa: F811
    assert main(["export", str(folder), *args]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
