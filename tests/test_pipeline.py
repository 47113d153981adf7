"""Whole runs on people made of dots: what comes out is what was drawn."""

import os
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.config import CutConfig, DetectConfig, EstimateConfig, FinishConfig, SewConfig, TrackConfig
from dettrack.errors import UsageError
from dettrack.pipeline import Pipeline
from dettrack.runs.track import track, track_all
from dettrack.structures import Frame, Source, TrackTable
from dettrack.video import open_video

N_FRAMES = 24


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dots")
    start = np.array([[40.0, 30.0], [420.0, 50.0]])
    scene = draw_scene(folder / "walkers", start, np.array([[4.0, 0.0], [-3.0, 0.5]]), N_FRAMES)
    write_model(folder / "dots.onnx")
    return scene


def settings(scene, missed=None, *, clip=9, step=1, linking="tubes", name="boxes.json", bridge=16):
    boxes = write_boxes(scene.folder.parent / name, scene, missed)
    return TrackConfig(
        cut=CutConfig(clip_length=clip, step=step, adaptive=False),
        detect=DetectConfig(detector=str(boxes)),
        estimate=EstimateConfig(
            model=str(scene.folder.parent / "dots.onnx"), flip=False, precision="auto", joints="coco17"
        ),
        sew=SewConfig(linking=linking, bridge=bridge),
        finish=FinishConfig(min_track_frames=3),
    )


def errors(table, scene):
    """Distance in pixels from the drawn joints, each track matched to the person that it starts on."""
    first = {track: i for i, track in enumerate(np.unique(table.track_id).tolist())}
    person = np.array([first[track] for track in table.track_id.tolist()])
    return np.linalg.norm(table.xy - scene.joints[table.frame, person], axis=-1)


@pytest.mark.parametrize(("clip", "step"), [(9, 1), (9, 8), (5, 2), (1, 1)])
def test_everyone_is_followed_and_posed(scene, clip, step):
    table = track_all(str(scene.folder), settings(scene, clip=clip, step=step))
    assert len(table) == 2 * N_FRAMES
    np.testing.assert_array_equal(table.frame, np.repeat(np.arange(N_FRAMES), 2))
    assert len(np.unique(table.track_id)) == 2
    assert np.nanmax(errors(table, scene)) < 2.0
    keyframes = table.frame % step == 0
    assert (table.source[keyframes] == Source.DETECTED).all()


def test_adaptive_keyframes_add_nothing_where_nothing_happens(scene):
    plain = track_all(str(scene.folder), settings(scene, step=8))
    adaptive = settings(scene, step=8)
    adaptive = replace(adaptive, cut=replace(adaptive.cut, adaptive=True))
    with open_video(str(scene.folder)) as video:
        run = Pipeline(adaptive).track(video)
        table = run.gather()
    assert run.report.counts["keyframes_added"] == 0
    np.testing.assert_array_equal(table.xy, plain.xy)
    np.testing.assert_array_equal(table.track_id, plain.track_id)


def test_with_a_step_of_one_adaptive_keyframes_are_the_grid(scene):
    config = settings(scene, {(t, 0) for t in range(8, 14)}, name="every.json")
    plain = rows_of(Pipeline(config), scene)
    every = rows_of(Pipeline(replace(config, cut=replace(config.cut, adaptive=True))), scene)
    for name in ("frame", "track_id", "xy", "joint_scores", "source"):
        np.testing.assert_array_equal(getattr(every, name), getattr(plain, name), err_msg=name)


def test_adaptive_keyframes_find_who_was_missed_on_the_grid_and_every_frame_comes_once(scene):
    missed = {(8, 0), (16, 1), *((t, 1) for t in range(5))}
    config = settings(scene, missed, step=8, name="grid.json", bridge=0)
    plain = track_all(str(scene.folder), config)
    config = replace(config, cut=replace(config.cut, adaptive=True, finest_step=1))
    with open_video(str(scene.folder)) as video:
        run = Pipeline(config).track(video)
        segments = list(run)
    np.testing.assert_array_equal(np.concatenate([s.frames for s in segments]), np.arange(N_FRAMES))
    table = TrackTable.concatenate([s.table for s in segments], plain.joint_set)
    assert run.report.counts["keyframes_added"] >= 3
    assert run.report.counts["in_question_start_or_end"] >= 3
    assert len(np.unique(table.track_id)) == 2
    assert len(table) > len(plain)
    assert len(table) >= 2 * N_FRAMES - 5
    assert np.nanmax(errors(table, scene)) < 2.0


def test_people_whom_the_detector_missed_are_recovered(scene):
    missed = {(t, 0) for t in range(8, 14)} | {(t, 1) for t in (2, 3, 15)}
    table = track_all(str(scene.folder), settings(scene, missed, name="missed.json"))
    assert len(table) == 2 * N_FRAMES
    assert len(np.unique(table.track_id)) == 2
    first = table.track_id.min()
    found = table[table.source == Source.RECOVERED]
    recovered = {(t, int(track != first)) for t, track in zip(found.frame, found.track_id, strict=True)}
    assert recovered == missed
    assert np.nanmax(errors(table, scene)) < 2.5
    blind = track_all(str(scene.folder), settings(scene, missed, clip=1, name="missed.json", bridge=0))
    # Without tubes the missed poses are gone, and the two frames before the second person's gap are too short a track.
    assert len(blind) == 2 * N_FRAMES - len(missed) - 2


def test_the_baseline_bridges_gaps_by_interpolation(scene):
    missed = {(t, 0) for t in range(8, 14)}
    table = track_all(str(scene.folder), settings(scene, missed, clip=1, linking="oks-velocity", name="baseline.json"))
    assert len(table) == 2 * N_FRAMES
    filled = table.frame[table.source == Source.INTERPOLATED]
    np.testing.assert_array_equal(filled, np.arange(8, 14))
    assert np.nanmax(errors(table, scene)) < 2.5


def test_interpolated_poses_have_the_times_of_their_frames(scene):
    config = settings(scene, {(t, 0) for t in range(8, 14)}, clip=1, linking="oks-velocity", name="uneven.json")
    uneven = 1.5 + np.cumsum(np.random.default_rng(0).uniform(0.01, 0.09, N_FRAMES))
    with open_video(str(scene.folder)) as video:
        frames = [replace(frame, time_s=float(uneven[frame.index])) for frame in video]
    table = Pipeline(config).track(frames).gather()
    assert (table.source == Source.INTERPOLATED).sum() == 6
    np.testing.assert_array_equal(table.time_s, uneven[table.frame])


def test_segments_are_every_frame_once_in_order(scene):
    segments = list(track(str(scene.folder), settings(scene)))
    assert len(segments) > 1, "finished frames must come before the video ends"
    frames = np.concatenate([segment.frames for segment in segments])
    np.testing.assert_array_equal(frames, np.arange(N_FRAMES))
    for segment in segments:
        assert len(segment.names) == len(segment.frames) == len(segment.times_s)
        rows = [len(rows) for _, _, rows in segment.by_frame()]
        assert sum(rows) == len(segment.table)


@pytest.mark.parametrize(
    "after", [{"smooth": "savgol"}, {"smooth": "one-euro"}, {"fill_gaps": 3}, {"min_track_frames": 9}]
)
def test_later_stages_lose_no_row_and_no_frame(scene, after):
    plain = track_all(str(scene.folder), settings(scene))
    config = replace(settings(scene), finish=FinishConfig(**after))
    segments = list(track(str(scene.folder), config))
    np.testing.assert_array_equal(np.concatenate([s.frames for s in segments]), np.arange(N_FRAMES))
    for segment in segments:
        assert np.isin(segment.table.frame, segment.frames).all()
    table = TrackTable.concatenate([s.table for s in segments], plain.joint_set)
    np.testing.assert_array_equal(table.xy, plain.xy)
    assert (table.xy_smooth is not None) == ("smooth" in after)


def test_nobody_in_view_gives_every_frame_and_no_rows(scene):
    everyone = {(t, p) for t in range(N_FRAMES) for p in range(2)}
    segments = list(track(str(scene.folder), settings(scene, everyone, name="nobody.json")))
    assert len(segments) > 1, "frames without people must not pile up until the end"
    assert sum(len(segment.frames) for segment in segments) == N_FRAMES
    assert all(len(segment.table) == 0 for segment in segments)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_videos_shorter_than_a_clip(scene, tmp_path, n):
    short = draw_scene(tmp_path / "short", np.array([[40.0, 30.0]]), np.zeros((1, 2)), n)
    write_model(tmp_path / "dots.onnx")
    with pytest.warns(UserWarning, match="does not apply") if n < 3 else nullcontext():
        table = track_all(str(short.folder), settings(short))
    with open_video(str(short.folder)) as video:
        run = Pipeline(settings(short)).track(video)
        frames = [f for segment in run for f in segment.frames]
    assert frames == list(range(n))
    assert len(table) == n, "the rule of short tracks is for videos that are long enough"
    assert any("--min-track-frames 3 does not apply" in note for note in run.notes) == (n < 3)


def rows_of(pipeline, scene):
    with open_video(str(scene.folder)) as video:
        return pipeline.track(video).gather()


@pytest.mark.parametrize("depth", [1, 3])
def test_overlapping_stages_give_the_same_rows(scene, depth):
    config = settings(scene, {(t, 0) for t in range(8, 14)}, step=2, name="overlap.json")
    one, other = rows_of(Pipeline(config, ahead=0), scene), rows_of(Pipeline(config, ahead=depth), scene)
    assert len(one) == 2 * N_FRAMES
    for name in ("frame", "track_id", "box", "score", "xy", "joint_scores", "spread", "support", "source"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name), err_msg=name)


def test_an_error_in_a_stage_reaches_the_caller_and_ends_all_threads(scene):
    pipeline = Pipeline(settings(scene, name="broken.json"))
    estimate, calls = pipeline.estimator.estimate, []

    def breaks(work):
        calls.append(len(work))
        if len(calls) == 3:
            raise MemoryError("the network's memory is full")
        return estimate(work)

    pipeline.estimator.estimate = breaks
    frames = 0
    with pytest.raises(MemoryError, match=r"network.s memory"), open_video(str(scene.folder)) as video:  # noqa: PT012
        for segment in pipeline.track(video):
            frames += len(segment.frames)
    assert 0 < frames < N_FRAMES, "what was finished before has arrived"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dettrack")]


@pytest.mark.slow
def test_several_threads_load_the_built_in_networks_at_once(scene):
    found, together = {}, threading.Barrier(3)

    def load(number):
        together.wait()
        found[number] = Pipeline(threads=1, joints="coco17").track(str(scene.folder)).gather()

    threads = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(3):
        np.testing.assert_array_equal(found[number].xy, found[0].xy)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are not forked there")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_is_told_instead_of_waiting_for_ever(scene):
    pipeline, (reading, writing) = Pipeline(settings(scene)), os.pipe()
    frames = [np.zeros((240, 640, 3), np.uint8)]
    for call in (lambda: Pipeline(settings(scene)), lambda: pipeline.track(frames), lambda: track(frames)):
        if (child := os.fork()) == 0:
            try:
                call()
            except UsageError as error:
                os.write(writing, str(error).encode())
            finally:
                os.write(writing, b"\n")
                os._exit(0)
        os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert [f"forked off process {os.getpid()}" in line for line in said] == [True] * 3


def test_memory_is_bounded_while_nobody_takes_the_results(scene):
    """The reader may not run through the video while its results wait: it would be far ahead of them at some moment."""
    pipeline, read = Pipeline(settings(scene, name="bounded.json")), []

    def frames():
        for index in range(400):
            read.append(index)
            yield Frame(index, index / 10, np.zeros((240, 640, 3), np.uint8))

    lead = [read[-1] - int(segment.frames[-1]) for segment in pipeline.track(frames())]
    assert max(lead) < 60 + 16 + 9  # rows of people without a joint wait for a bridge: its gap and a clip
