"""From a recipe's stage to a trained pose network in a folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dettrack.errors import InputError
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, fit_state, load_checkpoint
from dettrack.models.pose.efficientnet_lite import load_trunk
from dettrack.models.pose.inflate import inflate_state_dict
from dettrack.models.pose.lite import LiteNet
from dettrack.models.pose.official import load_official, map_head
from dettrack.skeleton import joint_set
from dettrack.training.labels.people import PeopleSet
from dettrack.training.labels.sets import read_set
from dettrack.training.loop import train
from dettrack.training.memory import recompute_activations
from dettrack.training.pose.differences import learn_differences
from dettrack.training.pose.recipe import SetConfig, StageConfig
from dettrack.training.pose.task import PoseTask, TrainingSet
from dettrack.training.pose.tubes import TubeConfig
from dettrack.training.recipe import read_trunk, resolve

__all__ = ["make_task", "open_set", "run_stages"]

_LOG = logging.getLogger("dettrack.training")


def run_stages(
    stages: Iterable[StageConfig], out: Path, base: Path, *, only: str = "", resume: bool = True
) -> dict[str, float]:
    """Train stage after stage, each from the weights of the one before; finished stages are not repeated.

    Args:
        stages: Of a recipe.
        out: Each stage has its folder in it.
        base: Folder of the recipe, for relative paths.
        only: Train this stage alone; its predecessor's weights must exist.
        resume: Continue an interrupted stage.

    Returns:
        The last stage's validation figures.
    """
    before: Path | None = None
    began = time.monotonic()
    metrics: dict[str, float] = {}
    for stage in stages:
        weights = out / stage.name / "model.safetensors"
        if stage.name == only or not only:
            task = make_task(stage, base, before)
            loop = stage.loop
            if loop.max_hours:  # of all stages together
                spent = (time.monotonic() - began) / 3600
                loop = replace(loop, max_hours=max(loop.max_hours - spent, 1e-9))
            if stage.epochs:
                loop = replace(loop, steps=max(1, round(stage.epochs * task.people / loop.batch)))
            _LOG.info("stage %s: %d people, %d steps of %d", stage.name, task.people, loop.steps, loop.batch)
            metrics = train(task, loop, out / stage.name, resume=resume)
            if not metrics:
                break  # out of time: the next stage must not start from a half-trained network
        before = weights
    return metrics


def make_task(stage: StageConfig, base: Path, before: Path | None = None) -> PoseTask:
    """The task of a stage.

    Args:
        stage: Its settings.
        base: Folder that relative paths start from.
        before: Weights of the stage before.

    Returns:
        The task.

    Raises:
        InputError: A file of the recipe is missing or unusable.
    """
    spec = stage.network
    torch.manual_seed(stage.loop.seed)
    network = build_network(spec)
    about = _start(network, spec, stage, base, before)
    if stage.start.differences:
        learn_differences(network)
    if stage.checkpointing:
        recompute_activations(network)
    sources = [
        TrainingSet(open_set(data, spec, base), _tubes(stage, data), data.share, data.behind) for data in stage.data
    ]
    held_out = {data.name or Path(data.path).stem: open_set(data, spec, base) for data in stage.held_out}
    loss = stage.loss
    return PoseTask(
        network,
        spec,
        sources,
        held_out,
        seed=stage.loop.seed,
        hardest=loss.hardest,
        frozen=stage.start.frozen,
        frozen_norms=stage.start.frozen_norms,
        teacher=load_checkpoint(resolve(loss.teacher, base)) if loss.teacher else None,
        teacher_share=loss.teacher_share,
        sizes=stage.sizes,
        batch=stage.loop.batch,
        about=about,
    )


def open_set(data: SetConfig, spec: NetworkSpec, base: Path) -> PeopleSet:
    """A data set of a recipe; what is broken in it is reported and left out.

    Args:
        data: Which set, and what of it is used.
        spec: Network that will learn from it.
        base: Folder that relative paths start from.

    Returns:
        The people that are used.

    Raises:
        InputError: The set cannot be read, or no one is left.
    """
    images = resolve(data.images, base) if data.images else None
    people, notes = read_set(resolve(data.path, base), data.format, images, joint_set(spec.joints))
    for note in notes[:10]:
        _LOG.warning("%s", note)
    if notes:
        _LOG.warning("%s: %d broken annotations left out; `dettrack data check` lists them", data.path, len(notes))
    usable = (people.weight > 0).sum(1) >= data.least_joints
    chosen = people.people(np.flatnonzero(usable)[:: data.every])
    if not len(chosen):
        raise InputError(f"{data.path}: no one in it has {data.least_joints} known joints")
    _LOG.info("%s: %d people in %d images", data.path, len(chosen), len(people.images))
    return chosen


def _tubes(stage: StageConfig, data: SetConfig) -> TubeConfig:
    spec = stage.network
    return TubeConfig(
        size=spec.size,
        clip_length=spec.clip_length,
        enlarge=stage.enlarge,
        sigma=spec.sigma,
        stride=spec.stride,
        absent=data.absent,
        augment=stage.augment,
    )


def _start(network: torch.nn.Module, spec: NetworkSpec, stage: StageConfig, base: Path, before: Path | None) -> str:
    """Load the starting weights; returns where they come from."""
    start = stage.start
    if start.trunk:
        if not isinstance(network, LiteNet):
            raise InputError(f"start.trunk = {start.trunk!r} is for architecture lite, not {spec.architecture}")
        load_trunk(network.trunk, read_trunk(start.trunk, base))
        return f"trunk {start.trunk}"
    path = resolve(start.weights, base) if start.weights else before
    if path is None:
        return "random weights"
    if path.suffix == ".pth":
        earlier = load_official(path, size=spec.size)
        state, joint_map = map_head(
            earlier.network.state_dict(), joint_set(earlier.spec.joints), joint_set(spec.joints)
        )
        _LOG.info("%s: joints it lacks: %s", path, ", ".join((*joint_map.missing, *joint_map.approximated)) or "none")
    else:
        earlier = load_checkpoint(path)
        state = dict(earlier.network.state_dict())
    fit_state(network, inflate_state_dict(state, network, start=start.inflation), str(path))
    if spec.variant == earlier.spec.variant:
        return earlier.source
    return f"{earlier.source}; inflated ({start.inflation})"
