"""Checkpoints of our detector: safetensors with all that rebuilds the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import save_file

from dettrack.errors import InputError, UsageError
from dettrack.files import NewFile, parsing
from dettrack.files.toml import read_table
from dettrack.models.detector.network import DetectorSpec, PersonDetector
from dettrack.models.tensors import check_fit, read_tensors, without_memory

__all__ = ["DetectorCheckpoint", "read_detector", "save_detector"]

_FORMAT = "dettrack detector 1"
_MOST_PIXELS = 8192


@dataclass(frozen=True)
class DetectorCheckpoint:
    """A detector read from a file.

    Attributes:
        model: In evaluation mode, on the CPU, in fp32.
        size: Longer side of the input that it is meant for.
        metrics: Figures of its training run's validation.
    """

    model: PersonDetector
    size: int
    metrics: dict[str, float]


def save_detector(model: PersonDetector, path: Path, size: int, metrics: Mapping[str, float]) -> None:
    """Write a network as fp16 with what rebuilds it.

    Args:
        model: The network.
        path: A .safetensors file.
        size: Longer side of the input that it is meant for.
        metrics: Figures to keep with it.
    """
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    metadata = {
        "format": _FORMAT,
        "spec": json.dumps(asdict(model.spec)),
        "size": str(size),
        "metrics": json.dumps({name: round(value, 4) for name, value in metrics.items()}),
    }
    with NewFile(path) as new:
        save_file(state, new.part, metadata)


def read_detector(path: Path) -> DetectorCheckpoint:
    """Read what `save_detector` wrote.

    Raises:
        InputError: The file is missing, broken, or not a detector of ours.
    """
    if not path.is_file():
        raise InputError(f"no such detector: {path}")
    metadata, state = read_tensors(path)
    if metadata.get("format") != _FORMAT:
        raise InputError(
            f"{path}: not a detector of dettrack (its metadata says {metadata.get('format', 'nothing')!r}, "
            f"expected {_FORMAT!r}); detectors are trained with dettrack train, or given as ONNX files"
        )
    with parsing(f"{path}", "a detector checkpoint of dettrack"):
        try:
            spec = read_table(DetectorSpec, json.loads(metadata["spec"]), f"{path}: its description")
        except UsageError as error:
            raise InputError(str(error)) from error
        size = int(metadata["size"])
        if not 32 <= size <= _MOST_PIXELS:
            raise InputError(f"{path}: an input of {size} pixels; expected 32 to {_MOST_PIXELS}")
        with without_memory():
            check_fit(PersonDetector(spec), state, str(path))
        model = PersonDetector(spec)
        state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        state |= {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
        model.load_state_dict(state, strict=True)
        return DetectorCheckpoint(model.eval(), size, dict(json.loads(metadata["metrics"])))
