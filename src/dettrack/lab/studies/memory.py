"""Peak memory of a run against the length of its video: the same clip once and ten times over.

    python -m dettrack.lab.studies.memory VIDEO [--loops 10] [--frames 150] [--options "--preset fast"]

Each run is a process of its own (`dettrack track`); peak resident size is what the operating system reports of it.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from fractions import Fraction
from itertools import islice
from pathlib import Path

import tyro

from dettrack.lab.studies import run_command
from dettrack.video import VideoWriter, open_video

_MEASURED = """
import resource, sys
from dettrack.cli import main
code = main(sys.argv[1:])
print("peak_kib", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def loop_video(source: Path, out: Path, frames: int, loops: int) -> int:
    """Write the first frames of `source` `loops` times over; returns the number of frames written.

    Args:
        source: The video.
        out: File to write.
        frames: How many of its first frames.
        loops: How often.

    Returns:
        Frames written.
    """
    written = 0
    with open_video(str(source)) as first:
        info = first.info
    with VideoWriter(out, (info.height, info.width), info.fps or Fraction(25)) as writer:
        for _ in range(loops):
            with open_video(str(source)) as video:
                for frame in islice(video, frames):
                    writer.write(frame.image)
                    written += 1
    return written


def _peak_mib(video: Path, out: Path, options: list[str]) -> float:
    """Peak resident memory of `dettrack track` on `video`, in MiB."""
    command = [sys.executable, "-c", _MEASURED, "track", str(video), "--out", str(out), "--quiet", *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.split("peak_kib")[1]) / 1024


def main(video: tyro.conf.Positional[Path], frames: int = 150, loops: int = 10, options: str = "") -> None:
    """Both peaks.

    Args:
        video: Video file.
        frames: Its first frames ...
        loops: ... once, and so many times over.
        options: Further options of `dettrack track`, as one string.
    """
    with tempfile.TemporaryDirectory() as folder:
        peaks = []
        for times in (1, loops):
            looped = Path(folder) / f"loop{times}.mp4"
            written = loop_video(video, looped, frames, times)
            peaks.append(_peak_mib(looped, Path(folder) / f"out{times}", shlex.split(options)))
            print(f"{written} frames: peak {peaks[-1]:.0f} MiB")
    print(f"{loops} times the frames: {100 * (peaks[1] / peaks[0] - 1):+.1f} % peak memory")


if __name__ == "__main__":
    run_command(main, __doc__)
