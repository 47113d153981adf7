"""The commands of docs/posetrack.md, as they stand there, on PoseTrack in miniature at a tiny width.

Everything is run as a user runs it; what is added is a small network (`--set network.width=...`), CPU, few steps, and
for a network that has learned little: no least score of joints and people.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from miniature import write_detections, write_posetrack

from dettrack.cli import main
from dettrack.formats.posetrack.files import read_sequence

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "posetrack.md"

NETWORK = ["network.width=4", "network.size=[64, 64]", "network.sigma=1.5", "early.network.clip_length=3"]
LIGHT = ["network.architecture=lite", "network.width=8"]  # several times as fast, for the short form
LOOP = ["loop.batch=4", "loop.workers=0", "loop.device=cpu", "loop.log_every=1", "2d.start.weights="]
OPEN = ["--presence", "0", "--joint-confidence", "0", "--min-joints", "1"]
STUDY = [
    *("bootstrap=20", "settings.estimate.device=cpu", "settings.cut.clip_length=3", "settings.sew.min_joints=1"),
    *("settings.polish.presence=0", "settings.sew.joint_confidence=0", "settings.estimate.flip=false"),
]


def commands(heading: str = "") -> list[str]:
    """The commands of the page, or of one of its sections."""
    text = PAGE.read_text(encoding="utf-8")
    if heading:
        text = text[text.index(f"\n## {heading}") :]
        text = text[: text.index("\n## ", 4)] if "\n## " in text[4:] else text
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def settings(*values: str) -> list[str]:
    return [part for value in values for part in ("--set", value)]


def added(args: list[str], epochs: float) -> list[str]:
    """A command with what makes it small."""
    if args[0] == "train":
        return [*args, "--quiet", *settings(f"epochs={epochs}", *NETWORK, *LOOP, *(LIGHT if epochs < 0.2 else []))]
    if args[0] == "track":
        return [*args, "--quiet", "--clip-length", "3", "--no-flip", "--device", "cpu", "--threads", "1", *OPEN]
    if args[0] == "associate":
        return [*args, "--quiet", *OPEN]
    if args[0] == "ablate":
        boxes = f"detections{_year(args[1])}.json"
        detectors = [f"detectors.{role}=data/{boxes}" for role in ("strong", "weak")]
        return [*args, "--jobs", "1", "--quiet", *settings(*STUDY, *detectors)]
    return args


def _year(text: str) -> str:
    found = re.search(r"posetrack(\d\d)", text)
    assert found is not None
    return found.group(1)


def run(line: str, epochs: float) -> None:
    """Run one command of the page in the working folder."""
    args = shlex.split(line)
    if args[0] == "torchrun":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        where = args.index("dettrack") + 1
        start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port]
        command = [*start, "-m", "dettrack", *added([*args[where:], "--out", "runs/two"], epochs)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        shutil.copytree(Path("runs", f"posetrack{_year(line)}_w48", "2d"), Path("runs", "two", "2d"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return
    assert args[0] == "dettrack"
    code = main(added(args[1:], epochs))
    # `data check` finds something in every real set: here the person of whom a wrist is all that is known
    assert code == 0, line


def world(folder: Path, years: tuple[int, ...]) -> None:
    """The layout that the page's first step has."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    for year in years:
        annotations = write_posetrack(folder / "data" / f"posetrack{year}", year)
        write_detections(folder / "data" / f"detections{year}.json", sorted(annotations.iterdir()))


def test_the_page_in_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2D training, inflation, 3D training, tracks, thresholds, figures and zips, for 2018."""
    world(tmp_path, (18,))
    monkeypatch.chdir(tmp_path)
    for line in commands():
        left_out = ("torchrun", "dettrack ablate", "dettrack associate", "dettrack data check")
        if not ("posetrack21" in line or "annotations/test" in line or line.startswith(left_out)):
            run(line, epochs=0.1)
    figures = json.loads(Path("runs/posetrack18/val.json").read_text())
    assert figures["mode"] == "official"
    assert 0 <= figures["AP"]["groups"]["AP"]["Total"] <= 100
    with zipfile.ZipFile("runs/posetrack18/val_mota.zip") as packed:
        assert packed.namelist() == ["000201_mpii_test.json", "000202_bonn_test.json"]


@pytest.mark.slow
def test_the_whole_page_for_2018_and_2021(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All stages, two processes, every table and figure, and PoseTrack21."""
    world(tmp_path, (18, 21))
    monkeypatch.chdir(tmp_path)
    for line in commands():
        run(line, epochs=1.0)
        if line.startswith("dettrack train") and line.endswith("posetrack18_w48.toml --stage early"):
            run(line.removesuffix(" --stage early"), epochs=1.0)  # and the networks of table 8
    written = {path.name for path in Path("runs/posetrack18").iterdir()}
    keys = ("table3", "table4", "table6", "table7", "table8", "table9", "figure5a", "figure5b", "lost_boxes", "phi")
    assert written >= {f"{key}.csv" for key in keys}
    with Path("runs/posetrack18/table7.csv").open(encoding="utf-8") as file:
        rows = {row["row"] for row in csv.DictReader(file) if row["source"] == "measured"}
    assert "3D, spatial + temporal merge" in rows
    with zipfile.ZipFile("runs/posetrack18/test.zip") as packed:
        assert packed.namelist() == ["000301_mpii_test.json"]
    assert {"tables.md", "figure5a.png", "figure5b.png"} <= written
    for name in ("all_joints", "thresholded"):
        with zipfile.ZipFile(f"runs/posetrack18/predictions/{name}.zip") as packed:
            assert packed.namelist() == ["000201_mpii_test.json", "000202_bonn_test.json"]
    whole, fewer = (read_people(Path(f"runs/posetrack18/val_{kind}.zip")) for kind in ("ap", "mota"))
    assert whole > 0
    assert whole >= fewer  # a network that has learned nothing gets thresholds that drop everything
    # Two processes learn what one learns. The second loss comes after one update: it tells equal gradients, but for
    # those that are all rounding, which Adam gives full steps (3e-5 was measured). Later losses magnify that: starting
    # weights changed by 1e-7 of themselves changed those of one process by up to 1e-3.
    logs = [Path(run_, "early", "log.csv").read_text().splitlines() for run_ in ("runs/posetrack18_w48", "runs/two")]
    losses = [[float(line.split(",")[2]) for line in log if ",loss," in line] for log in logs]
    assert losses[0][:2] == pytest.approx(losses[1][:2], rel=1e-4)
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def read_people(path: Path) -> int:
    """Joints in a zip of predictions."""
    joints = 0
    with zipfile.ZipFile(path) as packed:
        packed.extractall(path.with_suffix(""))
    for file in path.with_suffix("").iterdir():
        joints += int((~(read_sequence(file).people.xy != read_sequence(file).people.xy)).sum())
    return joints


@pytest.mark.slow
def test_the_whole_page_for_2017(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Annotations as .mat, images named as in 2017, no boxes of people."""
    world(tmp_path, (17,))
    monkeypatch.chdir(tmp_path)
    for line in commands():
        if "posetrack21" not in line:
            run(line.replace("posetrack18", "posetrack17").replace("s18.", "s17."), epochs=0.5)
            if line.endswith("posetrack18_w48.toml --stage early") and line.startswith("dettrack"):
                run("dettrack train configs/posetrack17_w48.toml", epochs=0.5)
    written = {path.name for path in Path("runs/posetrack17").iterdir()}
    assert written >= {
        f"{key}.csv" for key in ("table1", "table2", "table5", "table7", "table8", "figure5a", "figure5b")
    }
