"""Live tracking: every frame once, at most |C| frames late, and an honest count of what was dropped."""

import json
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.cli import main
from dettrack.config import CutConfig, DetectConfig, EstimateConfig, FinishConfig, SewConfig, TrackConfig
from dettrack.errors import UsageError
from dettrack.pipeline import Pipeline
from dettrack.runs.live import live_settings, track_live, waiting_frames
from dettrack.video import VideoWriter, open_video
from dettrack.video.live import LiveFrames

N_FRAMES = 24
HANG_S = 60  # nothing waits so long unless it hangs


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    scene = draw_scene(
        folder / "walkers", np.array([[40.0, 30.0], [420.0, 50.0]]), np.array([[4.0, 0.0], [-3.0, 0.5]]), N_FRAMES
    )
    write_model(folder / "dots.onnx")
    write_boxes(folder / "boxes.json", scene)
    with (
        open_video(str(scene.folder)) as video,
        VideoWriter(folder / "walkers.mp4", (240, 640), Fraction(50)) as writer,
    ):
        for frame in video:
            writer.write(frame.image)
    return scene


def settings(scene, **cut):
    return TrackConfig(
        cut=CutConfig(**{"step": 1, **cut}),
        detect=DetectConfig(detector=str(scene.folder.parent / "boxes.json")),
        estimate=EstimateConfig(model=str(scene.folder.parent / "dots.onnx"), flip=False, precision="auto", threads=1),
    )


def unhurried(scene):
    """All frames wait until they are wanted."""
    video = open_video(str(scene.folder), shots=False)
    return LiveFrames(iter(video), video.info, 1000, video.close)


@pytest.mark.parametrize(("clip", "step"), [(9, 1), (9, 5), (9, 8), (5, 2), (1, 1)])
def test_poses_come_at_most_a_clip_later(scene, clip, step):
    config, _ = live_settings(settings(scene, clip_length=clip, step=step))
    lines = []
    with unhurried(scene) as frames:
        report = track_live(Pipeline(config, ahead=0), frames, lines.append)
    assert report.latency_frames <= clip
    assert (report.frames, report.received, report.dropped, report.interrupted) == (N_FRAMES, N_FRAMES, 0, False)
    poses = [json.loads(line) for line in lines]
    assert [pose["frame_index"] for pose in poses] == list(range(N_FRAMES))
    assert {person["track_id"] for pose in poses for person in pose["people"]} == {0, 1}
    assert all(len(pose["people"]) == 2 for pose in poses)


def test_a_tracker_that_is_too_slow_drops_frames_and_says_so(scene):
    """The camera sends five frames as they are taken; all others come while the network works on the first tubes."""
    config, _ = live_settings(settings(scene))
    pipeline = Pipeline(config, ahead=0)
    estimate = pipeline.estimator.estimate
    taken, working, sent = threading.Semaphore(1), threading.Event(), threading.Event()

    def slow(work):
        working.set()
        assert sent.wait(HANG_S)
        return estimate(work)

    def camera(video):
        for frame in video:
            assert taken.acquire(timeout=HANG_S) if frame.index < 5 else working.wait(HANG_S)
            yield frame
        sent.set()

    class Camera(LiveFrames):
        def __next__(self):
            frame = super().__next__()
            taken.release()
            return frame

    pipeline.estimator.estimate = slow
    lines = []
    with (
        open_video(str(scene.folder.parent / "walkers.mp4"), shots=False) as video,  # 50 a second
        Camera(camera(video), video.info, waiting_frames(config)) as frames,
    ):
        report = track_live(pipeline, frames, lines.append)
    assert report.received == N_FRAMES
    assert report.frames == len(lines) == 5 + waiting_frames(config)
    assert report.dropped == N_FRAMES - report.frames
    assert report.latency_frames <= 9
    times = [json.loads(line)["time_s"] for line in lines]
    assert times == sorted(times)
    assert max(np.diff(times)) == pytest.approx((N_FRAMES - waiting_frames(config) - 4) / 50), (
        "a gap shows in the times"
    )
    assert f"{report.dropped} dropped" in str(report)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dettrack")]


def test_interrupting_keeps_what_came(scene):
    config, _ = live_settings(settings(scene))
    lines = []

    def write(line):
        lines.append(line)
        if len(lines) == 5:
            raise KeyboardInterrupt

    with unhurried(scene) as frames:
        report = track_live(Pipeline(config, ahead=0), frames, write)
    assert report.interrupted
    assert len(lines) == 5


def test_what_cannot_be_had_live_is_changed_and_told():
    changed = TrackConfig(finish=FinishConfig(smooth="savgol"))
    config, notes = live_settings(changed)
    assert config.cut.step == 5
    assert not config.cut.shots
    assert config.finish.smooth == "none"
    assert not config.cut.adaptive
    assert notes == [
        "a keyframe every 5 frames: every 8 would be late with |C| = 9",
        "no keyframes are added between those: they would be late",
        "nothing is smoothed or filled",
    ]
    assert live_settings(TrackConfig(cut=CutConfig(step=1)))[1] == []
    with pytest.raises(UsageError, match="oks-velocity"):
        live_settings(replace(TrackConfig(), sew=SewConfig(linking="oks-velocity")))


def test_the_command_writes_lines(scene, tmp_path, capsys):
    folder = scene.folder.parent
    command = ["track", str(folder / "walkers.mp4"), "--live", "--no-flip", "--threads", "1", "--step", "5"]
    command += ["--detector", str(folder / "boxes.json"), "--model", str(folder / "dots.onnx")]
    assert main([*command, "--out", str(tmp_path / "lines.jsonl")]) == 0
    lines = (tmp_path / "lines.jsonl").read_text().splitlines()
    assert len(lines) + int(capsys.readouterr().err.split(" dropped")[0].split()[-1]) == N_FRAMES
    assert main([*command, "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["frame_index"] == 0
    assert main([*command, "--render"]) == 2
    assert "--render: not with --live" in capsys.readouterr().err
