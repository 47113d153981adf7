"""The whole command on a video of a few frames and tiny models."""

import json
from fractions import Fraction

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.cli import main
from dettrack.config import DetectConfig, EstimateConfig, TrackConfig
from dettrack.lab.bench.race import Contestant, every_frame, race, top_down
from dettrack.lab.bench.stages import crowd_share, measure_stages
from dettrack.pipeline import Pipeline
from dettrack.video import VideoWriter, open_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    start = np.array([[40.0, 30.0], [420.0, 50.0]])
    scene = draw_scene(folder / "walkers", start, np.array([[4.0, 0.0], [-3.0, 0.5]]), 12)
    write_boxes(folder / "boxes.json", scene)
    write_model(folder / "dots.onnx")
    with (
        open_video(str(scene.folder)) as video,
        VideoWriter(folder / "walkers.mp4", (240, 640), Fraction(25)) as writer,
    ):
        for frame in video:
            writer.write(frame.image)
    return folder


def config(folder, **estimate):
    options = EstimateConfig(model=str(folder / "dots.onnx"), flip=False, precision="auto", threads=1, **estimate)
    return TrackConfig(detect=DetectConfig(detector=str(folder / "boxes.json")), estimate=options)


@pytest.mark.slow
def test_the_command(folder, tmp_path, capsys):
    command = ["bench", str(folder / "walkers.mp4"), "--rounds", "1", "--threads", "1", "--clip-length", "3"]
    command += ["--detector", str(folder / "boxes.json"), "--model", str(folder / "dots.onnx"), "--networks", ""]
    command += ["--out", str(tmp_path), "--json", str(tmp_path / "a.json"), "--only", "runs,overlap,stages"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert text == (tmp_path / "bench.md").read_text()
    assert "same network on every frame" in text
    assert "skipped: no --baseline-detector" in text
    assert (tmp_path / "bench.png").stat().st_size > 5000
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["schema"] == 1
    assert report["video"]["frames"] == 12
    first = report["race"][0]
    assert first["counts"]["keyframes"] == 12
    assert sum(n for name, n in first["counts"].items() if name.startswith("crops_")) == 24
    assert first["gflop_per_frame"] == first["detector_gflop_per_frame"] + first["pose_gflop_per_frame"]
    assert 0 < first["share_of_peak"]["median"] < 1
    assert "% of the measured peak" in text
    assert report["race"][0]["speed"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert {row["stage"] for row in report["stages"]} >= {"decode", "detect", "cut tubes", "sew", "polish", "write"}
    assert [row["name"] for row in report["overlap"]] == ["stages overlap", "one after the other"]


def test_wrong_usage_is_told(capsys):
    assert main(["bench", "--only", "everything"]) == 2
    assert "--only everything: expected some of" in capsys.readouterr().err
    assert main(["bench", "--rounds", "0"]) == 2


def test_contestants_do_the_same_work_and_absent_ones_are_skipped(folder):
    ours = config(folder)
    other = top_down(str(folder / "boxes.json"), 0, str(folder / "dots.onnx"), ours.estimate)
    assert other.cut.clip_length == 1
    assert other.estimate.flip
    absent = top_down(str(folder / "none.onnx"), 0, str(folder / "dots.onnx"), ours.estimate)
    rows = race(
        [Contestant("every", every_frame(ours)), Contestant("ours", ours), Contestant("other", other),
         Contestant("absent", absent)],
        folder / "walkers", None, 1, lambda line: None,
    )  # fmt: skip
    assert [row.poses for row in rows] == [24, 24, 24, 0]
    assert "none.onnx" in rows[3].skipped
    assert rows[1].speed.median == pytest.approx(rows[1].frames_per_s.median / rows[0].frames_per_s.median)


def test_stages_and_crowds_have_times(folder):
    pipeline = Pipeline(config(folder))
    rows = {row.stage: row for row in measure_stages(pipeline, folder / "walkers", 12, 1)}
    assert all(row.ms.median > 0 for row in rows.values())
    assert rows["cut tubes, network, joints"].ms.median > rows["cut tubes"].ms.median
    crowd = crowd_share(pipeline, people=4, frames=12)
    rest = crowd.sew_ms + crowd.polish_ms + crowd.write_ms
    assert crowd.share == pytest.approx(rest / (rest + crowd.network_ms))
    assert 0 < crowd.share < 1
