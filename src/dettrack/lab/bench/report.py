"""What `dettrack bench` writes: JSON with documented keys (docs/speed.md), Markdown, and a plot."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dettrack import __version__
from dettrack.errors import MissingExtraError
from dettrack.lab.bench.networks import NetworkRow, PeakRow
from dettrack.lab.bench.race import RaceRow
from dettrack.lab.bench.stages import CrowdRow, StageRow
from dettrack.threads import cpu_threads

__all__ = ["SCHEMA", "BenchReport", "machine", "markdown", "plot"]

SCHEMA = 1
"""Grows when a reader of the JSON must change."""


def machine() -> dict[str, Any]:
    """The machine in words: processor, cores of this process, GPUs, versions."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "cpu": _cpu_name(),
        "cores": cpu_threads(0),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "gpus": gpus,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "dettrack": __version__,
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor() or platform.machine()


@dataclass(frozen=True)
class BenchReport:
    """Everything that was measured.

    Attributes:
        machine: See `machine`.
        video: Name, width, height and frames of what was tracked; None where nothing was.
        stages: Time of each stage.
        crowd: What 30 people cost beside the network; None where it was not measured.
        peaks: Matrix products.
        networks: Networks beside them.
        race: Whole runs; ratios to the first of them.
        overlap: One run with overlapping stages, and one without; the ratio is to the first.
    """

    machine: dict[str, Any]
    video: dict[str, Any] | None = None
    stages: Sequence[StageRow] = ()
    crowd: CrowdRow | None = None
    peaks: Sequence[PeakRow] = ()
    networks: Sequence[NetworkRow] = ()
    race: Sequence[RaceRow] = ()
    overlap: Sequence[RaceRow] = field(default_factory=tuple)

    def entry(self) -> dict[str, Any]:
        """As JSON; a spread is {"median", "low", "high"}, what is not a number is null."""
        return _finite({"schema": SCHEMA, **asdict(self)})


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown(report: BenchReport) -> str:
    """The report as Markdown; every number is a median with the range in brackets."""
    about = report.machine
    devices = ", ".join([f"{about['cpu']}, {about['cores']} cores", *about["gpus"]])
    lines = [
        f"Machine: {devices}; load {about['load']} at the start; PyTorch {about['torch']}, "
        f"dettrack {about['dettrack']}.",
        "Medians of the rounds, ranges in brackets.",
    ]
    if report.video is not None:
        name, width, height, frames = (report.video[key] for key in ("name", "width", "height", "frames"))
        lines.append(f"Video: {name}, {width}x{height}, {frames} frames.")
    parts = (_race(report.race, "Whole runs"), _race(report.overlap, "Overlapping stages"), _stages(report.stages))
    for part in (*parts, _crowd(report.crowd), _networks(report.peaks, report.networks)):
        lines += part
    return "\n".join(lines) + "\n"


def _race(rows: Sequence[RaceRow], title: str) -> Iterator[str]:
    if not rows:
        return
    first = next((row.name for row in rows if not row.skipped), "")
    yield from ("", f"## {title}", "")
    yield f"| run | frames/s | times as fast as {first} | in CPU time | CPU ms/frame | poses | tracks | peak MiB |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        if row.skipped:
            yield f"| {row.name} | skipped: {row.skipped} | | | | | | |"
            continue
        peak = "" if row.peak_mib is None else f"{row.peak_mib:.0f}"
        yield (
            f"| {row.name} | {row.frames_per_s} | {row.speed} | {row.speed_cpu} | {row.cpu_ms_per_frame} "
            f"| {row.poses} | {row.tracks} | {peak} |"
        )
    yield ""
    for row in rows:
        if not row.skipped:
            yield f"- {row.name}: {row.detector}; {row.model}"
            yield f"  {_computed(row)}"


def _computed(row: RaceRow) -> str:
    """What the networks of a run computed, and how near that comes to the machine's peak."""
    ran = ", ".join(f"{n} {name.replace('_', ' of ')}" for name, n in row.counts.items()) or "nothing"
    if row.gflop_per_frame is None or row.share_of_peak is None:
        return f"Ran on {ran}; GFLOP a frame not known"
    share = row.share_of_peak
    return (
        f"Ran on {ran}: {row.gflop_per_frame:.2f} GFLOP a frame (detector {row.detector_gflop_per_frame:.2f}, pose "
        f"{row.pose_gflop_per_frame:.2f}), {100 * share.median:.0f} % of the measured peak "
        f"({100 * share.low:.0f}-{100 * share.high:.0f})"
    )


def _stages(rows: Sequence[StageRow]) -> Iterator[str]:
    if not rows:
        return
    yield from ("", "## Stages, one at a time", "", "| stage | ms | per |", "|---|---:|---|")
    for row in rows:
        yield f"| {row.stage} | {row.ms} | {row.per} |"


def _crowd(row: CrowdRow | None) -> Iterator[str]:
    if row is None:
        return
    yield from ("", f"## {row.people} people at S = 1", "")
    yield (
        f"Sew {row.sew_ms:.2f}, polish {row.polish_ms:.2f}, write {row.write_ms:.2f} ms a frame beside "
        f"{row.network_ms:.0f} ms of the network: {100 * row.share:.2f} % of the time."
    )


def _networks(peaks: Sequence[PeakRow], rows: Sequence[NetworkRow]) -> Iterator[str]:
    if not peaks:
        return
    yield from ("", "## Networks beside matrix products", "")
    for peak in peaks:
        yield (
            f"- {peak.precision} peak on {peak.device}: {peak.gflops.high:.0f} GFLOP/s "
            f"(2048 x 2048, {peak.by}; median {peak.gflops.median:.0f})"
        )
    yield from (
        "",
        "| network | runtime | GFLOP/tube | tubes/s | GFLOP/s | % of the peak |",
        "|---|---|---:|---:|---:|---:|",
    )
    for row in rows:
        if row.tubes_per_s is None or row.share_of_peak is None:
            yield f"| {row.network} | {row.runtime}, {row.precision} | {row.gflop:.1f} | skipped: {row.skipped} | | |"
            continue
        share = row.share_of_peak
        yield (
            f"| {row.network} | {row.runtime} | {row.gflop:.1f} | {row.tubes_per_s} "
            f"| {row.tubes_per_s.median * row.gflop:.0f} "
            f"| {100 * share.median:.0f} ({100 * share.low:.0f}-{100 * share.high:.0f}) |"
        )


def plot(report: BenchReport, path: Path) -> None:
    """Frames per second of whole runs, and networks as a share of the peak.

    Args:
        report: What was measured.
        path: A .png file; its folder is made.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the plot of dettrack bench", "plots") from error
    runs = [row for row in report.race if row.frames_per_s is not None]
    nets = [row for row in report.networks if row.share_of_peak is not None]
    figure = Figure(figsize=(11, 1.5 + 0.45 * max(len(runs), len(nets), 3)), layout="constrained")
    parts = figure.subplots(1, bool(runs) + bool(nets) or 1, squeeze=False)[0]
    if runs:
        _bars(parts[0], [row.name for row in runs], [row.frames_per_s for row in runs], "frames per second")
    if nets:
        names = [f"{row.network}\n{row.runtime}" for row in nets]
        shares = [row.share_of_peak for row in nets]
        _bars(parts[-1], names, shares, "share of the measured matrix-product peak", scale=100.0, unit=" %")
    name = "" if report.video is None else f"; {report.video['name']}"
    figure.suptitle(f"{report.machine['cpu']}, {report.machine['cores']} cores{name}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _bars(axes: Any, names: list[str], values: list[Any], label: str, scale: float = 1.0, unit: str = "") -> None:
    middle = scale * np.array([value.median for value in values])
    ends = scale * np.array([[value.low, value.high] for value in values]).reshape(-1, 2).T
    places = np.arange(len(names))[::-1]
    axes.barh(places, middle, xerr=np.abs(ends - middle), color="#4c72b0", ecolor="#333333", capsize=3)
    for place, value, end in zip(places, middle, ends[1], strict=True):
        axes.annotate(f"{value:.3g}{unit}", (max(value, end), place), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(places, names, fontsize=8)
    axes.set_xlabel(label)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
