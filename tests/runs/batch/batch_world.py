"""A folder of small videos of people made of dots, and the options with which they are tracked in milliseconds."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from dot_people import draw_scene, write_model

from dettrack.video import VideoWriter

HEIGHT = 240


def make_videos(folder: Path, count: int, n_frames: int = 25) -> Path:
    """`count` videos of one walker each, at different speeds, with a file of boxes that fits all of them."""
    (folder / "videos").mkdir(parents=True)
    entries = []
    for number in range(count):
        start = np.array([[20.0 + 3 * number, 40.0]])
        scene = draw_scene(folder / f"png{number}", start, np.array([[1.0 + number % 3, 0.0]]), n_frames, width=200)
        with VideoWriter(folder / "videos" / f"v{number:02d}.mp4", (HEIGHT, 200), Fraction(25)) as video:
            for path in sorted(scene.folder.iterdir()):
                video.write(cv2.imread(str(path))[..., ::-1])
        if number == 0:
            entries = [
                {"image_id": t, "category_id": 1, "bbox": [x1 - 10, y1, x2 - x1 + 40, y2 - y1], "score": 0.9}
                for t, people in enumerate(scene.boxes.tolist())
                for x1, y1, x2, y2 in people
            ]
    (folder / "boxes.json").write_text(json.dumps(entries))
    write_model(folder / "dots.onnx")
    return folder


def options(world: Path) -> list[str]:
    """Models, and settings that keep all tracks."""
    models = ("--detector", str(world / "boxes.json"), "--model", str(world / "dots.onnx"), "--no-flip")
    return [*models, "--min-track-score", "0", "--min-joint-score", "0", "--quiet"]


def batch(world: Path, out: Path, *more: str) -> list[str]:
    """The command line of a batch."""
    return [sys.executable, "-m", "dettrack", "batch", str(world / "videos"), *options(world), "--out", str(out), *more]


def run_batch(world: Path, out: Path, *more: str, code: int = 0) -> str:
    """Run it, and give back what it said."""
    done = subprocess.run(batch(world, out, *more), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def results(out: Path) -> dict[str, str]:
    """Hash of each file of the results but the summaries."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".dettrack/" in path.relative_to(out).as_posix() and path.name != "summary.json"
    }


def left_over(out: Path) -> list[str]:
    """What a finished batch must not leave."""
    state = out / "batch.state"
    under_way = [*state.glob("spans/*"), *state.glob("running/*"), *state.glob("lock-*")]
    return [str(path) for path in (*under_way, *out.rglob("*.part*"), *out.rglob("*.old"))]
