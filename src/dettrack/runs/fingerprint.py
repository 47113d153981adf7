"""What decides a result, in one hash: input, range, settings, weights, outputs. `--resume` compares it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from dettrack.config import TrackConfig
from dettrack.errors import InputError
from dettrack.files import file_sha256
from dettrack.models.weights import CALIBRATION, SHIPPED, find_weights
from dettrack.video.sources import VideoSource, find_source

__all__ = ["fingerprint", "made_with", "stamp", "weights_hashes"]


def fingerprint(content: Sequence[Any], config: TrackConfig, outputs: dict[str, Any]) -> str:
    """Hash of everything that decides the result of a run.

    Args:
        content: Of the input (`video.sources.content_key`).
        config: All settings.
        outputs: What else decides: formats, range, whether to draw and to save tracklets.

    Returns:
        64 hexadecimal digits; the same for the same content in another place.

    Raises:
        InputError: Weights cannot be found or read.
    """
    return _digest({"input": content, **_others(config, outputs)})


def made_with(config: TrackConfig, outputs: dict[str, Any]) -> str:
    """Hash of everything but the input that decides a result.

    Args:
        config: See `fingerprint`.
        outputs: See `fingerprint`.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputError: Weights cannot be found or read.
    """
    return _digest(_others(config, outputs))


def stamp(source: VideoSource) -> list[Any]:
    """What the file system says of an input: as long as it is the same, the content is taken to be the same.

    Size, time of change and number of the file, none of its content: ten thousand videos are looked through in
    seconds. Of a list of images it is a hash of all of these.

    Raises:
        InputError: The source cannot be found.
    """
    found = find_source(source)
    if isinstance(found, Path):
        return list(_status(found))
    statuses = [(path.name, *_status(path)) for path in map(Path, found.paths)]
    return [sum(status[1] for status in statuses), _digest(statuses)]


def _status(path: Path) -> tuple[int, int, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    # The second time is that of the last change of anything, which cannot be set: a copied time does not hide a change.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def weights_hashes(config: TrackConfig) -> dict[str, list[str]]:
    """SHA-256 of the files behind detector and pose network; their names where there is no file."""
    names = {"detector": config.detect.detector, "pose": config.estimate.model}
    return {part: _weights_key(name, part) for part, name in names.items()}


def _others(config: TrackConfig, outputs: dict[str, Any]) -> dict[str, Any]:
    return {"settings": asdict(config), "weights": weights_hashes(config), "outputs": outputs}


def _weights_key(name: str, part: str) -> list[str]:
    """Hashes of the files behind a detector or model; its name where there is none (such as "hf:NAME")."""
    if name == "default":
        path = SHIPPED / f"{part}.safetensors"
    elif Path(name).is_file() or name.startswith("hf:"):
        path = Path(name)
    else:
        path = find_weights(name).path
    beside = [path.with_suffix(".bin")] if path.suffix == ".xml" else []  # OpenVINO's weights
    files = [path, *beside, path.with_suffix(CALIBRATION)]
    return [_hash_once(file, _status(file)) for file in files if file.is_file()] or [name]


@lru_cache(maxsize=256)
def _hash_once(path: Path, status: tuple[int, ...]) -> str:
    """SHA-256 of a file; of many videos with the same weights, the first one reads them."""
    return file_sha256(path)
