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
from dettrack.models.pose.official import load_official, load_trunk_state, map_head
from dettrack.skeleton import joint_set
from dettrack.training.labels.sets import read_set
from dettrack.training.loop import train
from dettrack.training.memory import recompute_activations
from dettrack.training.pose.differences import learn_differences
from dettrack.training.pose.recipe import SetConfig, StageConfig
from dettrack.training.pose.task import HeldOut, PoseTask, TrainingSet
from dettrack.training.pose.tubes import TubeConfig
from dettrack.training.recipe import read_trunk, resolve

__all__ = ["make_task", "open_set", "run_stages"]

_LOG = logging.getLogger("dettrack.training")


def run_stages(
    stages: Iterable[StageConfig], out: Path, base: Path, *, only: str = "", resume: bool = True
) -> dict[str, float] | None:
    """Train stage after stage, each from the weights of the one before; finished stages are not repeated.

    Args:
        stages: Of a recipe.
        out: Each stage has its folder in it.
        base: Folder of the recipe, for relative paths.
        only: Train this stage alone; its predecessor's weights must exist.
        resume: Continue an interrupted stage.

    Returns:
        The last stage's validation figures (see `loop.train`); None where a stage ran out of time.
    """
    before: Path | None = None
    began = time.monotonic()
    made: dict[str, Path] = {}
    metrics: dict[str, float] | None = {}
    for stage in stages:
        weights = out / stage.name / "model.safetensors"
        if stage.name == only or not only:
            task = make_task(stage, base, made.get(stage.start.stage, before))
            loop = stage.loop
            if loop.max_hours:  # of all stages together
                spent = (time.monotonic() - began) / 3600
                loop = replace(loop, max_hours=max(loop.max_hours - spent, 1e-9))
            if stage.epochs:
                loop = replace(loop, steps=max(1, round(stage.epochs * task.people / loop.batch)))
            _LOG.info("stage %s: %d people, %d steps of %d", stage.name, task.people, loop.steps, loop.batch)
            metrics = train(task, loop, out / stage.name, resume=resume)
            if metrics is None:
                break  # out of time: the next stage must not start from a half-trained network
        before = made[stage.name] = weights
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
    sources = []
    for data in stage.data:
        opened = open_set(data, spec, base)
        sources.append(TrainingSet(opened.people, _tubes(stage, data), opened.rows, data.share, data.behind))
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
        epochs=stage.order == "epochs",
        about=about,
    )


def open_set(data: SetConfig, spec: NetworkSpec, base: Path) -> HeldOut:
    """A data set of a recipe, and whom in it tubes are cut at; what is broken in it is reported and left out.

    Nobody else is taken out of the set: in the tubes of others they are still there, and what is known of them counts.

    Args:
        data: Which set, and what of it is used.
        spec: Network that will learn from it.
        base: Folder that relative paths start from.

    Returns:
        The set, and the people that are used.

    Raises:
        InputError: The set cannot be read, or no one is left.
    """
    images = resolve(data.images, base) if data.images else None
    own = data.boxes == "own"
    people, notes = read_set(
        resolve(data.path, base), data.format, images, joint_set(spec.joints), own_boxes=own, margin=data.margin
    )
    for note in notes[:10]:
        _LOG.warning("%s", note)
    if notes:
        _LOG.warning("%s: %d broken annotations left out; `dettrack data check` lists them", data.path, len(notes))
    usable = ((people.weight > 0).sum(1) >= data.least_joints) & np.isfinite(people.boxes).all(1)
    rows = np.flatnonzero(usable)[:: data.every]
    if not len(rows):
        raise InputError(f"{data.path}: no one in it has {data.least_joints} known joints")
    _LOG.info("%s: %d of %d people in %d images", data.path, len(rows), len(people), len(people.images))
    return HeldOut(people, rows)


def _tubes(stage: StageConfig, data: SetConfig) -> TubeConfig:
    spec = stage.network
    return TubeConfig(
        size=spec.size,
        clip_length=spec.clip_length,
        enlarge=stage.enlarge,
        sigma=spec.sigma,
        stride=spec.stride,
        targets=stage.targets,
        absent=data.absent,
        augment=stage.augment,
    )


def _start(network: torch.nn.Module, spec: NetworkSpec, stage: StageConfig, base: Path, before: Path | None) -> str:
    """Load the starting weights; returns where they come from."""
    start = stage.start
    if start.trunk:
        if isinstance(network, LiteNet):
            load_trunk(network.trunk, read_trunk(start.trunk, base))
        else:
            own = {name: value for name, value in network.state_dict().items() if name.startswith("final_layer.")}
            state = {**load_trunk_state(resolve(start.trunk, base)), **own}
            fit_state(network, inflate_state_dict(state, network, start=start.inflation), start.trunk)
        return f"trunk {start.trunk}"
    path = resolve(start.weights, base) if start.weights else before
    if path is None:
        return "random weights"
    if path.suffix == ".pth":
        earlier = load_official(path, joints=start.joints, size=spec.size)
        if earlier.note:
            _LOG.warning("%s: %s: start.joints", path, earlier.note)
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
