"""`dettrack evaluate` from the command line, on hand-made files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dettrack.cli import main
from dettrack.evaluation.thresholds import read_thresholds
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.files import write_sequence
from dettrack.formats.posetrack.year2018 import image_id
from dettrack.skeleton import POSETRACK15

BODY = np.stack([100 + 60.0 * (np.arange(15) % 4), 100 + 60.0 * (np.arange(15) // 4)], 1)


def sequence(number: int, missed: int = 0) -> PoseSequence:
    """One person in five frames; in the first `missed` of them far from where it is, with a low score."""
    name = f"{number:06d}_mpii_test"
    images = tuple(ImageInfo(f"images/{name}/{i:06d}.jpg", image_id(name, i), is_labeled=True) for i in range(5))
    xy = np.stack([BODY + (3000 if i < missed else 0) for i in range(5)])
    scores = np.where(np.arange(5) < missed, 0.1, 0.9)[:, None].repeat(15, 1)
    people = People.build(
        np.arange(5),
        xy,
        scores=scores,
        track_id=np.zeros(5, int),
        head_box=np.tile([0.0, 0, 30, 40], (5, 1)),
        box=np.tile([90.0, 90, 290, 290], (5, 1)),
    )
    return PoseSequence(name, "posetrack18", POSETRACK15, images, people)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folders gt, a (two wrong poses in the second sequence) and b (perfect)."""
    for number in (1, 2):
        name = f"{number:06d}_mpii_test.json"
        write_sequence(sequence(number), tmp_path / "gt" / name)
        write_sequence(sequence(number, missed=2 * (number - 1)), tmp_path / "a" / name)
        write_sequence(sequence(number), tmp_path / "b" / name)
    return tmp_path


def run(data: Path, *args: str) -> int:
    return main(["evaluate", *(arg.replace("@", f"{data}/") for arg in args)])


def test_a_table_and_a_file(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--gt", "@gt", "--pred", "@a", "--hota", "--per-sequence", "--json", "@out/a.json") == 0
    out = capsys.readouterr()
    assert out.err == ""
    for text in ("official rules, 2 sequences", "Head", "Ank", "Total", "HOTA", "000002_mpii_test", "Person boxes"):
        assert text in out.out
    found = json.loads((data / "out" / "a.json").read_text())
    assert found["AP"]["groups"]["AP"]["Total"] == pytest.approx(80)
    assert found["MOT"]["groups"]["MOTA"]["Total"] == pytest.approx(50)
    assert found["MOT"]["counts"]["num_misses"] == [2] * 15
    assert found["MOT"]["per_joint"]["mota"] == pytest.approx([50] * 16)
    assert "000002_mpii_test_MOT_metrics" in found["per_sequence"]
    assert found["boxes"]["recall"] == 100
    assert "80.0" in out.out
    assert "50.0" in out.out


def test_clean_mode(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--gt", "@gt", "--pred", "@a", "--mode", "clean", "--json", "@a.json") == 0
    assert "clean rules" in capsys.readouterr().out
    assert json.loads((data / "a.json").read_text())["MOT"]["groups"]["MOTA"]["Total"] == pytest.approx(60)


def test_learned_thresholds_raise_mota_and_leave_ap(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "thresholds", "--gt", "@gt", "--pred", "@a", "--out", "@t.toml") == 0
    assert "dropped" in capsys.readouterr().out
    learned = read_thresholds(data / "t.toml")
    assert learned == pytest.approx(dict.fromkeys(POSETRACK15.joints, 0.5))
    for threshold in ("@t.toml", "0.5"):
        assert run(data, "--gt", "@gt", "--pred", "@a", "--threshold", threshold, "--json", "@t.json") == 0
        found = json.loads((data / "t.json").read_text())
        assert found["MOT"]["groups"]["MOTA"]["Total"] == pytest.approx(75)
        assert found["AP"]["groups"]["AP"]["Total"] == pytest.approx(80)
        assert found["thresholds"]["nose"] == 0.5


def test_compare(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "compare", "@a", "@b", "--gt", "@gt", "--bootstrap", "50", "--json", "@c.json") == 0
    assert "B - A" in capsys.readouterr().out
    found = json.loads((data / "c.json").read_text())
    assert (found["MOTA"]["a"], found["MOTA"]["b"]) == pytest.approx((50, 100))
    assert found["MOTA"]["low"] <= 50 <= found["MOTA"]["high"]


def test_compare_with_a_threshold_for_b_only(data: Path) -> None:
    assert (
        run(
            data, "compare", "@a", "@a", "--gt", "@gt", "--threshold-b", "0.5", "--bootstrap", "20", "--json", "@c.json"
        )
        == 0
    )
    found = json.loads((data / "c.json").read_text())
    assert (found["MOTA"]["a"], found["MOTA"]["b"]) == pytest.approx((50, 75))


def test_oracles(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ("oracles", "--gt", "@gt", "--pred", "@a", "--boxes-pred", "@b", "--json", "@o.json")
    assert run(data, *args) == 0
    assert "perfect boxes (measured)" in capsys.readouterr().out
    found = json.loads((data / "o.json").read_text())
    assert found["ours"]["MOT"]["groups"]["MOTA"]["Total"] == pytest.approx(50)
    assert found["perfect boxes (bound)"]["MOT"]["groups"]["MOTA"]["Total"] == 100
    assert found["perfect boxes (measured)"]["MOT"]["groups"]["MOTA"]["Total"] == 100


def test_intervals(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--gt", "@gt", "--pred", "@a", "--bootstrap", "40", "--json", "@i.json") == 0
    assert "95 % intervals" in capsys.readouterr().out
    interval = json.loads((data / "i.json").read_text())["intervals"]["MOTA"]
    assert interval == {"value": pytest.approx(50), "low": pytest.approx(0), "high": pytest.approx(100)}


def test_recall_of_detections(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = [{"image_id": image_id("000001_mpii_test", i), "bbox": [90, 90, 200, 200], "score": 0.5} for i in range(5)]
    (data / "boxes.json").write_text(json.dumps(boxes))
    args = ("--gt", "@gt", "--pred", "@a", "--detections", "@boxes.json", "--json", "@d.json")
    assert run(data, *args) == 0
    assert "boxes.json" in capsys.readouterr().out
    found = json.loads((data / "d.json").read_text())["detections"]
    assert (found["recall"], found["precision"]) == (50, 100)
    assert run(data, *args, "--detection-score", "0.6") == 0
    assert json.loads((data / "d.json").read_text())["detections"]["recall"] == 0


def test_notes_go_to_standard_error_and_into_the_file(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = sequence(1)
    people = replace(plain.people, scores=np.full((5, 15), np.nan))
    write_sequence(replace(plain, people=people), data / "a" / "000001_mpii_test.json")
    assert run(data, "--gt", "@gt", "--pred", "@a", "--json", "@n.json") == 0
    note = "000001_mpii_test: 75 predicted joints have no score; -9999 is assumed"
    assert capsys.readouterr().err == f"note: {note}\n"
    assert json.loads((data / "n.json").read_text())["notes"] == [note]


def test_wrong_input_is_one_line_and_exit_code_1(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "a" / "000002_mpii_test.json").unlink()
    assert run(data, "--gt", "@gt", "--pred", "@a") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "lacks 1 of 2 prediction files: 000002_mpii_test.json" in lines[0]
    assert run(data, "--gt", "@gt", "--pred", "@b", "--threshold", "@none.toml") == 1
    assert run(data, "--gt", "@gt", "--pred", "@b", "--json", "@gt/000001_mpii_test.json/x.json") == 1
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args", [["--gt", "x"], ["--gt", "x", "--pred", "y", "--mode", "best"], ["thresholds", "--gt", "x"], ["compare"]]
)
def test_wrong_usage_is_exit_code_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *args])
    assert caught.value.code == 2
    capsys.readouterr()


@pytest.mark.parametrize("command", [[], ["thresholds"], ["compare"], ["oracles"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *command, "--help"])
    assert caught.value.code == 0
    assert "--gt" in capsys.readouterr().out
