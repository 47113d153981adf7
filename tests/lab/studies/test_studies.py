"""Every study runs on a small input, through its `main`, and says what its tables need."""

from __future__ import annotations

import importlib
import json
import re
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tyro
from dot_people import DotScene, draw_scene, write_boxes, write_model
from hypothesis import given
from hypothesis import strategies as st
from walking import write_walkers

from dettrack.config import TrackConfig
from dettrack.errors import InputError, UsageError
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.year2018 import write_posetrack18
from dettrack.lab import studies
from dettrack.lab.simulate import SimulateConfig, simulate, trajectories_of, walkers
from dettrack.lab.studies import (
    agreement,
    approximations,
    association,
    crop_sizes,
    detector_boxes,
    evaluation,
    keyframes,
    many_videos,
    memory,
    presets,
    recovery,
    sequences,
    soak,
)
from dettrack.skeleton import COCO17, POSETRACK17, JointMap
from dettrack.structures import TrackTable
from dettrack.training.detector.photos import PERSON, PhotoPack

NAMES = sorted(path.stem for path in Path(studies.__file__).parent.glob("*.py") if path.stem != "__init__")
COMMANDS = [name for name in NAMES if name not in ("sequences", "association")]
DOCS = [*(Path(__file__).parents[3] / "docs").rglob("*.md"), Path(__file__).parents[3] / "README.md"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_has_one_main_whose_options_explain_themselves(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"dettrack.lab.studies.{name}")
    with pytest.raises(SystemExit) as stopped:
        tyro.cli(module.main, args=["--help"], description=module.__doc__)
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert f"dettrack.lab.studies.{name}" in module.__doc__, "the head says how to call it"
    options = re.findall(r"^│ (--[a-z-]+)", text, re.M)
    assert all(f"--{option.replace('_', '-')}" in text for option in options)


@pytest.mark.parametrize("document", [path for path in DOCS if "lab" in path.read_text(encoding="utf-8")], ids=str)
def test_documents_name_studies_that_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"lab[./]studies[./]([a-z_]+)", text)
    assert set(named) <= set(NAMES)


def annotate(scene: DotScene, name: str) -> PoseSequence:
    """The truth of dot people in PoseTrack18's format."""
    n_frames, n_people = scene.joints.shape[:2]
    flat = scene.joints.reshape(-1, 17, 2)
    xy, _ = JointMap(COCO17, POSETRACK17)(flat, np.ones(flat.shape[:2]))
    people = People.build(
        np.repeat(np.arange(n_frames), n_people),
        xy,
        visible=np.ones(xy.shape[:2]),
        track_id=np.tile(np.arange(n_people), n_frames),
        head_box=np.concatenate([xy[:, 0] - 12, xy[:, 0] + 12], 1),
        box=scene.boxes.reshape(-1, 4),
    )
    images = tuple(ImageInfo(f"{name}/{t:06d}.png", 10_000_000_000 + t, is_labeled=True) for t in range(n_frames))
    return PoseSequence(name, "posetrack18", POSETRACK17, images, people, vid_id="000001", nframes=n_frames)


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two annotated sequences of the same two walkers, boxes of both, and the model that finds them."""
    folder = tmp_path_factory.mktemp("dots")
    (folder / "gt").mkdir()
    start, speed = np.array([[40.0, 30.0], [420.0, 50.0]]), np.array([[3.0, 0.0], [-3.0, 0.5]])
    for name in ("000001_mpii_test", "000002_mpii_test"):
        scene = draw_scene(folder / "images" / name, start, speed, 16)
        write_posetrack18(annotate(scene, name), folder / "gt" / f"{name}.json")
    write_boxes(folder / "boxes.json", scene, set())
    write_model(folder / "dots.onnx")
    return folder


def cells(text: str) -> list[list[str]]:
    """Rows of the Markdown table in a text, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_recovery_finds_everybody_again_where_nothing_is_lost(dots: Path, tmp_path: Path) -> None:
    video = dots / "images" / "000001_mpii_test"
    models = {"detector": str(dots / "boxes.json"), "model": str(dots / "dots.onnx")}
    rows = ("tubes, C = 9", "oks-gbm")
    recovery.main((video,), **models, share=0.0, runs=3, seeds=1, rows=rows, out=tmp_path / "new" / "t.md")
    made = cells((tmp_path / "new" / "t.md").read_text())
    assert [row[1] for row in made] == [*rows, *rows]
    assert made[-1][0] == "**mean**"
    assert all(value == "100.0" for row in made for value in row[2:])
    recovery.main((video,), **models, share=0.5, runs=3, seeds=1, rows=rows, out=tmp_path / "t.md")
    tubes, alone = cells((tmp_path / "t.md").read_text())[2:]
    assert float(tubes[2]) > float(alone[2]), "a tube's neighbours see the person"
    with pytest.raises(UsageError, match="rows among"):
        recovery.main((video,), **models, rows=("boxes",))


@pytest.mark.slow
def test_keyframes_agree_with_every_frame_and_cost_less(dots: Path, tmp_path: Path) -> None:
    keyframes.main(
        tmp_path / "tubes",
        tmp_path / "out",
        annotations=dots / "gt",
        images=dots / "images",
        videos=(dots / "images" / "000001_mpii_test",),
        detector=str(dots / "boxes.json"),
        model=str(dots / "dots.onnx"),
    )
    found = {row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}
    assert [row[0] for row in cells((tmp_path / "out.md").read_text())] == list(found)
    assert found["S = 1"]["000001_mpii_test agreement"] == 100
    assert found["S = 1"]["detections"] == 1
    assert found["S = 8"]["detections"] == 2 / 16 + 1 / 16  # frames 0, 8 and the last one
    assert found["S = 8"]["ms"] <= found["adaptive, to S = 2"]["ms"] <= found["S = 2"]["ms"] < found["S = 1"]["ms"]
    assert found["S = 8"]["MOTA"] > 90
    assert (tmp_path / "out.png").stat().st_size > 10_000


def test_smaller_crops_are_counted_by_their_size(dots: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = {"detector": str(dots / "boxes.json"), "model": str(dots / "dots.onnx")}
    crop_sizes.main(dots / "gt", dots / "images", sequences=1, **models)
    made = cells(capsys.readouterr().out)
    assert [row[0] for row in made] == ["0 px", "60 px", "80 px", "100 px", "130 px", "160 px", "10000 px"]
    small, large = [int(row[3]) for row in made], [int(row[4]) for row in made]
    assert small[0] == large[-1] == 0
    assert small == sorted(small)
    assert {a + b for a, b in zip(small, large, strict=True)} == {large[0]}


def test_presets_are_measured_on_sequences_and_videos(dots: Path, capsys: pytest.CaptureFixture[str]) -> None:
    presets.main(
        dots / "gt",
        dots / "images",
        sequences=2,
        videos=(dots / "images" / "000002_mpii_test",),
        frames=8,
        presets=("fast", "paper"),
        detector=str(dots / "boxes.json"),
        model=str(dots / "dots.onnx"),
    )
    fast, paper = cells(capsys.readouterr().out)
    assert (fast[0], paper[0]) == ("fast", "paper")
    assert all(0 <= float(value) <= 100 for row in (fast, paper) for value in row[1:4])
    share = [float(re.findall(r"([\d.]+) keyframes", " ".join(row))[0]) for row in (fast, paper)]
    assert share[0] < share[1] == 1, "the paper's default: every frame is a keyframe"


def test_a_run_agrees_with_itself(dots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dettrack.cli import main

    call = ["track", str(dots / "images" / "000001_mpii_test"), "--detector", str(dots / "boxes.json")]
    call += ["--model", str(dots / "dots.onnx"), "--min-joint-score", "0", "--joints", "posetrack15", "--quiet"]
    assert main([*call, "--out", str(tmp_path / "truth")]) == 0
    capsys.readouterr()
    agreement.main(tmp_path / "truth", tmp_path / "truth")
    line = capsys.readouterr().out.splitlines()[1].split()
    assert line == ["000001_mpii_test", "100.0", "100.0", "2", "2"]
    with pytest.raises(InputError, match="no video of"):
        agreement.main(tmp_path / "truth", tmp_path)


@pytest.mark.slow
def test_association_is_timed_and_judged(tmp_path: Path) -> None:
    truth = walkers(2, 30, seed=1)
    batches = list(simulate(truth, SimulateConfig()))
    assert all(seconds > 0 for seconds in association.seconds_per_frame(batches, truth, repeats=1))
    folder = write_walkers(tmp_path / "gt", 2)
    lines = list(association.quality_tables(folder, seeds=1))
    assert lines[0].startswith("2 videos, 48 frames")
    assert sum(line.startswith("| full method |") for line in lines) == 4
    heads = list(association.head_lines([folder]))
    assert len(heads) == 2
    assert "head size / head top to head bottom: median" in heads[0]


def test_an_exact_track_is_recalled_without_a_switch(tmp_path: Path) -> None:
    exact = {"noise": 0.0, "drift": 0.0, "hidden_noise": 0.0, "wild": 0.0, "jump": 0.0, "mixed": 0.0}
    truth = walkers(3, 30, seed=2, spacing=400.0)
    counts = association.count(truth, association.track(truth, SimulateConfig(**exact), "full method", seed=0))
    assert counts["recalled"] == counts["people"] == counts["poses"] == truth.present.sum()
    assert counts["switches"] == 0
    assert counts["right"] == counts["joints"] > 0


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 4), st.floats(0, 50)), min_size=1, max_size=3), min_size=1, max_size=5)
)
def test_the_plain_shortest_path_is_the_cheapest_of_all(layers: list[list[tuple[int, float]]]) -> None:
    from itertools import pairwise, product

    nodes = [[(4, size, np.array([at, 0.0])) for size, at in layer] for layer in layers]
    costs = []
    for path in product(*nodes):
        steps = pairwise(path)
        costs.append(sum((a[0] - a[1]) + (b[0] - b[1]) + 0.1 * np.linalg.norm(a[2] - b[2]) for a, b in steps))
    assert association.plain_dijkstra(nodes, 0.1) == pytest.approx(min(costs))


def test_detectors_are_measured_on_a_pack_and_on_coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    image = np.full((160, 200, 3), 90, np.uint8)
    data = cv2.imencode(".png", image)[1].tobytes()
    box = np.array([[20.0, 20, 60, 140]])
    pack = tmp_path / "pack.npz"
    PhotoPack.gather([("a/1", data, (160, 200), box, np.array([PERSON]))] * 2).save(pack)
    detector_boxes.main(pack=pack)
    assert "recall by height in the input" in capsys.readouterr().out
    (tmp_path / "1.png").write_bytes(data)
    entry = {"image_id": 1, "bbox": [20, 20, 40, 120]}
    table = {"images": [{"id": 1, "file_name": "1.png"}], "annotations": [entry, {**entry, "iscrowd": 1}]}
    (tmp_path / "coco.json").write_text(json.dumps(table))
    detector_boxes.main(coco=tmp_path / "coco.json", images=tmp_path)
    assert "(1 people)" in capsys.readouterr().out
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match="cannot read"):
        detector_boxes.main(coco=tmp_path / "coco.json", images=tmp_path)
    with pytest.raises(UsageError, match="give --pack"):
        detector_boxes.main(coco=tmp_path / "coco.json")


def test_the_evaluation_is_timed_on_made_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    evaluation.main(sequences=2, frames=4, people=2, hota=True)
    figures = json.loads(capsys.readouterr().out)
    assert (figures["sequences"], figures["hota"]) == (2, True)
    assert 0 < figures["AP"] <= 100
    truth, found = evaluation.make_pair(1, 5, 3, seed=0)
    again, _ = evaluation.make_pair(1, 5, 3, seed=0)
    np.testing.assert_array_equal(truth.people.xy, again.people.xy)
    for t in range(5):
        ids = found.people.track_id[found.people.image == t]
        assert len(np.unique(ids)) == len(ids), "an id stands once in a frame"


def test_a_video_is_looped_frame_by_frame(dots: Path, tmp_path: Path) -> None:
    assert memory.loop_video(dots / "images" / "000001_mpii_test", tmp_path / "loop.mp4", 5, 3) == 15


@given(st.floats(0.1, 0.9), st.integers(0, 1000))
def test_least_squares_finds_the_weights_that_made_the_joint(share: float, seed: int) -> None:
    """Weights sum to 1 and are the same on both sides."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 50, (60, 3, 2))
    names = ["nose", "left_shoulder", "right_shoulder"]
    wanted = np.array([share, (1 - share) / 2, (1 - share) / 2])
    found = approximations.fit(x, np.einsum("s,nsd->nd", wanted, x), np.full(60, 30.0), names)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_tables_of_tracks_are_compared_pose_by_pose(tmp_path: Path) -> None:
    truth = walkers(3, 20, seed=4, spacing=300.0)
    table = sequences.linked(simulate(truth, SimulateConfig(wild=0.0, jump=0.0)), truth.joint_set, TrackConfig())
    nothing = table[:0]
    assert sequences.survivors(table, table) == sequences.agreement(table, table) == 100
    assert sequences.survivors(table, nothing) == sequences.agreement(table, nothing) == 0
    assert sequences.survivors(nothing, table) == sequences.agreement(nothing, table) == 0
    half = table[table.frame < 10]
    share = 100 * len(half) / len(table)
    assert sequences.survivors(table, half) == pytest.approx(share)
    assert sequences.agreement(table, half) == pytest.approx(sequences.agreement(half, table)) == pytest.approx(share)
    assert sequences.survivors(half, table) == 100


def test_sequences_are_read_and_their_trajectories_made(tmp_path: Path) -> None:
    folder = write_walkers(tmp_path / "gt", 3)
    assert len(sequences.read_sequences(folder, 0)) == 3
    assert sequences.read_sequences(None, 2) == []
    first, second = sequences.read_sequences(folder, 2)
    assert first.name < second.name
    assert trajectories_of(first).xy.shape[1] == len(first)
    with pytest.raises(InputError, match="no such image"):
        sequences.image_list(first, tmp_path)


def test_a_study_is_a_command_whose_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    def study(size: int, folder: Path = Path()) -> None:
        if size < 1:
            raise UsageError(f"size is {size}: expected 1 or more")
        sys.stdout.write(f"{size} {folder}\n")

    def called(*args: str, main=study) -> str:
        monkeypatch.setattr("sys.argv", ["study", *args])
        studies.run_command(main, "What it measures.")
        return capsys.readouterr().out

    assert called("--size", "3", "--folder", "x") == "3 x\n"
    assert called("first", "--size", "2", main={"first": study, "other": study}) == "2 .\n"
    with pytest.raises(SystemExit) as stopped:
        called("--size", "0")
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "size is 0: expected 1 or more\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_many_videos_and_a_soak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many_videos.main(tmp_path / "many", videos=4)
    said = capsys.readouterr().out
    assert said.startswith("4 of 4 done")
    assert re.search(r"overhead: -?\d+ ms a video", said)
    soak.main(tmp_path / "soak", hours=0.01, rate=10)
    said = capsys.readouterr().out
    assert "complete: True" in said
    assert said.endswith("new ids\n")


def test_a_round_of_a_soak_that_is_not_as_the_second_is_said(tmp_path: Path) -> None:
    frames = np.repeat(np.arange(4) * soak.ROUND + 3, 2)
    table = TrackTable(
        COCO17,
        frame=frames,
        time_s=frames / 10,
        track_id=np.arange(8),
        box=np.ones((8, 4)),
        score=np.ones(8),
        xy=np.ones((8, 17, 2)),
        joint_scores=np.ones((8, 17)),
        spread=np.ones((8, 17)),
        support=np.ones((8, 17), np.int64),
        source=np.zeros(8, np.int64),
    )
    assert soak.wrong_rounds(table, 4, Fraction(10)) == []
    table.track_id[6:] = [0, 1]
    table.time_s[5] += 0.1
    late, again = "round 2: times off by 0.1000 s", "round 3: ids [0, 1] again"
    assert soak.wrong_rounds(table, 4, Fraction(10)) == [late, again]
    table.xy[6] += 1
    assert soak.wrong_rounds(table, 4, Fraction(10)) == [late, f"{again}; 2 poses of 2 people unlike 2 of 2"]
