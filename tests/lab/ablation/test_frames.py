"""Studies on pictures: dots that walk and a model that finds them; a tiny synthetic set with random networks."""

import csv
import json

import numpy as np
import pytest
from dot_people import draw_scene, write_boxes, write_model

from dettrack.config import DetectConfig
from dettrack.errors import InputError
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.year2018 import image_id, write_posetrack18
from dettrack.lab.ablation import run_study
from dettrack.lab.ablation.frames import FrameSource, _detect
from dettrack.lab.ablation.runner import open_source, tables_of
from dettrack.lab.ablation.study import read_study
from dettrack.skeleton import COCO17, POSETRACK17, JointMap


def annotate(scene, name):
    """The truth of a scene of dots in PoseTrack18's format."""
    frames, people = scene.joints.shape[:2]
    flat = scene.joints.reshape(-1, 17, 2)
    xy, _ = JointMap(COCO17, POSETRACK17)(flat, np.ones(flat.shape[:2]))
    box = scene.boxes.reshape(-1, 4)
    centre, side = xy[:, 0], 12.0
    found = People.build(
        np.repeat(np.arange(frames), people),
        xy,
        visible=np.ones(xy.shape[:2]),
        track_id=np.tile(np.arange(people), frames),
        head_box=np.concatenate([centre - side, centre + side], 1),
        box=box,
    )
    images = tuple(ImageInfo(f"{name}/{t:06d}.png", image_id(name, t), is_labeled=True) for t in range(frames))
    return PoseSequence(name, "posetrack18", POSETRACK17, images, found, vid_id="000001", nframes=frames)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    (folder / "gt").mkdir()
    for number, start in ((1, 40.0), (2, 60.0)):
        name = f"00000{number}_mpii_test"
        place = np.array([[start, 30.0], [start + 380, 50.0]])
        scene = draw_scene(folder / "images" / name, place, np.array([[3.0, 0.0], [-3.0, 0.5]]), 12)
        write_posetrack18(annotate(scene, name), folder / "gt" / f"{name}.json")
    # The same boxes for both; the second walks 20 pixels further right, within the enlarged box.
    write_boxes(folder / "boxes.json", scene, {(4, 0), (5, 0), (8, 1)})
    write_model(folder / "dots.onnx")
    text = f'''
name = "dots"
out = "{folder / "out"}"
cache = "{folder / "cache"}"
bootstrap = 30
speed_frames = 6
[data]
kind = "frames"
annotations = "{folder / "gt"}"
images = "{folder / "images"}"
[networks]
2d = "{folder / "dots.onnx"}"
3d = "{folder / "dots.onnx"}"
[detectors]
strong = "{folder / "boxes.json"}"
[settings.estimate]
flip = false
[settings.cut]
clip_length = 5
shots = false
'''
    (folder / "study.toml").write_text(text)
    return folder


def table(folder, name):
    with (folder / "out" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_networks_run_once_for_all_rows_and_what_the_detector_missed_is_recovered(world):
    study = read_study(world / "study.toml")
    lines = []
    run_study(study, ("table7", "figure5b"), log=lines.append, plots=False)
    runs = [line for line in lines if line.startswith("running")]
    assert len(runs) == 2, "2D at |C| = 1 and 3D at |C| = 5"
    assert len(list((world / "cache" / "tracklets").glob("*.parquet"))) == 4
    assert len(list((world / "cache" / "boxes").glob("*.npz"))) == 2, "both networks had the same boxes"
    rows = {row["row"]: row for row in table(world, "table7")}
    assert float(rows["3D, spatial + temporal merge"]["MOTA"]) > float(rows["2D + oks-gbm"]["MOTA"])
    speeds = [float(row["frames_per_second"]) for row in table(world, "figure5b")]
    assert len(speeds) == 4
    assert min(speeds) > 0
    lines.clear()
    run_study(study, ("table7", "figure5b"), log=lines.append, plots=False)
    assert not [line for line in lines if line.startswith("running")]


def test_boxes_of_a_whole_data_set_serve_what_is_timed_too(world, tmp_path):
    """By id; a frame's own name does not say its sequence."""
    boxes = json.loads((world / "boxes.json").read_text())
    names = ("000001_mpii_test", "000002_mpii_test")
    everywhere = [{**box, "image_id": image_id(name, box["image_id"])} for name in names for box in boxes]
    (tmp_path / "all.json").write_text(json.dumps(everywhere))
    text = (world / "study.toml").read_text().replace(str(world / "boxes.json"), str(tmp_path / "all.json"))
    text = text.replace(str(world / "out"), str(tmp_path / "out")).replace(
        str(world / "cache"), str(tmp_path / "cache")
    )
    (tmp_path / "study.toml").write_text(text)
    run_study(read_study(tmp_path / "study.toml"), ("figure5b",), plots=False)
    assert min(float(row["frames_per_second"]) for row in table(tmp_path, "figure5b")) > 0


def test_other_weights_other_pictures_and_other_settings_are_other_tubes(world, tmp_path):
    study = read_study(world / "study.toml")
    row = next(t for t in tables_of(study) if t.key == "table7").rows[-1]
    digest = open_source(study).digest(row)
    assert digest == FrameSource(study).digest(row)
    image = next((world / "images").rglob("000003.png"))
    content = image.read_bytes()
    try:
        image.write_bytes(content + b"\0")
        assert digest != FrameSource(study).digest(row)
    finally:
        image.write_bytes(content)
    assert digest == FrameSource(study).digest(row)
    (tmp_path / "study.toml").write_text((world / "study.toml").read_text().replace("flip = false", "flip = true"))
    other = read_study(tmp_path / "study.toml")
    assert digest != FrameSource(other).digest(next(t for t in tables_of(other) if t.key == "table7").rows[-1])


def test_missing_pictures_are_named(world, tmp_path):
    text = (world / "study.toml").read_text().replace(f'"{world / "images"}"', f'"{tmp_path}"')
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(InputError, match="000001_mpii_test"):
        run_study(read_study(tmp_path / "study.toml"), ("link_to",), plots=False)


@pytest.mark.slow
def test_a_tiny_synthetic_set_with_random_networks_goes_from_end_to_end(tmp_path):
    import torch

    from dettrack.lab.synth import SceneConfig, write_scenes
    from dettrack.lab.synth.write import SceneJob
    from dettrack.models.detector.checkpoint import save_detector
    from dettrack.models.detector.network import DetectorSpec, PersonDetector
    from dettrack.models.pose.checkpoint import NetworkSpec, build_network, save_checkpoint

    config = SceneConfig(size=(180, 320), frames=12)
    jobs = [SceneJob(seed, i, split, config) for split, seed in (("val", 5), ("test", 6)) for i in range(2)]
    write_scenes(jobs, tmp_path / "synth", video=False)
    torch.manual_seed(0)
    names = {"2d": "none", "3d": "early", "none": "none", "early": "early", "last": "last", "all": "all"}
    for name, variant in names.items():
        spec = NetworkSpec("lite", width=8, variant=variant, clip_length=3, size=(64, 64))
        save_checkpoint(tmp_path / f"{name}.safetensors", build_network(spec).eval(), spec)
    spec = NetworkSpec("lite", width=8, variant="early", clip_length=3, size=(64, 64), time_padding="zero")
    save_checkpoint(tmp_path / "zero-padding.safetensors", build_network(spec).eval(), spec)
    roles = "".join(f'{name} = "{tmp_path / name}.safetensors"\n' for name in (*names, "zero-padding"))
    detector = PersonDetector(DetectorSpec(width=16)).eval()
    torch.nn.init.normal_(detector.head.person.weight, std=0.5)
    torch.nn.init.constant_(detector.head.person.bias, 0.0)
    save_detector(detector, tmp_path / "weak.safetensors", 96, {})
    (tmp_path / "study.toml").write_text(
        f'name = "tiny"\nout = "{tmp_path / "out"}"\ncache = "{tmp_path / "cache"}"\nbootstrap = 20\nspeed_frames = 4\n'
        f'[data]\nkind = "synthetic"\nfolder = "{tmp_path / "synth"}"\n[networks]\n{roles}'
        f'[detectors]\nstrong = "default"\nweak = "{tmp_path / "weak.safetensors"}"\n'
        '[settings.cut]\nclip_length = 3\n[settings.estimate]\nruntime = "pytorch"\n'
        "[settings.detect]\nmin_box_area = 10.0\nmax_people = 4\n"
    )
    study = read_study(tmp_path / "study.toml")
    written = {path.name for path in run_study(study)}
    wanted = {"table1", "table2", "table7", "table8", "table9", "figure5a", "figure5b", "lost_boxes", "phi", "padding"}
    assert {f"{name}.csv" for name in wanted} <= written
    assert {"table8.png", "figure5a.png", "figure5b.png", "tables.md"} <= written
    recall = {row["row"]: row["recall"] for row in table(tmp_path, "table9") if row["source"] == "measured"}
    assert 0 < float(recall["strong detector, 2D"]) <= 100
    assert recall["strong detector, 2D"] != recall["weak detector, 2D"]


@pytest.mark.parametrize(
    ("given", "detector", "size"),
    [("default@256", "default", 256), ("people.onnx", "people.onnx", 0), ("hf:me/some@main", "hf:me/some@main", 0)],
)
def test_a_detector_may_come_with_its_input_size(given, detector, size):
    found = _detect(DetectConfig(), given)
    assert (found.detector, found.detector_size) == (detector, size)
