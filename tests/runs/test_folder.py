import json
from dataclasses import replace

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.config import CutConfig, DetectConfig, EstimateConfig, FinishConfig, TrackConfig
from dettrack.errors import InputError, OutputError, UsageError
from dettrack.formats import FORMATS, read_tracks
from dettrack.formats.posetrack.files import read_sequence
from dettrack.formats.tracklets import TrackletFile
from dettrack.pipeline import Pipeline
from dettrack.runs.dataset import track_sequence
from dettrack.runs.folder import associate_to_folder, track_to_folder
from dettrack.runs.options import RunOptions, check_formats
from dettrack.runs.result import is_complete, read_summary
from dettrack.video import open_video
from dettrack.view.drawing.blur import head_discs

N_FRAMES = 16


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    scene = draw_scene(
        folder / "walkers", np.array([[40.0, 30.0], [420.0, 50.0]]), np.array([[3.0, 0], [-3.0, 0]]), N_FRAMES
    )
    write_boxes(folder / "boxes.json", scene, {(5, 0)})
    write_model(folder / "dots.onnx")
    return scene


@pytest.fixture(scope="module")
def pipeline(scene):
    folder = scene.folder.parent
    return Pipeline(
        TrackConfig(
            cut=CutConfig(step=1, adaptive=False),
            detect=DetectConfig(detector=str(folder / "boxes.json")),
            estimate=EstimateConfig(model=str(folder / "dots.onnx"), flip=False, precision="auto"),
            finish=FinishConfig(min_track_frames=1),
        )
    )


def test_faces_are_blurred_before_the_video_is_stored(scene, pipeline, tmp_path):
    pictures = {}
    for name, blurred in (("plain", False), ("blurred", True)):
        options = RunOptions(("jsonl",), render=True, blur_faces=blurred)
        summary = track_to_folder(pipeline, str(scene.folder), tmp_path / name, options)
        assert ("blurred_heads" in summary) == blurred
        with open_video(str(tmp_path / name / "render.mp4")) as video:
            pictures[name] = np.stack([frame.image for frame in video]).astype(int)
    assert summary["blurred_heads"] == {"heads": 2 * N_FRAMES, "covered": 2 * N_FRAMES, "by_joints": 2 * N_FRAMES}
    rows = read_tracks(tmp_path / "plain")
    apart = np.abs(pictures["plain"] - pictures["blurred"]).mean(-1)
    zoom = apart.shape[1] / summary["video"]["height"]
    for row in (0, -1):
        frame, (x, y, radius) = int(rows.frame[row]), head_discs(rows)[0][row] * zoom
        head = apart[frame, int(y - radius / 2) : int(y + radius / 2), int(x - radius / 2) : int(x + radius / 2)]
        assert head.mean() > 4 * apart[frame].mean()


def test_every_format_a_picture_and_a_summary(scene, pipeline, tmp_path):
    out = tmp_path / "walkers.dettrack"
    seen = []
    options = RunOptions(formats=tuple(FORMATS), render=True, save_tracklets=True)
    summary = track_to_folder(pipeline, str(scene.folder), out, options, lambda done, of: seen.append((done, of)))
    expected = {
        *FORMATS.values(),
        "summary.json",
        "render.mp4",
        "tracklets.parquet",
        "frames.parquet",
        "suspects.jsonl",
    }
    assert {path.name for path in out.iterdir()} == expected
    assert seen[-1] == (N_FRAMES, N_FRAMES)
    assert summary == json.loads((out / "summary.json").read_text())
    assert summary["complete"]
    assert summary["counts"]["poses_detected"] == 2 * N_FRAMES - 1
    assert summary["counts"]["poses_recovered"] == 1
    assert summary["counts"]["tracks"] == 2
    assert summary["dropped"] == {}
    assert summary["approximated_joints"] == ["head_bottom", "head_top"]
    assert summary["settings"]["cut"]["clip_length"] == 9
    assert len(read_tracks(out)) == 2 * N_FRAMES
    lines = [json.loads(line) for line in (out / "tracks.jsonl").read_text().splitlines()]
    assert [line["frame_index"] for line in lines] == list(range(N_FRAMES))
    with open_video(str(out / "render.mp4")) as video:
        assert sum(1 for _ in video) == N_FRAMES


def test_an_earlier_result_is_replaced_and_other_files_are_never_touched(scene, pipeline, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        track_to_folder(pipeline, str(scene.folder), out)
        assert is_complete(out)
    (out / "thesis.tex").write_text("precious")
    with pytest.raises(OutputError, match=r"thesis\.tex"):
        track_to_folder(pipeline, str(scene.folder), out)
    assert (out / "thesis.tex").read_text() == "precious"
    assert is_complete(out)


def test_a_missing_video_leaves_no_folder(pipeline, tmp_path):
    with pytest.raises(InputError):
        track_to_folder(pipeline, str(tmp_path / "none.mp4"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_boxes_of_another_video_leave_no_folder_and_an_earlier_result_as_it_was(scene, pipeline, tmp_path):
    elsewhere = [{"image_id": 1000 + i, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9} for i in range(5)]
    (tmp_path / "boxes.json").write_text(json.dumps(elsewhere))
    detect = DetectConfig(detector=str(tmp_path / "boxes.json"))
    other = Pipeline(replace(pipeline.config, detect=detect))
    out = tmp_path / "walkers.dettrack"
    with pytest.raises(InputError, match="none of 5 boxes belongs to a frame of this video"):
        track_to_folder(other, str(scene.folder), out, RunOptions())
    assert {path.name for path in tmp_path.iterdir()} == {"boxes.json"}
    track_to_folder(pipeline, str(scene.folder), out, RunOptions())
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match="none of 5 boxes belongs to a frame of this video"):
        track_to_folder(other, str(scene.folder), out, RunOptions())
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"boxes.json", out.name}


def test_an_interrupted_run_keeps_what_it_has(scene, pipeline, tmp_path):
    def stop(done, of):
        if done >= 5:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        track_to_folder(pipeline, str(scene.folder), out, progress=stop)
    summary = read_summary(out)
    assert not summary["complete"]
    assert "interrupted" in summary["notes"][-1]
    assert summary["counts"]["tracks"] == 2
    assert summary["counts"]["keyframes"] >= summary["counts"]["frames"]
    assert summary["counts"]["tubes"] > 0
    table = read_tracks(out)
    assert 5 <= table.frame.max() + 1 == summary["counts"]["frames"] < N_FRAMES
    assert not [path for path in out.iterdir() if "part" in path.name]


def test_progress_counts_the_frames_of_the_range(scene, pipeline, tmp_path):
    seen = []
    part = RunOptions(start_s=0.8, end_s=1.4, fps=10.0)
    summary = track_to_folder(pipeline, str(scene.folder), tmp_path / "out", part, lambda *counts: seen.append(counts))
    assert seen[-1][0] == summary["counts"]["frames"] == 6
    assert all(expected is None or done <= expected for done, expected in seen)


def test_saved_tracklets_are_linked_again_without_the_video(scene, pipeline, tmp_path):
    out = tmp_path / "out"
    track_to_folder(pipeline, str(scene.folder), out, RunOptions(save_tracklets=True))
    before = read_tracks(out)
    saved = TrackletFile.open(out / "tracklets.parquet")
    summary = associate_to_folder(saved, tmp_path / "again", pipeline.config, ("parquet",))
    again = read_tracks(tmp_path / "again")
    np.testing.assert_array_equal(before.track_id, again.track_id)
    np.testing.assert_allclose(before.xy, again.xy, atol=0.01)
    assert summary["model"] == read_summary(out)["model"]


def test_settings_that_cannot_be_linked_again_leave_the_result_alone(scene, pipeline, tmp_path):
    out = tmp_path / "out"
    track_to_folder(pipeline, str(scene.folder), out, RunOptions(save_tracklets=True))
    saved = TrackletFile.open(out / "tracklets.parquet")
    longer = replace(pipeline.config, cut=CutConfig(clip_length=11, step=1))
    knee = tmp_path / "knee.toml"
    knee.write_text("[thresholds]\nknee = 0.3\n")
    unknown = replace(pipeline.config, finish=FinishConfig(joint_thresholds=str(knee)))
    for config, kind in ((longer, UsageError), (unknown, InputError)):
        with pytest.raises(kind):
            associate_to_folder(saved, out, config, ("parquet",))
        assert is_complete(out)
        assert len(read_tracks(out)) == 2 * N_FRAMES


def test_no_permission_is_one_clear_error(scene, pipeline, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        track_to_folder(pipeline, str(scene.folder), tmp_path / "file" / "out")


@pytest.mark.parametrize("names", [(), ("jsonl", "xml")])
def test_unknown_formats(names):
    with pytest.raises(UsageError, match="posetrack18"):
        check_formats(names)


def test_a_posetrack_sequence_gives_a_prediction_file_of_its_images(scene, pipeline, tmp_path):
    name = "000001_mpii_test"
    images = [
        {"id": 10000010000 + t, "file_name": f"images/val/{name}/{t:06d}.png", "vid_id": "000001", "nframes": N_FRAMES}
        for t in range(N_FRAMES)
    ]
    root = tmp_path / "images" / "val"
    root.mkdir(parents=True)
    (root / name).symlink_to(scene.folder)
    # People in the annotation file must not be read: these are broken on purpose.
    content = {"images": images, "annotations": [{"keypoints": "never read"}], "categories": []}
    (tmp_path / f"{name}.json").write_text(json.dumps(content))
    target = tmp_path / "pred" / f"{name}.json"
    notes = track_sequence(pipeline, tmp_path / f"{name}.json", tmp_path, target).notes
    assert notes == []
    predicted = read_sequence(target)
    assert [image.file_name for image in predicted.images] == [image["file_name"] for image in images]
    assert [image.image_id for image in predicted.images] == [image["id"] for image in images]
    assert len(predicted.people) == 2 * N_FRAMES
    assert set(predicted.people.track_id.tolist()) == {0, 1}


def test_images_in_the_wrong_place_are_told(scene, pipeline, tmp_path):
    content = {"images": [{"id": 1, "file_name": "images/a/000000.jpg"}], "annotations": [], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"000000\.jpg"):
        track_sequence(pipeline, tmp_path / "a.json", tmp_path, tmp_path / "pred" / "a.json")
