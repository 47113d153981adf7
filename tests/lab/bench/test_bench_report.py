"""What `dettrack bench` writes of figures that are known."""

import json

import pytest

from dettrack.lab.bench.networks import NetworkRow, PeakRow
from dettrack.lab.bench.race import RaceRow
from dettrack.lab.bench.report import SCHEMA, BenchReport, machine, markdown, plot
from dettrack.lab.bench.stages import CrowdRow, StageRow
from dettrack.lab.bench.timing import Spread

MACHINE = {"cpu": "Test CPU", "cores": 2, "load": 0.5, "gpus": [], "python": "3.12", "torch": "2.9", "dettrack": "0"}
RACE = (
    RaceRow(
        "same network on every frame", "boxes", "dots", 100, Spread(10.0, 9.0, 11.0), Spread(200.0, 190.0, 210.0),
        Spread(1.0, 1.0, 1.0), Spread(1.0, 1.0, 1.0), 400, 4,
    ),
    RaceRow(
        "preset fast", "boxes", "dots", 100, Spread(45.0, 40.0, 50.0), Spread(40.0, 38.0, 42.0),
        Spread(4.5, 4.0, 5.0), Spread(5.0, 4.8, 5.2), 398, 4, 850.4,
    ),
    RaceRow("other", skipped="no such file: none.onnx"),
)  # fmt: skip
NETWORKS = (
    NetworkRow("W32", "OpenVINO, CPU, fp32", "fp32", 160.0, Spread(0.95, 0.9, 1.0), Spread(1.09, 1.0, 1.2)),
    NetworkRow("W48", "TensorRT", "bf16", 300.0, skipped="no GPU"),
)
WHOLE = BenchReport(
    MACHINE,
    {"name": "walk.mp4", "width": 640, "height": 360, "frames": 100},
    (StageRow("decode", "frame", Spread(2.4, 2.3, 2.5)), StageRow("detect", "keyframe", Spread(50.0, 49.0, 52.0))),
    CrowdRow(30, 1.7, 3.2, 1.0, 2144.0, 0.0027),
    (PeakRow("fp32", "PyTorch", "CPU", Spread(135.0, 120.0, 140.0)),),
    NETWORKS,
    RACE,
    RACE[1:2],
)


def rows(text, title):
    """Cells of the table under a heading."""
    part = text.split(f"## {title}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]


def test_everything_that_was_measured_is_in_the_markdown():
    text = markdown(WHOLE)
    assert "Machine: Test CPU, 2 cores; load 0.5" in text
    assert "Video: walk.mp4, 640x360, 100 frames." in text
    race = rows(text, "Whole runs")
    assert "times as fast as same network on every frame" in race[0]
    assert race[2][:3] == ["same network on every frame", "10.0 (9.00-11.0)", "1.00 (1.00-1.00)"]
    assert race[3][2] == "4.50 (4.00-5.00)"
    assert race[3][-1] == "850"
    assert race[2][-1] == "", "peak memory was not measured"
    assert race[4][1] == "skipped: no such file: none.onnx"
    assert ["detect", "50.0 (49.0-52.0)", "keyframe"] in rows(text, "Stages, one at a time")
    assert "## 30 people at S = 1" in text
    assert "0.27 % of the time" in text
    networks = rows(text, "Networks beside matrix products")
    assert networks[2] == ["W32", "OpenVINO, CPU, fp32", "160.0", "0.950 (0.900-1.00)", "152", "109 (100-120)"]
    assert networks[3][3] == "skipped: no GPU"
    assert "fp32 peak on CPU: 140 GFLOP/s" in text, "the highest of all rounds is the peak"


def test_what_was_not_measured_has_no_heading():
    text = markdown(BenchReport(MACHINE))
    assert "##" not in text
    assert "Video" not in text


def test_ratios_are_to_the_first_run_that_ran():
    text = markdown(BenchReport(MACHINE, race=(RACE[2], RACE[1])))
    assert "times as fast as preset fast" in text


def test_json_has_the_documented_keys_and_no_nan():
    entry = BenchReport(MACHINE, race=(RaceRow("a", frames_per_s=Spread(float("nan"), 1.0, float("inf"))),)).entry()
    assert entry["schema"] == SCHEMA
    assert set(entry) == {"schema", "machine", "video", "stages", "crowd", "peaks", "networks", "race", "overlap"}
    assert entry["race"][0]["frames_per_s"] == {"median": None, "low": 1.0, "high": None}
    assert json.loads(json.dumps(WHOLE.entry(), allow_nan=False))["stages"][0]["stage"] == "decode"


@pytest.mark.parametrize("report", [WHOLE, BenchReport(MACHINE), BenchReport(MACHINE, race=RACE)])
def test_a_plot_can_be_made_of_any_part(report, tmp_path):
    pytest.importorskip("matplotlib")
    plot(report, tmp_path / "deep" / "bench.png")
    assert (tmp_path / "deep" / "bench.png").stat().st_size > 1000


def test_the_machine_is_in_words_that_fit_json():
    about = machine()
    assert set(about) == set(MACHINE)
    assert about["cores"] >= 1
    assert about["cpu"]
    json.dumps(about, allow_nan=False)
