"""Checkpoints: safetensors with all that is needed to rebuild a network and to feed it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from dettrack.errors import InputError, UsageError
from dettrack.files import NewFile, output_error, parsing
from dettrack.files.toml import Range, read_table
from dettrack.models.pose.calibration import Table
from dettrack.models.pose.frame_layout import IMAGENET_MEAN, IMAGENET_STD
from dettrack.models.pose.heatmap import Decoding
from dettrack.models.pose.hrnet import HRNet
from dettrack.models.pose.inflate import TimePadding, Variant, inflate_state_dict
from dettrack.models.pose.lite import LiteNet
from dettrack.models.tensors import check_fit, read_tensors, without_memory
from dettrack.skeleton import joint_set

__all__ = [
    "FORMAT_VERSION",
    "Checkpoint",
    "NetworkSpec",
    "build_network",
    "fit_state",
    "inflate_checkpoint",
    "load_checkpoint",
    "save_checkpoint",
    "write_calibrated",
]

FORMAT_VERSION = 1
_KEY = "dettrack"  # of our JSON in the file's metadata
_Level = Annotated[float, Range(-10, 10)]
_Spread = Annotated[float, Range(0, 10, above=True)]
_TRUNKS = {"lite": "lite0", "lite1": "lite1", "lite2": "lite2"}


@dataclass(frozen=True)
class NetworkSpec:
    """All that is needed to build a pose network and to feed it.

    Attributes:
        architecture: "hrnet", or "lite" for the light trunk; "lite1" and "lite2" for its larger sisters.
        width: Channels of the highest resolution; of the head's for "lite".
        variant: Where temporal filters are (table 8).
        clip_length: |C| that it was trained with.
        joints: Name of its joint set.
        size: Height and width of its crops in pixels.
        time_padding: What temporal filters see beyond the clip.
        mean: Of each RGB channel in [0, 1], taken off.
        std: Of each RGB channel in [0, 1], divided by.
        decoding: How its heatmaps are read best.
        sigma: Of the target Gaussians, in heatmap pixels.
        stride: Crop pixels per heatmap pixel.
        calibration: What its scores mean (see `calibration.Calibration.table`); empty where nobody has measured it.
    """

    architecture: Literal["hrnet", "lite", "lite1", "lite2"] = "hrnet"
    width: Annotated[int, Range(1, 4096)] = 32
    variant: Variant = "early"
    clip_length: Annotated[int, Range(1, 999)] = 9
    joints: str = "posetrack15"
    size: tuple[Annotated[int, Range(8, 4096)], Annotated[int, Range(8, 4096)]] = (384, 288)
    time_padding: TimePadding = "replicate"
    mean: tuple[_Level, _Level, _Level] = IMAGENET_MEAN
    std: tuple[_Spread, _Spread, _Spread] = IMAGENET_STD
    decoding: Decoding = "dark"
    sigma: Annotated[float, Range(0, 100, above=True)] = 2.0
    stride: Annotated[int, Range(1, 64)] = 4
    calibration: Table = ()


@dataclass(frozen=True)
class Checkpoint:
    """A network from a file.

    Attributes:
        network: In evaluation mode, fp32, on the CPU.
        spec: What it is.
        metrics: What it reached, as its training wrote it down.
        source: Where the weights come from, for people.
        note: What had to be guessed about them; "" for nothing.
    """

    network: nn.Module
    spec: NetworkSpec
    metrics: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    note: str = ""


def build_network(spec: NetworkSpec) -> nn.Module:
    """The network that a spec describes, with random weights; it maps `(n, clip, 3, h, w)` to heatmaps."""
    joints = len(joint_set(spec.joints))
    if spec.architecture == "hrnet":
        return HRNet(
            spec.width,
            joints,
            variant=spec.variant,
            clip_length=spec.clip_length,
            time_padding=spec.time_padding,
        )
    if spec.architecture in _TRUNKS:
        return LiteNet(
            joints,
            width=spec.width,
            variant=spec.variant,
            clip_length=spec.clip_length,
            time_padding=spec.time_padding,
            trunk=_TRUNKS[spec.architecture],
        )
    raise InputError(f"unknown network architecture {spec.architecture!r}: expected hrnet, {', '.join(_TRUNKS)}")


def save_checkpoint(
    path: Path,
    network: nn.Module,
    spec: NetworkSpec,
    *,
    metrics: Mapping[str, Any] | None = None,
    half: bool = False,
    source: str = "",
) -> None:
    """Write a checkpoint.

    Args:
        path: A `.safetensors` file; written beside it first, so that an interrupted run leaves the old one.
        network: Built by `build_network(spec)`.
        spec: What it is.
        metrics: JSON-serialisable figures to keep with it.
        half: Store floats as fp16: half the size.
        source: Where the weights come from.

    Raises:
        OutputError: The file cannot be written.
    """
    state = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    about = {"format": FORMAT_VERSION, "spec": asdict(spec), "metrics": dict(metrics or {}), "source": source}
    _write(path, state, about)


def _write(path: Path, state: dict[str, Tensor], about: dict[str, Any]) -> None:
    with NewFile(path) as new:
        try:
            save_file(state, new.part, metadata={_KEY: json.dumps(about)})
        except SafetensorError as error:
            raise output_error(path, error) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: Not such a file, of a newer format, or its weights do not fit the network that it names.
    """
    about, state = _read(path)
    if about["format"] > FORMAT_VERSION:
        raise InputError(
            f"{path}: written by a newer dettrack (format {about['format']}, this one reads {FORMAT_VERSION}): upgrade"
        )
    spec = _spec(path, about["spec"])
    with without_memory():
        check_fit(build_network(spec), state, str(path))
    network = build_network(spec)
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    fit_state(network, state, str(path))
    metrics = about.get("metrics", {})
    return Checkpoint(network.eval(), spec, metrics if isinstance(metrics, dict) else {}, str(about.get("source", "")))


def write_calibrated(path: Path, table: Table, out: Path) -> None:
    """A checkpoint again with another calibration; its weights stay bit by bit.

    Args:
        path: The checkpoint.
        table: See `calibration.Calibration`.
        out: File to write; may be `path`.

    Raises:
        InputError: `path` is no checkpoint of ours.
        OutputError: `out` cannot be written.
    """
    about, state = _read(path)
    _write(out, state, {**about, "spec": {**about["spec"], "calibration": table}})


def inflate_checkpoint(checkpoint: Checkpoint, variant: Variant, clip_length: int) -> Checkpoint:
    """A 2D network with temporal filters, by mean initialisation (paper 4.2): the start of a training, not its result.

    Args:
        checkpoint: A 2D network; left as it is.
        variant: Where its temporal filters shall be (table 8).
        clip_length: |C|.

    Returns:
        The temporal network.

    Raises:
        InputError: The network is temporal already.
    """
    if checkpoint.spec.variant != "none":
        raise InputError(
            f"--variant {variant}: the network is temporal already (variant {checkpoint.spec.variant}); only a 2D one "
            "can be inflated: give such a one, or leave the option out"
        )
    spec = replace(checkpoint.spec, variant=variant, clip_length=clip_length)
    network = build_network(spec)
    fit_state(network, inflate_state_dict(checkpoint.network.state_dict(), network), f"inflation to {variant}")
    return replace(checkpoint, network=network.eval(), spec=spec)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    metadata, state = read_tensors(path)
    if _KEY not in metadata:
        raise InputError(f"{path}: a safetensors file, but not one of dettrack's pose checkpoints")
    with parsing(f"{path}", "a pose checkpoint of dettrack"):
        about = json.loads(metadata[_KEY])
    if not isinstance(about, dict) or not isinstance(about.get("format"), int) or "spec" not in about:
        raise InputError(f"{path}: a safetensors file, but not one of dettrack's pose checkpoints")
    return about, state


def _spec(path: Path, values: Any) -> NetworkSpec:
    try:
        return read_table(NetworkSpec, values, f"{path}: its description")
    except UsageError as error:
        raise InputError(str(error)) from error


def fit_state(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load weights strictly; counters of batch norms may be absent.

    Args:
        network: Changed in place.
        state: Weights by name.
        what: Where they are from, for messages.

    Raises:
        InputError: Entries are missing, left over or of another shape; the message names them.
    """
    check_fit(network, state, what)
    with torch.no_grad():
        network.load_state_dict({**network.state_dict(), **state})
