"""`dettrack train` as a user runs it, on PoseTrack in miniature."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from miniature import HELD_OUT, RECIPE, write_posetrack

from dettrack.cli import main


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    write_posetrack(folder / "set", 18)
    (folder / "plain.toml").write_text(RECIPE)
    (folder / "held_out.toml").write_text(RECIPE + HELD_OUT)
    return folder


def test_stages_follow_each_other_without_held_out_data(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(world / "plain.toml"), "--out", str(world / "plain"), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert said == f"weights: {world / 'plain' / 'early' / 'model.safetensors'}\n"
    assert all((world / "plain" / stage / "model.safetensors").is_file() for stage in ("2d", "early"))


def test_out_of_time_names_no_weights(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RECIPE.replace("steps = 2", "steps = 2\nmax_hours = 1e-9")
    (world / "short.toml").write_text(text)
    assert main(["train", str(world / "short.toml"), "--out", str(world / "short"), "--quiet"]) == 0
    assert capsys.readouterr().out == "stopped at max_hours; the same command continues\n"


def torchrun(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    return subprocess.run(
        [*command, "-m", "dettrack", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_torchrun_goes_through_all_stages(world: Path) -> None:
    done = torchrun("train", "held_out.toml", "--out", "two", "--quiet", cwd=world)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("weights: two/early/model.safetensors") == 1  # the first process speaks for both
    assert "val+1 " in done.stdout
    assert main(["train", str(world / "held_out.toml"), "--out", str(world / "one"), "--quiet"]) == 0
    for stage in ("2d", "early"):
        assert (world / "two" / stage / "model.safetensors").is_file()
        logs = [(world / run / stage / "log.csv").read_text().splitlines() for run in ("one", "two")]
        losses = [[float(line.split(",")[2]) for line in log if ",loss," in line] for log in logs]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
