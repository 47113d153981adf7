"""Published HRNet checkpoints (`.pth`), of HRNet and of mmpose: read without running code in them, joints by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dettrack.errors import InputError
from dettrack.files import parsing
from dettrack.models.pose.checkpoint import Checkpoint, NetworkSpec, build_network, fit_state, load_checkpoint
from dettrack.skeleton import COCO17, JOINT_SETS, MPII16, POSETRACK15, POSETRACK17, JointMap, JointSet, joint_set

__all__ = ["load_official", "load_trunk_state", "map_head", "open_checkpoint"]

_WIDTH_KEY = "stage2.0.branches.0.0.conv1.weight"
_HEAD = "final_layer"
_TRUNK = (
    *("conv1", "bn1", "conv2", "bn2", "layer1"),
    *("transition1", "stage2", "transition2", "stage3", "transition3", "stage4"),
)
_GRID, _LARGEST = 32, 2048  # of crop sides, in pixels
_LARGE = 384  # pixels of height from which the published networks were trained with targets of sigma 3


def load_official(path: Path, *, joints: str = "auto", size: tuple[int, int] | None = None) -> Checkpoint:
    """Read an HRNet pose checkpoint of any width: HRNet's own, or mmpose's.

    Args:
        path: A `.pth` file: a state dict, or a training checkpoint that holds one.
        joints: Its joint set. "auto" takes the joints that the file itself names (mmpose's newer ones do), else goes
            by its file name ("posetrack"), else by their number: 17 are COCO's, 15 PoseTrack's, 16 MPII's.
        size: Height and width of its crops; None reads it from a file name such as `..._256x192.pth`, else the
            paper's 384 x 288.

    Returns:
        The network; its `note` says where 17 joints were taken for COCO's without any sign of it.

    Raises:
        InputError: Unreadable, not an HRNet pose network, its weights do not fit strictly, or `joints` contradicts the
            names in the file.
    """
    state, names = _read_state(path)
    state = _plain_names(state)
    if _WIDTH_KEY not in state or f"{_HEAD}.weight" not in state:
        raise InputError(f"{path}: not an HRNet pose checkpoint: it lacks {_WIDTH_KEY} or {_HEAD}.weight")
    count = len(state[f"{_HEAD}.weight"])
    source, note = _joints(path, joints, count, names)
    size = size or _size_from_name(path)
    if any(side % _GRID or not _GRID <= side <= _LARGEST for side in size):
        raise InputError(
            f"{path}: its crops are said to be {size[0]}x{size[1]} pixels: expected HEIGHTxWIDTH, multiples of {_GRID} "
            f"up to {_LARGEST}, such as 384x288"
        )
    spec = NetworkSpec(
        width=state[_WIDTH_KEY].shape[0],
        variant="none",
        clip_length=1,
        joints=source.name,
        size=size,
        sigma=3.0 if max(size) >= _LARGE else 2.0,
    )
    network = build_network(spec)
    fit_state(network, state, str(path))
    return Checkpoint(network.eval(), spec, source=f"HRNet checkpoint {path.name}", note=note)


def load_trunk_state(path: Path) -> dict[str, Tensor]:
    """Weights of HRNet's published ImageNet classifiers, or of any HRNet pose checkpoint, without its last layer.

    What only the classifier has (its head, and the fusions towards lower resolutions after the last stage) is left
    out, as HRNet's own training code does.

    Args:
        path: `.pth` file.

    Returns:
        Weights by name, of everything but the last layer.

    Raises:
        InputError: Unreadable, or not an HRNet.
    """
    state = _plain_names(_read_state(path)[0])
    if _WIDTH_KEY not in state:
        raise InputError(f"{path}: not an HRNet checkpoint: it lacks {_WIDTH_KEY}")
    kept = {name: value for name, value in state.items() if name.partition(".")[0] in _TRUNK}
    lower = re.compile(r"stage4\.2\.fuse_layers\.[1-9]")
    return {name: value for name, value in kept.items() if not lower.match(name)}


def open_checkpoint(path: Path, joints: str = "auto") -> Checkpoint:
    """A `.safetensors` checkpoint of this package, or a `.pth` of HRNet or mmpose.

    Args:
        path: The file.
        joints: Joint set of a `.pth` (see `load_official`); ours say theirs.

    Returns:
        The network.

    Raises:
        InputError: The file cannot be used.
    """
    if path.suffix not in (".safetensors", ".pth"):
        raise InputError(f"{path}: expected a checkpoint (.safetensors or .pth)")
    return load_official(path, joints=joints) if path.suffix == ".pth" else load_checkpoint(path)


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


def _read_state(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The state dict, and the names of its joints where the file says them."""
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    with (
        parsing(f"{path}", "a readable checkpoint of tensors"),
        torch.serialization.safe_globals(_plain_types()),
    ):
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    names = _joint_names(content)
    for key in ("state_dict", "model", "best_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path}: no state dict in it: expected names mapped to tensors")
    return {name.removeprefix("module."): value for name, value in content.items()}, names


def _plain_types() -> list[Any]:
    """NumPy's arrays of numbers, which mmpose's files carry beside their weights; they hold no code."""
    kinds = {type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64, np.int32, np.uint8)}
    rebuild = np.zeros(1).__reduce__()[0]
    return [rebuild, np.ndarray, np.dtype, *kinds]


def _joint_names(content: Any) -> tuple[str, ...]:
    """The joints in their order, from the description of its data set that a newer file of mmpose has."""
    for key in ("meta", "dataset_meta", "keypoint_id2name"):
        content = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping):
        return ()
    with suppress(TypeError, ValueError):
        return tuple(str(content[place]) for place in sorted(content, key=int))
    return ()


def _plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names as HRNet's own files have them; mmpose puts the network's parts before them."""
    if f"backbone.{_WIDTH_KEY}" not in state:
        return dict(state)
    parts = {"backbone.": "", f"keypoint_head.{_HEAD}.": f"{_HEAD}.", f"head.{_HEAD}.": f"{_HEAD}."}
    out = {}
    for name, value in state.items():
        prefix = next((prefix for prefix in parts if name.startswith(prefix)), "")
        out[parts.get(prefix, "") + name.removeprefix(prefix)] = value
    return out


def _joints(path: Path, wanted: str, count: int, names: tuple[str, ...]) -> tuple[JointSet, str]:
    """The joint set of a checkpoint's head, and a note where it is a guess."""
    if names:
        found = next((one for one in JOINT_SETS.values() if one.joints == names), None)
        if found is None:
            raise InputError(f"{path}: its joints are {', '.join(names)}: expected those of {', '.join(JOINT_SETS)}")
        if wanted not in ("auto", found.name):
            raise InputError(f"{path}: the file says that its joints are {found.name}, not {wanted}: leave that out")
        return found, ""
    if wanted != "auto":
        source = joint_set(wanted)
        if len(source) != count:
            raise InputError(f"{path}: its head has {count} joints, but {wanted} has {len(source)}")
        return source, ""
    if count == len(POSETRACK17) and "posetrack" in path.name.lower():
        return POSETRACK17, ""
    guessed = {17: COCO17, 15: POSETRACK15, 16: MPII16}.get(count)
    if guessed is None:
        raise InputError(f"{path}: its head has {count} joints: expected 15, 16 or 17, or name its joint set")
    sure = count != len(COCO17) or "coco" in path.name.lower()
    return guessed, "" if sure else "its 17 joints are taken for COCO's; posetrack17 must be said"


def _size_from_name(path: Path) -> tuple[int, int]:
    match = re.search(r"(\d{2,4})x(\d{2,4})", path.name)
    return (int(match[1]), int(match[2])) if match else (384, 288)
