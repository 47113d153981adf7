"""A thousand drawn videos of one second through `dettrack batch`: what a video costs beside its tracking.

    python -m dettrack.lab.studies.many_videos WORK [--videos 1000] [--workers 1] [--options "--preset fast"]

The same videos are tracked by one `Pipeline` in this process too, without writing anything, before the batch and after
it: what the batch takes longer, for each video and worker, is decoding in a process of its own, results on the disk,
the manifest and the data set. Memory is what the operating system reports of the processes (Linux).
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import UInt8

from dettrack.config import TrackConfig
from dettrack.errors import OutputError
from dettrack.lab.studies import run_command
from dettrack.lab.synth import Renderer, SceneConfig, draw_scene
from dettrack.pipeline import Pipeline
from dettrack.runs.batch.manifest import FOLDER, read_manifest
from dettrack.video import VideoWriter, open_video

__all__ = ["Process", "draw", "processes_below", "run_watched"]

_SCENES = 10
_FPS = 25
_SIZE = (120, 160)


@dataclass(frozen=True)
class Process:
    """What the operating system says of a process now.

    Attributes:
        pid: Its number.
        what: Its command's last words.
        resident_mib: Memory in use.
        handles: Open files.
        threads: How many.
        cpu_s: Processor time so far, with that of children that have ended.
    """

    pid: int
    what: str
    resident_mib: float
    handles: int
    threads: int
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.resident_mib:.0f} MiB, {self.handles} files, {self.threads} threads"


def processes_below(pid: int) -> list[Process]:
    """A process and all that it started, as far as they are still there; the process itself first."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop(0)
        with suppress(OSError, IndexError, KeyError):
            found.append(_process(one))
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return found


def _process(pid: int) -> Process:
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    times = (folder / "stat").read_text().rpartition(")")[2].split()[11:15]
    said = (folder / "cmdline").read_bytes().replace(b"\x00", b" ").decode(errors="replace").strip()
    return Process(
        pid,
        said[-60:],
        int(status["VmRSS"].split()[0]) / 1024,
        len(list((folder / "fd").iterdir())),
        int(status["Threads"]),
        sum(map(int, times)) / os.sysconf("SC_CLK_TCK"),
    )


def run_watched(command: list[str], look: Callable[[int], None], every_s: float = 1.0) -> float:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        look: Called with its process id now and then.
        every_s: How often, in seconds.

    Returns:
        Seconds that it took.

    Raises:
        OutputError: It failed.
    """
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(every_s)
                break
            look(process.pid)
    if process.returncode:
        raise OutputError(f"{shlex.join(command)}: exit code {process.returncode}")
    return time.perf_counter() - start


def draw(index: int, frames: int, size: tuple[int, int]) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The frames of a drawn scene in which people stand and walk apart.

    Args:
        index: Which one.
        frames: How many.
        size: Height and width in pixels.

    Yields:
        RGB images.
    """
    config = SceneConfig(size=size, frames=frames, fps=float(_FPS), scenario="apart", camera="static", occluders=0)
    renderer = Renderer(draw_scene(11, index, config))
    for number in range(frames):
        yield renderer.frame(number).image


def _write_videos(folder: Path, count: int) -> None:
    """Scenes in turn; the number of the video is drawn into a corner, so that no two files are the same."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [list(draw(index, _FPS, _SIZE)) for index in range(min(_SCENES, count))]
    for number in range(count):
        with VideoWriter(folder / f"v{number:05d}.mp4", _SIZE, Fraction(_FPS)) as video:
            for image in scenes[number % len(scenes)]:
                marked = image.copy()
                for bit in range(16):
                    marked[:4, 4 * bit : 4 * bit + 4] = 255 * (number >> bit & 1)
                video.write(marked)


def _track_plainly(videos: list[Path], config: TrackConfig) -> tuple[float, float]:
    """Wall and processor seconds a video of one pipeline that writes nothing."""
    pipeline = Pipeline(config)
    for path in videos[:2]:
        _drain(pipeline, path)
    wall, cpu = time.perf_counter(), time.process_time()
    for path in videos:
        _drain(pipeline, path)
    return (time.perf_counter() - wall) / len(videos), (time.process_time() - cpu) / len(videos)


def _drain(pipeline: Pipeline, path: Path) -> None:
    with open_video(str(path)) as video, pipeline.track(video) as run:
        for _ in run:
            pass


def main(
    work: tyro.conf.Positional[Path], videos: int = 1000, workers: int = 1, options: str = "--preset fast"
) -> None:
    """Draw the videos, track them, and say what it took.

    Args:
        work: Folder for videos and results.
        videos: How many; those that are there already are not drawn again.
        workers: As of `dettrack batch`.
        options: Further options of `dettrack batch`, as one string.
    """
    if len(list((work / "videos").glob("*.mp4"))) != videos:
        _write_videos(work / "videos", videos)
    paths, out = sorted((work / "videos").glob("*.mp4")), work / "out"
    words = shlex.split(options)
    preset = words[words.index("--preset") + 1] if "--preset" in words else "balanced"
    config = TrackConfig(preset=preset).with_settings(threads=1)
    sample = paths[:: max(1, len(paths) // 40)]
    plain = [_track_plainly(sample, config)]
    seen: list[list[Process]] = []
    command = [sys.executable, "-m", "dettrack", "batch", str(work / "videos"), "--out", str(out)]
    elapsed = run_watched([*command, "--workers", str(workers), *words], lambda pid: seen.append(processes_below(pid)))
    plain.append(_track_plainly(sample, config))
    rows = sorted(read_manifest(out).values(), key=lambda row: row.ended or 0.0)
    half = [row for row in rows[len(rows) // 10 :] if row.ended and row.state == "done"]
    each = ((half[-1].ended or 0.0) - (half[0].ended or 0.0)) / (len(half) - 1) * workers
    walls = [wall for wall, _ in plain]
    print(f"{sum(row.state == 'done' for row in rows)} of {len(rows)} done in {elapsed:.1f} s, {workers} workers")
    print(f"a video: {1000 * each:.0f} ms of a worker in the batch (after the first tenth)")
    print(f"its tracking alone, before and after: {', '.join(f'{1000 * wall:.0f}' for wall in walls)} ms")
    print(f"overhead: {1000 * (each - sum(walls) / len(walls)):.0f} ms a video")
    for share in (0.1, 0.5, 1.0):
        parent = seen[min(len(seen) - 1, int(share * len(seen)))][0]
        print(f"parent at {100 * share:.0f} %: {parent}")
    log = sum(path.stat().st_size for path in (out / FOLDER / "log").iterdir())
    print(json.dumps({"manifest_bytes_a_video": log // len(rows), "parent_cpu_s": round(seen[-1][0].cpu_s, 1)}))


if __name__ == "__main__":
    run_command(main, __doc__)
