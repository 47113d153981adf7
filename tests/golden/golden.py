"""Golden results: the same clip tracked in every way, and the hashes of what came out.

Results must not change when code is moved or restructured. Made once before and once after:

    python tests/golden/golden.py WORK --write hashes.json     # before
    python tests/golden/golden.py WORK --check hashes.json     # after; exit 1 and the names of what differs

Floating point differs between processors and between versions of the runtimes, and the built-in weights improve:
compare on one machine, with the same weights. What is hashed: every byte of `tracks.jsonl` and of prediction files, and
of `summary.json` all that is no timing, setting, path or version.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

GRID = ["--step", "2", "--no-adaptive", "--small-crops-below", "0", "--precision", "auto", "--flip"]
ADAPTIVE = [
    "--step",
    "8",
    "--adaptive",
    "--finest-step",
    "2",
    "--small-crops-below",
    "130",
    "--precision",
    "fast",
    "--flip",
]
STABLE = ("complete", "counts", "dropped", "notes", "joints", "approximated_joints", "joint_set")

LIVE = """
import sys
from dataclasses import replace
from dettrack.config import TrackConfig
from dettrack.formats.jsonl import frame_line
from dettrack.pipeline import Pipeline
from dettrack.video import open_video
from dettrack.runs.live import live_settings
config = TrackConfig()
config = replace(config, cut=replace(config.cut, step=4, adaptive=False),
    estimate=replace(config.estimate, small_crops_below=0.0, precision="auto"))
settings, _ = live_settings(config)
with open_video(sys.argv[1], shots=False) as video, open(sys.argv[2], "w") as out:
    for segment in Pipeline(settings, ahead=0).track(video, immediate=True):
        for index, time_s, rows in segment.by_frame():
            out.write(frame_line(index, time_s, rows))
"""


def dettrack(*args: str) -> None:
    """Run a command of this checkout; its output is shown where it fails."""
    done = subprocess.run([sys.executable, "-m", "dettrack", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"dettrack {' '.join(args)} failed:\n{done.stdout}\n{done.stderr}")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def results(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and hash of what a result folder says."""
    yield f"{folder.name}/tracks.jsonl", digest(folder / "tracks.jsonl")
    summary = json.loads((folder / "summary.json").read_text())
    stable = json.dumps({name: summary.get(name) for name in STABLE}, sort_keys=True)
    yield f"{folder.name}/summary", hashlib.sha256(stable.encode()).hexdigest()


def golden(work: Path) -> Iterator[tuple[str, str]]:
    """Make everything in `work`."""
    dettrack("demo", "--out", str(work / "demo"), "--step", "2")
    clip = sorted((work / "demo" / "scene").rglob("*.mp4"))[0]
    yield "clip", digest(clip)

    def track(name: str, *options: str) -> Path:
        out = work / name
        dettrack("track", str(clip), "--out", str(out), "--quiet", "--formats", "jsonl", *options)
        return next(out.glob("*.dettrack")).rename(work / f"{name}.dettrack")

    grid = track("grid", *GRID, "--save-tracklets")
    yield from results(grid)
    yield from results(track("adaptive", *ADAPTIVE, "--save-tracklets"))
    yield from results(track("smooth", *GRID, "--smooth", "savgol", "--fill-gaps", "4"))
    yield from results(track("part", *GRID, "--start", "0.5", "--end", "1.5", "--merge", "temporal"))
    for name, options in {
        "saved": [],
        "shorter": ["--clip-length", "5", "--step", "4"],
        "velocity": ["--linking", "oks-velocity", "--merge", "spatial"],
    }.items():
        out = work / f"{name}.dettrack"
        dettrack("associate", str(grid), "--out", str(out), "--quiet", "--formats", "jsonl", *options)
        yield from results(out)
    live = work / "live.jsonl"
    subprocess.run([sys.executable, "-c", LIVE, str(clip), str(live)], check=True)
    yield "live.jsonl", digest(live)
    scenes = work / "scenes"
    dettrack(
        "synth", str(scenes), "--scenes", "2", "--frames", "20", "--seed", "3", "--write", "frames", "--split", "val"
    )
    predictions = work / "predictions"
    dettrack(
        *("track", "--posetrack", str(scenes / "annotations" / "val"), "--images", str(scenes)),
        *("--out", str(predictions), "--quiet", *GRID),
    )
    for path in sorted(predictions.glob("*.json")):
        yield f"predictions/{path.name}", digest(path)


def main() -> int:
    """Write or compare the hashes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("work", type=Path, help="a new folder for the results")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", type=Path)
    args = parser.parse_args()
    if args.work.exists():
        raise SystemExit(f"{args.work} exists: name a new folder")
    args.work.mkdir(parents=True)
    found = dict(golden(args.work))
    if args.write:
        args.write.write_text(json.dumps(found, indent=2) + "\n")
    if args.check:
        expected = json.loads(args.check.read_text())
        differ = [name for name in sorted(expected | found) if expected.get(name) != found.get(name)]
        print(f"{len(expected) - len(differ)} of {len(expected)} equal")
        for name in differ:
            print(f"differs: {name}")
        return 1 if differ else 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
