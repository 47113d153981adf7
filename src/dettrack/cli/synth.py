"""`dettrack synth`: synthetic scenes with exact annotations, and the benchmark made of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from dettrack.errors import UsageError

__all__ = ["SynthArgs", "run"]


@dataclass(frozen=True)
class SynthArgs:
    """Draw scenes of moving people with exact joints, identities and visibility: videos, frames, PoseTrack18 JSON.

    Attributes:
        out: Folder to write; gets annotations/SPLIT, images/SPLIT, videos and scenes.json.
        scenes: How many scenes.
        frames: Frames per scene.
        size: Width x height in pixels.
        fps: Frames per second.
        seed: Of the series; the same seed gives the same scenes, whatever --jobs is.
        scenario: What happens in the scenes.
        camera: How the camera moves.
        occluders: Pieces of furniture; -1 draws the number for each scene.
        split: Name of the folders of annotations and images.
        motions: DeepMimic-format motions (file, folder or tar archive) beside the built-in ones.
        backgrounds: Folder of photographs to stand behind people.
        benchmark: Write the benchmark instead: fixed seeds, train, val and test, mostly entangled people.
        write: Files of the pictures.
        jobs: Processes.
        quiet: Print errors only.
    """

    out: tyro.conf.Positional[Path]
    scenes: int = 10
    frames: int = 100
    size: str = "640x360"
    fps: float = 25.0
    seed: int = 0
    scenario: Literal["any", "mixed", "apart", "cross", "entangled", "leave-return", "crowd", "small-large"] = "any"
    camera: Literal["any", "static", "pan", "handheld"] = "any"
    occluders: int = -1
    split: str = "val"
    motions: Path | None = None
    backgrounds: Path | None = None
    benchmark: bool = False
    write: Literal["both", "video", "frames"] = "both"
    jobs: int = 1
    quiet: bool = False


def _size(text: str) -> tuple[int, int]:
    """Height and width from "WxH"."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"--size is {text!r}: expected WIDTHxHEIGHT, for example 640x360")
    return int(height), int(width)


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    parsed = tyro.cli(SynthArgs, args=list(args), prog="dettrack synth")
    size = _size(parsed.size)
    for name, least in (("scenes", 1), ("frames", 1), ("fps", 1), ("seed", 0), ("jobs", 1), ("occluders", -1)):
        if getattr(parsed, name) < least:
            raise UsageError(f"--{name} is {getattr(parsed, name)}: it must be at least {least}")
    if parsed.scenes > 1000:
        raise UsageError(f"--scenes is {parsed.scenes}: a series has at most 1000; take another --seed for more")
    from dettrack.lab.synth.mocap import load_recordings
    from dettrack.lab.synth.scene import SceneConfig
    from dettrack.lab.synth.world import find_photos
    from dettrack.lab.synth.write import benchmark_jobs, scene_jobs, write_scenes

    config = SceneConfig(
        size=size,
        frames=parsed.frames,
        fps=parsed.fps,
        scenario=parsed.scenario,
        camera=parsed.camera,
        occluders=parsed.occluders,
        motions=load_recordings(parsed.motions) if parsed.motions else (),
        photos=find_photos(parsed.backgrounds) if parsed.backgrounds else (),
    )
    jobs = benchmark_jobs(config) if parsed.benchmark else scene_jobs(parsed.seed, parsed.scenes, config, parsed.split)
    start, count = time.perf_counter(), 0

    def report(entry: dict[str, object]) -> None:
        nonlocal count
        count += 1
        if not parsed.quiet:
            spent = time.perf_counter() - start
            line = (
                f"{count}/{len(jobs)} {entry['split']}/{entry['name']}: {entry['scenario']}, {entry['people']} people"
            )
            sys.stderr.write(f"{line}, {spent:.0f} s\n")

    entries = write_scenes(
        jobs,
        parsed.out,
        frames=parsed.write != "video",
        video=parsed.write != "frames",
        workers=parsed.jobs,
        done=report,
    )
    if not parsed.quiet:
        total = sum(job.config.frames for job in jobs)
        seconds = time.perf_counter() - start
        sys.stdout.write(f"{parsed.out}: {len(entries)} scenes, {total} frames, {total / seconds:.1f} frames/s\n")
    return 0
