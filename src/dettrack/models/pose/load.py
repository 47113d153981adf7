"""From `--model` to an estimator: by the file's ending, or by the name of built-in weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dettrack.config import CutConfig, EstimateConfig
from dettrack.errors import InputError
from dettrack.models.pose.calibration import find_calibration
from dettrack.models.pose.estimator import Estimator
from dettrack.models.pose.exported import read_exported_spec
from dettrack.models.pose.frame_estimator import FrameEstimator
from dettrack.models.pose.tube_estimator import TubeEstimator
from dettrack.models.pose.tube_network import open_exported, open_networks
from dettrack.models.weights import SHIPPED, find_weights
from dettrack.models.weights.catalogue import catalogue

__all__ = ["find_model", "load_estimator", "load_estimators", "smaller"]

_FIXED = (".onnx", ".xml", ".engine")  # networks that run as they were exported
_KNOWN = (".safetensors", ".pth", *_FIXED)
_GRID = 32  # sides of crops are divisible by it
_LEAST = 96  # pixels of height; trained networks know nothing below


def load_estimator(estimate: EstimateConfig, cut: CutConfig | None = None) -> Estimator:
    """The pose model that `estimate.model` names.

    Args:
        estimate: Settings; `model` is a `.safetensors` checkpoint of this package, an official HRNet `.pth`, what
            `dettrack export` wrote, a 2D model's `.onnx` or `.xml` (OpenVINO), "hf:NAME_OR_PATH", or the name of
            weights ("default", or one that `dettrack weights list` shows).
        cut: Clip settings: a temporal network sees tubes of this |C|, whatever it was trained with (the description
            says so where they differ).

    Returns:
        The model, ready to run.

    Raises:
        InputError: The file is missing, unreadable, of unknown kind, does not fit its network, or cannot get the
            temporal filters that `estimate.variant` names.
        MissingExtraError: The file needs a runtime that is not installed.
    """
    if estimate.model.startswith("hf:"):
        from dettrack.models.pose.transformers_pose import open_transformers_pose

        _refuse_variant(estimate, estimate.model)
        return open_transformers_pose(estimate.model.removeprefix("hf:"), estimate)
    path = find_model(estimate.model)
    clip_length = (cut or CutConfig()).clip_length
    if path.suffix not in _FIXED:
        return load_estimators(replace(estimate, small_crops_below=0.0), cut)[0]
    spec = read_exported_spec(path)
    _refuse_variant(estimate, path.name, temporal=spec is not None and spec.temporal)
    if spec is None:
        return FrameEstimator.from_file(path, estimate)
    if spec.temporal and spec.clip_length != clip_length:
        raise InputError(
            f"{path}: exported for |C| = {spec.clip_length}, requested --clip-length {clip_length}: "
            "set it so, or export the network again"
        )
    network = open_exported(path, estimate)
    calibration = find_calibration(path, estimate.calibration, network.calibration)
    return TubeEstimator(network, estimate, clip_length, calibration=calibration)


def load_estimators(estimate: EstimateConfig, cut: CutConfig | None = None) -> tuple[Estimator, Estimator | None]:
    """The model of `load_estimator`, and the same for `smaller` crops; a checkpoint is read once.

    Args:
        estimate: Settings.
        cut: Clip settings.

    Returns:
        None for the second where `estimate.small_crops_below` is 0, or the model has one size only: a file of
        another project, an exported network, one whose temporal filters are made on loading, or crops that are small
        already.

    Raises:
        InputError: See `load_estimator`.
        MissingExtraError: See `load_estimator`.
    """
    if estimate.model.startswith("hf:") or find_model(estimate.model).suffix in _FIXED:
        return load_estimator(estimate, cut), None
    path = find_model(estimate.model)
    from dettrack.models.pose.official import open_checkpoint

    clip_length = (cut or CutConfig()).clip_length
    checkpoint = open_checkpoint(path, estimate.model_joints)
    note, trained = f"; {checkpoint.note}: --model-joints" if checkpoint.note else "", checkpoint.spec
    sizes, small = [trained.size], smaller(trained.size) if estimate.small_crops_below else None
    if estimate.variant != "auto" and estimate.variant != trained.variant:
        from dettrack.models.pose.checkpoint import inflate_checkpoint

        checkpoint = inflate_checkpoint(checkpoint, estimate.variant, clip_length)
        note += "; its temporal filters are means of 2D ones, not trained"
    else:
        sizes += [small] if small else []
        if trained.variant != "none" and trained.clip_length != clip_length:
            note += f"; trained with |C| = {trained.clip_length}, run with {clip_length}"
    note += _reached(checkpoint.metrics)
    networks = open_networks(checkpoint, path.name, estimate, clip_length, sizes)
    calibration = find_calibration(path, estimate.calibration, trained.calibration)
    made = [TubeEstimator(network, estimate, clip_length, note, calibration) for network in networks]
    return made[0], made[1] if len(made) > 1 else None


def _refuse_variant(estimate: EstimateConfig, name: str, *, temporal: bool = False) -> None:
    if estimate.variant != "auto" and (estimate.variant != "none" or temporal):
        raise InputError(
            f"--variant {estimate.variant}: {name} runs as it was exported; only a checkpoint (.safetensors or .pth) "
            "gets temporal filters on loading"
        )


def smaller(size: tuple[int, int]) -> tuple[int, int] | None:
    """Two thirds of a crop's height and width, in whole steps of 32 pixels; None where that would be too small."""
    height, width = (2 * side // (3 * _GRID) * _GRID for side in size)
    return (height, width) if height >= _LEAST and width > 0 else None


def _reached(metrics: Mapping[str, Any]) -> str:
    """What a checkpoint's training measured in keyframes of held-out sets, as a part of its description."""
    pck = {name: value for name, value in metrics.items() if not name.endswith("_ap") and "+" not in name}
    said = ", ".join(f"{name} {value:.2f}" for name, value in pck.items() if isinstance(value, float))
    return f"; held-out PCKh@0.5: {said}" if said else ""


def find_model(model: str) -> Path:
    """The file behind a path or the name of built-in weights; raises `InputError` where there is none."""
    path = Path(model)
    if path.suffix not in _KNOWN:
        if path.exists():
            raise InputError(f"{model}: not a pose model: expected a file ending in {', '.join(_KNOWN)}")
        return _builtin(model)
    if not path.is_file():
        raise InputError(f"no such pose model: {path}")
    return path


def _builtin(name: str) -> Path:
    """Weights of the package or of the user's store."""
    if name != "default":
        if (known := catalogue().get(name)) is not None and known.kind != "model":
            raise InputError(f"{name} is a detector: give it with --detector {name}")
        return find_weights(name).path
    path = SHIPPED / "pose.safetensors"
    if not path.is_file():
        raise InputError(f"no pose weights are built in: give a file with --model FILE ({', '.join(_KNOWN)})")
    return path
