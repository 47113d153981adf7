"""`dettrack export MODEL --to onnx`: a network as a file for a runtime, and how far its joints are from PyTorch's."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dettrack.config import EstimateConfig
from dettrack.errors import UsageError

__all__ = ["NetworkArgs", "run"]


@dataclass(frozen=True)
class NetworkArgs:
    """Write a pose network as a file for ONNX Runtime, OpenVINO or TensorRT: a --model of dettrack track.

    TensorRT needs an NVIDIA GPU and builds for that GPU alone.

    Attributes:
        model: dettrack .safetensors, official HRNet .pth, or the name of built-in weights.
        to: Kind of file.
        out: File to write; in the working folder, named after the model, if not given.
        clip_length: |C|, which the file fixes; odd.
        json: Print the report as JSON.
    """

    model: Annotated[str, tyro.conf.Positional]
    to: Literal["onnx", "openvino", "tensorrt"] = "onnx"
    out: Path | None = None
    clip_length: int = 9
    json: bool = False


def run(args: list[str]) -> int:
    """Entry point of the command."""
    options = tyro.cli(NetworkArgs, args=args, prog="dettrack export")
    if options.clip_length < 1 or options.clip_length % 2 == 0:
        raise UsageError(f"--clip-length is {options.clip_length}: it must be odd and at least 1")
    from dettrack.models.pose.export import compare, export_network, probe_crops
    from dettrack.models.pose.load import find_model
    from dettrack.models.pose.official import open_checkpoint
    from dettrack.models.pose.tube_network import open_exported, open_network

    source = find_model(options.model)
    checkpoint = open_checkpoint(source)
    if checkpoint.note:
        sys.stderr.write(f"note: {checkpoint.note}: dettrack weights import {source} --joints posetrack17\n")
    out = options.out or Path(source.stem + {"onnx": ".onnx", "openvino": ".xml", "tensorrt": ".engine"}[options.to])
    export_network(checkpoint, out, options.to, options.clip_length)
    settings = EstimateConfig(device="cpu", precision="fp32")
    on_gpu = options.to == "tensorrt"
    exported = open_exported(out, replace(settings, device="auto", precision="auto") if on_gpu else settings)
    temporal = checkpoint.spec.variant != "none"
    crops = probe_crops(checkpoint.spec.size, options.clip_length if temporal else 1)
    reference = open_network(checkpoint, source.name, replace(settings, runtime="pytorch"), options.clip_length)
    parity = compare(exported, reference, crops)
    report = {"file": str(out), "bytes": out.stat().st_size, "runtime": exported.runtime, **asdict(parity)}
    if options.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write(
            f"{out}: {exported.runtime}\n"
            f"against PyTorch fp32 on {len(crops)} tubes: heatmaps differ by at most {parity.heatmap:.1e} of their "
            f"largest value, joints by at most {parity.joint:.4f} px of the crop (mean {parity.joint_mean:.5f})\n"
        )
    return 0
