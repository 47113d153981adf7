"""Pose networks against the machine's peak: how much of what its matrix products reach do they reach?"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dettrack.config import EstimateConfig
from dettrack.errors import DettrackError, UsageError
from dettrack.lab.bench.flops import module_gflop
from dettrack.lab.bench.timing import Spread, Turns, take_turns
from dettrack.models.pose.checkpoint import Checkpoint, NetworkSpec, build_network
from dettrack.models.pose.export import probe_crops
from dettrack.models.pose.inflate import set_clip_length
from dettrack.models.pose.load import find_model
from dettrack.models.pose.official import open_checkpoint
from dettrack.models.pose.tube_network import open_network
from dettrack.models.runtime.precision import cpu_has_bf16
from dettrack.models.runtime.torch import torch_device

__all__ = ["NetworkRow", "PeakRow", "fastest_product", "find_network", "measure_networks", "peak_products"]

_SIDE = 2048  # of the matrices
_RANDOM = re.compile(r"W(\d+)-(none|early|last|all)-(\d+)x(\d+)")


@dataclass(frozen=True)
class PeakRow:
    """The fastest matrix product of some libraries.

    Attributes:
        precision: "fp32" or "bf16".
        by: The library that was fastest.
        device: Its device, in words.
        gflops: 10^9 floating point operations per second; the highest of all rounds counts as the peak.
    """

    precision: str
    by: str
    device: str
    gflops: Spread


@dataclass(frozen=True)
class NetworkRow:
    """One network in one runtime.

    Attributes:
        network: Name.
        runtime: What runs it, with device and precision.
        precision: "fp32" or "bf16".
        gflop: 10^9 floating point operations for one tube (a multiply-add counts as two).
        tubes_per_s: Tubes per second.
        share_of_peak: Of the peak in the same precision, round by round.
        skipped: Why nothing was measured, or "".
    """

    network: str
    runtime: str
    precision: str
    gflop: float
    tubes_per_s: Spread | None = None
    share_of_peak: Spread | None = None
    skipped: str = ""


def find_network(name: str) -> Checkpoint:
    """A checkpoint by its file or name, or HRNet with random weights: W32-early-288x384 (width, variant, size).

    Raises:
        UsageError: The size does not fit.
        InputError: No such checkpoint.
    """
    found = _RANDOM.fullmatch(name)
    if found is None:
        return open_checkpoint(find_model(name))
    width, variant, across, down = found.groups()
    if int(across) % 32 or int(down) % 32:
        raise UsageError(f"--networks {name}: both sides must be divisible by 32")
    clip_length = 1 if variant == "none" else 9
    spec = NetworkSpec(width=int(width), variant=variant, clip_length=clip_length, size=(int(down), int(across)))  # type: ignore[arg-type]
    return Checkpoint(build_network(spec).eval(), spec, {}, "random weights")


def peak_products(precision: str, device: torch.device, threads: int) -> dict[str, Callable[[], object]]:
    """Products of square matrices by every library at hand, by name.

    Args:
        precision: "fp32" or "bf16".
        device: Where they run.
        threads: CPU threads; 0 takes all.

    Returns:
        Calls by name of the library.
    """
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    a = torch.randn(_SIDE, _SIDE, device=device, dtype=dtype)
    b = torch.randn(_SIDE, _SIDE, device=device, dtype=dtype)

    def by_torch() -> None:
        torch.mm(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    products: dict[str, Callable[[], object]] = {"PyTorch": by_torch}
    if device.type == "cpu":
        if precision == "fp32" and not threads:  # NumPy's threads cannot be set here
            left, right = a.numpy(), b.numpy()
            products["NumPy"] = lambda: left @ right
        if importlib.util.find_spec("openvino"):
            products["OpenVINO"] = _openvino_product(precision, threads)
    return products


def _openvino_product(precision: str, threads: int) -> Callable[[], object]:
    from dettrack.models.runtime.openvino_core import openvino

    ops = openvino.opset13
    left = ops.parameter([_SIDE, _SIDE], np.float32)
    right = ops.constant(np.random.default_rng(0).normal(size=(_SIDE, _SIDE)).astype(np.float32))
    model = openvino.Model([ops.matmul(left, right, False, True)], [left])
    options: dict[str, str | int] = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
    values = np.random.default_rng(1).normal(size=(_SIDE, _SIDE)).astype(np.float32)
    return lambda: request.infer([values])


def fastest_product(precision: str, device: str, turns: Mapping[str, Turns]) -> PeakRow:
    """The peak in a precision.

    Args:
        precision: "fp32" or "bf16".
        device: In words.
        turns: Times of `peak_products`.

    Returns:
        The peak.
    """
    best = min(turns, key=lambda name: min(turns[name].seconds))
    return PeakRow(precision, best, device, turns[best].rate(2 * _SIDE**3 / 1e9))


def measure_networks(
    names: list[str], device: str, threads: int, rounds: int, clip_length: int, say: Callable[[str], None]
) -> tuple[list[PeakRow], list[NetworkRow]]:
    """Every network in every runtime that is there, in turns with matrix products.

    Args:
        names: See `find_network`.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads; 0 takes all.
        rounds: How often each is timed.
        clip_length: |C| of the temporal networks.
        say: Receives lines of progress.

    Returns:
        Peaks, and networks beside them.
    """
    where = torch_device(device)
    in_words = torch.cuda.get_device_name(where) if where.type == "cuda" else "CPU"
    precisions = ["fp32", *(["bf16"] if where.type == "cuda" or cpu_has_bf16() else [])]
    peaks: list[PeakRow] = []
    rows: list[NetworkRow] = []
    for precision in precisions:
        say(f"networks in {precision}")
        products = peak_products(precision, where, threads)
        models: dict[str, tuple[NetworkRow, int, Callable[[], object]]] = {}
        for name in names:
            for made in _models(name, where, precision, threads, clip_length):
                if made[2] is None:
                    rows.append(made[0])
                else:
                    models[f"{name} {made[0].runtime}"] = (made[0], made[1], made[2])
        turns = take_turns({**products, **{key: call for key, (_, _, call) in models.items()}}, rounds)
        peaks.append(fastest_product(precision, in_words, {name: turns[name] for name in products}))
        rows += [_row(row, tubes, turns[key], peaks[-1].gflops.high) for key, (row, tubes, _) in models.items()]
    return peaks, rows


def _row(row: NetworkRow, tubes: int, turns: Turns, peak_gflops: float) -> NetworkRow:
    rate = turns.rate(tubes)
    share = Spread.of([tubes * row.gflop / seconds / peak_gflops for seconds in turns.seconds])
    return NetworkRow(row.network, row.runtime, row.precision, row.gflop, rate, share)


def _models(
    name: str, device: torch.device, precision: str, threads: int, clip_length: int
) -> Iterator[tuple[NetworkRow, int, Callable[[], object] | None]]:
    """The network in every runtime: its row so far, tubes in a call, and the call; None where it cannot run."""
    checkpoint = find_network(name)
    frames = clip_length if checkpoint.spec.variant != "none" else 1
    set_clip_length(checkpoint.network, frames)
    gflop = module_gflop(checkpoint.network, 1, frames, 3, *checkpoint.spec.size)
    runtimes = ["pytorch", "tensorrt"] if device.type == "cuda" else ["pytorch", "onnxruntime", "openvino"]
    for runtime in runtimes:
        row = NetworkRow(name, runtime, precision, gflop)
        if runtime != "pytorch" and importlib.util.find_spec(runtime) is None:
            yield NetworkRow(name, runtime, precision, gflop, skipped="not installed"), 0, None
            continue
        if runtime == "onnxruntime" and precision != "fp32":
            continue
        options = EstimateConfig(runtime=runtime, precision=precision, device=str(device), threads=threads)  # type: ignore[arg-type]
        try:
            model = open_network(deepcopy(checkpoint), name, options, frames)
        except DettrackError as error:
            yield NetworkRow(name, runtime, precision, gflop, skipped=str(error)), 0, None
            continue
        tubes = model.batch
        crops = probe_crops(checkpoint.spec.size, frames, tubes=1).repeat(tubes, 0)
        row = NetworkRow(name, model.runtime.split("; ")[-1], precision, gflop)
        yield row, tubes, lambda model=model, crops=crops: np.asarray(_host(model.run(crops)))  # type: ignore[misc]


def _host(heatmaps: object) -> object:
    return heatmaps.cpu() if isinstance(heatmaps, torch.Tensor) else heatmaps


def network_names(given: str) -> list[str]:
    """Comma-separated names of `--networks`; each must exist."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if not _RANDOM.fullmatch(name) and not Path(name).suffix:
            find_model(name)
    return names
