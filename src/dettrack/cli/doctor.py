"""`dettrack doctor`: what this installation can do, a self test, and what would make it better."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import tyro

from dettrack import __version__

__all__ = ["DoctorArgs", "run"]

_LIBRARIES = {
    "torch": "runs networks",
    "onnxruntime": "runs ONNX files",
    "openvino": "runs networks, the fastest on Intel and many AMD CPUs",
    "onnx": "hands our networks to OpenVINO and ONNX Runtime",
    "tensorrt": "runs networks, the fastest on NVIDIA GPUs",
    "transformers": "hf: models",
    "pandas": "to_pandas()",
    "av": "reads and writes videos",
}
_TEST_FRAMES = 12


@dataclass(frozen=True)
class DoctorArgs:
    """Say what this installation can do, and test it for some seconds.

    Attributes:
        quick: Leave the self test out.
    """

    quick: bool = False


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    options = tyro.cli(DoctorArgs, args=list(args), prog="dettrack doctor")
    bad = 0
    for line in _report(options):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        bad |= line.startswith("FAILED")
    return int(bad)


def _report(options: DoctorArgs) -> Iterator[str]:
    yield f"dettrack {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield from _machine()
    for name, use in _LIBRARIES.items():
        yield f"  {name:<16} {_version(name) or 'not installed':<16} {use}"
    yield from _codecs()
    yield from _weights()
    if not options.quick:
        yield from _self_test()
    yield from _advice()


def _machine() -> Iterator[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = ""
    with suppress(ValueError, OSError, AttributeError):
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB memory"
    yield f"{cores} CPU cores{memory}"
    if _version("torch"):
        import torch

        gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
        yield from (f"GPU {i}: {torch.cuda.get_device_name(i)}" for i in gpus)
        if not gpus:
            yield "no CUDA device that PyTorch sees: networks run on the CPU"


def _codecs() -> Iterator[str]:
    from dettrack.errors import DettrackError
    from dettrack.video import choose_encoder

    try:
        yield f"video encoder for --render: {choose_encoder()}"
    except DettrackError as error:
        yield f"FAILED video encoder for --render: {error}"


def _weights() -> Iterator[str]:
    from dettrack.models.weights import list_weights, store

    known = list_weights()
    broken = [each.name for each in known if not each.intact]
    yield f"weights: {', '.join(each.name for each in known) or 'none'}; your store is {store()}"
    if broken:
        yield f"FAILED weights that are not the files that were written down: {', '.join(broken)}"


def _self_test() -> Iterator[str]:
    import numpy as np

    from dettrack.errors import DettrackError
    from dettrack.pipeline import Pipeline

    try:
        start = time.perf_counter()
        pipeline = Pipeline()
        loaded = time.perf_counter()
        picture = np.random.default_rng(0).integers(0, 255, (360, 640, 3)).astype(np.uint8)
        people: Any = np.tile([[80.0, 40, 180, 330], [400, 60, 500, 340]], (1, 1))
        tested = Pipeline(pipeline.config, model=pipeline.estimator, detections=[people] * _TEST_FRAMES)
        tested.track([picture] * _TEST_FRAMES, fps=25).gather()
        ended = time.perf_counter()
        pipeline.track([picture] * _TEST_FRAMES, fps=25).gather()
        last = time.perf_counter()
    except DettrackError as error:
        yield f"FAILED self test: {error}"
        return
    yield f"self test: models loaded in {loaded - start:.1f} s"
    yield f"  {pipeline!r}"
    yield (
        f"  640x360: {_TEST_FRAMES / (last - ended):.1f} frames/s without people, "
        f"{_TEST_FRAMES / (ended - loaded):.1f} with two people and boxes given"
    )


def _advice() -> Iterator[str]:
    from dettrack.models.weights import list_weights
    from dettrack.models.weights.catalogue import catalogue

    here = {each.name for each in list_weights()}
    missing = [one for one in catalogue().values() if one.name not in here]
    yield "what would help:"
    if not (_version("openvino") and _version("onnx")):
        yield "  faster on a CPU: pip install 'dettrack[openvino]'"
    if not _version("onnxruntime"):
        yield "  ONNX detectors and pose models: pip install 'dettrack[onnx]'"
    if missing:
        yield "  better models, by people who trained longer; `dettrack weights fetch NAME` gets one:"
        yield from (f"    {one.name:<24} {one.kind:<8} {one.size:>9}  {one.accuracy or one.about}" for one in missing)
    yield "  other models: ViTPose and more as files or hf: names (docs/models.md)"


def _version(name: str) -> str:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name) if importlib.util.find_spec(name) else ""
    return ""
