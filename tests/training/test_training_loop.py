"""The loop: a run is a function of its settings, whatever kills it, and however many processes share it."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dettrack.errors import DettrackError, InputError, UsageError
from dettrack.training.journal import read_log
from dettrack.training.loop import LoopConfig, learning_rate, train


class Toy:
    """A small convolutional network with batch norm and dropout that learns a fixed filter."""

    def __init__(self, dies_at: int = 0) -> None:
        torch.manual_seed(7)
        self.model: nn.Module = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 1)
        )
        self.dies_at, self.steps = dies_at, 0

    def sample(self, index: int) -> dict[str, Tensor]:
        x = torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(index))
        return {"x": x, "y": x.roll(1, -1).sum(0, keepdim=True), "skipped": torch.tensor(int(index == 5))}

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        self.steps += 1
        if self.steps == self.dies_at:
            os._exit(DIED)  # at once, as from SIGKILL: no handler, no buffer, no file is seen to
        loss = (model(batch["x"]) - batch["y"]).square().mean()
        return loss, {"root": float(loss.detach().sqrt())}

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert not model.training
        samples = [self.sample(10_000 + i) for i in range(8)]
        x, y = torch.stack([s["x"] for s in samples]), torch.stack([s["y"] for s in samples])
        return {"loss": float((model(x) - y).square().mean())}

    def export(self, model: nn.Module, path: Path, metrics: dict[str, float]) -> None:
        torch.save(model.state_dict(), path)


DIED = 9
CONFIG = LoopConfig(
    steps=24, batch=8, lr=0.01, warmup=4, ema=0.9, checkpoint_every=5, validate_every=12, log_every=1, device="cpu"
)


def losses(folder: Path) -> dict[int, float]:
    return {step: value for step, name, value in read_log(folder / "log.csv") if name == "loss"}


def run_here(folder: Path, **changes: object) -> dict[str, float] | None:
    return train(Toy(), LoopConfig(**{**CONFIG.__dict__, **changes}), folder)


def test_a_run_learns_and_writes_its_files(tmp_path: Path) -> None:
    metrics = run_here(tmp_path, steps=150, validate_every=0)
    assert metrics["loss"] < 0.5 * losses(tmp_path)[1]
    assert {"log.csv", "curve.png", "model.safetensors", "checkpoint.pt", "tensorboard"} <= {
        p.name for p in tmp_path.iterdir()
    }
    assert [(s, v) for s, name, v in read_log(tmp_path / "log.csv") if name == "skipped" and v] == [(1, 1.0)]


def test_one_seed_one_curve_whatever_the_workers_and_pieces(tmp_path: Path) -> None:
    run_here(tmp_path / "a")
    run_here(tmp_path / "b", workers=2)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    # Without batch norm the pieces of an accumulated batch give the whole batch's gradient.
    curves = []
    for pieces in (1, 4):
        task = Toy()
        task.model = nn.Conv2d(3, 1, 3, padding=1)
        nn.init.constant_(task.model.weight, 0.1)
        nn.init.zeros_(task.model.bias)
        train(task, LoopConfig(**{**CONFIG.__dict__, "accumulation": pieces}), tmp_path / str(pieces))
        curves.append(list(losses(tmp_path / str(pieces)).values()))
    assert curves[0] == pytest.approx(curves[1], rel=1e-5)


_SCRIPT = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
import torch; torch.set_num_threads(1)
from test_training_loop import CONFIG, Toy
from dettrack.training.loop import LoopConfig, train
train(Toy({dies_at}), LoopConfig(**{{**CONFIG.__dict__, "accumulation": {pieces}}}), Path(sys.argv[1]))
"""


def start(folder: Path, dies_at: int = 0, pieces: int = 1, **environment: str) -> subprocess.Popen[bytes]:
    script = _SCRIPT.format(tests=str(Path(__file__).parent), dies_at=dies_at, pieces=pieces)
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE)


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    """Killed between two checkpoints: the same losses to the last bit, and the same weights."""
    torch.set_num_threads(1)
    whole = run_here(tmp_path / "whole")
    process = start(tmp_path / "killed", dies_at=9)
    errors = process.communicate()[1].decode()
    assert process.returncode == DIED, errors
    assert max(losses(tmp_path / "killed")) == 8
    assert run_here(tmp_path / "killed") == whole
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    a, b = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "killed"))
    assert a["step"] == b["step"] == CONFIG.steps
    for part in ("model", "ema"):
        assert all(torch.equal(x, b[part][name]) for name, x in a[part].items())


@pytest.mark.parametrize("pieces", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_two_processes_give_the_curve_of_one(tmp_path: Path, pieces: int) -> None:
    """Two gloo processes, synchronised batch norm, pieces or none: the same losses, running statistics and weights."""
    run_here(tmp_path / "one", accumulation=pieces)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [start(tmp_path / "two", pieces=pieces, **common, RANK=str(r), LOCAL_RANK=str(r)) for r in range(2)]
    for process in processes:
        errors = process.communicate()[1].decode()
        assert process.returncode == 0, errors
    one = torch.load(tmp_path / "one" / "checkpoint.pt", weights_only=True)
    two = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)
    for name, value in one["model"].items():
        torch.testing.assert_close(two["model"][name], value, rtol=2e-4, atol=2e-5)
    val = [[v for _, name, v in read_log(tmp_path / run / "log.csv") if name == "val_loss"] for run in ("one", "two")]
    assert val[1] == pytest.approx(val[0], rel=1e-3)
    assert list(losses(tmp_path / "two").values()) == pytest.approx(list(losses(tmp_path / "one").values()), rel=1e-3)


def test_learning_rate_schedules() -> None:
    steps = LoopConfig(steps=20, lr=1e-4, schedule="steps", milestones=(0.5, 0.75))
    rates = [learning_rate(steps, step) for step in range(20)]
    assert rates == pytest.approx([1e-4] * 10 + [1e-5] * 5 + [1e-6] * 5)  # the paper's 20 epochs
    cosine = LoopConfig(steps=100, lr=1.0, warmup=10)
    rates = [learning_rate(cosine, step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert rates[10] == 1.0
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 1e-3


def test_refusals(tmp_path: Path) -> None:
    run_here(tmp_path, steps=5, validate_every=0)
    with pytest.raises(UsageError, match="steps = 5, not 24"):
        run_here(tmp_path)
    with pytest.raises(InputError, match="holds a checkpoint"):
        train(Toy(), CONFIG, tmp_path, resume=False)
    with pytest.raises(UsageError, match="multiple"):
        run_here(tmp_path / "odd", accumulation=3)
    with pytest.raises(UsageError, match="steps is 0"):
        LoopConfig(steps=0)
    with pytest.raises(DettrackError, match="lower lr"):
        run_here(tmp_path / "diverged", lr=1e30, warmup=0, clip_grad=0.0)


def test_max_hours_stops_with_a_checkpoint(tmp_path: Path) -> None:
    assert run_here(tmp_path, max_hours=1e-9, validate_every=0) is None
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 1
    assert (tmp_path / "partial.safetensors").is_file()
    assert not (tmp_path / "model.safetensors").exists()
    assert run_here(tmp_path, validate_every=0)["loss"] > 0


def test_compact_checkpoints_are_small_and_go_on(tmp_path: Path) -> None:
    """The first call is out of time; the second goes on from a file without the optimiser."""
    whole = run_here(tmp_path / "whole", steps=150, validate_every=0)
    for folder, changes in (("plain", {}), ("compact", {"compact": True})):
        assert run_here(tmp_path / folder, steps=150, validate_every=0, max_hours=1e-9, **changes) is None
    small, large = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("compact", "plain"))
    assert set(large) - set(small) == {"optimizer", "scaler"}
    assert {value.dtype for value in small["model"].values()} == {torch.float16, torch.int64}
    metrics = run_here(tmp_path / "compact", steps=150, validate_every=0, compact=True)
    assert metrics["loss"] < 1.5 * whole["loss"] + 0.1
    assert run_here(tmp_path / "whole", steps=150, validate_every=0, compact=True)["loss"] == whole["loss"]
    with pytest.raises(UsageError, match="is a compact checkpoint"):
        run_here(tmp_path / "compact", steps=150, validate_every=0)


def test_minus_one_takes_a_worker_for_each_core(tmp_path: Path) -> None:
    run_here(tmp_path / "a", steps=3)
    run_here(tmp_path / "b", steps=3, workers=-1)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
