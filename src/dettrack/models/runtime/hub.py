"""Models of the transformers library, from a folder or the hub: safetensors only, no code from elsewhere."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch

from dettrack.errors import InputError, MissingExtraError
from dettrack.files import load_json
from dettrack.models.runtime.runner import first_line

__all__ = ["load_hub", "preprocessor_config"]


def load_hub(auto_class: str, name: str, device: str, what: str) -> tuple[Any, str]:
    """A model, ready to run.

    Args:
        auto_class: Of transformers, such as "AutoModelForObjectDetection".
        name: Folder written by `save_pretrained`, or a name of the hub (downloads, unless already there).
        device: "auto", "cpu", "cuda" or "cuda:N".
        what: What it shall be, for messages.

    Returns:
        The model, and its device.

    Raises:
        InputError: No such model, or another kind of model.
        MissingExtraError: transformers is not installed, or too old.
    """
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtraError(f"hf:{name}", "transformers")
    if name.startswith((".", "/", "~")) and not Path(name).is_dir():
        raise InputError(f"hf:{name}: no such folder")
    import transformers

    loader = getattr(transformers, auto_class, None)
    if loader is None:
        raise InputError(f"hf:{name}: transformers {transformers.__version__} has no {what}s: update it")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # The user names the model; code of it is never run, and pickles are not unpacked.
        model = loader.from_pretrained(name, use_safetensors=True, trust_remote_code=False)  # nosec B615
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        raise InputError(f"hf:{name}: not a {what} that can be loaded: {first_line(error)}") from error
    return model.to(device).eval(), device


def preprocessor_config(name: str) -> dict[str, Any]:
    """How a model's images are prepared, from its folder or from the hub's cache; raises `InputError` without it."""
    path: Path | None = Path(name) / "preprocessor_config.json"
    if not Path(name).is_dir():
        from transformers.utils import cached_file

        found = cached_file(name, "preprocessor_config.json")
        path = Path(found) if found else None
    if path is None or not path.is_file():
        raise InputError(f"hf:{name}: it has no preprocessor_config.json, which says how images are prepared")
    content = load_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: not an image recipe: expected a JSON object")
    return content
