"""The same network for smaller crops: networks of this package are fully convolutional, and take any size."""

from __future__ import annotations

from dataclasses import replace

from dettrack.config import CutConfig, EstimateConfig
from dettrack.models.pose.estimator import Estimator
from dettrack.models.pose.load import find_model, open_checkpoint_with
from dettrack.models.pose.tube_estimator import TubeEstimator

__all__ = ["load_small_estimator", "smaller"]

_GRID = 32  # sides of crops are divisible by it
_LEAST = 96  # pixels of height; trained networks know nothing below


def smaller(size: tuple[int, int]) -> tuple[int, int] | None:
    """Two thirds of a crop's height and width, in whole steps of 32 pixels; None where that would be too small."""
    height, width = (2 * side // (3 * _GRID) * _GRID for side in size)
    return (height, width) if height >= _LEAST and width > 0 else None


def load_small_estimator(estimate: EstimateConfig, cut: CutConfig) -> Estimator | None:
    """The network of `load_estimator` again, for `smaller` crops.

    Args:
        estimate: Settings.
        cut: Clip settings.

    Returns:
        None where `estimate.small_crops_below` asks for none, or the model has one size only: a file of another
        project, an exported network, or crops that are small already.

    Raises:
        InputError: As `load_estimator`.
        MissingExtraError: As `load_estimator`.
    """
    path = find_model(estimate.model)
    if not estimate.small_crops_below or path.suffix not in (".safetensors", ".pth"):
        return None
    from dettrack.models.pose.official import open_checkpoint

    checkpoint = open_checkpoint(path)
    size = smaller(checkpoint.spec.size)
    if size is None or checkpoint.spec.variant != estimate.variant != "auto":
        return None
    checkpoint = replace(checkpoint, spec=replace(checkpoint.spec, size=size))
    model = open_checkpoint_with(checkpoint, path.name, estimate, cut.clip_length)
    return TubeEstimator(model, estimate, cut.clip_length)
