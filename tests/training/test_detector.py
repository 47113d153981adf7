"""The detector's task, from a recipe to a checkpoint that `--detector` takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dettrack.config import DetectConfig
from dettrack.errors import InputError, UsageError
from dettrack.models.detector import own
from dettrack.models.detector.checkpoint import save_detector
from dettrack.models.detector.network import DetectorSpec, PersonDetector
from dettrack.structures import Frame
from dettrack.training.detector.photos import PADDING, PERSON, PhotoPack
from dettrack.training.detector.run import detector_recipe, run_detector
from dettrack.training.detector.task import DetectorTask, DetectorTaskConfig, calibrated


def _pack(path: Path, names: list[str]) -> str:
    photos = []
    for index, name in enumerate(names):
        image = np.full((96, 128, 3), 40, np.uint8)
        x = 10 + 7 * index
        image[20:80, x : x + 30] = (0, 0, 255)
        data = cv2.imencode(".png", image)[1].tobytes()
        photos.append((name, data, (96, 128), np.array([[x, 20.0, x + 30, 80]]), np.array([PERSON])))
    PhotoPack.gather(photos).save(path)
    return str(path)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("packs")
    return _pack(folder / "train.npz", ["a/1", "a/2"]), _pack(folder / "held.npz", ["b/1"])


def _config(packs: tuple[str, str], **changes: object) -> DetectorTaskConfig:
    settings = {
        "photos": packs[0],
        "held_out": packs[1],
        "sources": {"a": 1.0},
        "spec": DetectorSpec(width=16),
        "sizes": ((64, 64), (64, 96)),
        "size_shares": (0.5, 0.5),
        "validation_size": 96,
        "group": 2,
    }
    return DetectorTaskConfig(**(settings | changes))


def test_a_recipe_becomes_a_detector(packs: tuple[str, str], tmp_path: Path) -> None:
    detector = {
        "photos": packs[0],
        "held_out": packs[1],
        "sources": {"a": 1},
        "sizes": [[64, 64]],
        "size_shares": [1],
        "validation_size": 96,
        "spec": {"width": 16},
    }
    loop = {"steps": 2, "batch": 2, "device": "cpu", "lr": 1e-3}
    recipe = detector_recipe({"detector": detector, "loop": loop}, "recipe.toml")
    metrics = run_detector(recipe, tmp_path / "run", tmp_path)
    assert 0 <= metrics["ap50"] <= 1
    found = own.load(tmp_path / "run" / "model.safetensors", DetectConfig(), "cpu", 1)
    assert "input 96" in found.description
    assert len(found.detect([Frame(0, 0.0, np.zeros((96, 128, 3), np.uint8))])) == 1
    with pytest.raises(UsageError, match="unknown key 'colour'"):
        detector_recipe({"detector": detector | {"colour": 1}}, "recipe.toml")


def test_samples_of_a_step_share_a_size_and_depend_on_their_number_alone(packs: tuple[str, str]) -> None:
    task = DetectorTask(_config(packs))
    shapes = [tuple(task.sample(i)["image"].shape) for i in range(20)]
    assert all(shapes[i] == shapes[i + 1] for i in range(0, 20, 2))
    assert len(set(shapes)) == 2
    again = DetectorTask(_config(packs))
    for name, value in task.sample(7).items():
        assert torch.equal(value, again.sample(7)[name])
    kinds = task.sample(7)["kinds"]
    assert (kinds == PADDING).sum() > 40


def test_frozen_parts_stay_and_the_rest_learns(packs: tuple[str, str]) -> None:
    task = DetectorTask(_config(packs, frozen_blocks=5))
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in task.model.parameters() if p.requires_grad], lr=0.1)
    batch = torch.utils.data.default_collate([task.sample(0), task.sample(1)])
    batch.pop("skipped")
    task.model.train()
    loss, figures = task.loss(task.model, batch)
    loss.backward()
    optimizer.step()
    after = task.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith(("trunk._conv_stem", "trunk._bn0", "trunk._blocks.4.")) for name in changed)
    assert not any(name.startswith("trunk") and "running" in name for name in changed)
    assert "trunk._blocks.15._project_conv.weight" in changed
    assert "head.box.weight" in changed
    assert set(figures) == {"person", "giou", "bins", "wanted"}


def test_calibration_moves_the_threshold_and_keeps_the_order() -> None:
    torch.manual_seed(0)
    network = PersonDetector(DetectorSpec(width=16)).eval()
    torch.nn.init.normal_(network.head.person.weight, std=1.0)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        before = network.predict(images)[0][0]
        after = calibrated(network, 0.5).predict(images)[0][0]
    assert torch.equal(before.argsort(), after.argsort())
    assert ((before > 0.5) == (after > 0.3)).all()


def test_training_goes_on_from_an_earlier_detector(packs: tuple[str, str], tmp_path: Path) -> None:
    spec = _config(packs).spec
    torch.manual_seed(5)
    earlier = PersonDetector(spec)
    save_detector(earlier, tmp_path / "earlier.safetensors", 64, {})
    task = DetectorTask(_config(packs, start=str(tmp_path / "earlier.safetensors")))
    for name, value in task.model.state_dict().items():
        expected = earlier.state_dict()[name]
        assert torch.equal(value, expected.half().float() if value.is_floating_point() else expected), name
    other = _config(packs, start=str(tmp_path / "earlier.safetensors"), spec=replace(spec, width=2 * spec.width))
    with pytest.raises(InputError, match="give its spec, or start from a trunk"):
        DetectorTask(other)


def test_mistakes_are_named(packs: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 photos are trained on too, b/1"):
        DetectorTask(_config((packs[1], packs[1]), sources={"b": 1.0}))
    with pytest.raises(UsageError, match="multiples of 32"):
        _config(packs, sizes=((60, 64),), size_shares=(1.0,))
    with pytest.raises(UsageError, match="1 sizes but 2 size_shares"):
        _config(packs, sizes=((64, 64),))
    with pytest.raises(InputError, match="no such trunk weights"):
        DetectorTask(_config(packs, trunk=str(tmp_path / "none.pth")))
