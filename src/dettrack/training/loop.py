"""The training loop of every network: plain PyTorch, resumable to the step, data parallel by torchrun.

A run is a pure function of its configuration: sample `i` depends on `(seed, i)` alone and step `s` takes the samples
`s * batch ... (s + 1) * batch - 1`, whatever the number of processes and workers. A resumed run
therefore needs the state of model and optimiser and one number, the step.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from dettrack.errors import DettrackError, InputError, UsageError
from dettrack.files import NewFile, parsing
from dettrack.threads import cpu_threads
from dettrack.training.batchnorm import synchronise_batch_norm
from dettrack.training.depthwise import fast_depthwise
from dettrack.training.journal import Journal
from dettrack.training.selection import Exporter, keep_weights

__all__ = ["LoopConfig", "Task", "learning_rate", "train"]


@runtime_checkable
class Task(Exporter, Protocol):
    """What is trained: a network, its samples and its loss."""

    model: nn.Module

    def sample(self, index: int) -> dict[str, Tensor]:
        """Sample `index >= 0`, deterministic in the task's seed and `index`; a "skipped" entry counts broken data."""

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The mean loss over the batch's samples, through `model(...)`, and figures to log.

        Args:
            model: The network, or a wrapper of it.
            batch: Samples, stacked.

        Returns:
            The loss, and figures to log by name.
        """

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures of `model` (averaged weights, evaluation mode) on data that is not trained on."""


@dataclass(frozen=True)
class LoopConfig:
    """Settings of a run.

    Attributes:
        steps: Optimiser steps of the whole run.
        batch: Samples in one step, over all processes and pieces together.
        accumulation: Pieces that a batch is cut into, to save memory. Batch norm sees a piece at a time, of all
            processes together, so it is the pieces that decide the result and not the processes.
        optimizer: "adam" or "adamw".
        lr: Highest learning rate.
        warmup: Steps over which it rises from 0.
        schedule: "cosine" falls to 0 at the end; "steps" multiplies by 0.1 at each of `milestones`.
        milestones: Shares of the run, in (0, 1), at which "steps" lowers the rate.
        weight_decay: Of weights with two or more dimensions.
        ema: Decay of the averaged weights that are validated and exported; 0 for none.
        autocast: Arithmetic of the forward pass.
        clip_grad: Largest norm of the gradient; 0 for no limit.
        workers: Processes that prepare samples; 0 prepares them in the training process, -1 takes one for each core.
        checkpoint_every: Steps between checkpoints.
        validate_every: Steps between validations; 0 validates at the end only.
        log_every: Steps between rows of the log.
        seed: Seed of the run.
        max_hours: The run, all its stages together, stops after this time, with a checkpoint to resume from and the
            averaged weights so far in `partial.safetensors`; 0 for no limit.
        compact: Checkpoints hold weights in fp16 and no state of the optimiser, a quarter of the size: for machines
            that are lent for minutes and give back small files. A run that is resumed from one warms up again, and
            differs a little from an uninterrupted one.
        keep: What `model.safetensors` holds: the "last" weights, or the "best" validated so far (`selection.score_of`);
            the last ones are then in `last.safetensors`.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    steps: int = 1000
    batch: int = 32
    accumulation: int = 1
    optimizer: Literal["adam", "adamw"] = "adamw"
    lr: float = 1e-3
    warmup: int = 0
    schedule: Literal["cosine", "steps"] = "cosine"
    milestones: tuple[float, ...] = (0.5, 0.75)
    weight_decay: float = 0.0
    ema: float = 0.999
    autocast: Literal["none", "bf16", "fp16"] = "none"
    clip_grad: float = 0.0
    workers: int = 0
    checkpoint_every: int = 500
    validate_every: int = 1000
    log_every: int = 20
    seed: int = 0
    max_hours: float = 0.0
    compact: bool = False
    keep: Literal["last", "best"] = "last"
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulation", "checkpoint_every", "log_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.autocast not in _DTYPES:
            raise UsageError(f"autocast is {self.autocast!r}: expected one of {', '.join(_DTYPES)}")


_DTYPES = {"none": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_SAME_ON_RESUME = ("steps", "batch", "optimizer", "lr", "warmup", "schedule", "milestones", "seed")


def learning_rate(config: LoopConfig, step: int) -> float:
    """Learning rate of step `step`, from 0 to `config.steps - 1`.

    Args:
        config: Settings of the run.
        step: From 0.

    Returns:
        The rate.
    """
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "steps":
        passed = sum(step >= round(milestone * config.steps) for milestone in config.milestones)
        return config.lr * 0.1**passed
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * progress))


# Otherwise two runs of one seed differ on CUDA; it has no meaning on a CPU. In force as long as the training runs.
@torch.backends.cudnn.flags(enabled=True, deterministic=True)
def train(task: Task, config: LoopConfig, folder: Path, *, resume: bool = True) -> dict[str, float] | None:
    """Train until `config.steps`, from the checkpoint in `folder` where there is one.

    Args:
        task: What is trained. Under torchrun every process makes the same task.
        config: Settings; the same ones are needed to resume.
        folder: Receives `checkpoint.pt`, `log.csv`, `curve.png`, TensorBoard events and `model.safetensors`.
        resume: Continue an earlier run in `folder`; otherwise a folder with a checkpoint is refused.

    Returns:
        The last validation's figures, known to the first process alone and empty without held-out data; None if
        `max_hours` ended the run first.

    Raises:
        UsageError: Settings that do not fit the machine or the earlier run.
    """
    rank, world, device = _join(config)
    if config.batch % (world * config.accumulation):
        raise UsageError(
            f"batch {config.batch} cannot be split over {world} processes x {config.accumulation} pieces: "
            "choose a multiple"
        )
    model = channels_last(task.model.to(device))
    if device.type == "cpu" and config.autocast == "bf16":
        fast_depthwise(model)
    if world > 1:
        synchronise_batch_norm(model)
    ema = copy.deepcopy(model).requires_grad_(False) if config.ema else model
    optimizer = _optimizer(model, config)
    scaler = torch.amp.GradScaler(device.type, enabled=config.autocast == "fp16" and device.type == "cuda")
    state = {"model": model, "ema": ema, "optimizer": optimizer, "scaler": scaler}
    folder.mkdir(parents=True, exist_ok=True)
    start = _load(folder / "checkpoint.pt", state, config, device) if resume else _refuse(folder)
    parallel = DistributedDataParallel(model, broadcast_buffers=False) if world > 1 else model
    batches = _batches(task, config, start, rank, world)
    began = time.monotonic()
    metrics: dict[str, float] = {}
    with Journal(folder, start) if rank == 0 else nullcontext() as journal:
        for step, pieces in enumerate(batches, start):
            rate = learning_rate(config, step)
            if config.compact and start:  # the optimiser has forgotten everything
                rate *= min(1.0, (step - start + 1) / max(1, config.warmup))
            figures = _step(task, config, step, rate, pieces, parallel, optimizer, scaler, device)
            if config.ema:
                _average(ema, model, min(config.ema, (1 + step) / (10 + step)))
            done = step + 1
            if journal and (done % config.log_every == 0 or done == config.steps or figures["skipped"]):
                journal.add(done, {**figures, "lr": rate, "step_s": (time.monotonic() - began) / (done - start)})
            late = bool(config.max_hours) and _agreed(time.monotonic() - began > config.max_hours * 3600, device)
            if rank == 0 and (done % config.checkpoint_every == 0 or done == config.steps or late):
                _save(folder / "checkpoint.pt", state, config, done)
            if done == config.steps or (config.validate_every and done % config.validate_every == 0):
                metrics = _validate(task, ema, folder, journal, done, config.keep)
            if late and done < config.steps:
                if rank == 0:
                    task.export(ema.eval(), folder / "partial.safetensors", {})
                return None
        if start == config.steps:  # finished before
            metrics = _validate(task, ema, folder, journal, start, config.keep)
    return metrics


def channels_last(model: nn.Module) -> nn.Module:
    """The same model, its 2D filters with channels innermost: twice as fast on a CPU for depthwise convolutions."""
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model


def _step(
    task: Task,
    config: LoopConfig,
    step: int,
    rate: float,
    pieces: list[dict[str, Tensor]],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    device: torch.device,
) -> dict[str, float]:
    """One optimiser step; returns the mean loss and the task's figures."""
    torch.manual_seed(config.seed * 1_000_003 + step)  # dropout and the like: resuming needs no generator state
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    totals: dict[str, float] = {}
    for number, piece in enumerate(pieces):
        skipped = float(piece.pop("skipped").sum()) if "skipped" in piece else 0.0
        batch = {name: value.to(device, non_blocking=True) for name, value in piece.items()}
        last = number == len(pieces) - 1
        with nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync():
            with torch.autocast(device.type, _DTYPES[config.autocast], enabled=config.autocast != "none"):
                loss, figures = task.loss(model, batch)
            scaler.scale(loss / len(pieces)).backward()
        for name, value in {"loss": float(loss.detach()), **figures}.items():
            totals[name] = totals.get(name, 0.0) + value / len(pieces)
        totals["skipped"] = totals.get("skipped", 0.0) + skipped
    if isinstance(model, DistributedDataParallel):
        totals = _over_processes(totals, device)
    if not math.isfinite(totals["loss"]):
        raise DettrackError(f"the loss is {totals['loss']} at step {step}: lower lr; the last checkpoint is kept")
    if config.clip_grad:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), config.clip_grad)
    scaler.step(optimizer)
    scaler.update()
    return totals


def _over_processes(figures: dict[str, float], device: torch.device) -> dict[str, float]:
    """Mean of the figures over all processes; the count of skipped samples is summed."""
    values = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
    dist.all_reduce(values)
    values /= dist.get_world_size()
    return dict(zip(figures, values.tolist(), strict=True)) | {"skipped": float(values[-1]) * dist.get_world_size()}


class _Samples(Dataset[dict[str, Tensor]]):
    def __init__(self, task: Task) -> None:
        self.task = task

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.task.sample(index)


def _batches(task: Task, config: LoopConfig, start: int, rank: int, world: int) -> Iterator[list[dict[str, Tensor]]]:
    """This process's share of each piece of each step's batch; a piece has the same samples however many share it."""
    share = config.batch // (world * config.accumulation)
    pieces = [
        list(range(first, first + share))
        for step in range(start, config.steps)
        for first in range(step * config.batch + rank * share, (step + 1) * config.batch, world * share)
    ]
    workers = cpu_threads(0) if config.workers < 0 else config.workers
    loader = iter(DataLoader(_Samples(task), batch_sampler=pieces, num_workers=workers, pin_memory=False))
    for _ in range(start, config.steps):
        yield [next(loader) for _ in range(config.accumulation)]


def _join(config: LoopConfig) -> tuple[int, int, torch.device]:
    """This process's rank, the number of processes (from torchrun's environment) and the device."""
    cuda = torch.cuda.is_available() if config.device == "auto" else config.device.startswith("cuda")
    world, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_RANK", 0))
    if world > 1 and not dist.is_initialized():
        # The others wait for the first process while it validates, which may take hours on a whole data set.
        dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(days=1))
    name = config.device if config.device not in ("auto", "cuda") else f"cuda:{local}" if cuda else "cpu"
    if cuda:
        torch.cuda.set_device(name)
    return dist.get_rank() if world > 1 else 0, world, torch.device(name)


def _optimizer(model: nn.Module, config: LoopConfig) -> torch.optim.Optimizer:
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0},
    ]
    return (torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam)(groups, lr=config.lr)


@torch.no_grad()
def _average(ema: nn.Module, model: nn.Module, decay: float) -> None:
    for mean, value in zip(ema.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def _agreed(mine: bool, device: torch.device) -> bool:
    """Whether any process says so: their clocks differ, and they must stop after the same step."""
    if not dist.is_initialized():
        return mine
    said = torch.tensor(float(mine), device=device)
    dist.all_reduce(said)
    return bool(said > 0)


def _validate(
    task: Task, ema: nn.Module, folder: Path, journal: Journal | None, step: int, keep: Literal["last", "best"]
) -> dict[str, float]:
    """Validate and export on the first process while the others wait."""
    metrics: dict[str, float] = {}
    if journal:
        ema.eval()
        with torch.no_grad():
            metrics = task.validate(ema)
        journal.add(step, {f"val_{name}": value for name, value in metrics.items()})
        journal.draw()
        keep_weights(task, ema, folder, metrics, step, keep)
    if dist.is_initialized():
        dist.barrier()
    return metrics


def _save(path: Path, state: dict[str, Any], config: LoopConfig, step: int) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old one or the new one, never half of one."""
    content: dict[str, Any] = {"step": step, "config": asdict(config)}
    for name, part in state.items():
        if not config.compact:
            content[name] = part.state_dict()
        elif isinstance(part, nn.Module):
            content[name] = {
                key: value.half() if value.is_floating_point() else value for key, value in part.state_dict().items()
            }
    with NewFile(path) as new:
        torch.save(content, new.part)


def _load(path: Path, state: dict[str, Any], config: LoopConfig, device: torch.device) -> int:
    """Take up the checkpoint at `path`; returns its step, 0 where there is none."""
    if not path.exists():
        return 0
    with parsing(f"{path}", "a checkpoint of this training"):
        saved = torch.load(path, map_location=device, weights_only=True)
    now = asdict(config)
    for name in _SAME_ON_RESUME:
        if tuple(_listed(saved["config"][name])) != tuple(_listed(now[name])):
            raise UsageError(
                f"{path} was trained with {name} = {saved['config'][name]}, not {now[name]}: "
                "give the same settings or another folder"
            )
    for name, part in state.items():
        if name in saved:
            part.load_state_dict(saved[name])
        elif not config.compact:
            raise UsageError(f"{path} is a compact checkpoint, without {name}: give compact = true, or another folder")
    return int(saved["step"])


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _refuse(folder: Path) -> int:
    if (folder / "checkpoint.pt").exists():
        raise InputError(f"{folder} holds a checkpoint already: resume it or choose another folder")
    return 0
