"""From `--model` to an estimator: by the file's ending, or by the name of built-in weights."""

from __future__ import annotations

from pathlib import Path

from dettrack.config import CutConfig, EstimateConfig
from dettrack.errors import InputError
from dettrack.network.estimator import Estimator

__all__ = ["load_estimator"]

_KNOWN = (".safetensors", ".pth", ".onnx", ".xml")


def load_estimator(estimate: EstimateConfig, cut: CutConfig | None = None) -> Estimator:
    """The pose model that `estimate.model` names.

    Args:
        estimate: Settings; `model` is a `.safetensors` checkpoint of this package, an official HRNet `.pth`, a 2D
            model's `.onnx` or `.xml` (OpenVINO), or the name of weights ("default", or one that `dettrack weights
            list` shows).
        cut: Clip settings: a temporal network sees tubes of this |C|, whatever it was trained with.

    Raises:
        InputError: The file is missing, unreadable, of unknown kind, or does not fit its network.
        MissingExtraError: The file needs a runtime that is not installed.
    """
    path = _find(estimate.model)
    if path.suffix in (".onnx", ".xml"):
        from dettrack.network.frame_estimator import FrameEstimator

        return FrameEstimator(path, estimate)
    from dettrack.network.checkpoint import load_checkpoint
    from dettrack.network.official import load_official
    from dettrack.network.torch_estimator import TorchTubeModel
    from dettrack.network.tube_estimator import TubeEstimator

    checkpoint = load_official(path) if path.suffix == ".pth" else load_checkpoint(path)
    model = TorchTubeModel(checkpoint, path.name, estimate)
    return TubeEstimator(model, estimate, (cut or CutConfig()).clip_length)


def _find(model: str) -> Path:
    """The file behind a path or a name."""
    path = Path(model)
    if path.suffix not in _KNOWN:
        if path.exists():
            raise InputError(f"{model}: not a pose model: expected a file ending in {', '.join(_KNOWN)}")
        return _builtin(model)
    if not path.is_file():
        raise InputError(f"no such pose model: {path}")
    return path


def _builtin(name: str) -> Path:
    folder = Path(__file__).parents[1] / "weights"
    path = folder / ("pose.safetensors" if name == "default" else f"{name}.safetensors")
    if not path.is_file():
        raise InputError(
            f"no pose weights called {name!r} are built in: give a file with --model FILE ({', '.join(_KNOWN)})"
        )
    return path
