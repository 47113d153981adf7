"""What a `Run` says of itself: notes, completeness and counts, however it ends; the video's rate reaches its stages."""

from __future__ import annotations

import itertools
import os
import threading
import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

import dettrack
from dettrack.config import CutConfig, DetectConfig, EstimateConfig, FinishConfig, TrackConfig
from dettrack.finish.smooth import savgol
from dettrack.formats import read_tracks
from dettrack.pipeline import Pipeline, Run
from dettrack.runs.folder import track_to_folder
from dettrack.runs.result import read_summary
from dettrack.runs.track import track, track_all
from dettrack.structures import TrackTable
from dettrack.video import VideoWriter, open_video
from dettrack.video.sources import ImageList

N_FRAMES = 24


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    start = np.array([[40.0, 30.0], [420.0, 50.0]])
    scene = draw_scene(folder / "walkers", start, np.array([[4.0, 0.0], [-3.0, 0.5]]), N_FRAMES)
    write_model(folder / "dots.onnx")
    write_boxes(folder / "boxes.json", scene)
    return scene


def config(scene, *, step=1, **finish):
    return TrackConfig(
        cut=CutConfig(clip_length=9, step=step, adaptive=False),
        detect=DetectConfig(detector=str(scene.folder.parent / "boxes.json")),
        estimate=EstimateConfig(
            model=str(scene.folder.parent / "dots.onnx"), flip=False, joints="coco17", small_crops_below=0.0
        ),
        finish=FinishConfig(**{"min_track_frames": 3, **finish}),
    )


@pytest.fixture(scope="module")
def pipeline(scene):
    return Pipeline(config(scene))


@pytest.fixture(scope="module")
def cut_off(scene, tmp_path_factory) -> Path:
    """A video whose second half is gone, as of half a download."""
    whole = tmp_path_factory.mktemp("video") / "whole.mkv"
    with open_video(str(scene.folder)) as video, VideoWriter(whole, (240, 640), Fraction(25)) as writer:
        for frame in video:
            writer.write(frame.image)
    half = whole.with_name("half.mkv")
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    return half


def damaged(source):
    with open_video(str(source)) as video:
        read = sum(1 for _ in video)
    return read, video.notes, video.complete


def images(scene, fps):
    return ImageList(tuple(sorted(scene.folder.glob("*.png"))), "walkers", fps)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("dettrack")]


def test_a_run_is_iterated_once_for_every_frame_and_then_complete(pipeline, scene):
    with open_video(str(scene.folder)) as video:
        run = pipeline.track(video)
        assert isinstance(run, Run)
        assert not run.complete, "nothing has been read yet"
        segments = list(run)
        assert list(run) == []
        assert run.complete
        assert run.notes == []
    np.testing.assert_array_equal(np.concatenate([segment.frames for segment in segments]), np.arange(N_FRAMES))
    assert run.report.counts["frames"] == N_FRAMES
    assert run.report.counts["tracks"] == 2
    assert run.report.counts["keyframes"] == N_FRAMES
    assert run.report.counts["poses_detected"] == sum(len(segment.table) for segment in segments) == 2 * N_FRAMES
    assert set(run.report.seconds) >= {"read", "detect", "estimate", "sew"}


def test_gathering_gives_the_rows_of_the_segments(pipeline, scene):
    with open_video(str(scene.folder)) as video:
        segments = list(pipeline.track(video))
    with open_video(str(scene.folder)) as video:
        table = pipeline.track(video).gather()
    rows = TrackTable.concatenate([segment.table for segment in segments], table.joint_set)
    np.testing.assert_array_equal(table.xy, rows.xy)
    np.testing.assert_array_equal(table.track_id, rows.track_id)
    whole = track_all(str(scene.folder), pipeline.config)
    np.testing.assert_array_equal(whole.xy, table.xy)


def test_plain_frames_are_a_video_of_which_nothing_more_is_known(pipeline, scene):
    with open_video(str(scene.folder)) as video:
        frames = list(video)
    run = pipeline.track(frames)
    assert len(run.gather()) == 2 * N_FRAMES
    assert run.complete
    assert run.notes == []


def test_a_damaged_video_says_so_wherever_it_is_tracked(pipeline, scene, cut_off, tmp_path):
    """Fewer frames than were filmed, and a caller that must know it: the run, `track_all`, and a summary."""
    read, notes, complete = damaged(cut_off)
    assert 0 < read < N_FRAMES
    assert notes
    with track(str(cut_off), pipeline.config) as run:
        frames = sum(len(segment.frames) for segment in run)
    assert frames == read
    assert run.notes == notes
    assert run.complete == complete
    assert not run.complete
    with pytest.warns(UserWarning, match=cut_off.name):
        table = track_all(str(cut_off), pipeline.config)
    assert len(np.unique(table.frame)) == read
    summary = track_to_folder(pipeline, str(cut_off), tmp_path / "out")
    assert summary["complete"] is False
    assert summary["notes"] == notes


def test_a_whole_video_gives_no_warning(pipeline, scene):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        track_all(str(scene.folder), pipeline.config)


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_run_that_is_stopped_has_the_counts_of_what_it_did(scene, ahead):
    """All stages, also detection and the networks, which run ahead of the rows."""
    pipeline = Pipeline(config(scene), ahead=ahead)
    with open_video(str(scene.folder)) as video, pipeline.track(video) as run:
        done = sum(len(segment.frames) for segment in itertools.islice(run, 2))
    assert 0 < done < N_FRAMES
    assert not run.complete
    counts = run.report.counts
    assert counts["frames"] == done
    assert counts["tracks"] == 2
    assert done <= counts["keyframes"] <= N_FRAMES
    assert counts["boxes"] == counts["tubes"] == 2 * counts["keyframes"]
    assert counts["crops_256x192"] > counts["tubes"]
    assert {"read", "detect", "estimate", "sew", "polish"} <= set(run.report.seconds)
    assert not threads()
    run.close()
    assert list(run) == []


def test_a_run_that_fails_has_the_counts_of_what_it_did(scene):
    def frames():
        with open_video(str(scene.folder)) as video:
            yield from itertools.islice(video, 18)
        raise OSError("the disk is gone")

    run, done = Pipeline(config(scene)).track(frames()), 0
    with pytest.raises(OSError, match="the disk is gone"):  # noqa: PT012
        for segment in run:
            done += len(segment.frames)
    assert not run.complete
    assert run.report.counts["frames"] == done
    assert run.report.counts["keyframes"] >= done > 0
    assert run.report.counts["boxes"] == 2 * run.report.counts["keyframes"]
    assert not threads()


def test_the_summary_of_an_interrupted_run_has_all_counts(pipeline, scene, tmp_path):
    def stop(done, of):
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track_to_folder(pipeline, str(scene.folder), tmp_path / "out", progress=stop)
    summary = read_summary(tmp_path / "out")
    counts = summary["counts"]
    assert counts["frames"] == read_tracks(tmp_path / "out").frame.max() + 1
    assert counts["keyframes"] >= counts["frames"]
    assert counts["boxes"] == counts["tubes"] == 2 * counts["keyframes"]
    assert counts["poses_detected"] == 2 * counts["frames"]
    assert {"read", "detect", "estimate", "sew", "polish"} <= set(summary["seconds"])


def test_whole_runs_and_stopped_ones_count_the_same_things(pipeline, scene):
    with open_video(str(scene.folder)) as video, pipeline.track(video) as whole:
        whole.gather()
    with open_video(str(scene.folder)) as video, pipeline.track(video) as stopped:
        next(iter(stopped))
    # What can only be known at a shot's end is missing in the one that was stopped.
    assert set(stopped.report.counts) | {"shots"} == set(whole.report.counts) | {"shots"}
    assert all(stopped.report.counts[name] <= count for name, count in whole.report.counts.items())


@pytest.mark.parametrize(("fps", "window"), [(Fraction(10), 5), (Fraction(25), 9), (Fraction(60), 19)])
def test_the_rate_of_the_video_reaches_the_smoother(scene, fps, window):
    """A third of a second is another number of frames at another rate, from the file's own clock."""
    smooth = config(scene, smooth="savgol", smooth_window_s=0.3)
    table = track_all(images(scene, fps), smooth)
    assert len(table) == 2 * N_FRAMES
    for person in np.unique(table.track_id):
        rows = table[table.track_id == person]
        np.testing.assert_allclose(rows.time_s, np.arange(N_FRAMES) / float(fps))
        np.testing.assert_allclose(rows.xy_smooth, savgol(rows.xy, window), atol=1e-6)


def test_images_without_a_rate_are_smoothed_as_at_25_frames_a_second(scene):
    smooth = config(scene, smooth="savgol", smooth_window_s=0.3)
    table = track_all(images(scene, None), smooth)
    assert np.isnan(table.time_s).all()
    rows = table[table.track_id == table.track_id[0]]
    np.testing.assert_allclose(rows.xy_smooth, savgol(rows.xy, 9), atol=1e-6)


@pytest.mark.parametrize("fps", [Fraction(10), Fraction(30000, 1001), Fraction(120)])
def test_the_raw_positions_do_not_depend_on_the_rate(scene, fps):
    plain = track_all(images(scene, Fraction(25)), config(scene))
    other = track_all(images(scene, fps), config(scene))
    np.testing.assert_array_equal(other.xy, plain.xy)
    np.testing.assert_array_equal(other.frame, plain.frame)
    np.testing.assert_allclose(other.time_s, other.frame / float(fps))


@pytest.mark.parametrize(("start_s", "end_s", "expected"), [(0.5, None, range(5, 24)), (0.0, 0.5, range(5))])
def test_a_part_of_a_video_keeps_its_frame_numbers_and_times(scene, start_s, end_s, expected):
    with track(images(scene, Fraction(10)), config(scene), start_s=start_s, end_s=end_s) as run:
        segments = list(run)
    frames = np.concatenate([segment.frames for segment in segments])
    np.testing.assert_array_equal(frames, expected)
    np.testing.assert_allclose(np.concatenate([segment.times_s for segment in segments]), frames / 10)


def test_the_public_functions_are_those_of_the_pipeline(scene, pipeline):
    run = dettrack.track(str(scene.folder), pipeline.config)
    assert isinstance(run, Run)
    run.close()
    changed = replace(pipeline.config, finish=replace(pipeline.config.finish, min_track_detections=N_FRAMES + 1))
    assert len(dettrack.track_all(os.fspath(scene.folder), changed)) == 0
