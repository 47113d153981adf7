"""What decides a result, in one hash: input, range, settings, weights, outputs. `--resume` compares it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dettrack.config import TrackConfig
from dettrack.errors import InputError
from dettrack.files import file_sha256
from dettrack.models.weights import SHIPPED, find_weights
from dettrack.video.sources import ImageList, VideoSource, find_source

__all__ = ["fingerprint"]

_SAMPLED_BYTES = 1 << 20


def fingerprint(source: VideoSource, config: TrackConfig, outputs: dict[str, Any]) -> str:
    """Hash of everything that decides the result of a run.

    Args:
        source: Video, folder of frames, or list of images.
        config: All settings.
        outputs: What else decides: formats, range, whether to draw and to save tracklets.

    Returns:
        64 hexadecimal digits; the same for the same content in another place.

    Raises:
        InputError: The source cannot be found or read.
    """
    names = {"detector": config.detect.detector, "pose": config.estimate.model}
    parts = {
        "input": _input_key(find_source(source)),
        "settings": asdict(config),
        "weights": {part: _weights_key(name, part) for part, name in names.items()},
        "outputs": outputs,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _input_key(source: Path | ImageList) -> list[Any]:
    if isinstance(source, ImageList):
        return [[path.name, *_sample(path)] for path in map(Path, source.paths)]
    return _sample(source)


def _sample(path: Path) -> list[Any]:
    """Size of a file, and a hash of its first and last megabyte: a day of video is not read twice."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(_SAMPLED_BYTES))
            file.seek(max(0, size - _SAMPLED_BYTES))
            digest.update(file.read(_SAMPLED_BYTES))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    return [size, digest.hexdigest()]


def _weights_key(name: str, part: str) -> list[str]:
    """Hashes of the files behind a detector or model; its name where there is none (such as "hf:NAME")."""
    if name == "default":
        path = SHIPPED / f"{part}.safetensors"
    elif Path(name).is_file() or name.startswith("hf:"):
        path = Path(name)
    else:
        path = find_weights(name).path
    beside = path.with_suffix(".bin")  # of OpenVINO's .xml
    files = [path, beside] if path.suffix == ".xml" else [path]
    return [file_sha256(file) for file in files if file.is_file()] or [name]
