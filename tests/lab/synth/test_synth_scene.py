"""Scenes: the same from the seed alone, valid for the evaluator, found by a detector of real people."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dettrack.cli import main
from dettrack.config import DetectConfig
from dettrack.errors import InputError, UsageError
from dettrack.evaluation import evaluate
from dettrack.formats.posetrack.year2018 import read_posetrack18
from dettrack.lab.synth import Renderer, SceneConfig, Visibility, draw_scene, find_photos
from dettrack.lab.synth.annotate import sequence_name, to_sequence
from dettrack.lab.synth.write import BENCHMARK, SceneJob, benchmark_jobs, scene_jobs, write_scenes
from dettrack.structures import Frame
from dettrack.video import open_video

SMALL = SceneConfig(size=(120, 200), frames=6)


def test_a_frame_depends_on_seed_index_and_number_only():
    scene = draw_scene(3, 4, SMALL)
    renderer = Renderer(scene)
    in_order = [renderer.frame(frame) for frame in range(3)]
    again = Renderer(draw_scene(3, 4, SMALL)).frame(2)
    np.testing.assert_array_equal(in_order[2].image, again.image)
    np.testing.assert_array_equal(in_order[2].truth.xy, again.truth.xy)
    assert not np.array_equal(Renderer(draw_scene(3, 5, SMALL)).frame(2).image, again.image)
    assert not np.array_equal(Renderer(draw_scene(4, 4, SMALL)).frame(2).image, again.image)


@pytest.mark.parametrize("scenario", ["mixed", "apart", "cross", "entangled", "leave-return", "crowd", "small-large"])
def test_every_scenario_draws_people(scenario):
    scene = draw_scene(0, 1, SceneConfig(size=(120, 200), frames=50, scenario=scenario))
    rendered = Renderer(scene).frame(25)
    assert rendered.image.shape == (120, 200, 3)
    assert rendered.image.std() > 5
    assert rendered.truth.present.any()
    assert len(scene.actors) >= 2
    assert set(np.unique(rendered.owner)) <= set(range(-1, len(scene.actors) + len(scene.world.things)))


def test_people_cross_and_come_back():
    """The scenarios do what their names say, by the annotations alone."""
    crossed = 0
    for index in range(4):
        scene = draw_scene(1, index, SceneConfig(frames=100, scenario="cross", camera="static"))
        x = np.array([scene.cameras[0].project(a.bones.landmarks[:, 0])[:, 0] for a in scene.actors])
        order = np.sign(np.nan_to_num(x[:, None] - x[None]))
        crossed += bool((order[..., 10] * order[..., 90] < 0).any())
    assert crossed >= 3
    for frames in (60, 125):
        config = SceneConfig(frames=frames, scenario="leave-return", camera="static", occluders=0)
        scene = draw_scene(1, 0, config)
        x = scene.cameras[0].project(scene.actors[0].bones.landmarks)[..., 0]
        inside = ((x > 0) & (x < 640)).any(1)
        assert inside[0]
        assert not inside.all()
        assert inside[-1]


def test_sequence_has_one_entry_per_person_in_view():
    scene = draw_scene(0, 0, SMALL)
    renderer = Renderer(scene)
    truths = [renderer.frame(frame).truth for frame in scene]
    sequence = to_sequence(sequence_name(0, 0), "val", truths)
    assert len(sequence.people) == sum(int(truth.present.sum()) for truth in truths)
    assert sequence.images[5].file_name == "images/val/000000_mpii_test/000005.jpg"
    assert sequence.images[5].image_id == 10000000005
    seen = np.array([t.visibility[p] for t in truths for p in np.flatnonzero(t.present)])
    ours = sequence.with_joints().people
    np.testing.assert_array_equal(np.isnan(ours.xy[..., 0]), seen == Visibility.OUTSIDE)
    np.testing.assert_array_equal(ours.visible == 0, seen == Visibility.HIDDEN)


def test_written_scenes_are_whole_and_equal_for_any_number_of_workers(tmp_path):
    jobs = scene_jobs(12, 2, SceneConfig(size=(96, 160), frames=4, scenario="apart"))
    write_scenes(jobs, tmp_path / "one")
    write_scenes(jobs[::-1], tmp_path / "two", workers=2)
    names = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(names) == 2 * (4 + 1 + 1) + 1
    for name in names:
        if name.suffix != ".mp4":  # a container may carry its time of writing
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    listed = (tmp_path / "one" / "scenes.json").read_bytes()
    write_scenes(jobs[1:], tmp_path / "one", frames=False, video=False)  # a second call adds, and drops nobody
    assert (tmp_path / "one" / "scenes.json").read_bytes() == listed
    with open_video(tmp_path / "one" / "videos" / f"{jobs[0].name}.mp4") as video:
        frames = list(video)
    assert len(frames) == 4
    expected = Renderer(draw_scene(12, 0, jobs[0].config)).frame(3).image
    assert np.abs(frames[3].image.astype(int) - expected).mean() < 6


def test_annotations_are_perfect_against_themselves(tmp_path):
    config = SceneConfig(size=(120, 200), frames=6, scenario="crowd")
    write_scenes([SceneJob(8, 0, "val", config)], tmp_path, frames=False, video=False)
    truth = read_posetrack18(tmp_path / "annotations" / "val" / "008000_mpii_test.json")
    assert len(truth) == 6
    assert len(np.unique(truth.people.track_id)) >= 3
    perfect = read_posetrack18(tmp_path / "annotations" / "val" / "008000_mpii_test.json")
    perfect.people.scores[:] = 1.0
    result = evaluate([truth], [perfect])
    assert result.ap == pytest.approx(100)
    assert result.mota == pytest.approx(100)


def test_the_benchmark_is_fixed():
    jobs = benchmark_jobs(SceneConfig(size=(96, 160)))
    assert len({job.name for job in jobs}) == len(jobs) == sum(scenes for _, scenes, _ in BENCHMARK.values())
    assert sum(job.config.scenario in ("cross", "entangled", "crowd") for job in jobs) > len(jobs) / 2
    splits = {job.split: {job.seed for job in jobs if job.split == other} for other in BENCHMARK for job in jobs}
    assert set(splits) == {"train", "val", "test"}
    assert len({job.seed for job in jobs}) == 3


def test_photographs_stand_behind_people(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "red.png"), np.full((50, 90, 3), (0, 0, 200), np.uint8))
    config = SceneConfig(size=(120, 200), frames=2, photos=find_photos(tmp_path), photo_share=1.0)
    rendered = Renderer(draw_scene(0, 0, config)).frame(0)
    background = rendered.image[rendered.owner < 0]
    assert np.median(background[:, 0]) > 3 * np.median(background[:, 1])
    with pytest.raises(InputError, match="no such folder"):
        find_photos(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no picture inside"):
        find_photos(tmp_path / "empty")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": (8, 8)}, "at least 32"),
        ({"frames": 0}, "at least 1"),
        ({"scenario": "party"}, "expected any"),
        ({"camera": "drone"}, "expected any"),
    ],
)
def test_wrong_settings_say_what_is_expected(settings, message):
    with pytest.raises(UsageError, match=message):
        SceneConfig(**settings)


def test_command_line(tmp_path, capsys):
    out = tmp_path / "scenes"
    args = ["synth", str(out), "--scenes", "1", "--frames", "3", "--size", "128x96", "--write", "frames", "--seed", "4"]
    assert main(args) == 0
    assert "1 scenes, 3 frames" in capsys.readouterr().out
    (entry,) = json.loads((out / "scenes.json").read_text())
    assert entry["size"] == [128, 96]
    assert len(list((out / "images" / "val" / entry["name"]).glob("*.jpg"))) == 3
    assert main(["synth", str(out), "--size", "large"]) == 2
    assert "WIDTHxHEIGHT" in capsys.readouterr().err
    assert main(["synth", str(out), "--scenes", "0"]) == 2
    assert main(["synth", str(out), "--motions", str(tmp_path / "absent")]) == 1
    assert "no such file" in capsys.readouterr().err


@pytest.mark.data
def test_a_detector_of_real_people_finds_ours(weights):
    pytest.importorskip("onnxruntime")
    from dettrack.models.detector import load_detector
    from dettrack.models.detector.filters import filter_boxes

    config = DetectConfig(str(weights / "rtmdet_nano_person.onnx"), min_box_area=0.0)
    detector = load_detector(config, threads=1)
    people = found = 0
    for index in range(8):
        rendered = Renderer(draw_scene(77, index, SceneConfig(frames=60, scenario="apart"))).frame(30)
        truth = rendered.truth
        tall = truth.boxes[:, 3] - truth.boxes[:, 1] >= 60
        wanted = truth.boxes[truth.present & (truth.visible > 0.9) & tall]
        boxes = filter_boxes(detector.detect([Frame(0, 0.0, rendered.image)])[0], config)[0].xyxy
        low = np.maximum(wanted[:, None, :2], boxes[None, :, :2])
        high = np.minimum(wanted[:, None, 2:], boxes[None, :, 2:])
        common = np.clip(high - low, 0, None).prod(-1)
        area = [(b[:, 2:] - b[:, :2]).prod(-1) for b in (wanted, boxes)]
        overlap = common / (area[0][:, None] + area[1][None] - common)
        people, found = people + len(wanted), found + int((overlap > 0.5).any(1).sum())
    assert people >= 12
    assert found / people >= 0.8
