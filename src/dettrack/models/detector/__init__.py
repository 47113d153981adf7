"""Person detectors behind one protocol: ours, ONNX and OpenVINO files, transformers, boxes from a file."""

from __future__ import annotations

from pathlib import Path

from dettrack.config import DetectConfig
from dettrack.errors import InputError, UsageError
from dettrack.models.detector.protocol import Detector
from dettrack.models.weights import find_weights
from dettrack.models.weights.catalogue import catalogue

__all__ = ["DEFAULT_WEIGHTS", "Detector", "load_detector"]

DEFAULT_WEIGHTS = Path(__file__).parents[1] / "weights" / "detector.safetensors"

_KINDS = ".safetensors, .onnx, .xml (OpenVINO), .json (COCO-style detections), .csv or .txt (MOT), or hf:NAME_OR_PATH"


def load_detector(config: DetectConfig, *, device: str = "auto", threads: int = 0) -> Detector:
    """The detector that the settings name.

    Args:
        config: `config.detector` is a file, whose ending says what it is, or a name that `dettrack weights list` shows.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads; 0 takes all.

    Returns:
        A detector.

    Raises:
        InputError: The file is missing, unreadable or of a kind that is not known.
        MissingExtraError: It needs an optional dependency.
    """
    name = config.detector
    if config.detector_scales and name != "default" and not name.endswith(".safetensors"):
        raise UsageError(f"--detector-scales is for our own detectors (.safetensors), not {name}: use --detector-size")
    if name.startswith("hf:"):
        from dettrack.models.detector.transformers_detector import TransformersDetector

        return TransformersDetector(name.removeprefix("hf:"), config, device=device)
    path = DEFAULT_WEIGHTS if name == "default" else Path(name)
    if not path.is_file():
        if name == "default":
            raise InputError("this installation has no built-in detector weights: give one with --detector FILE")
        if (known := catalogue().get(name)) is not None and known.kind != "detector":
            raise InputError(f"{name} is a pose model: give it with --model {name}")
        if path.suffix or path.name != name:
            raise InputError(f"no such detector: {name} (expected a file: {_KINDS})")
        path = find_weights(name).path
    suffix = path.suffix.lower()
    if suffix in (".onnx", ".xml"):
        from dettrack.models.detector.onnx_detector import OnnxDetector

        return OnnxDetector(path, config, device=device, threads=threads)
    if suffix in (".json", ".csv", ".txt"):
        from dettrack.models.detector.file_boxes import FileBoxes

        return FileBoxes(path)
    if suffix == ".safetensors":
        from dettrack.models.detector import own

        return own.load(path, config, device, threads)
    raise InputError(f"{name}: unknown kind of detector (expected {_KINDS})")
