"""A recipe from TOML to weights: two stages with inflation between them, and mistakes that are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_scenes import make_set

from dettrack.errors import InputError, UsageError
from dettrack.files.toml import read_toml
from dettrack.models.pose.checkpoint import load_checkpoint
from dettrack.models.pose.inflate import TemporalConv
from dettrack.training.journal import read_log
from dettrack.training.labels.people import save_people
from dettrack.training.pose.recipe import stages
from dettrack.training.pose.run import make_task, run_stages

RECIPE = """
[network]
architecture = "lite"
width = 8
size = [64, 64]
clip_length = 1
variant = "none"
sigma = 1.5
[loop]
steps = 3
batch = 4
device = "cpu"
log_every = 1
[[data]]
path = "walk.npz"
[[data]]
path = "stills.npz"
share = 0.5
[[held_out]]
path = "walk.npz"
name = "walk"
[[stage]]
name = "images"
[[stage]]
name = "tubes"
network = { variant = "early", clip_length = 3 }
loop = { steps = 2, lr = 1e-5 }
"""


def write(folder: Path, text: str = RECIPE) -> Path:
    save_people(make_set(videos=1, frames=6), folder / "walk.npz")
    save_people(make_set(), folder / "stills.npz")
    (folder / "recipe.toml").write_text(text)
    return folder / "recipe.toml"


def test_stages_merge_what_they_share(tmp_path: Path) -> None:
    first, second = stages(read_toml(write(tmp_path)), "recipe")
    assert (first.network.variant, second.network.variant) == ("none", "early")
    assert second.network.width == 8
    assert second.loop.batch == 4
    assert second.loop.lr == 1e-5
    assert [data.share for data in second.data] == [1.0, 0.5]


def test_two_stages_from_images_to_tubes(tmp_path: Path) -> None:
    planned = stages(read_toml(write(tmp_path)), "recipe")
    metrics = run_stages(planned, tmp_path / "run", tmp_path)
    assert set(metrics) == {"walk", "walk_ap", "walk+1", "walk+1_ap"}
    assert all(0 <= value <= 1 for value in metrics.values())
    images, tubes = (load_checkpoint(tmp_path / "run" / name / "model.safetensors") for name in ("images", "tubes"))
    assert images.spec.variant == "none"
    assert tubes.spec.clip_length == 3
    assert "inflated (mean)" in tubes.source
    name = "trunk._blocks.2._expand_conv"
    flat, temporal = images.network.get_submodule(name), tubes.network.get_submodule(name)
    assert isinstance(temporal, TemporalConv)
    torch.testing.assert_close(temporal.weight.sum(2), flat.weight, rtol=0.05, atol=2e-3)  # two tiny steps later
    assert tubes.metrics == metrics
    # A finished run is not trained again, and says the same.
    before = (tmp_path / "run" / "tubes" / "log.csv").read_text().count(",loss,")
    assert run_stages(planned, tmp_path / "run", tmp_path) == metrics
    assert (tmp_path / "run" / "tubes" / "log.csv").read_text().count(",loss,") == before == 2


@pytest.mark.slow
def test_training_learns_the_dots(tmp_path: Path) -> None:
    recipe = RECIPE.split("[[stage]]")[0] + "[augment]\nrotation = 0.0\nocclude = 0\n"
    with pytest.raises(UsageError, match="unknown key 'occlude'"):
        stages(read_toml(write(tmp_path, recipe)), "recipe")
    (tmp_path / "recipe.toml").write_text(recipe.replace("occlude = 0\n", "occluder = 0.0\n"))
    stage = stages(read_toml(tmp_path / "recipe.toml"), "recipe")[0]
    loop = replace(stage.loop, steps=40, lr=5e-3, batch=8, ema=0.8)
    run_stages([replace(stage, loop=loop)], tmp_path / "run", tmp_path)
    losses = [v for _, name, v in read_log(tmp_path / "run" / "stage" / "log.csv") if name == "loss"]
    assert np.mean(losses[-5:]) < 0.7 * losses[0]


def test_distillation_pulls_the_targets_towards_the_teacher(tmp_path: Path) -> None:
    stage = stages(read_toml(write(tmp_path)), "recipe")[0]
    run_stages([stage], tmp_path / "run", tmp_path)
    teacher = str(tmp_path / "run" / "images" / "model.safetensors")
    alone = make_task(replace(stage, loss=replace(stage.loss, teacher=teacher, teacher_share=1.0)), tmp_path)
    batch = torch.utils.data.default_collate([alone.sample(i) for i in range(2)])
    network = load_checkpoint(Path(teacher)).network
    assert float(alone.loss(network, batch)[0].detach()) < 1e-6  # the teacher agrees with itself
    plain = make_task(stage, tmp_path)
    assert float(plain.loss(network, batch)[0].detach()) > 1e-3


def test_hidden_parts_and_statistics_stay(tmp_path: Path) -> None:
    stage = stages(read_toml(write(tmp_path)), "recipe")[0]
    frozen = replace(stage, start=replace(stage.start, frozen=("trunk._bn0", "trunk._conv_stem")))
    task = make_task(frozen, tmp_path)
    before = {name: value.clone() for name, value in task.model.trunk._bn0.state_dict().items()}  # type: ignore[union-attr]
    batch = torch.utils.data.default_collate([task.sample(i) for i in range(2)])
    task.model.train()
    task.loss(task.model, batch)[0].backward()
    assert task.model.trunk._conv_stem.weight.grad is None  # type: ignore[union-attr]
    for name, value in task.model.trunk._bn0.state_dict().items():  # type: ignore[union-attr]
        torch.testing.assert_close(value, before[name])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("width = 8", 'width = "wide"'), "width is 'wide'"),
        (('variant = "none"', 'variant = "late"'), "expected one of none, early"),
        (("size = [64, 64]", "size = [64]"), "expected 2"),
        (('name = "tubes"', 'name = "images"'), "different names"),
        (("steps = 3", "steps = 0"), "at least 1"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    assert change[0] in RECIPE
    with pytest.raises(UsageError, match=says):
        stages(read_toml(write(tmp_path, RECIPE.replace(*change, 1))), "recipe.toml")


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    planned = stages(read_toml(tmp_path / "recipe.toml"), "recipe")
    with pytest.raises(InputError, match=r"walk\.npz"):
        run_stages(planned, tmp_path / "run", tmp_path)
    write(tmp_path)
    wrong = replace(planned[0], start=replace(planned[0].start, trunk="nowhere.pth"))
    with pytest.raises(InputError, match="no such trunk weights"):
        make_task(wrong, tmp_path)
    with pytest.raises(UsageError, match=r"no \[\[data\]\]"):
        stages({"network": {}}, "recipe")


def test_every_batch_has_crops_of_one_of_the_listed_sizes(tmp_path: Path) -> None:
    stage = stages(read_toml(write(tmp_path)), "recipe")[0]
    task = make_task(replace(stage, sizes=((64, 64), (96, 64), (64, 64))), tmp_path)
    shapes = [tuple(task.sample(index)["crops"].shape[1:3]) for index in range(24 * stage.loop.batch)]
    by_batch = [set(shapes[first : first + stage.loop.batch]) for first in range(0, len(shapes), stage.loop.batch)]
    assert all(len(batch) == 1 for batch in by_batch)
    assert {(64, 64), (96, 64)} == set(shapes)
    assert task.sample(0)["targets"].shape[-2:] == tuple(side // 4 for side in shapes[0])
