"""Published HRNet pose checkpoints (`.pth`): read without running code from them, their joints mapped by name."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dettrack.errors import InputError
from dettrack.models.pose.checkpoint import Checkpoint, NetworkSpec, build_network, fit_state, load_checkpoint
from dettrack.skeleton import COCO17, POSETRACK15, JointMap, JointSet, joint_set

__all__ = ["load_official", "map_head", "open_checkpoint"]

_WIDTH_KEY = "stage2.0.branches.0.0.conv1.weight"
_HEAD = "final_layer"


def load_official(path: Path, *, joints: str = "auto", size: tuple[int, int] | None = None) -> Checkpoint:
    """Read an official HRNet pose checkpoint of any width.

    Args:
        path: A `.pth` file: a state dict, or a training checkpoint that holds one.
        joints: Its joint set; "auto": 17 are COCO's, 15 PoseTrack's, 16 MPII's. A PoseTrack18 model has 17 too: say
            "posetrack17".
        size: Height and width of its crops; None reads it from a file name such as `..._256x192.pth`, else the
            paper's 384 x 288.

    Returns:
        The network.

    Raises:
        InputError: Unreadable, not an HRNet pose network, or its weights do not fit strictly.
    """
    state = _read_state(path)
    if _WIDTH_KEY not in state or f"{_HEAD}.weight" not in state:
        raise InputError(f"{path}: not an HRNet pose checkpoint: it lacks {_WIDTH_KEY} or {_HEAD}.weight")
    count = len(state[f"{_HEAD}.weight"])
    source = _joints(path, joints, count)
    spec = NetworkSpec(
        width=state[_WIDTH_KEY].shape[0],
        variant="none",
        clip_length=1,
        joints=source.name,
        size=size or _size_from_name(path),
    )
    network = build_network(spec)
    fit_state(network, state, str(path))
    return Checkpoint(network.eval(), spec, source=f"official HRNet checkpoint {path.name}")


def open_checkpoint(path: Path) -> Checkpoint:
    """A `.safetensors` checkpoint of this package, or an official `.pth`."""
    if path.suffix not in (".safetensors", ".pth"):
        raise InputError(f"{path}: expected a checkpoint (.safetensors or .pth)")
    return load_official(path) if path.suffix == ".pth" else load_checkpoint(path)


def map_head(
    state: Mapping[str, Tensor], source: JointSet, target: JointSet, *, head: str = _HEAD
) -> tuple[dict[str, Tensor], JointMap]:
    """Weights for another joint set: the head's rows reordered by joint name, to train on from.

    Args:
        state: State dict whose heatmaps are `source`'s.
        source: Joint set of the weights.
        target: Joint set of the network to train.
        head: Name of the last layer.

    Returns:
        The state dict, and the map, which names what the source lacks: rows of its `missing` and `approximated` joints
        (head_bottom and head_top from COCO) start as the mean of all rows, because a heatmap of an unknown joint
        begins as "somewhere on the person".
    """
    weight, bias = state[f"{head}.weight"], state[f"{head}.bias"]
    rows, shifts = [], []
    for joint in target.joints:
        known = joint in source.joints
        rows.append(weight[source.index(joint)] if known else weight.mean(0))
        shifts.append(bias[source.index(joint)] if known else bias.mean(0))
    mapped = {**state, f"{head}.weight": torch.stack(rows), f"{head}.bias": torch.stack(shifts)}
    return mapped, JointMap(source, target)


def _read_state(path: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"no such checkpoint: {path}") from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise InputError(f"{path}: not a readable checkpoint of tensors: {str(error).splitlines()[0][:200]}") from error
    for key in ("state_dict", "model", "best_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path}: no state dict in it: expected names mapped to tensors")
    return {name.removeprefix("module."): value for name, value in content.items()}


def _joints(path: Path, wanted: str, count: int) -> JointSet:
    if wanted == "auto":
        found = {17: COCO17, 15: POSETRACK15, 16: joint_set("mpii16")}.get(count)
        if found is None:
            raise InputError(f"{path}: its head has {count} joints: expected 15, 16 or 17, or name its joint set")
        return found
    source = joint_set(wanted)
    if len(source) != count:
        raise InputError(f"{path}: its head has {count} joints, but {wanted} has {len(source)}")
    return source


def _size_from_name(path: Path) -> tuple[int, int]:
    match = re.search(r"(\d{2,4})x(\d{2,4})", path.name)
    return (int(match[1]), int(match[2])) if match else (384, 288)
