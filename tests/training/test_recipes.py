"""The recipes that are shipped can be read, and say what the paper says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_scenes import make_set

from dettrack.cli import main
from dettrack.config import DetectConfig
from dettrack.files.toml import changed, read_toml
from dettrack.lab.ablation.beyond import tables_of
from dettrack.lab.ablation.study import read_study
from dettrack.lab.synth import SceneConfig, write_scenes
from dettrack.lab.synth.write import scene_jobs
from dettrack.models.detector import load_detector
from dettrack.models.detector.network import PersonDetector
from dettrack.models.pose.checkpoint import build_network, load_checkpoint
from dettrack.models.weights import SHIPPED
from dettrack.structures import Frame
from dettrack.training.detector.run import detector_recipe, run_detector
from dettrack.training.journal import read_log
from dettrack.training.labels.boxes import LabelConfig, label
from dettrack.training.labels.people import save_people
from dettrack.training.loop import learning_rate
from dettrack.training.pose.recipe import stages

CONFIGS = Path(__file__).parents[2] / "configs"
RECIPES = sorted(path.name for path in CONFIGS.glob("*.toml"))


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_files_are_understood(name: str) -> None:
    """A study, a detector's recipe, or the stages of a pose network; key by key, type by type."""
    table = read_toml(CONFIGS / name)
    if "out" in table:
        tables = tables_of(read_study(CONFIGS / name))
        assert all(len(one.rows) > 0 for one in tables if one.key not in ("table5", "table6"))  # published rows alone
    elif "detector" in table:
        PersonDetector(detector_recipe(table, name).detector.spec)
    else:
        for stage in stages(table, name):
            assert all(side % 32 == 0 for side in stage.network.size)
            if stage.network.architecture == "lite":
                build_network(stage.network)


@pytest.mark.slow
def test_minutes_on_a_gpu_are_tried_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recipe itself with few steps: thin packs, a call that runs out of time, one that goes on to the end."""
    text = (CONFIGS / "gpu_minutes.toml").read_text()
    table = read_toml(CONFIGS / "gpu_minutes.toml")
    names = [Path(data["path"]).name for data in table["data"]]
    for name in names:
        save_people(make_set(videos=3 if "video" in name or "vtest" in name else 0, frames=9), tmp_path / "all" / name)
    packs = [str(tmp_path / "all" / name) for name in names]
    assert main(["data", "thin", *packs, "--out", str(tmp_path / "data" / "gpu"), "--megabytes", "0.2"]) == 0
    assert sum(path.stat().st_size for path in (tmp_path / "data" / "gpu").iterdir()) <= 0.2 * 2**20
    changes = {"batch = 256": "batch = 8", "steps = 6000": "steps = 3", "steps = 4000": "steps = 2"}
    changes |= {f'"{table["start"]["weights"]}"': f"'{SHIPPED / 'pose.safetensors'}'"}
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    recipe, out = tmp_path / "gpu_minutes.toml", tmp_path / "run"
    call = ["train", str(recipe), "--out", str(out), "--quiet"]
    recipe.write_text(text.replace("max_hours = 0.15", "max_hours = 1e-9"))
    assert main(call) == 0
    assert "the same command continues" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"small"}
    recipe.write_text(text)
    assert main(call) == 0
    for stage, steps in (("small", 3), ("final", 2)):
        assert [step for step, name, _ in read_log(out / stage / "log.csv") if name == "loss"][-1] == steps
        files = {path.name: path.stat().st_size for path in (out / stage).iterdir()}
        assert max(files.values()) < 16 * 2**20
        assert files["checkpoint.pt"] > files["model.safetensors"] > 6e6
    assert load_checkpoint(out / "final" / "model.safetensors").spec.size == (192, 160)


@pytest.fixture(scope="module")
def drawn_packs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What the recipes' heads say: small and large people drawn, and labelled by the built-in detector."""
    folder = tmp_path_factory.mktemp("sniper")
    config = SceneConfig(size=(180, 320), frames=8, scenario="small-large")
    packs = []
    for seed, split in enumerate(("train", "held_out")):
        write_scenes(scene_jobs(seed, 2, config, split), folder / split)
        videos = tuple(sorted((folder / split).rglob("*.mp4")))
        packs.append(folder / f"{split}.npz")
        label(LabelConfig(packs[-1], "default", videos=videos, every=(4,))).save(packs[-1])
    return packs[0], packs[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sniper_resnet101.toml", "sniper_mobilenet.toml"])
def test_the_papers_detectors_train_on_chips(name: str, drawn_packs: tuple[Path, Path], tmp_path: Path) -> None:
    table = read_toml(CONFIGS / name)
    table["detector"] |= {"photos": str(drawn_packs[0]), "held_out": str(drawn_packs[1]), "trunk": ""}
    small = ("loop.steps=4", "loop.batch=2", "loop.workers=0", "loop.log_every=1", "loop.validate_every=0")
    chips = ("detector.sizes=[[192, 192]]", "detector.sniper.chip=192", "detector.sources={video = 1.0}")
    others = ("detector.validation_size=192", "detector.frozen_blocks=0", "detector.frozen_norms=false")
    table = changed(table, (*small, *chips, *others, "detector.spec.width=32", "loop.warmup=0"))
    figures = run_detector(detector_recipe(table, name), tmp_path, CONFIGS)
    assert figures is not None
    assert 0 <= figures["ap50"] <= 1
    steps = [step for step, figure, _ in read_log(tmp_path / "log.csv") if figure == "loss"]
    assert steps == [1, 2, 3, 4]
    detector = load_detector(DetectConfig(detector=str(tmp_path / "model.safetensors")), device="cpu", threads=1)
    assert len(detector.detect([Frame(0, 0.0, np.zeros((180, 320, 3), np.uint8))])) == 1


@pytest.mark.parametrize(
    "name", ["default_detector.toml", "default_detector_crowds.toml", "default_detector_everyday.toml"]
)
def test_shipped_detector_recipes_build(name: str) -> None:
    recipe = detector_recipe(read_toml(CONFIGS / name), name)
    assert recipe.detector.validation_size == 544
    assert sum(recipe.detector.sources.values()) == pytest.approx(1.0)
    assert bool(recipe.detector.start) != bool(recipe.detector.trunk)


@pytest.mark.parametrize("year", [17, 18])
def test_the_papers_schedule(year: int) -> None:
    """4.2: W48 at 384x288, nine frames, early inflation, 20 epochs at 1e-4, 1e-5 after 10, 1e-6 after 15."""
    first, last = stages(read_toml(CONFIGS / f"posetrack{year}_w48.toml"), "recipe")[:2]
    assert (first.network.variant, first.network.clip_length) == ("none", 1)
    spec, loop = last.network, last.loop
    assert (spec.width, spec.size, spec.clip_length, spec.variant) == (48, (384, 288), 9, "early")
    assert (loop.optimizer, last.epochs, last.enlarge, last.start.inflation) == ("adam", 20, 1.25, "mean")
    rates = [learning_rate(loop, int(epoch / 20 * loop.steps)) for epoch in (0, 9.9, 10, 14.9, 15, 19.9)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6])
    assert (last.augment.rotation, last.augment.scale, last.augment.flip) == (45, 0.35, 0.5)
