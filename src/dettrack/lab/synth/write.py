"""Scenes as files: videos, frames, PoseTrack18 annotations; the benchmark; the scene of `make demo`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import cv2

from dettrack.errors import OutputError
from dettrack.files import load_json, parsing, write_bytes, write_json
from dettrack.formats.posetrack.year2018 import write_posetrack18
from dettrack.lab.synth.annotate import sequence_name, to_sequence
from dettrack.lab.synth.render import Renderer
from dettrack.lab.synth.scene import SceneConfig, draw_scene
from dettrack.video import VideoWriter

__all__ = ["BENCHMARK", "SceneJob", "benchmark_jobs", "demo_scene", "scene_jobs", "write_scene", "write_scenes"]

# Split -> (seed, scenes, frames per scene). The seeds are part of the benchmark: changing one makes another benchmark.
BENCHMARK = {"train": (101, 32, 36), "val": (102, 4, 36), "test": (103, 16, 36)}
# Frames a second: within the nine frames of a tube, half a second, people who cross have moved by a body's width.
_BENCHMARK_FPS = 15.0
# Scenarios of the benchmark, in turn: mostly people who cross, hold or hide each other.
_CYCLE = ("cross", "entangled", "crowd", "leave-return", "cross", "entangled", "mixed", "small-large")


@dataclass(frozen=True)
class SceneJob:
    """One scene to write.

    Attributes:
        seed: Of the series.
        index: Of the scene in it.
        split: Folder of the annotations and images: train, val or test.
        config: The scene's settings.
    """

    seed: int
    index: int
    split: str
    config: SceneConfig

    @property
    def name(self) -> str:
        """Of the sequence and its files."""
        return sequence_name(self.seed, self.index)


def scene_jobs(seed: int, scenes: int, config: SceneConfig, split: str = "val") -> list[SceneJob]:
    """The first `scenes` scenes of a series.

    Args:
        seed: Of the series.
        scenes: How many.
        config: Settings.
        split: train, val or test.

    Returns:
        One job a scene.
    """
    return [SceneJob(seed, index, split, config) for index in range(scenes)]


def benchmark_jobs(config: SceneConfig) -> list[SceneJob]:
    """All scenes of the benchmark; of `config` its size, motions and photographs count."""
    config = replace(config, fps=_BENCHMARK_FPS)
    return [
        SceneJob(seed, index, split, replace(config, frames=frames, scenario=_CYCLE[index % len(_CYCLE)]))
        for split, (seed, scenes, frames) in BENCHMARK.items()
        for index in range(scenes)
    ]


def write_scene(job: SceneJob, out: Path, *, frames: bool = True, video: bool = True) -> dict[str, object]:
    """Render one scene and write its files.

    Args:
        job: What to draw.
        out: Folder; gets `annotations/SPLIT/NAME.json`, `images/SPLIT/NAME/FFFFFF.jpg` and `videos/NAME.mp4`.
        frames: Write the frames as JPEG.
        video: Write the video.

    Returns:
        What the scene is: name, scenario, people, frames.

    Raises:
        OutputError: A file cannot be written.
    """
    scene = draw_scene(job.seed, job.index, job.config)
    folder, videos = out / "images" / job.split / job.name, out / "videos"
    try:
        for path in [videos] * video + [folder] * frames:
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}") from None
    height, width = job.config.size
    rate = Fraction(job.config.fps).limit_denominator(1001)
    writer = VideoWriter(videos / f"{job.name}.mp4", (height, width), rate) if video else None
    renderer, truths = Renderer(scene), []
    try:
        for frame in scene:
            rendered = renderer.frame(frame)
            truths.append(rendered.truth)
            if writer is not None:
                writer.write(rendered.image)
            if frames:
                _write_jpeg(folder / f"{frame:06d}.jpg", rendered.image)
    finally:
        if writer is not None:
            writer.close()
    write_posetrack18(to_sequence(job.name, job.split, truths), out / "annotations" / job.split / f"{job.name}.json")
    return {
        "name": job.name, "split": job.split, "seed": job.seed, "index": job.index, "scenario": scene.scenario,
        "people": len(scene.actors), "frames": len(scene), "size": [width, height], "fps": job.config.fps,
    }  # fmt: skip


def _write_jpeg(path: Path, image: object) -> None:
    ok, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])  # type: ignore[call-overload]
    if not ok:
        raise OutputError(f"{path}: the picture cannot be encoded")
    write_bytes(path, encoded.tobytes(), sync=False)


def write_scenes(
    jobs: list[SceneJob], out: Path, *, frames: bool = True, video: bool = True, workers: int = 1,
    done: Callable[[dict[str, object]], None] = lambda scene: None,
) -> list[dict[str, object]]:  # fmt: skip
    """Write many scenes, several at a time, and a list of them (`scenes.json`).

    Scenes that are listed there already stay listed: a folder may be filled by several calls.

    Args:
        jobs: The scenes; the same files come out whatever the number of workers.
        out: Folder.
        frames: Write frames as JPEG.
        video: Write videos.
        workers: Processes.
        done: Called with each finished scene's entry.

    Returns:
        The entries of `scenes.json`, in the order of the jobs.

    Raises:
        OutputError: A file cannot be written.
    """
    entries = []
    for entry in _run(jobs, out, frames, video, workers):
        entries.append(entry)
        done(entry)
    entries.sort(key=lambda entry: str(entry["name"]))
    listed = {(entry["split"], entry["name"]): entry for entry in (*_listed(out / "scenes.json"), *entries)}
    write_json(out / "scenes.json", sorted(listed.values(), key=lambda entry: str(entry["name"])), indent=1)
    return entries


def _listed(path: Path) -> list[dict[str, object]]:
    """Scenes of earlier calls."""
    if not path.is_file():
        return []
    with parsing(f"{path}", "the list of scenes that `dettrack synth` writes"):
        entries = load_json(path)
        return [{**entry, "split": str(entry["split"]), "name": str(entry["name"])} for entry in entries]


def _run(jobs: list[SceneJob], out: Path, frames: bool, video: bool, workers: int) -> Iterator[dict[str, object]]:
    if workers <= 1:
        for job in jobs:
            yield write_scene(job, out, frames=frames, video=video)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(write_scene, job, out, frames=frames, video=video) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def demo_scene(folder: str | Path) -> tuple[Path, Path]:
    """Write the built-in scene of `make demo`: four people, 100 frames of 640x360, one walking past.

    Args:
        folder: Where to write.

    Returns:
        The video, and its PoseTrack18 annotations.
    """
    out = Path(folder)
    job = SceneJob(7, 2, "val", SceneConfig(frames=100, scenario="apart", camera="handheld", occluders=0))
    write_scene(job, out, frames=False)
    return out / "videos" / f"{job.name}.mp4", out / "annotations" / job.split / f"{job.name}.json"
