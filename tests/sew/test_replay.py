from dataclasses import replace

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.associate import associate
from dettrack.config import CutConfig, DetectConfig, EstimateConfig, FinishConfig, TrackConfig
from dettrack.errors import UsageError
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.pipeline import Pipeline
from dettrack.sew.replay import narrow
from dettrack.structures import TrackTable
from dettrack.video import open_video


def config(folder, clip=9, step=1):
    return TrackConfig(
        cut=CutConfig(clip_length=clip, step=step, adaptive=False),
        detect=DetectConfig(detector=str(folder / "boxes.json")),
        estimate=EstimateConfig(model=str(folder / "dots.onnx"), flip=False, joints="coco17"),
        finish=FinishConfig(min_track_frames=1),
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Batches of a run at S = 1, |C| = 9, and the folder with its video, boxes and model."""
    folder = tmp_path_factory.mktemp("associate")
    start = np.array([[40.0, 30.0], [420.0, 50.0]])
    scene = draw_scene(folder / "walkers", start, np.array([[4.0, 0.0], [-3.0, 0.5]]), 19)
    write_boxes(folder / "boxes.json", scene, {(4, 0), (9, 1)})
    write_model(folder / "dots.onnx")
    pipeline = Pipeline(config(folder))
    with open_video(str(scene.folder), shots=False) as video:
        return folder, list(pipeline.tracklets(video)), pipeline.joint_set


def gather(batches, joints, settings):
    return TrackTable.concatenate((s.table for s in associate(batches, joints, settings)), joints)


def test_the_grid_of_adaptive_keyframes_can_be_had_alone_and_nothing_else(run):
    folder, _, joints = run
    adaptive = config(folder, 9, 8)
    # everything is in question, so that every second frame is a keyframe
    adaptive = replace(adaptive, cut=replace(adaptive.cut, adaptive=True, agreement=1.0, box_agreement=1.0))
    with open_video(str(folder / "walkers"), shots=False) as video:
        batches = list(Pipeline(adaptive).tracklets(video))
    assert [t.keyframe for batch in batches for t in batch.tracklets] == list(range(0, 17, 2))
    assert list(narrow(batches, adaptive.cut, adaptive.cut)) == batches
    fixed = config(folder, 9, 8)
    with open_video(str(folder / "walkers"), shots=False) as video:
        direct = gather(Pipeline(fixed).tracklets(video), joints, fixed)
    table = gather(narrow(batches, adaptive.cut, fixed.cut), joints, fixed)
    for name in ("frame", "track_id", "xy", "joint_scores", "box", "source", "support"):
        np.testing.assert_allclose(getattr(table, name), getattr(direct, name), err_msg=name, atol=1e-9)
    with pytest.raises(UsageError, match="track again"):
        narrow(batches, fixed.cut, adaptive.cut)
    with pytest.raises(UsageError, match="cannot be made"):
        narrow(batches, adaptive.cut, replace(adaptive.cut, clip_length=5, step=4))


@pytest.mark.parametrize(("clip", "step"), [(9, 1), (9, 8), (5, 4), (3, 2), (1, 1)])
def test_narrowed_batches_equal_a_run_with_those_settings(run, clip, step):
    folder, batches, joints = run
    wanted = config(folder, clip, step)
    table = gather(narrow(batches, CutConfig(step=1, adaptive=False), wanted.cut), joints, wanted)
    with open_video(str(folder / "walkers"), shots=False) as video:
        direct = gather(Pipeline(wanted).tracklets(video), joints, wanted)
    for name in ("frame", "track_id", "xy", "joint_scores", "box", "source", "support"):
        np.testing.assert_allclose(getattr(table, name), getattr(direct, name), err_msg=name, atol=1e-9)


def test_saved_tracklets_give_the_same_tracks(run, tmp_path):
    folder, batches, joints = run
    with TrackletWriter(tmp_path / "t.parquet", joints, CutConfig(step=1)) as writer:
        for batch in batches:
            writer.write(batch)
    saved = gather(TrackletFile.open(tmp_path / "t.parquet").batches(), joints, config(folder))
    table = gather(batches, joints, config(folder))
    np.testing.assert_array_equal(saved.track_id, table.track_id)
    np.testing.assert_allclose(saved.xy, table.xy, atol=1e-2)


@pytest.mark.parametrize("wanted", [CutConfig(clip_length=11, step=1), CutConfig(clip_length=5, step=3)])
def test_what_was_not_saved_cannot_be_imitated(run, wanted):
    _, batches, _ = run
    with pytest.raises(UsageError, match="cannot be made"):
        narrow(batches, CutConfig(clip_length=9, step=2), wanted)
